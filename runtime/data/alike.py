"""What is there twice, or nearly so: examples that train and test, and classes that differ in what is hardly seen.

What this module does not do: take anything out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from archonnx.compiler.feeding import Encoding
from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import listing, look

from .feeding import Fitted
from .loader import Loaded
from .parts import Indices, Parts, examples_in_words
from .storage import in_blocks, is_much

OFTEN = 0.05
"""Of a part, so many examples that train as well are told: of 150 irises two are equal, which is less, and a table that
was joined with itself has more."""
GLANCE = 64
"""Bytes of a field by which rows mostly differ: 60,000 images of 784 numbers take a fifth of the time of all bytes."""


def nearly_equal(fitted: Fitted, loaded: Loaded) -> Iterator[str]:
    """Classes that are told apart by capitals, spaces or what is not seen, which are mostly slips of whoever typed."""
    for (column, _), keys in fitted.keys.items():
        alike: dict[str, list[str]] = {}
        for key in keys if column in loaded.fields and loaded.column(column).ndim == 1 else ():
            alike.setdefault(_folded(str(key)), []).append(str(key))
        found = [", ".join(_written_out(texts, text) for text in texts) for texts in alike.values() if len(texts) > 1]
        if found:
            unseen = any("\\u" in texts for texts in found)
            what = "capitals, spaces or what is not seen" if unseen else "capitals or spaces"
            yield f"values of `{column}` differ only in {what}, and count as different: {listing(found)}"


def _written_out(texts: Sequence[str], text: str) -> str:
    """One of several texts, with what is not ASCII written out where they look the same."""
    return json.dumps(text, ensure_ascii=len({*map(look, texts)}) < len(texts))


def nearly_known(encodings: Collection[Encoding], loaded: Loaded) -> Iterator[str]:
    """Texts that count as unknown, and differ from known ones in capitals, spaces or what is not seen alone.

    Args:
        encodings: how columns are numbered.
        loaded: new rows.
    """
    for encoding in encodings:
        column = loaded.fields.get(encoding.column)
        if not encoding.unknown or encoding.tokens is not None or column is None or column.dtype.kind != "O":
            continue
        known = {_folded(str(key)): str(key) for key in encoding.keys}
        others = sorted({*column.ravel().tolist()} - {*encoding.keys, ""})
        near = [(text, known[_folded(text)]) for text in others if _folded(text) in known]
        if near:
            rest = len(near) - 1
            more = f" ({rest} more {'is' if rest == 1 else 'are'} like that)" if rest else ""
            text, key = (_written_out(near[0], of) for of in near[0])
            is_near = f"`{encoding.column}` has {text}, which counts as unknown: the train part has {key}"
            yield f"{loaded.where}: {is_near}{more}"


def _folded(text: str) -> str:
    """A text without what it is mostly not told apart by."""
    return " ".join(look(text).casefold().split())


def seen_in_training(fields: Mapping[str, Array], parts: Parts) -> str | None:
    """What people should know if examples of the test or valid part train as well, equal in every field.

    Args:
        fields: of the model, with a row for each example.
        parts: which of them train.
    """
    if not fields or is_much(sum(array.nbytes for array in fields.values())):
        return None
    for name in ("test", "valid"):
        rows = parts.of(name)
        least = int(OFTEN * len(rows)) + 1
        if len(rows) and _seen(fields, rows, parts.train, GLANCE) >= least:
            seen = _seen(fields, rows, parts.train)
            if seen >= least:
                total = f"{seen} of the {examples_in_words(len(rows))} of the {name} part"
                return f"{total} train as well, equal in every field: what is measured on them was learned"
    return None


def _seen(fields: Mapping[str, Array], rows: Indices, train: Indices, glance: int | None = None) -> int:
    """How many rows are equal to one that trains; at a glance at so many bytes of a field, at least as many."""
    known = {*_marks(fields, train, glance)}
    return sum(mark in known for mark in _marks(fields, rows, glance))


def _marks(fields: Mapping[str, Array], rows: Indices, glance: int | None) -> Iterator[int]:
    """A number for each row, the same for equal ones; two that differ share one with a chance of about 2^-64."""
    for some in in_blocks(rows, sum(array[:1].nbytes for array in fields.values())):
        seen = [_bytes(array[some], glance) for array in fields.values() if array.size]
        block = np.concatenate(seen, axis=1)
        yield from map(hash, block.view(f"V{block.shape[1]}").ravel().tolist())


def _bytes(rows: Array, glance: int | None) -> npt.NDArray[np.uint8]:
    """The bytes of rows; at a glance, bytes here and there, which are not always the same ones of a number."""
    held = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)
    return held if glance is None else held[:, :: held.shape[1] // glance | 1]
