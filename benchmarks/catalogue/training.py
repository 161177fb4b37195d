"""Models and trainings for the facts of the catalogue: in memory, on the CPU, without a run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import archonnx
from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import Trained, run_programs
from archonnx.runtime.training.trainer import Trainer

SEEDS = range(3)
"""What is random is measured so often, and the mean is reported."""


def model_of(text: str, float_type: DType = DType.f32) -> ModelProgram:
    """The model of a text, elaborated."""
    return elaborate(parse_spec(Source("fact.arch", text)), float_type=float_type)


def trainer_of(text: str, float_type: DType = DType.f32, *, batch_size: int = 32) -> Trainer:
    """The model of a text as it starts; its program takes one step at a time."""
    return Trainer(model_of(text, float_type), options=SessionOptions("cpu"), batch_size=batch_size)


def diabetes() -> tuple[Any, Any]:
    """The table of scikit-learn: ``[442, 10]`` and ``[442]``, each column with mean 0 and variance 1."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()


def train(spec: str, *, seed: int = 0, settings: Mapping[str, Any] | None = None, **arguments: Any) -> list[Trained]:
    """Run all programs of a spec, and say how each ended; the last one holds the parameters of the model.

    Args:
        spec: a name from the zoo.
        seed: of the initial parameters, the order of the examples and all draws.
        settings: replace settings of the programs, by dotted name.
        arguments: those of the model.
    """
    loaded = archonnx.load(spec, **arguments)
    folder = Path(loaded.path).parent if loaded.path else Path()
    return run_programs(
        elaborate(loaded), folder, changes={"seed": seed, **(settings or {})}, options=SessionOptions("cpu")
    )


@cache
def tested(spec: str, **options: Any) -> tuple[Mapping[str, float], ...]:
    """The figures of the test part, by seed."""
    return tuple(train(spec, seed=seed, **options)[-1].metrics["test"] for seed in SEEDS)


def mean_of(figure: str, measured: Sequence[Mapping[str, float]]) -> float:
    """The mean of a figure over the seeds."""
    return fmean(one[figure] for one in measured)


def listed(figure: str, measured: Sequence[Mapping[str, float]], digits: int = 3) -> str:
    """A figure with each seed, as a fact shows it."""
    return ", ".join(f"{one[figure]:.{digits}f}" for one in measured)


def in_f64(spec: str, batch_size: int, **arguments: Any) -> Trainer:
    """A net of the zoo as it starts, in float64."""
    model = elaborate(archonnx.load(spec, **arguments), float_type=DType.f64)
    return Trainer(model, options=SessionOptions("cpu"), batch_size=batch_size)


def final(spec: str, part: str, figure: str, **options: Any) -> float:
    """A loss or metric of the last program on a part of its data, after training."""
    return float(train(spec, **options)[-1].metrics[part][figure])


def each(spec: str, part: str, figure: str, **options: Any) -> list[float]:
    """The same with every seed."""
    return [final(spec, part, figure, seed=seed, **options) for seed in SEEDS]


def mean(spec: str, part: str, figure: str, **options: Any) -> float:
    """The same, averaged over the seeds."""
    return fmean(each(spec, part, figure, **options))
