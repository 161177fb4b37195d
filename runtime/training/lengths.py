"""How long an epoch is: in batches, and in passes over the statements of a program."""

from __future__ import annotations

import math

from archonnx.compiler.settings import TrainSettings


def steps_per_epoch(count: int, settings: TrainSettings) -> int:
    """Number of passes in an epoch of ``count`` examples: of batches, or of groups of them that make one update."""
    return math.ceil(batches_per_epoch(count, settings) / settings.accumulate)


def grouped(count: int, settings: TrainSettings) -> list[str]:
    """What people should know of the groups of batches that make an update, where there are such."""
    if settings.accumulate == 1:
        return []
    rest = batches_per_epoch(count, settings) % settings.accumulate
    last = f"; the last update of an epoch is made by {rest} of them" if rest else ""
    return [f"{settings.accumulate} batches make an update{last}"]


def batches_per_epoch(count: int, settings: TrainSettings) -> int:
    """Number of batches in an epoch of ``count`` examples; the smaller last one counts unless it is dropped."""
    if settings.batch_size == "all":
        return 1
    return max(1, count // settings.batch_size if settings.drop_last else math.ceil(count / settings.batch_size))
