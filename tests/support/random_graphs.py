"""Random well-typed graphs: every dim may be symbolic, values stay of moderate size.

Truth values come from inputs alone, so that a last bit of rounding never decides between two branches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import elementwise, functions, linalg, norm, reduce, shape, sizes

LARGEST = 1e3
"""Values beyond this are squashed."""
SHAPES: tuple[tuple[int | str, ...], ...] = (("B", 4), ("B", "T", 4), (4,), ("B", 1), (4, 4), ("T", 1, 4), ())
UNARY = (elementwise.neg, elementwise.absolute, functions.tanh, functions.sigmoid, functions.relu, functions.softplus)
BINARY = (elementwise.add, elementwise.sub, elementwise.mul, elementwise.maximum, elementwise.minimum)
NUMBERS = (0.0, 1.0, -1.0, 2.0, 0.5, 3.0)


@dataclass
class _Maker:
    """Values so far, each with a bound of its size, and how to add one more."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    bounds: dict[Value, float] = field(default_factory=dict)

    def value(self) -> Value:
        values = list(self.bounds)
        chosen: Value = self.draw(st.sampled_from(values[-4:] if self.draw(st.booleans()) else values))
        return chosen

    def keep(self, value: Value, bound: float) -> None:
        if bound > LARGEST:
            value, bound = functions.tanh(value), 1.0
        self.bounds[value] = bound

    def unary(self) -> None:
        x = self.value()
        self.keep(self.draw(st.sampled_from(UNARY))(x), self.bounds[x] + 1)

    def binary(self) -> None:
        a, b = self.value(), self.value()
        op = self.draw(st.sampled_from(BINARY))
        self.keep(op(a, b), max(self.bounds[a] * self.bounds[b], self.bounds[a] + self.bounds[b]))

    def with_number(self) -> None:
        x, number = self.value(), self.draw(st.sampled_from(NUMBERS))
        op = self.draw(st.sampled_from((*BINARY, elementwise.div) if number else BINARY))
        a, b = (x, number) if op is elementwise.div or self.draw(st.booleans()) else (number, x)
        self.keep(op(a, b), 4 * self.bounds[x] + 4)

    def power(self) -> None:
        x = self.value()
        self.keep(x ** self.draw(st.sampled_from((1.0, 2.0, 3.0))), self.bounds[x] ** 3 + 1)

    def transpose(self) -> None:
        x = self.value()
        self.keep(shape.transpose(x, self.draw(st.permutations(range(x.rank)))), self.bounds[x])

    def reshape(self) -> None:
        x = self.value()
        if x.rank >= 2:
            first = self.draw(st.integers(0, x.rank - 2))
            self.keep(shape.flatten(x, first, first + 2), self.bounds[x])

    def split_axis(self) -> None:
        x = self.value()
        if x.rank and x.shape[-1] == Dim.of(4):
            self.keep(shape.reshape(x, (*x.shape[:-1], 2, 2)), self.bounds[x])

    def unsqueeze(self) -> None:
        x = self.value()
        self.keep(shape.unsqueeze(x, self.draw(st.integers(0, x.rank))), self.bounds[x])

    def squeeze(self) -> None:
        x = self.value()
        ones = [axis for axis, dim in enumerate(x.shape) if dim == Dim.of(1)]
        self.keep(shape.squeeze(x, ones), self.bounds[x])

    def broadcast(self) -> None:
        x, like = self.value(), self.value()
        self.keep(shape.broadcast_to(x, like.shape), self.bounds[x])

    def reduce(self) -> None:
        x = self.value()
        axes = self.draw(st.lists(st.sampled_from(range(x.rank)), unique=True)) if x.rank else []
        fold = self.draw(st.sampled_from((reduce.reduce_sum, reduce.reduce_mean, reduce.reduce_max)))
        self.keep(fold(x, axes, self.draw(st.booleans())), 100 * self.bounds[x])

    def matmul(self) -> None:
        a, b = self.value(), self.value()
        self.keep(linalg.matmul(a, b), 64 * self.bounds[a] * self.bounds[b])

    def softmax(self) -> None:
        x = self.value()
        self.keep(norm.softmax(x, self.draw(st.integers(0, x.rank - 1)) if x.rank else -1), 1.0)

    def select(self) -> None:
        a, b = self.value(), self.value()
        inputs = [value for value in self.bounds if value.name]
        condition = self.draw(st.sampled_from(inputs)) > self.draw(st.sampled_from((0.0, 0.5)))
        self.keep(elementwise.where(condition, a, b), self.bounds[a] + self.bounds[b])

    def cast(self) -> None:
        x = self.value()
        self.keep(elementwise.cast(elementwise.cast(x, DType.f64), x.type.dtype), self.bounds[x])

    def dim(self) -> None:
        x = self.value()
        symbolic = [dim for dim in x.shape if dim.constant is None]
        for size in symbolic[:1]:
            self.keep(sizes.dim_value(size * 2 + 1, x.type.dtype), 50.0)

    def step(self) -> None:
        """Add a value of a random kind, if the operands drawn for it fit."""
        kinds = (
            self.unary,
            self.binary,
            self.with_number,
            self.power,
            self.transpose,
            self.reshape,
            self.split_axis,
            self.unsqueeze,
            self.squeeze,
            self.broadcast,
            self.reduce,
            self.matmul,
            self.softmax,
            self.select,
            self.cast,
            self.dim,
        )
        try:
            self.draw(st.sampled_from(kinds))()
        except TypeProblem:
            return


@st.composite
def graphs(draw: Callable[[st.SearchStrategy[Any]], Any], dtype: DType = DType.f32, steps: int = 16) -> Graph:
    """A graph of about ``steps`` operations on inputs with the dims B and T; what nothing reads is its output."""
    builder, maker = Builder(Origin("a random op")), _Maker(draw)
    inputs = {f"x{i}": Value(TensorType.of(dtype, *dims), f"x{i}") for i, dims in enumerate(SHAPES)}
    maker.bounds.update((value, 2.0) for value in inputs.values())
    with builder.active():
        for _ in range(steps):
            maker.step()
    read = {value for node in builder.nodes for value in node.inputs}
    last = [value for value in maker.bounds if value not in read][-3:]
    outputs = {f"y{i}": value for i, value in enumerate([*last, maker.value()])}
    return builder.graph("random", inputs, outputs)


def feeds(graph: Graph, sizes: dict[str, int], seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays for a graph's inputs, between -2 and 2."""
    random = np.random.default_rng(seed)
    return {
        name: random.uniform(-2, 2, [dim.evaluate(sizes) for dim in value.shape]).astype(value.type.dtype.numpy)
        for name, value in graph.inputs.items()
    }
