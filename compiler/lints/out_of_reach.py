"""Targets that the function on the last layer cannot reach."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.op import Op
from archonnx.compiler.ops.elementwise import Sub
from archonnx.compiler.ops.functions import Relu, Sigmoid, Tanh
from archonnx.compiler.ops.norm import Softmax
from archonnx.grammar.diagnostics import Diagnostic

from .data_rules import DataSight, data_lint
from .rules import Sight, warning

DISTANCES = ("mse", "mae", "huber", "smooth_l1", "log_cosh", "pseudo_huber")
"""Losses of the difference of a prediction and a target."""
REACH: tuple[tuple[type[Op], str, float, float], ...] = (
    (Sigmoid, "sigmoid", 0.0, 1.0),
    (Softmax, "softmax", 0.0, 1.0),
    (Tanh, "tanh", -1.0, 1.0),
    (Relu, "relu", 0.0, float("inf")),
)
"""What functions give, from and to."""
SLACK = 0.1
"""By how much a target may lie beyond: noise about what is reached is no mistake."""


@data_lint("AX0854")
def out_of_reach(sight: DataSight) -> Iterator[Diagnostic]:
    """``mse(sigmoid(z), y)`` of a ``y`` that goes up to 346; ``relu`` on the last layer for standardised targets."""
    model = Sight(sight.model)
    for node in sight.model.training.graph.nodes:
        if not isinstance(node.op, Sub) or model.user(node) not in DISTANCES:
            continue
        made, field = model.source(node.inputs[0]), model.given(node.inputs[1])
        if made is None or field is None or field.name not in sight.bounds:
            continue
        low, high = sight.bounds[field.name]
        for kind, name, least, most in REACH:
            if isinstance(made.op, kind) and (low < least - SLACK or high > most + SLACK):
                beyond = f"down to {low:.3g}" if low < least - SLACK else f"up to {high:.3g}"
                reach = "from 0 on" if most == float("inf") else f"from {least:g} to {most:g}"
                yield warning(
                    "AX0854",
                    f"`{field.name}` goes {beyond}, and `{name}` gives numbers {reach}",
                    node.origin.place,
                    "what lies beyond is never said",
                    notes=(f"`{name}` stands at {made.origin.place}",),
                    help=f"leave `{name}` out, or bring the target to what it gives",
                )
                break
