"""Texts that stand for the numbers of their tokens, as a run numbers them: what entries take and give.

What this module does not do: call an entry, or read data.
"""

from __future__ import annotations

import json
import math
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

METADATA_KEY = "archonnx.tokens"
"""In the metadata of ONNX models: a JSON object that says what the numbers of tokens stand for."""
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

    def metadata(self) -> dict[str, str]:
        """What a model's file says of it, so that others can number texts and read numbers."""
        said = {"cut": self.cut, "tokens": list(self.keys), "unknown": self.unknown, "pad": self.pad}
        return {METADATA_KEY: json.dumps(said, ensure_ascii=False)}

    def text(self, numbers: Array) -> str:
        """The text of numbers, without what pads it."""
        known = [int(number) for number in numbers.ravel().tolist()]
        if self.cut not in CUTS:
            return self.tokenizers.joined([n for n in known if 0 <= n < len(self.keys)], self.cut)
        lost: Token = 255 if self.cut == BYTES else LOST
        tokens = [self.keys[n] if 0 <= n < len(self.keys) else lost for n in known]
        return joined([token for token in tokens if token != self.pad or self.pad is None], self.cut)


def numbered(given: Mapping[str, Any], types: Mapping[str, TensorType], how: TextNumbers | None) -> dict[str, Any]:
    """Arguments of an entry with the numbers of texts in their place, [tokens], [1, tokens] or [texts, tokens].

    Args:
        given: by name; texts for integers of one axis or two are numbered.
        types: of the arguments.
        how: as the run numbers texts; SpecError if it does not, and a text is given.
    """
    found = dict(given)
    for name in texts_among(given, types):
        if how is None:
            fail("AX0608", f"`{name}` is given as a text, and the run numbers no texts, or in several ways", None)
        value = given[name]
        if isinstance(value, str):
            numbers = how.numbers(value)
            found[name] = numbers if types[name].rank == 1 else numbers[None]
            continue
        rows = [how.numbers(text) for text in value]
        if len(sizes := {len(row) for row in rows}) > 1:
            shown = ", ".join(map(str, sorted(sizes)))
            fail(
                "AX0608",
                f"the texts given for `{name}` differ in length: {shown} tokens",
                None,
                help="give texts of one length together, and others one by one",
            )
        found[name] = np.stack(rows)
    return found


def texts_among(given: Mapping[str, Any], types: Mapping[str, TensorType]) -> list[str]:
    """The arguments that are given as texts where integers are taken: one text for one axis, one or a list for two."""

    def is_text(value: Any, rank: int) -> bool:
        several = isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(one, str) for one in value)
        return isinstance(value, str) or (several and rank == 2)

    return [name for name, value in given.items() if takes_text(types.get(name)) and is_text(value, types[name].rank)]


def takes_text(type_: TensorType | None) -> bool:
    """Whether a text may stand for an argument: for integers in one axis or two."""
    return type_ is not None and type_.dtype.is_integer and type_.rank in (1, 2)


def with_texts(made: Mapping[str, Array], how: TextNumbers) -> tuple[dict[str, Array], list[str]]:
    """Results that are no tokens, and the texts of those that are: integers in axes, each row of the last a text."""
    rest = {name: a for name, a in made.items() if a.dtype.kind not in "iu" or not a.ndim}
    rows = [
        row
        for name, a in made.items()
        if name not in rest
        for row in a.reshape(math.prod(a.shape[:-1]), -1 if a.size else 0)
    ]
    return rest, [how.text(row) for row in rows]
