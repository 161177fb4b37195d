"""Inputs drawn at random for a model without data. What this module does not do: guess what integers stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.trace import TraceGraph
from archonnx.grammar.diagnostics import fail

from .inputs import example_input, field_types

ROWS = 3
"""Size of the dim that counts examples; other dims are larger, each by one."""


def drawn_inputs(traced: TraceGraph, model: ModelProgram, seed: int) -> dict[str, Array]:
    """Normal floats and random bools for what a loss takes. Integers are not drawn: nothing says how large they may be.

    Dims are small and all different, so that what agrees only by chance is not taken for right.
    """
    types = field_types(traced, model)
    integers = [name for name, type_ in types.items() if type_.dtype.is_integer]
    if integers:
        example = " ".join(f"--input {example_input(name, type_)}" for name, type_ in types.items())
        names = ", ".join(f"`{name}`" for name in integers)
        fail(
            "AX0607",
            f"{names} holds integers, and nothing says which: the inputs cannot be drawn",
            None,
            help=f"give all inputs, for example: `{example}`",
        )
    sizes = _sizes(types, model)
    rng = np.random.default_rng([seed, 1])
    return {name: _drawn(type_, sizes, rng) for name, type_ in types.items()}


def _drawn(type_: TensorType, sizes: Mapping[str, int], rng: np.random.Generator) -> Array:
    shape = tuple(dim.evaluate(sizes) for dim in type_.shape)
    if type_.dtype is DType.bool:
        return rng.random(shape) < 0.5
    return rng.normal(size=shape).astype(type_.dtype.numpy)


def _sizes(types: Mapping[str, TensorType], model: ModelProgram) -> dict[str, int]:
    """Sizes of the symbolic dims for which all that the model asserts holds, if any of a few does."""
    names = list(
        dict.fromkeys(name for type_ in types.values() for dim in type_.shape for name in sorted(dim.symbols()))
    )
    for sizes in _candidates(names):
        speaking = [a for a in model.assumptions if a.symbols() <= sizes.keys()]
        if all(assumption.holds(sizes) for assumption in speaking):
            return sizes
    return next(_candidates(names))  # the message of the assertion that fails says more than we could


def _candidates(names: Sequence[str]) -> Iterator[dict[str, int]]:
    yield {name: ROWS + number for number, name in enumerate(names)}
    rng = np.random.default_rng(0)
    for _ in range(2000):
        yield {name: int(size) for name, size in zip(names, rng.integers(1, 13, len(names)), strict=True)}
