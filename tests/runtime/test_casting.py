"""Casts that preserve every value or say which one they would not, against exact arithmetic in Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from archonnx.runtime.data.batch import checked
from archonnx.runtime.data.casting import Misfit, cast_exactly
from tests.support.elaborated import program

INTEGERS = [dtype for dtype in DType if dtype.is_integer]
SOURCES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "?"]
EDGES = [0, 1, 2, 3, -1, 127, 128, -128, -129, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**63 - 1, 2**63]
EDGES += [-(2**63), 2**64 - 1, 2**64, 0.5, -0.5, 1e-30, 1.5, 1e300, -1e300, math.nan, math.inf, -math.inf]


def held(value: Any, dtype: DType) -> bool:
    """Whether an integer dtype or bool holds a number, by Python's own integers."""
    if isinstance(value, float) and not value.is_integer():
        return False  # fractions, NaN and infinities
    if dtype is DType.bool:
        return value in (0, 1)
    limits = np.iinfo(np.dtype(dtype.numpy.name))
    return int(limits.min) <= int(value) <= int(limits.max)


def values(source: str) -> list[Any]:
    """The edges that a source holds."""
    made = []
    for edge in EDGES:
        with np.errstate(all="ignore"):
            try:
                value = np.asarray(float(edge) if source[0] == "f" else edge).astype(source).item()
            except (OverflowError, ValueError):
                continue
        if source[0] == "f" or value == edge:
            made.append(value)
    return made


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("dtype", [*INTEGERS, DType.bool], ids=str)
def test_a_value_is_preserved_or_refused(dtype: DType, source: str) -> None:
    assert len(values(source)) >= 2
    for value in values(source):
        found = cast_exactly(np.array([[0, value]], source), dtype)
        if held(value, dtype):
            assert not isinstance(found, Misfit) and found.dtype == dtype.numpy and found[0, 1].item() == value
        else:
            assert isinstance(found, Misfit) and found.at == (0, 1)
            np.testing.assert_equal(found.value, value)


@pytest.mark.parametrize(
    ("array", "dtype", "says"),
    [
        (np.array([1.0, 2.0, 2.5, math.nan]), DType.i64, "2.5 in row 2 is a fraction"),
        (np.array([1.0, math.nan]), DType.i64, "nan in row 1"),
        (np.array([-math.inf]), DType.u8, "-inf in row 0 is infinite"),
        (np.array([[0, 2**63]], np.uint64), DType.i64, "9223372036854775808 in row 0 at [1] is beyond i64"),
        (np.array([-3]), DType.u32, "-3 in row 0 is beyond u32"),
        (np.array(300), DType.u8, "300 is beyond u8"),
        (np.array([0, 2]), DType.bool, "2 in row 1 is neither 0 nor 1"),
        (np.array([math.nan]), DType.bool, "nan in row 0"),
        (np.array([0.0, -1e200]), DType.f32, "-1e+200 in row 1 is beyond f32"),
        (np.array([70_000]), DType.f16, "70000 in row 0 is beyond f16"),
        (np.array(["4", "x"], object), DType.f32, "'4' in row 0 is a text"),
        (np.array(["", "x"]), DType.i64, "'' in row 0 is missing"),
        (np.array([None]), DType.f32, "None in row 0 is missing"),
        (np.array(["NaT"], "datetime64[s]"), DType.f32, "NaT in row 0 is missing"),
        (np.array(["2024-05-01"], "datetime64[D]"), DType.i64, "2024-05-01 in row 0 is a date"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_value_that_is_not_held_is_told(array: Any, dtype: DType, says: str) -> None:
    assert str(cast_exactly(array, dtype)) == says


def test_floats_keep_nan_and_infinities_and_lose_precision_alone() -> None:
    given = np.array([0.1, math.nan, math.inf, -math.inf, 2**53 + 1.0])
    np.testing.assert_array_equal(cast_exactly(given, DType.f32), given.astype(np.float32))
    np.testing.assert_array_equal(cast_exactly(np.array([7, -7]), DType.f16), np.array([7, -7], np.float16))


def test_what_is_right_already_is_not_copied() -> None:
    for array in (np.zeros(3, np.float32), np.zeros(3, np.int64), np.zeros(3, bool)):
        assert cast_exactly(array, DType.from_numpy(array.dtype)) is array


@pytest.mark.parametrize("shape", [(0,), (0, 4)])
def test_nothing_holds_nothing_that_is_wrong(shape: tuple[int, ...]) -> None:
    for source in ("f8", "u8", "O"):
        found = cast_exactly(np.zeros(shape, source), DType.i32)
        assert not isinstance(found, Misfit) and found.shape == shape and found.dtype == np.int32


def test_arrays_for_a_model_are_told_by_field_row_and_value() -> None:
    of = program("model M():\n    input count: i64[B, 2]\n    output y = count\n")
    types = {"count": of.fields["count"].type}
    with pytest.raises(
        Exception, match=r"the field `count` is i64\[B, 2\]; given: f64\[2, 2\]: 0\.25 in row 1 at \[0\]"
    ):
        checked({"count": np.array([[1.0, 2.0], [0.25, 3.0]])}, types)
    with pytest.raises(Exception, match=r"the dtype does not fit") as caught:
        checked({"count": np.array([[1.0, 2.0]])}, types)  # whole numbers, and still floats
    assert '.astype("int64")' in str(caught.value)


@pytest.mark.parametrize("dtype", [DType.f32, DType.f64, DType.i64, DType.bool])
def test_integers_that_numpy_has_no_dtype_for(dtype: DType) -> None:
    """They come in arrays of objects; it is they that do not fit, and not what stands before them."""
    for number in (10**40, -(10**40), 10**400, -(2**70)):
        found = cast_exactly(np.array([[1.0, number, 1]], dtype=object), dtype)
        if dtype.is_float and abs(number) < int(np.finfo(dtype.numpy).max):
            assert np.array_equal(found, np.array([[1.0, float(number), 1.0]], dtype.numpy))
        else:
            assert isinstance(found, Misfit) and found.at == (0, 1), number
            assert found.reason == (
                "neither 0 nor 1" if dtype is DType.bool and abs(number) < 10**300 else f"beyond {dtype}"
            )
    assert cast_exactly(np.array([1, "a"], dtype=object), DType.f32) == Misfit((0,), 1, "a text")
