"""Measuring a model on a part of its data: losses, metrics, and tables such as a confusion matrix.

What this module does not do: choose the parts, or write the figures down.
"""

from __future__ import annotations

from archonnx.compiler.settings import TrainSettings
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import Indices
from archonnx.runtime.measures.set_metrics import Confusion, Gathered

from .trainer import Trainer


def measure(
    trainer: Trainer,
    examples: Examples,
    indices: Indices,
    settings: TrainSettings,
) -> dict[str, float]:
    """Losses and metrics on a part, batch by batch, averaged by example; metrics over a set once, at the end."""
    totals, gathered = _measured(trainer, examples, indices, settings)
    return {name: total / len(indices) for name, total in totals.items()} | gathered.values()


def measure_tables(
    trainer: Trainer, examples: Examples, indices: Indices, settings: TrainSettings
) -> dict[str, Confusion]:
    """The tables over a part, by name; nothing is run where the model has none."""
    return {} if not trainer.model.tables else _measured(trainer, examples, indices, settings)[1].tables()


def _measured(
    trainer: Trainer, examples: Examples, indices: Indices, settings: TrainSettings
) -> tuple[dict[str, float], Gathered]:
    """Sums of the losses and metrics over examples, and what those over the set are computed of."""
    totals: dict[str, float] = {}
    gathered = Gathered(trainer.model.set_metrics)
    for rows, batch in examples.batches(indices, settings.batch_size):
        for name, value in gathered.add(trainer.measures(batch)).items():
            totals[name] = totals.get(name, 0.0) + value * rows
    return totals, gathered
