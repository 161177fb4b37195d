"""Arrays in another dtype, every value preserved, or the first that would not be.

Floats may become less precise, as the numbers of every data set do; nothing else is lost. What this module does not do:
say it to anybody (``Misfit`` has the words), or decide which conversions are welcome (``batch`` and feeds do).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array, DType

_LARGEST = int(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first value of an array that another dtype does not hold.

    Attributes:
        at: where it stands, an index for each axis.
        value: the value.
        reason: what is wrong with it: ``a fraction``, ``NaN``, ``beyond i64``, ``missing``, ``a text``.
    """

    at: tuple[int, ...]
    value: Any
    reason: str

    @property
    def row(self) -> int:
        """The row in which it stands; 0 for a single number."""
        return self.at[0] if self.at else 0

    @property
    def place(self) -> str:
        """Where it stands, in words: `` in row 3 at [0]``, nothing for a single number."""
        if not self.at:
            return ""
        rest = list(self.at[1:])
        return f" in row {self.row}" + (f" at {rest}" if rest else "")

    @property
    def shown(self) -> str:
        """The value, as a person would write it."""
        return repr(self.value) if isinstance(self.value, str) else str(self.value)

    def __str__(self) -> str:
        return f"{self.shown}{self.place}" + (f" is {self.reason}" if self.shown.lower() != self.reason.lower() else "")


def cast_exactly(array: Array, dtype: DType) -> Array | Misfit:
    """The array in a dtype, itself where it has it; or the first value that the dtype does not hold.

    Args:
        array: bools, integers, floats; of texts, dates and anything else no dtype holds a value.
        dtype: what is wanted. A whole float is an integer, 0 and 1 are bools, and a bool is 0 or 1; a float holds every
            number below its largest, to its precision, and NaN and infinities.

    >>> cast_exactly(np.array([1.0, 2.5]), DType.i64)
    Misfit(at=(1,), value=2.5, reason='a fraction')
    >>> cast_exactly(np.array([3.0, 4.0]), DType.i64)
    array([3, 4])
    """
    if array.dtype.kind == "O" and set(map(type, array.flat)) <= {int, float}:  # with an integer beyond 64 bits
        if (
            beyond := np.array([abs(number) > _LARGEST for number in array.ravel().tolist()]).reshape(array.shape)
        ).any():
            at = tuple(map(int, np.argwhere(beyond)[0]))
            return Misfit(at, array[at], f"beyond {dtype}")
        array = array.astype(np.float64)
    target, kind = dtype.numpy, array.dtype.kind
    if array.dtype == target or (kind in "biu" and np.can_cast(array.dtype, target)):
        return array.astype(target, copy=False)
    if kind not in "biuf":
        return _first(array, np.ones(array.shape, bool), dtype) if array.size else array.astype(target)
    with np.errstate(all="ignore"):
        cast = array.astype(target)
        wrong = _not_held(array, cast, dtype)
    return _first(array, wrong, dtype) if wrong.any() else cast


def _not_held(array: npt.NDArray[Any], cast: npt.NDArray[Any], dtype: DType) -> Any:
    """Where a dtype does not hold the value."""
    if dtype.is_float:
        return np.isfinite(array) & ~np.isfinite(cast)
    if dtype is DType.bool:
        return (array != 0) & (array != 1)
    lowest, above = _limits(dtype)
    if array.dtype.kind == "f":
        array = array.astype(np.float64)  # f16 does not hold the limits
        return (array != np.floor(array)) | ~((array >= float(lowest)) & (array < float(above)))
    return (array < lowest) | (array >= above)


def _limits(dtype: DType) -> tuple[int, int]:
    """The least integer of a dtype, and the first above its greatest; both are floats exactly."""
    limits = np.iinfo(np.dtype(dtype.numpy.name))
    return int(limits.min), int(limits.max) + 1


def _first(array: Array, wrong: npt.NDArray[Any], dtype: DType) -> Misfit:
    at = tuple(map(int, np.unravel_index(int(wrong.argmax()), array.shape)))
    value: Any = array[at]
    return Misfit(at, value.item() if array.dtype.kind in "biufUS" else value, _reason(value, array.dtype.kind, dtype))


def _reason(value: Any, kind: str, dtype: DType) -> str:
    """What is wrong with a value that a dtype does not hold."""
    if value is None or (isinstance(value, str | bytes) and not value) or (kind in "mM" and np.isnat(value)):
        return "missing"
    if kind not in "biuf":
        return {"M": "a date", "m": "a duration", "c": "a complex number"}.get(kind, "a text")
    if np.isnan(value):
        return "NaN"
    if dtype is DType.bool:
        return "neither 0 nor 1"
    if np.isinf(value):
        return "infinite"
    if dtype.is_float or kind != "f":
        return f"beyond {dtype}"
    lowest, above = _limits(dtype)
    return "a fraction" if lowest <= float(value) < above else f"beyond {dtype}"
