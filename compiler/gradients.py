"""Gradients of a model's losses, as graphs. What this module does not do: update anything (training steps do)."""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .autodiff import DISCRETE, NotDifferentiable, reaching_gradient
from .ir.builder import Builder
from .ir.facts import assuming
from .ir.graph import Graph
from .ir.parts import cut
from .ir.value import Value
from .ops.shape import full
from .program import ModelProgram

GRADIENT = "grad/"
"""Output names of a gradient graph: ``grad/PATH``."""


def gradient_graph(model: ModelProgram, loss: str, *, told: bool = False) -> Graph:
    """The graph of the gradient of a loss with respect to each trainable parameter, by ``grad/PATH``.

    Where it is ``told``, the loss itself is the first output, by its name.
    """
    forward = model.training.graph
    trained = {path: forward.inputs[path] for path, parameter in model.parameters.items() if parameter.trainable}
    builder = Builder()
    builder.nodes = list(forward.nodes)
    with builder.active(), assuming(forward.facts):
        found = loss_gradients(builder, loss, forward.outputs[loss], list(trained.values()))
        outputs = {loss: forward.outputs[loss]} if told else {}
        outputs |= {
            GRADIENT + path: full(value.shape, 0, value.type.dtype) if g is None else g
            for (path, value), g in zip(trained.items(), found, strict=True)
        }
    return cut(f"gradients of {loss}", builder.nodes, forward.inputs, outputs, forward.facts)


def loss_gradients(
    builder: Builder, loss: str, value: Value, wrt: Sequence[Value], span: Span | None = None
) -> list[Value | None]:
    """Gradients of a loss with respect to values, added to the builder; None for those that it does not depend on.

    ``span`` is where a diagnostic stands if the op without a gradient has no place of its own.
    """
    try:
        return reaching_gradient(builder, value, wrt)
    except NotDifferentiable as problem:
        fail(
            "AX0401",
            f"loss `{loss}` cannot be differentiated through {problem.what}: {problem.why}",
            problem.node.origin.place or span,
            help=gradient_help(problem),
        )


def gradient_help(problem: NotDifferentiable) -> str:
    """The way out."""
    if problem.why == DISCRETE:
        return (
            "`stop_gradient(...)` makes the draw a constant, `straight_through(draw, p)` gives it the gradient of "
            "p, and the score `log_prob` of the draw has one"
        )
    return "`stop_gradient(...)` makes it a constant for the gradient"
