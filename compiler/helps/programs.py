"""What a model gives, and what a program minimises: losses, optimizers and their statements."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.foreign import called_here

from .rewrites import text
from .sight import (
    Sight,
    indentation,
    inserted,
    proposes,
    replaced,
    statements,
    whole_line,
)

UNNAMED = {
    "loss": ("loss", "objective"), "losses": ("loss", "objective"), "cost": ("loss", "objective"),
    "output": ("output", "y"), "outputs": ("output", "y"), "out": ("output", "out"), "logits": ("output", "logits"),
    "metric": ("metric", "quality"), "accuracy": ("metric", "accuracy"),
}  # fmt: skip
"""Names that people bind where a statement is meant: its word, and the name that it gives."""


@proposes("AX0218")
def _loss(sight: Sight) -> Iterator[str]:
    """What is minimised is no loss: the only one there is, or one made of what is written."""
    minimize, losses = sight.innermost(ast.Minimize), declared(sight, ast.Loss)
    if not isinstance(minimize, ast.Minimize) or sight.yaml:
        return
    if isinstance(minimize.loss, ast.Name):
        if len(losses) == 1:
            yield Suggestion.of(f"the model's loss is `{losses[0]}`", "", losses[0], sight.span)
    elif losses:
        last = [node for node in statements(sight.file) if isinstance(node, ast.Loss)][-1]
        value = re.sub(r"\band\b|,", "+", minimize.loss.span.text.strip("()[] "))
        end = whole_line(last.span).end
        line = f"{indentation(last.span)}loss total = {value}\n"
        edits = (Edit(minimize.loss.span, "total"), inserted(last.span, end, line))
        yield Suggestion.at_places(f"declare it in the model: `loss total = {value}`", *edits)


def declared(sight: Sight, kind: type[ast.Loss] | type[ast.Metric]) -> list[str]:
    """The names of the losses or metrics of the file."""
    return [node.name for node in statements(sight.file) if isinstance(node, kind)]


@proposes("AX0214")
def _nothing_given(sight: Sight) -> Iterator[str]:
    """``loss = mse(...)``, which binds the name `loss`; or no statement says what the model gives."""
    model = sight.innermost(ast.Model)
    if not isinstance(model, ast.Model) or sight.yaml:
        return
    named = [node for node in model.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    for node in named:
        word, name = UNNAMED.get(getattr(node.targets[0], "id", ""), ("", ""))
        if word and len(node.targets) == 1:
            target = node.targets[0].span
            uses = [
                Edit(one.loss.span, name)
                for one in statements(sight.file)
                if isinstance(one, ast.Minimize) and one.loss.span.text == target.text
            ]
            line = f"{word} {name} = ..."
            yield Suggestion.at_places(f"it needs a name: `{line}`", Edit(target, f"{word} {name}"), *uses)
    if named and model.body[-1] is named[-1]:
        start, name = named[-1].span.start, named[-1].targets[0].span.text
        yield Suggestion.at_places(f"say what it gives: `output {name} = ...`", inserted(model.span, start, "output "))


@proposes("AX0212")
def _returned(sight: Sight) -> Iterator[str]:
    """A model that returns."""
    node = sight.innermost(ast.Return)
    if isinstance(node, ast.Return) and sight.innermost(ast.Model) is not None and not sight.yaml:
        names = ["y"] if len(node.values) == 1 else [f"y{i}" for i in range(1, len(node.values) + 1)]
        lines = [f"output {name} = {value.span.text}" for name, value in zip(names, node.values, strict=True)]
        whole = f"\n{indentation(node.span)}".join(lines)
        yield Suggestion.of(f"a model gives what `output` declares: `{lines[0]}`", "", whole, node.span)


@proposes("AX0306")
def _optimizer(sight: Sight) -> Iterator[str]:
    """``with "adam"``."""
    minimize = sight.innermost(ast.Minimize)
    if isinstance(minimize, ast.Minimize) and isinstance(minimize.optimizer, ast.String):
        word = minimize.optimizer.value
        for name in (*called_here(word), word.lower()):
            yield Suggestion.of(f"an optimizer is called: `{name}()`", "", f"{name}()", minimize.optimizer.span)


@proposes("AX0212", "AX0201", "AX0206", "AX0211")
def _called(sight: Sight) -> Iterator[str]:
    """``minimize(l, adam())``, and ``adam().minimize(l)``."""
    node = sight.innermost(ast.ExprStmt)
    call = node.value if isinstance(node, ast.ExprStmt) else None
    if not isinstance(call, ast.Call) or sight.innermost(ast.Train) is None or sight.yaml:
        return
    words = [text(argument.value) for argument in call.arguments]
    name = call.callee.name if isinstance(call.callee, ast.Attribute) else call.callee.span.text
    if name not in ("minimize", "minimise") or not words:
        return
    if isinstance(call.callee, ast.Attribute):
        words = [words[0], text(call.callee.value)]
    line = f"minimize {words[0]} with {words[1] if len(words) > 1 else 'adam()'}"
    yield replaced(f"`minimize` is a statement: `{line}`", call, line)
