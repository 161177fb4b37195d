"""Fields that are scaled by the habit of other data: inputs near 0, and targets outside of what their loss takes."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .data_rules import DataSight, data_lint
from .rules import Sight, warning

SMALL = 0.1
"""Inputs that stay below this move no layer that starts as ours do; those of images divided by 255 go up to 1."""
SLACK = 1e-3
"""By how much a number may leave 0 to 1."""
BETWEEN = ("bce", "bce_logits")
"""Losses whose targets are between 0 and 1."""


@data_lint("AX0846")
def small_inputs(sight: DataSight) -> Iterator[Diagnostic]:
    """``data.data / 255`` of what goes to 16."""
    for name, (low, high) in sight.bounds.items():
        largest, field = max(-low, high), sight.model.fields[name]
        value = sight.program.feeds[name].statement.value
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
    """``bce_logits(z, image)``, where pixels go to 16."""
    model = Sight(sight.model)
    nodes = [(model.user(node), node) for node in model.model.training.graph.nodes]
    asked = {
        field.name: user
        for user, node in nodes
        if user in BETWEEN
        for value in node.inputs
        if (field := model.given(value)) is not None
    }
    for name, loss in asked.items():
        low, high = sight.bounds.get(name, (0.0, 1.0))
        if not (low < -SLACK or high > 1 + SLACK):
            continue
        value = sight.program.feeds[name].statement.value
        text = value.span.text if isinstance(value, ast.Attribute | ast.Call) else f"({value.span.text})"
        yield warning(
            "AX0847",
            f"`{loss}` takes targets between 0 and 1, and `{name}` goes from {low:.3g} to {high:.3g}",
            value.span,
            "so large a target is never reached",
            help=f"divide by the largest: `{text} / {high:.4g}`" if low >= 0 else "bring it to 0 to 1, or take `mse`",
        )
