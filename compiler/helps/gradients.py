"""Losses whose gradient reaches nothing: where it ends, and the modules that a loss is made with."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion

from .rewrites import text
from .sight import Sight, assigned, callee, expressions, proposes, replaced, statements


@proposes("AX0405")
def _over_others(sight: Sight) -> Iterator[str]:
    """``minimize judged over generator``: the modules that the loss is made with."""
    minimize = sight.innermost(ast.Minimize)
    if not isinstance(minimize, ast.Minimize) or not isinstance(minimize.over, ast.Name) or sight.yaml:
        return
    loss, over = minimize.loss.span.text, minimize.over
    train = sight.innermost(ast.Train) or sight.file
    said = [node for node in statements(train) if isinstance(node, ast.Minimize)]
    others = [one for one in said if one is not minimize and one.over is not None]
    trained_elsewhere = any(over.id == one.over.span.text for one in others if one.over is not None)
    for call in _stops(sight, loss) if not trained_elsewhere else ():
        if over.id in _modules_behind(sight, call):
            yield replaced(
                f"the gradient of `{loss}` ends there: leave `stop_gradient` out", call, text(call.arguments[0].value)
            )
    cut = _cut(sight, loss, over.id)
    if cut:
        yield Suggestion.at_places(
            f"the gradient of `{loss}` to `{over.id}` ends at `stop_gradient`: go around it", *cut
        )
        yield f"the gradient of `{loss}` to `{over.id}` ends at `stop_gradient`: use the value without it here"
        return
    for module in _modules_of(sight, loss):
        if module != over.span.text:
            yield replaced(f"`{loss}` is made with `{module}`: `over {module}`", over, module)


def _stops(sight: Sight, loss: str) -> list[ast.Call]:
    """Where a loss is given what no gradient passes."""
    values = [node.value for node in statements(sight.file) if isinstance(node, ast.Loss) and node.name == loss]
    calls = [node for value in values for node in expressions(value) if isinstance(node, ast.Call)]
    return [node for node in calls if callee(node) == "stop_gradient" and len(node.arguments) == 1]


def _cut(sight: Sight, loss: str, module: str) -> list[Edit]:
    """Names in a loss whose values end the gradient before a module, each with its value without `stop_gradient`."""
    edits = []
    for value in [node.value for node in statements(sight.file) if isinstance(node, ast.Loss) and node.name == loss]:
        for name in [node for node in expressions(value) if isinstance(node, ast.Name)]:
            made = assigned(sight.file, name.id)
            stops = [n for n in expressions(made) if callee(n) == "stop_gradient"] if made is not None else []
            for stop in stops[:1]:
                assert made is not None
                inner = stop.arguments[0].value if isinstance(stop, ast.Call) and len(stop.arguments) == 1 else None
                if inner is not None and module in _modules_behind(sight, inner):
                    written = made.span.text.replace(stop.span.text, inner.span.text)
                    edits.append(Edit(name.span, written))
    return edits


def _modules_of(sight: Sight, loss: str) -> list[str]:
    """The names that are called, or piped to, on the way to a loss, the nearest first."""
    return _modules_behind(
        sight, *(node.value for node in statements(sight.file) if isinstance(node, ast.Loss) and node.name == loss)
    )


def _modules_behind(sight: Sight, *values: ast.Expr) -> list[str]:
    """The same on the way to some values."""
    left = list(values)
    found: dict[str, None] = {}
    seen: set[str] = set()
    while left:
        for node in expressions(left.pop(0)):
            called = node.callee if isinstance(node, ast.Call) else node.stage if isinstance(node, ast.Pipe) else None
            if isinstance(called, ast.Name) and isinstance(assigned(sight.file, called.id), ast.Call):
                found[called.id] = None
            elif isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                made = assigned(sight.file, node.id)
                left.extend([made] if made is not None else [])
    return list(found)
