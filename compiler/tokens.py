"""How texts are cut into tokens, and joined again: characters, words, bytes, or what a file of a tokenizer says.

Cutting is a rule; nothing is learned for it. Which tokens there are, and their numbers, is a vocabulary, which is
learned, or that of the file. What this module does not do: number tokens, see data, or read such a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from archonnx.grammar.record import Record

WORD = re.compile(r"\w+|[^\w\s]")
"""A run of letters, digits and underscores, or any other character that is not white space."""
BYTES = "bytes"
WORDS = "words"
BETWEEN = {"characters": "", WORDS: " "}
"""What stands between tokens where they are a text again."""
CUTS = (*BETWEEN, BYTES)
"""What a text may be cut into."""
FILE = ".json"
"""How the name of a file ends that says how texts are cut."""
Token = str | int
"""A text, or the number of a byte."""


class Tokens(Record):
    """A column of texts as rows of as many tokens each.

    Attributes:
        cut: what they are: one of ``CUTS``, or the path of a tokenizer.
        length: how many a row has.
        pad: what stands for a token after the end of a text; a text of fewer tokens is refused where it is None.
        truncate: whether what a text has beyond ``length`` is left out; a longer one is refused otherwise.
    """

    cut: str
    length: int
    pad: str | None = None
    truncate: bool = False

    def of(self, column: str) -> str:
        """The column as a spec writes it."""
        pad = "" if self.pad is None else f', pad="{self.pad}"'
        rest = f"length={self.length}{pad}" + (", truncate=true" if self.truncate else "")
        return f'tokens({column}, "{self.cut}", {rest})'

    @property
    def from_file(self) -> bool:
        """Whether a file says how texts are cut."""
        return self.cut.endswith(FILE)

    @property
    def unit(self) -> str:
        """What messages call them."""
        return "tokens" if self.from_file else self.cut

    def keys(self, found: set[Token]) -> tuple[Token, ...]:
        """A vocabulary of tokens: what pads is number 0, and then they are in order. Of bytes it is always the same."""
        if self.cut == BYTES:
            return (*range(256), *([] if self.pad is None else [self.pad]))
        rest = sorted(str(token) for token in found if token != self.pad)
        return (*([] if self.pad is None else [self.pad]), *rest)


def tokens_of(text: str, cut: str) -> list[Token]:
    """The tokens of a text, in order: texts, or the numbers of its bytes in UTF-8.

    >>> tokens_of("It's 3.5!", "words")
    ['It', "'", 's', '3', '.', '5', '!']
    """
    if cut == BYTES:
        return [*text.encode("utf-8", "replace")]
    return [*(WORD.findall(text) if cut == WORDS else text)]


def starts(text: str, cut: str) -> list[int]:
    """Where its words begin, or its characters."""
    return [found.start() for found in WORD.finditer(text)] if cut == WORDS else [*range(len(text))]


def joined(tokens: Sequence[Token], cut: str) -> str:
    """The text of tokens: the one that was cut, but that words are separated by a space each.

    Bytes that are not UTF-8 are U+FFFD.
    """
    if cut == BYTES:
        return bytes(map(int, tokens)).decode("utf-8", "replace")
    return BETWEEN[cut].join(map(str, tokens))
