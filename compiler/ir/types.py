"""Types of tensors: an element type and a shape of dims.

What this module does not do: types of static values (they are Python's own while a spec is elaborated).
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from enum import Enum

import numpy as np
import numpy.typing as npt

from archonnx.grammar.record import Record, field

from .dims import Dim, product

Array = npt.NDArray[np.generic]
"""A NumPy array of any of our element types."""


class DType(Enum):
    """Element types, by the names that specs use. bf16 has no NumPy type of its own and is held as f32 there."""

    f16 = "f16"
    bf16 = "bf16"
    f32 = "f32"
    f64 = "f64"
    i8 = "i8"
    u8 = "u8"
    i32 = "i32"
    i64 = "i64"
    u32 = "u32"
    u64 = "u64"
    bool = "bool"

    def __str__(self) -> str:
        return self.value

    @property
    def is_float(self) -> builtins.bool:
        """Whether gradients can flow through tensors of this type."""
        return self in _FLOATS

    @property
    def is_integer(self) -> builtins.bool:
        """Whether it counts (bool does not)."""
        return not self.is_float and self is not DType.bool

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy type that holds it."""
        return _NUMPY[self]

    @staticmethod
    def from_numpy(dtype: npt.DTypeLike) -> DType:
        """The element type of a NumPy type; KeyError if there is none."""
        return _FROM_NUMPY[np.dtype(dtype)]


_FLOATS = frozenset({DType.f16, DType.bf16, DType.f32, DType.f64})
_NUMPY: dict[DType, np.dtype[np.generic]] = {
    DType.f16: np.dtype(np.float16),
    DType.bf16: np.dtype(np.float32),
    DType.f32: np.dtype(np.float32),
    DType.f64: np.dtype(np.float64),
    DType.i8: np.dtype(np.int8),
    DType.u8: np.dtype(np.uint8),
    DType.i32: np.dtype(np.int32),
    DType.i64: np.dtype(np.int64),
    DType.u32: np.dtype(np.uint32),
    DType.u64: np.dtype(np.uint64),
    DType.bool: np.dtype(np.bool_),
}
_FROM_NUMPY = {numpy: dtype for dtype, numpy in _NUMPY.items() if dtype is not DType.bf16}


class TensorType(Record):
    """``f32[B, 784]``. ``notes`` say, axis by axis, how a dim was written (``"1 * 28 * 28"``), or None.

    Notes are for people: they take no part in equality.
    """

    dtype: DType
    shape: tuple[Dim, ...]
    notes: tuple[str | None, ...] = field(default=(), compare=False, repr=False)

    @staticmethod
    def of(dtype: DType | str, *dims: int | str | Dim) -> TensorType:
        """``TensorType.of("f32", "B", 784)``."""
        return TensorType(DType(dtype) if isinstance(dtype, str) else dtype, tuple(Dim.of(d) for d in dims))

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return product(self.shape)

    @property
    def static_shape(self) -> tuple[int, ...] | None:
        """The shape in integers, or None if a dim is symbolic."""
        sizes = [d.constant for d in self.shape]
        return None if None in sizes else tuple(s for s in sizes if s is not None)

    def with_dtype(self, dtype: DType) -> TensorType:
        """The same shape with another element type."""
        return TensorType(dtype, self.shape, self.notes)

    def with_shape(self, shape: tuple[Dim, ...]) -> TensorType:
        """The same element type with another shape."""
        return TensorType(self.dtype, shape)

    def symbols(self) -> set[str]:
        """All names among the dims."""
        return set().union(*(d.symbols() for d in self.shape))

    def substitute(self, values: Mapping[str, Dim]) -> TensorType:
        """The type with names of dims replaced."""
        return TensorType(self.dtype, tuple(d.substitute(values) for d in self.shape), self.notes)

    def __repr__(self) -> str:
        return f"<TensorType {self}>"

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


def batch_symbol(types: Mapping[str, TensorType]) -> str | None:
    """The name of the dim that counts examples: the first axis of the first field that has a name there."""
    return next((s for type_ in types.values() if type_.rank and (s := type_.shape[0].symbol) is not None), None)
