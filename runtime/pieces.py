"""Pieces of figures merged over batches, and figures made of them: ``compiler.combining`` says which and how.

What this module does not do: run the model, whose graph gives the pieces of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archonnx.compiler.combining import Combination, Piece
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array


class Pieces:
    """The pieces of the batches so far. Floats are added up in f64."""

    def __init__(self, combination: Combination) -> None:
        self._combination = combination
        self._merged: dict[str, Any] = {}
        self._rows = 0

    @property
    def rows(self) -> int:
        """How many examples the batches had."""
        return self._rows

    def running(self) -> dict[str, Array]:
        """What was merged so far, by name."""
        return {name: np.array(piece) for name, piece in self._merged.items()}

    def resume(self, running: Mapping[str, Array], rows: int) -> None:
        """Go on from what an earlier process merged, of so many examples."""
        self._merged, self._rows = dict(running), rows

    def add(self, rows: int, results: Mapping[str, Array]) -> dict[str, Array]:
        """Merge the pieces among a batch's results; the other results."""
        for name, how in self._combination.pieces.items():
            piece = _wide(results[name]) * rows if how == "mean" else _wide(results[name])
            self._merged[name] = _merge(how, self._merged[name], piece) if name in self._merged else piece
        self._rows += rows
        return {name: array for name, array in results.items() if name not in self._combination.pieces}

    def figures(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Losses and metrics of all batches, by name; ``sizes`` are those of the dims of the data."""
        return {name: float(array) for name, array in self.made(sizes).items()}

    def made(self, sizes: Mapping[str, int]) -> dict[str, Any]:
        """The same as they are, for what has other shapes than a number."""
        combination = self._combination
        means = {name for name, how in combination.pieces.items() if how == "mean"}
        merged = {name: p / self._rows if name in means else p for name, p in self._merged.items()}
        whole = {**sizes, **({} if combination.symbol is None else {combination.symbol: self._rows})}
        made = interpret(combination.whole, merged, whole)
        pieces = {value: name for name, value in combination.whole.inputs.items()}
        return {  # a figure that is a piece keeps its digits
            name: merged[pieces[value]] if value in pieces else made[name]
            for name, value in combination.whole.outputs.items()
        }


def _wide(array: Any) -> Any:
    return np.asarray(array, np.float64) if array.dtype.kind == "f" else np.array(array)


def _merge(how: Piece, one: Any, other: Any) -> Any:
    match how:
        case "same":
            return other
        case "largest":
            return np.maximum(one, other)
        case "smallest":
            return np.minimum(one, other)
        case _:
            return one + other
