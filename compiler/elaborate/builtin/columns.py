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
from archonnx.compiler.tokens import BYTES, CUTS, FILE, Tokens, tokens_of
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
def tokens(
    frame: Frame, column: Column, cut: str, *, length: int, pad: str | None = None, truncate: bool = False
) -> TextColumn:
    """The texts of a column as rows of tokens, which a vocabulary numbers: "characters", "words", "bytes", or a file.

    The file is one of Hugging Face's ``tokenizers``, "tokenizer.json", and the vocabulary is that of the file. A row
    has ``length`` of them. ``pad`` is what stands after the end of a shorter text, with the number 0 (256 among bytes,
    its own in a file), and ``truncate`` leaves out what a longer text has beyond; without them such texts are refused.
    """
    columns = _columns(frame, "tokens")
    texts = isinstance(column, TextColumn) and column.tokens is None and not columns.sample.texts.get(column.name)
    require(texts, "AX0306", f"a column of texts is cut into tokens, not {describe(column)}")
    known = f"{', '.join(CUTS)}, or what a tokenizer.json says"
    require(cut in CUTS or cut.endswith(FILE), "AX0306", f'texts are cut into {known}, not "{cut}"')
    require(length > 0, "AX0306", f"a row has at least one token, not {length}")
    if pad is not None:
        require(
            cut not in CUTS or cut == BYTES or tokens_of(pad, cut) != [pad],
            "AX0306",
            f'what pads must not be a token itself, and "{pad}" is among {cut}',
            help='as in `pad="<pad>"`',
        )
        require(pad != "", "AX0306", "what pads has a name", help='as in `pad="<pad>"`')
    return TextColumn(column.name, column.filled, Tokens(cut, length, pad, truncate))


@builtin
def lengths(frame: Frame, column: Column) -> Value:
    """How many tokens each text of a column has that is cut into them: i64, without what pads and what is left out."""
    cut = isinstance(column, TextColumn) and column.tokens is not None
    require(cut, "AX0306", f"tokens are counted, as in `lengths(tokens(data.text, ...))`, not {describe(column)}")
    return _columns(frame, "lengths").lengths(column)


@builtin
def size(frame: Frame, vocabulary: Vocabulary) -> int:
    """How many numbers a vocabulary gives."""
    return vocabulary.size


@builtin
def fill(frame: Frame, column: Column, value: Any) -> Any:
    """The column with ``value`` where it has none: where a number is NaN, or a text empty."""
    if isinstance(column, TextColumn):
        require(isinstance(value, str), "AX0306", f"a column of texts is filled with a text, not {describe(value)}")
        require(column.tokens is None, "AX0306", "texts are filled before they are cut: `tokens(fill(...), ...)`")
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
