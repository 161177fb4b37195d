"""How many rectified units are dead: at 0 for each example that is looked at, so that they learn nothing of these.

What this module does not do: say which layers have such units (``compiler.rectified`` does), or show it.
"""

from __future__ import annotations

import numpy as np

from archonnx.compiler.rectified import largest_activations
from archonnx.runtime.data.batches import Examples, in_pieces
from archonnx.runtime.data.parts import Parts

from .trainer import Trainer

MOST = 512
"""So many examples are looked at, of the valid part, or of the train part where there is no valid part."""


class DeadUnits:
    """Counts them, of a model that has rectified units and trains in one process."""

    def __init__(self, trainer: Trainer, examples: Examples, parts: Parts, size: int) -> None:
        self._graph = largest_activations(trainer.model)
        self._trainer, self._size = trainer, size
        self._examples = examples.on("valid" if len(parts.valid) else "train")
        self._indices = (parts.valid if len(parts.valid) else parts.train)[:MOST]

    def count(self) -> dict[str, tuple[int, int]]:
        """By layer, how many units are dead with the present parameters, and how many there are."""
        graph = self._graph
        if graph is None:
            return {}
        largest: dict[str, np.ndarray] = {}
        for indices in in_pieces(self._indices, self._size):
            found = self._trainer.computed("largest activations", graph, self._examples.take(indices))
            for layer, values in found.items():
                largest[layer] = np.maximum(largest[layer], values) if layer in largest else values
        return {layer: (int((values <= 0).sum()), len(values)) for layer, values in largest.items()}
