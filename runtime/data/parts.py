"""Sharing examples out into the train, valid and test parts: a function of the split and its seed alone.

What this module does not do: order the examples of an epoch (``batches`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import Split
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span

Indices = npt.NDArray[np.int64]
"""Numbers of examples."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The examples of each part, by number."""

    train: Indices
    valid: Indices
    test: Indices

    def of(self, name: Literal["train", "valid", "test"]) -> Indices:
        """A part by name."""
        indices: Indices = getattr(self, name)
        return indices


def split(count: int, how: Split, fields: Mapping[str, Array], span: Span | None = None) -> Parts:
    """Share ``count`` examples out. Every part is in random order, fixed by ``how.seed``."""
    sizes = _sizes(count, how, span)
    if how.stratify is not None:
        return _stratified(sizes, how, fields, span)
    order = np.random.default_rng(how.seed).permutation(count)
    ends = np.cumsum(list(sizes.values()))
    train, valid, test = np.split(order[: ends[-1]], ends[:-1])
    return Parts(train, valid, test)


def _sizes(count: int, how: Split, span: Span | None) -> dict[str, int]:
    """Numbers of examples. Fractions are rounded so that every example has its place."""
    parts = how.parts
    if how.counts:
        sizes = {name: int(size) for name, size in parts.items()}
        if sum(sizes.values()) > count:
            fail("AX0606", f"the split asks for {sum(sizes.values())} examples, and there are {count}", span)
    else:
        ends = [0, *(round(float(end) * count) for end in np.cumsum(list(parts.values())))]
        sizes = {name: end - start for name, start, end in zip(parts, ends[:-1], ends[1:], strict=True)}
    for name, size in sizes.items():
        if size == 0 and parts[name]:
            fail("AX0606", f"the {name} part is empty: {parts[name]:g} of {count} examples", span)
    return sizes


def _stratified(sizes: Mapping[str, int], how: Split, fields: Mapping[str, Array], span: Span | None) -> Parts:
    from sklearn.model_selection import train_test_split

    assert how.stratify is not None
    if how.stratify not in fields:
        fail(
            "AX0606",
            f"there is no field `{how.stratify}` to stratify by",
            span,
            help=did_you_mean(how.stratify, fields) or f"fields: {', '.join(fields)}",
        )
    labels = fields[how.stratify]
    _check_classes(labels, sizes, how.stratify, span)
    rest = np.arange(len(labels))
    chosen: dict[str, Indices] = {}
    for name, size in sizes.items():
        if size in (0, len(rest)):
            chosen[name], rest = (rest[:size], rest[size:])
            continue
        try:
            chosen[name], rest = train_test_split(rest, train_size=size, stratify=labels[rest], random_state=how.seed)
        except ValueError as error:
            fail("AX0606", f"cannot stratify by `{how.stratify}`: {error}", span)
    return Parts(**{name: np.random.default_rng(how.seed).permutation(part) for name, part in chosen.items()})


def _check_classes(labels: Array, sizes: Mapping[str, int], name: str, span: Span | None) -> None:
    """SpecError unless every class has an example for every part, and every part room for every class."""
    classes, counts = np.unique(labels, return_counts=True)
    parts = {part: size for part, size in sizes.items() if size}
    fewest = int(counts.min(initial=len(labels)))
    if fewest < len(parts):
        has = "1 example" if fewest == 1 else f"{fewest} examples"
        why = f"{classes[counts.argmin()]} has {has}, and the parts are {', '.join(parts)}"
        fail("AX0606", f"cannot stratify by `{name}`: {why}", span)
    for part, size in parts.items():
        if size < len(classes):
            why = f"there are {len(classes)} classes, and the {part} part has {size} of the examples"
            fail("AX0606", f"cannot stratify by `{name}`: {why}", span)
