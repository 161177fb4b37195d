"""Functions of the language that make tensors of the columns of the data. They stand in ``fit`` and ``feed``."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.columns import Columns
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.tensors import promoted
from archonnx.compiler.elaborate.core.values import TextColumn, Vocabulary, describe
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import compare, elementwise
from archonnx.compiler.ops.shape import broadcast
from archonnx.grammar.record import replace

from .calling import Column, builtin, require


@builtin
def vocabulary(frame: Frame, column: Column, *, unknown: bool = False) -> Vocabulary:
    """The different texts (or integers) of a column in the train part, in order; the missing text is none of them.

    ``unknown`` gives those that are not there a number of their own, after the others; otherwise they are refused.
    """
    return _columns(frame, "vocabulary").vocabulary(column, unknown)


@builtin
def index(frame: Frame, column: Column, vocabulary: Vocabulary) -> Value:
    """The number of each value of a column in a vocabulary, or in a list: i64, from 0."""
    return _columns(frame, "index").index(column, vocabulary)


@builtin
def size(frame: Frame, vocabulary: Vocabulary) -> int:
    """How many numbers a vocabulary gives."""
    return vocabulary.size


@builtin
def fill(frame: Frame, column: Column, value: Any) -> Any:
    """The column with ``value`` where it has none: where a number is NaN, or a text empty."""
    if isinstance(column, TextColumn):
        require(isinstance(value, str), "AX0306", f"a column of texts is filled with a text, not {describe(value)}")
        return replace(column, filled=value)
    if not column.type.dtype.is_float:
        return column
    filled, x = promoted(frame, "fill", value, column)
    return elementwise.where(compare.is_nan(x), broadcast(filled, x)[0], x)


def _columns(frame: Frame, name: str) -> Columns:
    columns = frame.build.columns
    if columns is None:
        raise TypeProblem("AX0212", f"`{name}` stands in `fit` and `feed`, where the data is", operands=())
    return columns
