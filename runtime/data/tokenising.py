"""Cutting texts into tokens, and joining tokens again: characters, words, bytes.

Cutting is a rule that nothing is learned for; which tokens there are, and their numbers, is a vocabulary, which is
learned. What this module does not do: number tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from archonnx.compiler.ir.types import Array

from .loader import TOKENS, Loaded

WORD = re.compile(r"\w+|[^\w\s]")
"""A run of letters, digits and underscores, or any other character that is not white space."""
BETWEEN = {"characters": "", "words": " "}
"""What stands between tokens where they are a text again."""


class Piece(NamedTuple):
    """A token, and where it begins in the text."""

    text: str
    start: int


def cut(text: str, kind: str) -> list[Piece]:
    """The tokens of a text, in order.

    >>> [piece.text for piece in cut("It's 3.5!", "words")]
    ['It', "'", 's', '3', '.', '5', '!']
    """
    if kind == "words":
        return [Piece(found.group(), found.start()) for found in WORD.finditer(text)]
    return [Piece(character, at) for at, character in enumerate(text)]


def joined(tokens: Sequence[str | int], kind: str) -> str:
    """The text of tokens: the one that was cut, but that words are separated by a space each.

    Bytes that are not UTF-8 are U+FFFD.
    """
    if kind == "bytes":
        return bytes(map(int, tokens)).decode("utf-8", "replace")
    return BETWEEN[kind].join(map(str, tokens))


def of_texts(loaded: Loaded, kind: str) -> Loaded:
    """Rows of tokens in place of texts of any length, one after the other; what holds no texts is tokens already."""
    texts = loaded.fields.get(TOKENS)
    if texts is None or texts.ndim != 1 or texts.dtype.kind != "O":
        return replace(loaded, tokens=kind)
    tokens: Array
    if kind == "bytes":
        tokens = np.frombuffer("".join(texts.tolist()).encode("utf-8", "replace"), np.uint8)
    else:
        tokens = held([piece.text for text in texts.tolist() for piece in cut(text, kind)])
    return replace(loaded, fields={TOKENS: tokens}, lines=None, made=frozenset(), tokens=kind)


def held(tokens: Sequence[str]) -> Array:
    """Tokens as an array of objects."""
    array: Array = np.empty(len(tokens), dtype=object)
    array[:] = tokens
    return array
