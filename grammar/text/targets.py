"""What was probably meant where something else than a name stands left of ``=``."""

from __future__ import annotations

import re

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Suggestion
from archonnx.grammar.source import Span

_FROZEN = re.compile(r"(\w+)\.(trainable|requires_grad|frozen)\s*=\s*(true|false)\b", re.IGNORECASE)


def bound_instead(target: ast.Expr) -> str | None:
    """``hs, (h, c) = f(x)`` without brackets, ``freeze`` for ``trunk.trainable = false``; None for anything else."""
    if isinstance(target, ast.Tuple | ast.List):
        names = ", ".join(item.span.text for item in target.items)
        words = "write `a, b = f(x)` without brackets"
        return Suggestion.of(words, "", names, target.span, otherwise=words)
    source, start = target.span.source, target.span.start
    match = _FROZEN.match(source.text, start)
    if match is not None and (match[3].lower() == "false") == (match[2] != "frozen"):
        written = f"freeze = [{match[1]}]"
        words = f"a program says what it keeps as it is: `{written}`"
        return Suggestion.of(words, "", written, Span(source, start, match.end()), otherwise=words)
    return None
