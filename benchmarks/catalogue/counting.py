"""The counting exercises 003 15.7.4 to 15.7.11 as facts, for the row on convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import archonnx

from .facts import Measured, Row


@dataclass(frozen=True, slots=True)
class Exercise:
    """One of the eight: what is asked of which layer, the printed answer, and that with bias where it changes."""

    number: str
    figure: str
    printed: int
    with_bias: int | None
    arguments: dict[str, Any]


EXERCISES = (
    Exercise("15.7.4", "parameters", 36, 40, {"filters": 1, "kernel": 3, "size": 4, "shared": False}),
    Exercise("15.7.5", "parameters", 160, 170, {"filters": 10, "kernel": 4, "size": 8}),
    Exercise("15.7.6", "multiplications", 1440, None, {"filters": 10, "kernel": 4, "size": 8, "stride": 2}),
    Exercise("15.7.7", "parameters", 144, 160, {"filters": 16, "kernel": 3, "size": 10}),
    Exercise("15.7.8", "multiplications", 640, None, {"filters": 10, "kernel": 4, "size": 6, "stride": 2}),
    Exercise("15.7.9", "multiplications", 1440, None, {"filters": 10, "kernel": 4, "size": 6}),
    Exercise("15.7.10", "additions", 36, None, {"filters": 3, "kernel": 2, "size": 3}),
    Exercise("15.7.11", "parameters", 120, 130, {"filters": 10, "kernel": 2, "size": 16, "stride": 2, "channels": 3}),
)


PUBLISHED = {
    "alexnet": 0.714, "resnet18": 1.814, "resnet50": 4.089, "vgg16": 15.470, "mobilenet_v2": 0.301,
    "densenet121": 2.834, "convnext_tiny": 4.456,
}  # fmt: skip
"""Billions of multiplications for an image of 224x224, as torchvision's pages of these models state them: those of
convolutions and dense layers, each with its addition counted as one operation."""


def products(spec: str) -> float:
    """Billions of multiplications in the convolutions and dense layers of a spec, by ``archonnx show``."""
    rows = archonnx.show(spec).rows
    return sum(row.counts.multiplications.evaluate({}) for row in rows if row.block in ("Conv", "Dense")) / 1e9


def answer(exercise: Exercise, *, bias: bool = False) -> int:
    """What ``archonnx show convolution_counts`` says in the row ``layer``."""
    rows = archonnx.show("convolution_counts", bias=bias, **exercise.arguments).rows
    (layer,) = [row for row in rows if row.path == "layer"]
    figure = getattr(layer.counts, exercise.figure)
    return figure if isinstance(figure, int) else figure.evaluate({})


def add(row: Row) -> None:
    """Enter the facts into a row."""

    @row.fact("`archonnx show` answers the counting exercises 15.7.4 to 11: 36, 160, 1440, 144, 640, 1440, 36, 120")
    def without_bias() -> Measured:
        found = [answer(exercise) for exercise in EXERCISES]
        return Measured(", ".join(map(str, found)), found == [exercise.printed for exercise in EXERCISES])

    @row.fact("multiplications of seven published nets, in billions, are those that torchvision states", slow=True)
    def published() -> Measured:
        found = {name: round(products(name), 3) for name in PUBLISHED}
        return Measured(", ".join(f"{name} {value:.3f}" for name, value in found.items()), found == PUBLISHED)

    @row.fact("with bias the parameters of 15.7.4, 5, 7 and 11 are 40, 170, 160 and 130")
    def with_bias() -> Measured:
        asked = [exercise for exercise in EXERCISES if exercise.with_bias is not None]
        found = [answer(exercise, bias=True) for exercise in asked]
        return Measured(", ".join(map(str, found)), found == [exercise.with_bias for exercise in asked])
