"""A learning rate with which no training gets anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archonnx.compiler.ops.elementwise import Mul, Neg
from archonnx.compiler.ops.reduce import ReduceSum
from archonnx.compiler.program import TrainStep
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

LARGEST: Mapping[str, float] = {
    **dict.fromkeys(("adam", "adamw", "nadam", "radam", "adamax", "rmsprop"), 0.5),
    "lion": 0.1,
    "adagrad": 5.0,
    "sgd": 10.0,
}
"""Optimizers of the library by the largest rate that is used."""
BY_THE_GRADIENT = ("sgd", "adagrad")
"""Those whose steps are as long as the gradient says; others move each weight by about the rate."""


def _summed(sight: Sight, step: TrainStep) -> int:
    """How many examples of a batch a minimised loss sums up; 0 where it is a mean, or something else."""
    program = next(one for one in sight.model.programs if step in (one.steps or ()))
    rows = program.settings.batch_size
    graph = sight.model.training.graph
    counted = False
    for name in step.minimized:
        node = sight.producers.get(graph.outputs[name])
        while node is not None and isinstance(node.op, Neg | Mul):  # times a number
            varying = [value for value in node.inputs if not sight.is_constant(value)]
            node = sight.producers.get(varying[0]) if len(varying) == 1 else None
        if node is not None and isinstance(node.op, ReduceSum):
            counted |= any(node.inputs[0].shape[axis].symbols() & sight.batch for axis in node.op.axes)
    return rows if counted and isinstance(rows, int) else 0


@lint("AX0821")
def large_rate(sight: Sight) -> Iterator[Diagnostic]:
    """``adam(lr=10)``, where weights are around 0.1."""
    for step in sight.steps:
        for followed in step.followed:
            name, rate = followed.optimizer, followed.rate
            if rate is not None and name == "sgd" and (rows := _summed(sight, step)) * rate > LARGEST[name] >= rate:
                yield warning(
                    "AX0821",
                    f"the loss is a sum over {rows} examples, and `{name}` goes {rate:g} times its gradient: "
                    f"{rate * rows:g} times that of a mean",
                    followed.span,
                    "weights are around 0.1",
                    help=f"minimise the mean over the examples, or begin with `sgd(lr={0.1 / rows:.1g})`",
                )
                continue
            if rate is None or rate <= LARGEST.get(name, rate):
                continue
            fixed = name not in BY_THE_GRADIENT
            yield warning(
                "AX0821",
                f"a learning rate of {rate:g} is too large for `{name}`",
                followed.span,
                f"each step moves each weight by about {rate:g}" if fixed else "weights are around 0.1",
                help=f"begin with `{name}(lr={'1e-3' if fixed else '1e-2'})`",
            )
