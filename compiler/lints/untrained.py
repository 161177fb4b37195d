"""Parameters of the outputs that no training changes: nothing trains them, or no gradient reaches them."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.autodiff import gradient_ends
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.program import NEXT, Parameter
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.source import Span

from .rules import Sight, inputs_read, lint, modules_of, numbers_of, warning


@lint("AX0803")
def untrained(sight: Sight) -> Iterator[Diagnostic]:
    """What outputs or losses read, is meant to be trained, and is changed by no program."""
    model = sight.model
    if not sight.steps or any(program.steps is None for program in model.programs):
        return
    changed = {path for step in sight.steps for path in step.carried}
    reached = inputs_read(model.infer) | inputs_read(model.evaluate)
    idle = [p for path, p in model.parameters.items() if p.trainable and not p.buffer and path in reached - changed]
    lost = inputs_read(model.training.graph)
    yield from _copies(sight, changed)
    for name, place, parameters in modules_of(sight, idle):
        by_loss = [p for p in parameters if p.path in lost]
        yield (
            _no_gradient(sight, name, place, by_loss)
            if by_loss
            else warning(
                "AX0803",
                f"no program trains {name}: {numbers_of(parameters)} stay as they begin",
                place,
                "outputs read this, and no loss that is minimised does",
                help="let a loss depend on it, or say that it stays: `frozen(...)`",
            )
        )


def _copies(sight: Sight, changed: set[str]) -> Iterator[Diagnostic]:
    """``slow = copy(net)`` that no program lets follow."""
    for node in sight.syntax(ast.Assign):
        made = node.values[0]
        if len(node.targets) != 1 or not isinstance(made, ast.Call) or not isinstance(made.callee, ast.Name):
            continue
        name = node.targets[0].span.text
        own = [p for path, p in sight.model.parameters.items() if path.startswith(f"{name}.")]
        if made.callee.id != "copy" or not made.arguments or not own or any(p.path in changed for p in own):
            continue
        of = made.arguments[0].value.span.text
        yield warning(
            "AX0803",
            f"no program changes `{name}`, the copy of `{of}`: {numbers_of(own)} stay as they begin",
            node.span,
            "a copy follows what it is of by an `update`",
            help=f"in `train`: `update {name} = 0.99 * {name} + 0.01 * {of}`",
        )


def _no_gradient(sight: Sight, name: str, place: Span, parameters: list[Parameter]) -> Diagnostic:
    ends = _ends(sight.model.training.graph, {p.path for p in parameters})
    what = " and ".join(dict.fromkeys(node.origin.what for node in ends[:2]))
    by = f": it ends at {what}" if what else ""
    others = (f"{what} stands at {ends[0].origin.place}",) if what and ends[0].origin.place is not None else ()
    return warning(
        "AX0803",
        f"no gradient reaches {name}, {numbers_of(parameters)}{by}",
        place,
        "this stays as it begins",
        notes=others,
        help="`straight_through(hard, soft)` gives what jumps the gradient of something else" if what else None,
    )


def _ends(graph: Graph, paths: set[str]) -> list[Node]:
    """Where gradients of the losses end on their way to these parameters."""
    builder = Builder()
    builder.nodes.extend(graph.nodes)
    wrt = [value for name, value in graph.inputs.items() if name in paths]
    losses = [value for name, value in graph.outputs.items() if not name.startswith(NEXT)]
    return [node for value in losses for node in gradient_ends(builder, value, wrt)]
