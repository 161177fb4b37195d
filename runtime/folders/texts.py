"""Texts that stand for the numbers of their tokens, as a run numbers them: what entries take and give.

What this module does not do: call an entry, or read data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.feeding import Encoding
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.tokens import BYTES, CUTS, Token, joined, tokens_of
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.data.loader import TOKENS
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.subwords import TokenizerFiles
from archonnx.runtime.data.values import on_a_line

LOST = "\N{REPLACEMENT CHARACTER}"
"""What stands for a number that no token has, or that of all unknown ones."""


@dataclass(frozen=True)
class TextNumbers:
    """How texts are numbered.

    Attributes:
        cut: what they are cut into.
        keys: the tokens by their numbers.
        unknown: whether the number after the last is that of all others.
        pad: the token that is none of a text, where there is one.
        tokenizers: the files that say how texts are cut.
    """

    cut: str
    keys: tuple[Token, ...]
    unknown: bool = False
    pad: str | None = None
    tokenizers: TokenizerFiles = field(default_factory=TokenizerFiles, repr=False)

    @staticmethod
    def of(memory: Memory, encodings: Mapping[str, Encoding]) -> TextNumbers | None:
        """As a run numbers texts; None if it does not, or in several ways.

        Args:
            memory: what the run remembers of its data.
            encodings: how its feeds number columns.
        """
        files = TokenizerFiles(kept=memory.tokenizers)
        if memory.tokens == BYTES:
            return TextNumbers(BYTES, tuple(range(256)))
        found = set()
        for encoding in encodings.values():
            how = encoding.tokens
            if how is not None and len(encoding.keys) > 1:  # one key alone counts tokens
                found.add((how.cut, encoding.keys, encoding.unknown, how.pad))
            elif how is None and memory.tokens is not None and encoding.column == TOKENS:
                found.add((memory.tokens, encoding.keys, encoding.unknown, None))
        return TextNumbers(*found.pop(), files) if len(found) == 1 else None

    def numbers(self, text: str) -> npt.NDArray[np.int64]:
        """The numbers of the tokens of a text, i64[tokens]; SpecError for one that has none."""
        other = len(self.keys) if self.unknown else -1
        table = {key: number for number, key in enumerate(self.keys)}
        if self.cut in CUTS:
            tokens = tokens_of(text, self.cut)
        else:
            (tokens,) = self.tokenizers.tokens([text], self.cut, None, special=False)
        found = np.array([table.get(token, other) for token in tokens], np.int64)
        if len(unseen := np.flatnonzero(found < 0)):
            token = on_a_line(str(tokens[int(unseen[0])]))
            fail("AX0631", f'"{token}" in "{on_a_line(text)}" is nothing that the train part has', None)
        return found

    def text(self, numbers: Array) -> str:
        """The text of numbers, without what pads it."""
        known = [int(number) for number in numbers.ravel().tolist()]
        if self.cut not in CUTS:
            return self.tokenizers.joined([n for n in known if 0 <= n < len(self.keys)], self.cut)
        lost: Token = 255 if self.cut == BYTES else LOST
        tokens = [self.keys[n] if 0 <= n < len(self.keys) else lost for n in known]
        return joined([token for token in tokens if token != self.pad or self.pad is None], self.cut)


def numbered(given: Mapping[str, Any], types: Mapping[str, TensorType], how: TextNumbers | None) -> dict[str, Any]:
    """Arguments of an entry with the numbers of texts in their place, [tokens] or [1, tokens].

    Args:
        given: by name; texts for integers of one axis or two are numbered.
        types: of the arguments.
        how: as the run numbers texts; SpecError if it does not, and a text is given.
    """
    found = dict(given)
    for name in texts_among(given, types):
        if how is None:
            fail("AX0608", f"`{name}` is given as a text, and the run numbers no texts, or in several ways", None)
        numbers = how.numbers(given[name])
        found[name] = numbers if types[name].rank == 1 else numbers[None]
    return found


def texts_among(given: Mapping[str, Any], types: Mapping[str, TensorType]) -> list[str]:
    """The arguments that are given as texts where integers in one axis or two are taken."""
    return [
        name
        for name, value in given.items()
        if isinstance(value, str) and name in types and types[name].dtype.is_integer and types[name].rank in (1, 2)
    ]


def with_texts(made: Mapping[str, Array], how: TextNumbers) -> tuple[dict[str, Array], list[str]]:
    """Results that are no tokens, and the texts of those that are: integers in one axis or two, a text for each row."""
    rest = {name: a for name, a in made.items() if a.dtype.kind not in "iu" or a.ndim not in (1, 2)}
    texts = [how.text(row) for name, a in made.items() if name not in rest for row in (a if a.ndim == 2 else a[None])]
    return rest, texts
