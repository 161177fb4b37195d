"""A batch that is larger than the train part."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .data_rules import DataSight, data_lint
from .rules import warning


@data_lint("AX0823")
def large_batch(sight: DataSight) -> Iterator[Diagnostic]:
    """Each epoch is one step, over all examples."""
    size, count = sight.program.settings.batch_size, sight.parts.get("train", 0)
    if isinstance(size, int) and size > count and (place := sight.written("batch_size")) is not None:
        yield warning(
            "AX0823",
            f"a batch of {size:,} is all {count:,} examples of the train part: each epoch is one step",
            place,
            help="`batch_size = 32` makes more steps; `batch_size = all` says that one is meant",
        )
