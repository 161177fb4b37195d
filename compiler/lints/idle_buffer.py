"""A buffer that begins as one number, is read, and is never updated."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0852")
def idle_buffer(sight: Sight) -> Iterator[Diagnostic]:
    """``buffer average: [8] = 0`` without an ``update average = ...``: a state that stays what it is."""
    updated = {update.target.span.text.rpartition(".")[2].partition("[")[0] for update in sight.syntax(ast.Update)}
    for buffer in sight.syntax(ast.Buffer):
        if buffer.name in updated or not isinstance(buffer.value, ast.Number):
            continue
        read = [path for path in sight.read if path.rpartition(".")[2] == buffer.name]
        if read and sight.model.programs:
            yield warning(
                "AX0852",
                f"nothing updates the buffer `{buffer.name}`: it stays {buffer.value.span.text}",
                buffer.span,
                "a buffer is what a training changes without a gradient",
                help=f"write `update {buffer.name} = ...` where it changes, or the number in its place",
            )
