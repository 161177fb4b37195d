"""The size of gradients and updates over an epoch, by parameter, and shares of dead units: ``--watch grads``.

What this module does not do: compute them (the training step does, in its graph), or print.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array

from .figures import from_json, to_json

ROWS = 20
"""So many parameters, or modules, are shown; what is more is put together or left out."""
LAYERS = 8
"""Layers whose dead units are drawn, each in a line."""
FEW = 5
"""Fewer modules than this are not put in the place of all that is inside them."""


@dataclass(frozen=True, slots=True)
class Norms:
    """Euclidean norms over the steps of an epoch: roots of the mean squares, so that those of a module add up.

    Attributes:
        gradient: of the loss's gradient, before any clipping.
        parameter: of the parameter, before the step.
        update: of what a step adds to it.
    """

    gradient: float
    parameter: float
    update: float

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return to_json(asdict(self))

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Norms:
        """What ``as_json`` gave."""
        return Norms(**from_json(values))


class Watch:
    """Gathers the norms of the steps of an epoch."""

    def __init__(self, paths: Sequence[tuple[str, ...]]) -> None:
        self._paths = paths
        self._sums: dict[int, Any] = {}
        self._counts: dict[int, int] = {}

    def add(self, index: int, squares: Array) -> None:
        """Take note of a statement's sums of squares: gradient, parameter, update."""
        known = self._sums.get(index)
        self._sums[index] = np.array(squares) if known is None else known + squares
        self._counts[index] = self._counts.get(index, 0) + 1

    def running(self) -> dict[str, Array]:
        """The sums so far, by name, to be given to ``resume``: of each statement its number of steps, and its sums."""
        return {f"watch.{index}.{self._counts[index]}": np.array(sums) for index, sums in self._sums.items()}

    def resume(self, running: Mapping[str, Array]) -> None:
        """Go on from the sums of an earlier process, where the same is watched."""
        for name, sums in running.items():
            kind, _, numbers = name.partition(".")
            index, _, count = numbers.partition(".")
            if kind == "watch" and sums.shape == (3, len(self._paths[int(index)])):
                self._sums[int(index)], self._counts[int(index)] = np.array(sums), int(count)

    def take(self) -> dict[str, Norms]:
        """The norms since the last time, by path. Of a parameter that several statements change, the last one's."""
        found: dict[str, Norms] = {}
        for index, sums in self._sums.items():
            for path, column in zip(self._paths[index], np.sqrt(sums / self._counts[index]).T, strict=True):
                found[path] = Norms(*map(float, column))
        self._sums, self._counts = {}, {}
        return found


def dead_shares(dead: Mapping[str, tuple[int, int]]) -> dict[str, float]:
    """The share of dead units of each layer; where there are many layers, of all units and of the worst layer."""
    shares = {layer: count / units for layer, (count, units) in dead.items()}
    if len(shares) <= LAYERS:
        return shares
    counts, units = zip(*dead.values(), strict=True)
    return {"all": sum(counts) / sum(units), "worst layer": max(shares.values())}


def shortened(norms: Mapping[str, Norms]) -> tuple[dict[str, Norms], list[Norms]]:
    """At most ``ROWS`` rows, and what is left out: modules as a whole where parameters are too many.

    Where modules are too many as well, those with the smallest and the largest gradients are shown. So it is, too,
    where the modules around them would be so few that they told nothing: fifty layers in a list are not a single row.
    """
    depth = max((path.count(".") for path in norms), default=0)
    shown = dict(norms)
    while len(shown) > ROWS and depth > 0 and len(outer := _grouped(norms, depth)) >= FEW:
        shown = outer
        depth -= 1
    ranked = sorted(shown, key=lambda path: shown[path].gradient)
    others = set(ranked[ROWS // 2 : -ROWS // 2]) if len(shown) > ROWS else set()
    return {path: of for path, of in shown.items() if path not in others}, [shown[path] for path in others]


def _grouped(norms: Mapping[str, Norms], depth: int) -> dict[str, Norms]:
    """Joint norms of the parameters whose paths begin alike."""
    groups: dict[str, list[Norms]] = {}
    for path, of in norms.items():
        groups.setdefault(".".join(path.split(".")[:depth]), []).append(of)
    return {name: _joint(group) for name, group in groups.items()}


def _joint(group: Sequence[Norms]) -> Norms:
    return Norms(
        math.hypot(*(norms.gradient for norms in group)),
        math.hypot(*(norms.parameter for norms in group)),
        math.hypot(*(norms.update for norms in group)),
    )
