"""Fields that are scaled by the habit of other data: inputs near 0, and targets outside of what their loss takes."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import Field
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .data_rules import DataSight, data_lint
from .rules import Sight, warning

SMALL = 0.1
"""Inputs that stay below this move no layer that starts as ours do; those of images divided by 255 go up to 1."""
SLACK = 1e-3
"""By how much a number may leave 0 to 1."""
BETWEEN = ("bce", "bce_logits", "focal")
"""Losses whose targets are between 0 and 1."""
SIGNS = ("hinge", "squared_hinge")
"""Losses whose targets are -1 and 1."""


@data_lint("AX0846")
def small_inputs(sight: DataSight) -> Iterator[Diagnostic]:
    """``data.data / 255`` of what goes to 16."""
    for name, (low, high) in sight.bounds.items():
        largest, field = max(-low, high), sight.model.fields[name]
        value = sight.program.feeds[name].statement.value if name in sight.program.feeds else None
        if field.target or field.type.rank < 2 or not 0 < largest < SMALL or not isinstance(value, ast.Binary):
            continue
        if value.op == "/" and isinstance(value.right, ast.Number):
            bound = f"{largest * value.right.value:.3g}"
            yield warning(
                "AX0846",
                f"the input `{name}` stays below {SMALL}: its largest number is {largest:.2g}",
                value.span,
                f"what is divided goes to {bound}",
                help=f"divide by that: `{value.left.span.text} / {bound}`",
            )


@data_lint("AX0847")
def targets_of_shares(sight: DataSight) -> Iterator[Diagnostic]:
    """``bce_logits(z, image)``, where pixels go to 16; ``bce(p, y)`` of -1 and 1, and ``hinge(z, y)`` of 0 and 1."""
    model = Sight(sight.model)
    nodes = [(model.user(node), node) for node in model.model.training.graph.nodes]
    asked = {
        field.name: user
        for user, node in nodes
        if user in (*BETWEEN, *SIGNS)
        for value in node.inputs
        if (field := _as_numbers(model, value)) is not None
    }
    for name, loss in asked.items():
        low, high = sight.bounds.get(name, (0.0, 1.0) if loss in BETWEEN else (-1.0, 1.0))
        if loss in BETWEEN and low >= -SLACK and high <= 1 + SLACK:
            continue
        if loss in SIGNS and not (low == 0 and high == 1):
            continue
        feed = sight.program.feeds.get(name)
        own = f"{sight.program.data}.{name}" if feed is None else feed.statement.value.span.text
        if feed is not None and not isinstance(feed.statement.value, ast.Attribute | ast.Call):
            own = f"({own})"
        way = _brought(own, loss, low, high)
        takes = "between 0 and 1" if loss in BETWEEN else "-1 and 1"
        yield warning(
            "AX0847",
            f"`{loss}` takes targets {takes}, and `{name}` goes from {low:.3g} to {high:.3g}",
            sight.program.span if feed is None else feed.statement.value.span,
            "so large a target is never reached" if low >= 0 and loss in BETWEEN else "",
            help=way if feed is not None or "`" not in way else way.replace("`", f"`feed {name} = ", 1),
        )


def _brought(own: str, loss: str, low: float, high: float) -> str:
    """How targets are brought to what a loss takes."""
    if loss in SIGNS:
        return f"0 is to be -1: `2 * {own} - 1`"
    if low == -1 and high == 1:
        return f"-1 is to be 0: `({own} + 1) / 2`"
    return f"divide by the largest: `{own} / {high:.4g}`" if low >= 0 else "bring it to 0 to 1, or take `mse`"


def _as_numbers(model: Sight, value: Value) -> Field | None:
    """The field that a value is, whatever its type and its axes became; None if it is something else."""
    node = model.producers.get(value)
    while node is not None and (node.op.name == "cast" or Trait.VIEW in node.op.traits):
        value = node.inputs[0]
        node = model.producers.get(value)
    return model.given(value)
