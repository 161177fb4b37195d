"""Running helper functions of the ops on arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from archonnx.compiler.autodiff import gradient
from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.ir.value import Value
from tests.support.graphs import graph_of, in_numpy


def type_of(array: Any) -> TensorType:
    """The type of an array."""
    return TensorType(DType.from_numpy(np.asarray(array).dtype), tuple(Dim.of(n) for n in np.shape(array)))


def trace(function: Callable[..., Any], arrays: Sequence[Any]) -> Graph:
    """The graph that a function of values builds from inputs ``x0``, ``x1``, ..., typed like these arrays."""
    return graph_of(lambda **x: function(*x.values()), **{f"x{i}": type_of(a) for i, a in enumerate(arrays)})


def run(function: Callable[..., Any], *arrays: Any) -> Array:
    """A function of values, applied to arrays."""
    result: Array = in_numpy(trace(function, arrays), {f"x{i}": a for i, a in enumerate(arrays)})[0]
    return result


def slope(function: Callable[..., Value], *arrays: Any) -> list[Array]:
    """Gradients of a scalar function of values with respect to all its arguments."""
    graph = trace(lambda *x: tuple(gradient(current_builder(), function(*x), x)), arrays)
    return in_numpy(graph, {f"x{i}": a for i, a in enumerate(arrays)})


def value(dtype: str, *dims: int | str | Dim) -> Value:
    """A value of this type, of no graph: for what is refused before it is used."""
    return Value(TensorType.of(dtype, *dims))
