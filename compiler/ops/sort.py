"""Order: the largest or smallest elements along an axis. Sorting is the case of all of them.

Elements that are equal keep their order: the one that stands first comes first, whichever way is sorted. Where NaN
goes is not defined. What this module does not do: the place of the single largest element, which is ``arg_max``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.facts import at_most
from archonnx.compiler.ir.op import Emitter, Op, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_dtypes
from .index import scatter_elements_add
from .narrow import NARROW, narrowed, widened
from .shape import normal_axis, zeros_like

SORTABLE = NARROW | {DType.f16, DType.f32, DType.f64, DType.i32, DType.i64}


@register
class TopK(Op):
    """The ``k`` largest (or smallest) elements along one axis, best first, and where they stood, as i64.

    Backward: ``dy`` goes to where the elements stood. The order is constant almost everywhere, so it has no gradient
    of its own, and the second derivative is that of a gather.
    """

    k: Dim = ONE
    axis: int = 0
    largest: bool = True

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        check_dtypes(self.name, "number", x)
        if x.dtype not in SORTABLE:
            raise TypeProblem("AX0303", f"`{self.name}` does not order {x.dtype}", help="convert it: `i64(...)`")
        size = x.shape[self.axis]
        if at_most(self.k + 1, Dim.of(0)) or at_most(size + 1, self.k):
            raise TypeProblem(
                "AX0322", f"`top_k` cannot take {self.k} elements of axis {self.axis}, of size {size}", argument="k"
            )
        if not at_most(self.k, size):
            raise TypeProblem(
                "AX0305",
                f"cannot tell whether {self.k} is at most {size}, the size of axis {self.axis}",
                help=f"state it: `assert {self.k} <= {size}`",
            )
        shape = (*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :])
        return x.with_shape(shape), TensorType(DType.i64, shape)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] != self.axis

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return result == 1 or inputs[0]

    def evaluate(self, x: Any) -> Any:
        rising = np.argsort(np.flip(x, self.axis) if self.largest else x, axis=self.axis, kind="stable")
        order = np.flip(x.shape[self.axis] - 1 - rising, self.axis) if self.largest else rising
        places = np.take(order, np.arange(self.k.evaluate({})), axis=self.axis)
        return np.take_along_axis(x, places, axis=self.axis), places.astype(np.int64)

    def vjp(self, dy: Any, y: Any, x: Value) -> tuple[Value | None, ...]:
        if dy[0] is None:
            return (None,)
        return (scatter_elements_add(zeros_like(x), y[1], dy[0], self.axis),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> list[str]:
        dtype = types[0].dtype
        (x,) = widened(emit, inputs, dtype)  # CUDA's kernel does not know narrow ones
        values, places = emit.nodes(
            "TopK", x, emit.dims([self.k]), outputs=2, axis=self.axis, largest=self.largest, sorted=True
        )
        return [narrowed(emit, values, dtype), places]


def top_k(x: Value, k: Dim | int, axis: int, largest: bool = True) -> tuple[Value, Value]:
    """The ``k`` largest or smallest elements along an axis, best first, and their places."""
    op = TopK(Dim.of(k), normal_axis(axis, x.rank, "top_k"), largest)
    values, places = current_builder().add_many(op, x)
    return values, places


def sort(x: Value, axis: int, descending: bool = False) -> tuple[Value, Value]:
    """All elements in order along an axis, the smallest first unless descending, and their places."""
    place = normal_axis(axis, x.rank, "sort")
    return top_k(x, x.shape[place], place, descending)
