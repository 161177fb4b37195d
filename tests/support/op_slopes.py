"""The gradient of an op, of first or second order, held against central differences along a random direction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce

import numpy as np
import pytest

from archonnx.compiler.autodiff import gradient
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.reduce import reduce_sum

STEP = 1e-5


class Slopes:
    """A scalar ``value`` made of an op's results, and its gradients with respect to the float inputs that are not held.

    Of first order it is the sum of the results times weights, of second order the sum of the gradients of that times
    other weights. Weights are inputs, so that whatever passes through them is differentiated as well.
    """

    def __init__(
        self,
        op: Op,
        types: Sequence[TensorType],
        arrays: Sequence[Array],
        order: int,
        *,
        sizes: Mapping[str, int] | None = None,
        held: Collection[int] = (),
    ) -> None:
        self.builder, self.generator, self.sizes = Builder(), np.random.default_rng(order), sizes or {}
        self.inputs = {f"x{i}": Value(type_, f"x{i}") for i, type_ in enumerate(types)}
        self.feeds = dict(zip(self.inputs, arrays, strict=True))
        floats = [i for i, type_ in enumerate(types) if type_.dtype.is_float and i not in held]
        self.moving = {f"x{i}": self.inputs[f"x{i}"] for i in floats}
        results = self.builder.add_many(op, *self.inputs.values())
        value = self._weighted([y for y in results if y.type.dtype.is_float])
        gradients = gradient(self.builder, value, list(self.moving.values()))
        if order == 2:
            value = self._weighted(gradients)
            gradients = gradient(self.builder, value, list(self.moving.values()))
        outputs = {f"gradient/{name}": g for name, g in zip(self.moving, gradients, strict=True)}
        self.graph = self.builder.graph("slopes", self.inputs, {"value": value, **outputs})

    def _weighted(self, values: Sequence[Value]) -> Value:
        terms = []
        for value in values:
            weight = Value(value.type, f"w{len(self.inputs)}")
            self.inputs[weight.name] = weight
            shape = value.type.substitute({name: Dim.of(size) for name, size in self.sizes.items()}).static_shape
            self.feeds[weight.name] = self.generator.standard_normal(shape)
            with self.builder.active():
                terms.append(reduce_sum(value * weight))
        with self.builder.active():
            return reduce(lambda a, b: a + b, terms)

    def _at(self, step: float, direction: Mapping[str, Array]) -> float:
        moved = {name: self.feeds[name] + step * d for name, d in direction.items()}
        return float(interpret(self.graph, {**self.feeds, **moved}, self.sizes)["value"])

    def check(self) -> None:
        """The gradients have the types of their inputs, and say how the value changes along a direction."""
        for name, value in self.moving.items():
            assert self.graph.outputs[f"gradient/{name}"].type == value.type
        direction = {name: self.generator.standard_normal(self.feeds[name].shape) for name in self.moving}
        here = interpret(self.graph, self.feeds, self.sizes)
        slope = sum(float(np.sum(here[f"gradient/{name}"] * d)) for name, d in direction.items())
        differences = (self._at(STEP, direction) - self._at(-STEP, direction)) / (2 * STEP)
        assert slope == pytest.approx(differences, rel=1e-6, abs=1e-7)
