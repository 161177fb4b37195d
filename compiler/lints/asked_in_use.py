"""An ``input`` of labels that only losses and metrics read is a ``target``: predictions need not have it."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .padding_seen import length_field
from .rules import Sight, inputs_read, lint, warning


@lint("AX0806")
def asked_in_use(sight: Sight) -> Iterator[Diagnostic]:
    """An input of integers that no output and no entry depends on, in a model with outputs."""
    model = sight.model
    if not model.infer.outputs:
        return
    used = inputs_read(model.infer).union(*map(inputs_read, model.entries.values()))
    lengths = length_field(sight)  # a layer that should be told of them is told of
    judged = inputs_read(model.evaluate) | inputs_read(model.training.graph)
    for name, field in model.fields.items():
        if not field.target and name in judged - used and field.type.dtype.is_integer and name != lengths:
            yield warning(
                "AX0806",
                f"only losses and metrics read the input `{name}`",
                field.origin.place,
                "no output depends on it",
                help=f"`target {name}: {field.type}` says so, and directions of metrics and tables follow",
            )
