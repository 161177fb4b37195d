"""Integers of 8 bits, for which ONNX has no sums, products, powers or order: they are computed as i32, and cut back.

What this module does not do: other dtypes, or ops that have kernels for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.compiler.ir.op import Emitter
from archonnx.compiler.ir.types import DType

NARROW = frozenset({DType.i8, DType.u8})


def widened(emit: Emitter, names: Sequence[str], dtype: DType) -> list[str]:
    """The inputs as i32, where their dtype is narrow."""
    return [emit.node("Cast", name, to=DType.i32) for name in names] if dtype in NARROW else list(names)


def narrowed(emit: Emitter, name: str, dtype: DType) -> str:
    """A result as the dtype, where that is narrow; what does not fit wraps around, as in NumPy."""
    return emit.node("Cast", name, to=dtype) if dtype in NARROW else name
