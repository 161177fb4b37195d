"""Where an epoch stands between two passes.

What this module does not do: move it (``fit`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array


@dataclass(frozen=True, slots=True)
class Position:
    """Where an epoch stands.

    Attributes:
        passes: how many batches are done.
        drawn: how many fresh batches its rounds of ``repeat`` have taken.
        sums: each loss summed over examples, and their number.
    """

    passes: int = 0
    drawn: int = 0
    sums: Mapping[str, tuple[float, int]] = field(default_factory=dict)

    def after(self, losses: Mapping[str, float], rows: int, drawn: int, batches: int = 1) -> Position:
        """The position after further batches, of so many rows together, with their losses."""
        sums = dict(self.sums)
        for name, value in losses.items():
            total, count = sums.get(name, (0.0, 0))
            sums[name] = total + value * rows, count + rows
        return Position(self.passes + batches, drawn, sums)

    def after_row(self, losses: Mapping[str, Array], rows: int, passes: int) -> Position:
        """The position after so many more passes over batches of ``rows`` examples, as ``after`` each of them."""
        sums = dict(self.sums)
        for name, values in losses.items():
            total, count = sums.get(name, (0.0, 0))
            added = values.astype(np.float64) * rows
            added[:1] += total
            sums[name] = np.add.accumulate(added).item(-1) if passes else total, count + rows * passes  # in their order
        return Position(self.passes + passes, self.drawn, sums)

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {"passes": self.passes, "drawn": self.drawn, "sums": {n: list(sum_) for n, sum_ in self.sums.items()}}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Position:
        """What ``as_json`` gave."""
        sums = {name: (float(total), int(count)) for name, (total, count) in values["sums"].items()}
        return Position(values["passes"], values["drawn"], sums)
