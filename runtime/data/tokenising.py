"""Columns of texts as tokens (``compiler.tokens`` says how one text is cut).

What this module does not do: number tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.tokens import BYTES, CUTS, Token, Tokens, tokens_of

from .loader import TOKENS, Loaded, Place
from .values import Values

Indices = npt.NDArray[np.int64]


def of_texts(loaded: Loaded, cut: str, place: Place) -> Loaded:
    """Rows of tokens in place of texts of any length, one after the other; what holds no texts is tokens already."""
    texts = loaded.fields.get(TOKENS)
    alphabet = None if cut in CUTS else place.tokenizers.vocabulary(cut, place.span)
    if texts is None or texts.ndim != 1 or texts.dtype.kind != "O":
        return replace(loaded, tokens=cut, alphabet=alphabet)
    if alphabet is None:
        parts = [tokens_of(text, cut) for text in texts.tolist()]
    else:
        parts = place.tokenizers.tokens(texts.tolist(), cut, place.span, special=False)
    found = [token for part in parts for token in part]
    tokens: Array = np.array(found, np.uint8) if cut == BYTES else held(found)
    return replace(loaded, fields={TOKENS: tokens}, lines=None, made=frozenset(), tokens=cut, alphabet=alphabet)


def held(tokens: Sequence[Token]) -> Array:
    """Tokens as an array of objects."""
    array: Array = np.empty(len(tokens), dtype=object)
    array[:] = tokens
    return array


def rows_of_tokens(loaded: Loaded, column: str, filled: str | None, how: Tokens, rows: Indices) -> Array:
    """The tokens of a column of texts in these rows, objects [rows, length].

    Raises:
        SpecError: a text is missing, or has fewer tokens or more than a row and nothing says what then.
    """
    texts = [filled if text == "" and filled is not None else text for text in loaded.fields[column][rows].tolist()]
    if filled is None and "" in texts:
        Values(loaded).fail_no_text(column, rows[[text == "" for text in texts]])
    if how.from_file:
        loaded.tokenizers.check_pad(how.pad, how.cut)
        cut = loaded.tokenizers.tokens(texts, how.cut, None, special=True)
    else:
        cut = [tokens_of(text, how.cut) for text in texts]
    sizes = np.array([len(tokens) for tokens in cut], np.int64)
    for wrong, refused in ((sizes < how.length, how.pad is None), (sizes > how.length, not how.truncate)):
        if refused and wrong.any():
            Values(loaded).fail_length(column, how, rows[wrong], int(sizes[wrong][0]))
    table: Array = np.full((len(cut), how.length), how.pad, dtype=object)
    for row, tokens in enumerate(cut):
        table[row, : len(tokens)] = tokens[: how.length]
    return table
