"""From numbers to tensors: constants, and the rules by which numbers and tensors of several dtypes meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import INT64, Dim
from archonnx.compiler.ir.facts import at_most
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Binary, Value
from archonnx.compiler.ops import compare, elementwise, functions, linalg, shape, sizes
from archonnx.compiler.program import Assumption
from archonnx.grammar.budget import Cost, spend

from .frame import Frame
from .static import charge
from .values import describe

BINARY_OPS: Mapping[str, Binary] = {
    "+": elementwise.add, "-": elementwise.sub, "*": elementwise.mul, "/": elementwise.div, "**": functions.power,
    "//": elementwise.floor_div, "%": elementwise.mod, "<": compare.less, "<=": compare.less_equal,
    ">": compare.greater, ">=": compare.greater_equal, "==": compare.equal, "!=": compare.not_equal,
    "and": compare.logical_and, "or": compare.logical_or,
}  # fmt: skip
KINDS_OF_NUMBERS = frozenset({bool, int, float})


def as_tensor(frame: Frame, value: Any, dtype: DType | None = None) -> Value:
    """A number, a dim or a (nested) list of numbers as a tensor; a tensor as it is.

    Args:
        frame: where it is needed.
        value: what becomes a tensor.
        dtype: of the constant; ints give i64 and floats the model's float, if it is left out.

    Raises:
        TypeProblem: the value is not made of numbers, is ragged, or does not fit the dtype.
    """
    if isinstance(value, Value):
        return value
    if isinstance(value, Dim):
        _assume_64_bits(frame, value)
        return elementwise.cast(sizes.dim_value(value), dtype or DType.i64)
    if isinstance(value, list):
        charge(value)
        numbers = list(_numbers(value))
        spend(Cost.numbers, len(numbers) // NUMBERS)
        _rectangular(value)
    else:
        numbers = [_number(value)]
    dtype = dtype or natural_dtype(numbers, frame.build.float_type)
    for number in _extremes(numbers):
        _check_fits(number, dtype)
    return shape.constant(value, dtype)


def _assume_64_bits(frame: Frame, dim: Dim) -> None:
    """Where a dim can leave 64 bits while its names are sizes of up to 2**31, it is checked when it runs."""
    for part in dim.parts():
        if part.reach >= INT64:
            message = f"{part} does not fit 64 bits"
            place = current_builder().origin.place
            most, least = Dim.of(INT64 - 1), Dim.of(1 - INT64)
            found = [] if at_most(part, most) else [Assumption("<=", part, most, message, place)]
            found += [] if at_most(least, part) else [Assumption(">=", part, least, message, place)]
            frame.build.observed.assumptions += [one for one in found if one not in frame.build.observed.assumptions]


NUMBERS = 4
"""Numbers of a list that become part of a constant for a unit of work."""


def _extremes(numbers: list[bool | int | float]) -> list[bool | int | float]:
    """Some of the numbers, which fit a dtype if all do: a float, and the smallest and the largest."""
    if len(numbers) < NUMBERS:
        return numbers
    finite = [number for number in numbers if math.isfinite(number)]
    floats = next(([number] for number in finite if isinstance(number, float)), [])
    return [*floats, min(finite), max(finite)] if finite else numbers[:1]


def _numbers(value: Any) -> Iterator[bool | int | float]:
    if isinstance(value, list) and KINDS_OF_NUMBERS.issuperset(map(type, value)):
        yield from value
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    else:
        yield _number(value)


def _number(value: Any) -> bool | int | float:
    if isinstance(value, bool | int | float):
        return value
    raise TypeProblem("AX0306", f"a tensor is made of numbers, not of {describe(value)}")


def _rectangular(value: Any) -> tuple[int, ...]:
    """The shape of nested lists; TypeProblem if rows differ in length."""
    if not isinstance(value, list):
        return ()
    if KINDS_OF_NUMBERS.issuperset(map(type, value)):
        return (len(value),)
    inner = {_rectangular(item) for item in value}
    if len(inner) > 1:
        raise TypeProblem("AX0306", "the rows of a tensor have one length, and these differ")
    return (len(value), *(inner.pop() if inner else ()))


def natural_dtype(numbers: list[bool | int | float], model_float: DType) -> DType:
    """The dtype of a constant: bool, i64, or the model's float if there is one float among the numbers."""
    if any(isinstance(number, float) for number in numbers) or not numbers:
        return model_float
    return DType.bool if all(isinstance(number, bool) for number in numbers) else DType.i64


@cache
def _largest(dtype: DType) -> float:
    """The largest finite number of a float type."""
    return float(np.finfo(dtype.numpy.name).max)


@cache
def _limits(dtype: DType) -> tuple[int, int]:
    """The smallest and the largest number of an integer type."""
    limits = np.iinfo(np.dtype(dtype.numpy.name))
    return int(limits.min), int(limits.max)


def _check_fits(number: bool | int | float, dtype: DType) -> None:
    if not dtype.is_integer:
        if dtype.is_float and math.isfinite(number) and abs(number) > _largest(dtype):
            raise TypeProblem("AX0311", f"{number:g} is too large for {dtype}", operands=())
        return
    if isinstance(number, float):
        raise TypeProblem(
            "AX0303",
            f"{number:g} is a float, and a tensor of {dtype} holds integers",
            operands=(),
            help="convert the tensor, as in `f32(...)`, or the number",
        )
    smallest, largest = _limits(dtype)
    if not smallest <= number <= largest:
        raise TypeProblem("AX0311", f"{number} does not fit {dtype}, which holds {smallest} to {largest}", operands=())


def promoted(frame: Frame, op: str, *operands: Any) -> list[Value]:
    """Operands as tensors of one dtype.

    A number takes the dtype of the tensor it meets; a float number makes an integer tensor the model's float. Two
    tensors of different dtypes do not mix (TypeProblem).
    """
    tensors = [(i, x) for i, x in enumerate(operands) if isinstance(x, Value)]
    numbers = [x for x in operands if not isinstance(x, Value)]
    if not tensors:
        dtype = natural_dtype([n for n in numbers if isinstance(n, int | float)], frame.build.float_type)
        return [as_tensor(frame, x, dtype) for x in operands]
    first, tensor = tensors[0]
    dtype = tensor.type.dtype
    for position, other in tensors[1:]:
        if other.type.dtype is not dtype:
            raise TypeProblem(
                "AX0303",
                f"`{op}` joins {dtype} with {other.type.dtype}",
                operands=(position, first),
                help=f"tensors of different dtypes do not mix: convert one, as in `{dtype}(...)`",
            )
    if any(isinstance(n, float) for n in numbers) and dtype.is_integer:
        dtype = frame.build.float_type
    return [elementwise.cast(x, dtype) if isinstance(x, Value) else as_tensor(frame, x, dtype) for x in operands]


def tensor_binary(frame: Frame, op: str, left: Any, right: Any) -> Value:
    """An operator of the language on two operands, at least one of them a tensor. TypeProblem if they do not fit."""
    model_float = frame.build.float_type
    if op == "@":
        a, b = (as_tensor(frame, x, None if isinstance(x, Value) else model_float) for x in (left, right))
        return linalg.matmul(a, b)
    if op not in BINARY_OPS:
        raise TypeProblem("AX0306", f"`{op}` looks into lists, not into tensors", operands=())
    a, b = promoted(frame, op, left, right)
    if op == "/" and not a.type.dtype.is_float:
        a, b = elementwise.cast(a, model_float), elementwise.cast(b, model_float)
    if op == "**" and isinstance(right, int) and right == 2:
        return a * a
    return BINARY_OPS[op](a, b)
