"""The columns of a data source as a ``train`` block sees them, and what is learned of them on the way.

A column of numbers is a tensor with a row for each row of the data. A column of texts is none: it is numbered by a
vocabulary, and the numbers are a tensor. What this module does not do: read data; the values that make a vocabulary
come through ``learn``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from archonnx.compiler.feeding import DATA, INDEX, ROWS, TARGET, Encoding, Sample, Texts
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import cast
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.compiler.ops.shape import unsqueeze
from archonnx.compiler.ops.slicing import concat
from archonnx.compiler.tokens import BYTES
from archonnx.grammar.diagnostics import Report, SpecError, Suggestion, did_you_mean, fail, listing
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import column_of, is_name

from .values import TextColumn, Vocabulary

Keys = tuple[str | int, ...]
"""What a vocabulary numbers."""
Learn = Callable[[Texts], Keys]
"""The values of a column in the train part, in order."""


@dataclass(eq=False)
class Columns:
    """What ``data`` is in a ``train`` block.

    Attributes:
        sample: names and types of the columns.
        learn: what vocabularies are made of.
        at: where the source is written.
        float_type: the model's.
        inputs: the columns that were read.
        encodings: those of them that are numbered by a vocabulary, by the name of the input.
    """

    sample: Sample
    learn: Learn
    at: Span | None
    float_type: DType
    inputs: dict[str, Value] = field(default_factory=dict)
    encodings: dict[str, Encoding] = field(default_factory=dict)

    def read(self, name: str, span: Span | None) -> Value | TextColumn:
        """A field by its name; SpecError if there is none, or it cannot be used."""
        sample = self.sample
        if name in sample.problems:
            raise SpecError(Report([sample.problems[name]]))
        if name not in sample.types:
            if name == DATA and sample.matrix:
                return self._matrix(span)
            if name == TARGET and sample.target is not None:
                return self.read(sample.target, span)
            known = sample.names
            listed = f"it has {listing(known)}" if known else None
            fail("AX0206", f"{sample.where} has no `{name}`", span, help=_meant(name, known, span) or listed)
        type_ = sample.types[name]
        return TextColumn(name) if type_ is None else self._input(name, type_)

    def _input(self, name: str, type_: TensorType) -> Value:
        if name not in self.inputs:
            self.inputs[name] = Value(type_, name, Origin(f"field `{name}` of the data", self.at))
        return self.inputs[name]

    def _matrix(self, span: Span | None) -> Value:
        """The columns of numbers, side by side."""
        columns = []
        for name in self.sample.matrix:
            column = self.read(name, span)
            assert isinstance(column, Value)
            columns.append(unsqueeze(cast(column, self.float_type), 1))
        return concat(columns, 1)

    def vocabulary(self, column: Value | TextColumn, unknown: bool) -> Vocabulary:
        """The values that a column has in the train part."""
        return Vocabulary(self.learn(self._texts(column)), unknown)

    def index(self, column: Value | TextColumn, vocabulary: Vocabulary) -> Value:
        """The numbers of a column's values."""
        of = self._texts(column)
        name, texts = of.column, isinstance(column, TextColumn) and (of.tokens is None or of.tokens.cut != BYTES)
        if of.tokens is not None and of.tokens.pad is not None and of.tokens.pad not in vocabulary.keys:
            same = "take that of the same tokens: `fit pieces = tokens(...)`, then `vocabulary(pieces)`"
            raise TypeProblem(
                "AX0306",
                f'`{name}` is padded with "{of.tokens.pad}", which the vocabulary lacks',
                help=f"pad with a token of {of.tokens.cut}" if of.tokens.from_file else same,
            )
        pads = of.tokens.pad if of.tokens is not None else None
        if any(isinstance(key, str) is not texts for key in vocabulary.keys if key != pads):
            whose = "integers" if texts else "texts"
            held = "texts" if texts else "integers"
            raise TypeProblem("AX0306", f"`{name}` holds {held}, and the vocabulary {whose}")
        return self._numbers(Encoding(name, vocabulary.keys, vocabulary.unknown, of.filled, of.tokens))

    def lengths(self, column: TextColumn) -> Value:
        """How many tokens each text has in its row."""
        assert column.tokens is not None
        there = Encoding(column.name, (column.tokens.pad or "",), True, column.filled, column.tokens)
        return reduce_sum(self._numbers(there), [1])

    def _numbers(self, encoding: Encoding) -> Value:
        """The input that holds the numbers of an encoding."""
        name = encoding.column
        title = next((known for known, other in self.encodings.items() if other == encoding), None)
        if title is None:
            number = sum(other.column == name for other in self.encodings.values()) + 1
            title = f"index of {name}" if number == 1 else f"index of {name}, {number}"
            self.encodings[title] = encoding
        row: tuple[int | str, ...] = self._row(name) if encoding.tokens is None else (encoding.tokens.length,)
        counted = self.sample.types.get(INDEX)
        return self._input(title, TensorType.of(DType.i64, ROWS if counted is None else counted.shape[0], *row))

    def _row(self, name: str) -> tuple[int | str, ...]:
        """What a row of a column holds: one text or integer where this is empty."""
        type_ = self.sample.types[name]
        if type_ is None:
            return self.sample.texts.get(name, ())
        return tuple(dim.constant or 0 for dim in type_.shape[1:])

    def _texts(self, column: Value | TextColumn) -> Texts:
        if isinstance(column, TextColumn):
            return Texts(column.name, column.filled, column.tokens)
        name = next((name for name, value in self.inputs.items() if value is column), None)
        barred = {*self.encodings, *self.sample.whole, INDEX}
        if name is None or not column.type.dtype.is_integer or name in barred:
            raise TypeProblem(
                "AX0306",
                "a vocabulary is that of a column of texts or integers, as it is in the data",
                help="as in `vocabulary(data.city)`",
            )
        return Texts(name)


def _meant(name: str, known: Sequence[str], span: Span | None) -> Suggestion | None:
    """A column of nearly this name; one that is no word of the language stands in brackets."""
    close = did_you_mean(name, known)
    plain = re.sub(r"\W+", "_", name).lower()
    same = [one for one in known if re.sub(r"\W+", "_", one.strip()).lower() == plain]
    meant = next(iter(same), None) or (close.replacement if close is not None else None)
    if meant is None or is_name(meant) or span is None or span.source.text[span.start - 1 : span.start] != ".":
        return close
    place = Span(span.source, span.start - 1, span.end)
    written = column_of("", meant)
    return Suggestion.of(f"a name with blanks or signs stands in brackets: `data{written}`", "", written, place)
