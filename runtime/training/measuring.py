"""Measuring a model on a part of its data: losses, metrics, and tables such as a confusion matrix.

What this module does not do: choose the parts, or write the figures down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.assumptions import bound_dims
from archonnx.runtime.data.batches import Examples, in_pieces
from archonnx.runtime.data.beside import Turn
from archonnx.runtime.data.parts import Indices
from archonnx.runtime.measures.set_metrics import Confusion, Gathered
from archonnx.runtime.pieces import Pieces

from .nonfinite import all_finite
from .trainer import Trainer

_Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on a part of its data.

    Attributes:
        figures: losses and metrics by name.
        tables: by name.
        undefined: what is known of why a figure is not a number, or is infinite by an example, by its name.
    """

    figures: Mapping[str, float]
    tables: Mapping[str, Confusion]
    undefined: Mapping[str, str]

    def notes(self, where: str) -> list[str]:
        """A line for each figure of which that is known; ``where`` is what was measured."""
        return [f"`{name}` over {where} is {self.figures[name]}: {why}" for name, why in self.undefined.items()]


class Measurement:
    """A part under measurement, batch by batch; every figure is that of the part as a whole, whatever a batch's size.

    It can be saved between two batches, and taken up again.

    Attributes:
        whole: whether no batch is under way.
    """

    def __init__(self, trainer: Trainer, examples: Examples, indices: Indices, settings: TrainSettings) -> None:
        self._trainer = trainer
        self._examples = examples if trainer.ranks is None else examples.shared(trainer.ranks)
        self._indices, self._size = indices, settings.batch_size
        self._combination = trainer.combination(examples.whole)
        self._pieces, self._gathered = Pieces(self._combination), Gathered(trainer.model.set_metrics)
        self._sizes: dict[str, int] = {}
        self._batches = 0
        self._odd: Indices | None = None
        """The examples of the first batch of which something is not finite."""
        self.whole = True

    def run(self, between: Callable[[], None] = lambda: None) -> Measured:
        """Measure what is left; ``between`` is called after each batch."""
        fields = self._trainer.model.fields
        for indices, rows, shapes, found in self._found(self._batches):
            self.whole = False
            self._sizes |= bound_dims({name: (fields[name].type, shape) for name, shape in shapes.items()})
            if self._odd is None and not all_finite(found.values()):
                self._odd = indices
            self._gathered.add(self._pieces.add(rows, found))
            self._batches += 1
            self.whole = True
            between()
        return self._figures()

    def _found(self, start: int) -> Iterator[tuple[Indices, int, _Shapes, Mapping[str, Array]]]:
        """For each batch from this one on its examples, how many they are, its shapes, and what was found of it.

        Several processes find that of a batch each, and all get it in the order of the batches.
        """
        cut, ranks = [*in_pieces(self._indices, self._size)], self._trainer.ranks
        if ranks is None:
            batches = islice(self._examples.batches(self._indices, self._size), start, None)
            for indices, (rows, batch) in zip(cut[start:], batches, strict=True):
                yield indices, rows, *self._one(batch)
            return
        turns = [*accumulate(map(len, cut), Turn.after, initial=Turn())]
        for first in range(start, len(cut), ranks.size):
            round_ = [*zip(cut, turns, strict=False)][first : first + ranks.size]
            found = [(rows, *self._one(batch)) for rows, batch in self._examples.dealt(ranks, round_)]
            for indices, of_rank in zip(cut[first:], ranks.gather(found), strict=False):
                yield indices, *of_rank[0]

    def _one(self, batch: Mapping[str, Array]) -> tuple[_Shapes, Mapping[str, Array]]:
        shapes = {name: array.shape for name, array in batch.items()}
        return shapes, self._trainer.pieces(self._combination, batch)

    def _figures(self) -> Measured:
        model, gathered = self._trainer.model, self._gathered
        made, over_set = self._pieces.figures(self._sizes), gathered.values()
        names = (*model.losses, *model.metrics)
        figures = {name: made[name] if name in made else over_set[name] for name in names}
        odd = [name for name, value in figures.items() if not math.isfinite(value)]
        place = self._place() if odd else None
        undefined = {}
        for name in odd:
            known = gathered.undefined.get(name)
            if place is not None:
                undefined[name] = f"{known}; {place}" if known is not None else place
            elif math.isnan(figures[name]):
                undefined[name] = known or NOT_A_NUMBER
        return Measured(figures, gathered.tables(), undefined)

    def _place(self) -> str | None:
        """The first example of which something is not finite, in words; None where it is not one alone."""
        if self._odd is None:
            return None
        for index in self._odd:
            try:
                found = self._trainer.pieces(self._combination, self._examples.take(np.array([index])))
            except SpecError:  # the model does not take one alone
                break
            if not all_finite(found.values()):
                return f"example {index} of the data makes it so"
        return f"an example among {_shown(self._odd)} of the data makes it so"

    def numbers(self) -> dict[str, Any]:
        """How far it is, as JSON has it."""
        return {"batches": self._batches, "rows": self._pieces.rows, "sizes": dict(self._sizes)}

    def running(self) -> dict[str, Array]:
        """What was found so far, by name."""
        pieces = {f"{PIECE}{name}": array for name, array in self._pieces.running().items()}
        return pieces | {f"{GATHERED}{name}": array for name, array in self._gathered.running().items()}

    def resume(self, numbers: Mapping[str, Any], running: Mapping[str, Array]) -> None:
        """Go on from what was saved."""
        self._batches, self._sizes = numbers["batches"], dict(numbers["sizes"])
        self._pieces.resume(_of(running, PIECE), numbers["rows"])
        self._gathered.resume(_of(running, GATHERED))


def _shown(indices: Indices) -> str:
    more = f" and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
    return ", ".join(map(str, indices[:SHOWN].tolist())) + more


def _of(running: Mapping[str, Array], kind: str) -> dict[str, Array]:
    return {name.removeprefix(kind): array for name, array in running.items() if name.startswith(kind)}


def measure(trainer: Trainer, examples: Examples, indices: Indices, settings: TrainSettings) -> Measured:
    """Run a part batch by batch; every figure is that of the part as a whole, whatever the size of a batch."""
    return Measurement(trainer, examples, indices, settings).run()


PIECE, GATHERED = "piece.", "gathered."
NOT_A_NUMBER = "its expression is, as 0 / 0 is"
SHOWN = 5
"""So many examples are named."""
