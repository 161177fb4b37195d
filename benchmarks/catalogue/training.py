"""Training specs of the zoo for the facts of the catalogue: in memory, on the CPU, without a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import archonnx
from archonnx.compiler.pipeline import elaborate
from archonnx.runtime.session import Options
from archonnx.runtime.training import Trained, run_programs

SEEDS = range(3)
"""What is random is measured so often, and the mean is reported."""


def train(spec: str, *, seed: int = 0, settings: Mapping[str, Any] | None = None, **arguments: Any) -> list[Trained]:
    """Run all programs of a spec, and say how each ended; the last one holds the parameters of the model.

    Args:
        spec: a name from the zoo.
        seed: of the initial parameters, the order of the examples and all draws.
        settings: replace settings of the programs, by dotted name.
        arguments: those of the model.
    """
    model = elaborate(archonnx.load(spec, **arguments))
    return run_programs(model, Path(), changes={"seed": seed, **(settings or {})}, options=Options("cpu"))


def final(spec: str, part: str, figure: str, **options: Any) -> float:
    """A loss or metric of the last program on a part of its data, after training."""
    return float(train(spec, **options)[-1].metrics[part][figure])


def each(spec: str, part: str, figure: str, **options: Any) -> list[float]:
    """The same with every seed."""
    return [final(spec, part, figure, seed=seed, **options) for seed in SEEDS]


def mean(spec: str, part: str, figure: str, **options: Any) -> float:
    """The same, averaged over the seeds."""
    return fmean(each(spec, part, figure, **options))
