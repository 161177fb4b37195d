"""Measuring a model on a part of its data: losses, metrics, and tables such as a confusion matrix.

What this module does not do: choose the parts, or write the figures down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from archonnx.compiler.settings import TrainSettings
from archonnx.runtime.assumptions import bound_dims
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import Indices
from archonnx.runtime.measures.pieces import Pieces
from archonnx.runtime.measures.set_metrics import Confusion, Gathered

from .trainer import Trainer


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on a part of its data.

    Attributes:
        figures: losses and metrics by name.
        tables: by name.
        undefined: what is known of why a figure is not a number, by name of each that is none.
    """

    figures: Mapping[str, float]
    tables: Mapping[str, Confusion]
    undefined: Mapping[str, str]

    def notes(self, where: str) -> list[str]:
        """A line for each figure that is not a number; ``where`` is what was measured."""
        return [f"`{name}` over {where} is nan: {why}" for name, why in self.undefined.items()]


def measure(trainer: Trainer, examples: Examples, indices: Indices, settings: TrainSettings) -> Measured:
    """Run a part batch by batch; every figure is that of the part as a whole, whatever the size of a batch."""
    combination = trainer.combination(examples.whole)
    pieces, gathered = Pieces(combination), Gathered(trainer.model.set_metrics)
    sizes: dict[str, int] = {}
    for rows, batch in examples.batches(indices, settings.batch_size):
        sizes |= bound_dims({name: (trainer.model.fields[name].type, array.shape) for name, array in batch.items()})
        gathered.add(pieces.add(rows, trainer.pieces(combination, batch)))
    made, over_set = pieces.figures(sizes), gathered.values()
    names = (*trainer.model.losses, *trainer.model.metrics)
    figures = {name: made[name] if name in made else over_set[name] for name in names}
    undefined = {name: gathered.undefined.get(name, NOT_A_NUMBER) for name, v in figures.items() if math.isnan(v)}
    return Measured(figures, gathered.tables(), undefined)


NOT_A_NUMBER = "its expression is, as 0 / 0 is"
