"""Sharing examples out into the train, valid and test parts: a function of the data, the split and its seed alone.

What this module does not do: order the examples of an epoch (``batches`` does), or keep the parts (a run does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import Split
from archonnx.grammar.diagnostics import did_you_mean, fail, listing
from archonnx.grammar.source import Span

from .groups import assign
from .overlaps import Spans, sharing

Indices = npt.NDArray[np.int64]
"""Numbers of examples."""
PartName = Literal["train", "valid", "test"]
PARTS: tuple[PartName, ...] = ("train", "valid", "test")
RULES = ("stratify", "group", "column")
"""Settings of a split that name a field."""
SPELLINGS: Mapping[str, PartName] = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
}
"""What a column of parts may say."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The examples of each part, by number."""

    train: Indices
    valid: Indices
    test: Indices

    def of(self, name: PartName) -> Indices:
        """A part by name; SpecError if there is no such part."""
        if name not in PARTS:
            fail("AX0606", f"there is no part `{name}`", None, help=did_you_mean(name, PARTS) or f"{', '.join(PARTS)}")
        indices: Indices = getattr(self, name)
        return indices

    def in_order(self) -> Parts:
        """The same, each part as the data has it."""
        return Parts(*(np.sort(self.of(name)) for name in PARTS))


@dataclass(frozen=True, slots=True)
class _Splitting:
    """A split about to be made.

    Attributes:
        count: the number of examples.
        how: what is asked for.
        fields: arrays by name, a value for each example.
        shuffle: whether the examples of the parts may be in random order.
        span: the place in the spec, for what cannot be done.
        row: what messages call an example.
        spans: the rows of a series that each example is made of, where examples may share them.
        moments: when each example is, where they are of several series.
    """

    count: int
    how: Split
    fields: Mapping[str, Array]
    shuffle: bool
    span: Span | None
    row: Callable[[int], str]
    spans: Spans | None = None
    moments: npt.NDArray[Any] | None = None

    def parts(self) -> Parts:
        """The parts, before anything is folded."""
        how = self.how
        if how.column is not None:
            return self._by_column(how.column)
        sizes = self._sizes()
        if how.group is not None:
            return self._by_group(how.group, sizes)
        if how.stratify is not None:
            parts = self._stratified(how.stratify, sizes)
        else:
            order = self._order(np.arange(self.count))
            ends = np.cumsum(list(sizes.values()))
            parts = Parts(*np.split(order[: ends[-1]], ends[:-1]))
        return parts if self.shuffle else parts.in_order()

    def _order(self, examples: Indices) -> Indices:
        """The places of examples in the order in which they are shared out: that of the data, of time, or drawn."""
        if not self.how.in_order(self.shuffle):
            return np.random.default_rng(self.how.seed).permutation(len(examples))
        if self.moments is None:
            return np.arange(len(examples))
        return np.argsort(self.moments[examples], kind="stable")

    def _sizes(self) -> dict[str, int]:
        """Numbers of examples. Fractions are rounded so that every example has its place."""
        parts, count = self.how.parts, self.count
        if self.how.counts:
            sizes = {name: int(size) for name, size in parts.items()}
            if sum(sizes.values()) > count:
                fail("AX0606", f"the split asks for {sum(sizes.values())} examples, and there are {count}", self.span)
        else:
            ends = [0, *(round(float(end) * count) for end in np.cumsum(list(parts.values())))]
            sizes = {name: end - start for name, start, end in zip(parts, ends[:-1], ends[1:], strict=True)}
        for name, size in sizes.items():
            if size == 0 and parts[name]:
                fail("AX0606", f"the {name} part is empty: {parts[name]:g} of {count} examples", self.span)
        return sizes

    def field(self, name: str, what: str) -> Array:
        """A field with a value for each example."""
        if name not in self.fields:
            dotted = name.startswith("data.")
            known = [field for field in self.fields if field.startswith("data.") == dotted]
            fail(
                "AX0606",
                f"there is no field `{name}` to {what} by",
                self.span,
                help=did_you_mean(name, known) or f"fields: {listing(known)}",
            )
        values = np.asarray(self.fields[name])
        if values.shape != (self.count,):
            shape = f"has the shape {list(values.shape)}"
            fail(
                "AX0606",
                f"cannot {what} by `{name}`: it {shape}, and {self.count} examples need a value each",
                self.span,
            )
        missing = np.flatnonzero(_missing(values))
        if len(missing):
            fail("AX0606", f"cannot {what} by `{name}`: {self.row(int(missing[0]))} has no value", self.span)
        return values

    # ------------------------------------------------------------ a rule each

    def _by_column(self, name: str) -> Parts:
        """The parts that a field of texts names."""
        values = self.field(name, "split")
        if values.dtype.kind not in "OU":
            fail(
                "AX0606",
                f"cannot split by `{name}`: it has numbers ({values.dtype}), not texts",
                self.span,
                help="a column of parts says `train`, `valid` or `test`",
            )
        texts, inverse = np.unique(values.astype(str), return_inverse=True)
        for number, text in enumerate(texts.tolist()):
            if text not in SPELLINGS:
                where = self.row(int(np.flatnonzero(inverse == number)[0]))
                fail(
                    "AX0606",
                    f'cannot split by `{name}`: {where} has "{text}", which is not a part',
                    self.span,
                    help=did_you_mean(text, SPELLINGS) or f"parts: {', '.join(SPELLINGS)}",
                )
        part = np.array([SPELLINGS[text] for text in texts.tolist()], dtype="U5")[inverse]
        parts = Parts(*(np.flatnonzero(part == name) for name in PARTS))
        if not len(parts.train):
            fail("AX0606", f"the train part is empty: no example has `train` in `{name}`", self.span)
        return parts

    def _by_group(self, name: str, sizes: Mapping[str, int]) -> Parts:
        """Whole groups, largest first, each to the part that lacks most."""
        groups, of_row = self._groups(name, np.arange(self.count))
        wanted = [part for part, size in sizes.items() if size]
        if groups < len(wanted):
            fail(
                "AX0606",
                f"cannot split by `{name}`: {groups_in_words(groups)}, and the parts are {', '.join(wanted)}",
                self.span,
            )
        needs = [sizes[part] for part in wanted]
        place = assign(np.bincount(of_row), needs, self.how.seed, left=self.count - sum(needs))[of_row]
        number = {part: i for i, part in enumerate(wanted)}
        return Parts(*(np.flatnonzero(place == number.get(part, -1)) for part in PARTS))

    def _groups(self, name: str, rows: Indices) -> tuple[int, Indices]:
        """How many groups there are among examples, and the number of that of each."""
        values, of_row = np.unique(self.field(name, "group")[rows], return_inverse=True)
        return len(values), of_row.astype(np.int64)

    def _stratified(self, name: str, sizes: Mapping[str, int]) -> Parts:
        from sklearn.model_selection import train_test_split

        labels, seed = self.field(name, "stratify"), self.how.seed
        self._check_classes(labels, sizes, name)
        rest = np.arange(len(labels))
        chosen: dict[str, Indices] = {}
        for part, size in sizes.items():
            if size in (0, len(rest)):
                chosen[part], rest = (rest[:size], rest[size:])
                continue
            try:
                chosen[part], rest = train_test_split(rest, train_size=size, stratify=labels[rest], random_state=seed)
            except ValueError as error:
                fail("AX0606", f"cannot stratify by `{name}`: {error}", self.span)
        return Parts(**{part: np.random.default_rng(seed).permutation(rows) for part, rows in chosen.items()})

    def _check_classes(self, labels: Array, sizes: Mapping[str, int], name: str) -> None:
        """SpecError unless every class has an example for every part, and every part room for every class."""
        classes, counts = np.unique(labels, return_counts=True)
        parts = {part: size for part, size in sizes.items() if size}
        fewest = int(counts.min(initial=len(labels)))
        if fewest < len(parts):
            has = "1 example" if fewest == 1 else f"{fewest} examples"
            at = int(np.flatnonzero(labels == classes[counts.argmin()])[0])
            why = f"{classes[counts.argmin()]} has {has} ({self.row(at)}), and the parts are {', '.join(parts)}"
            way = "leave such rows out, put small classes together, or draw the parts without `stratify`"
            fail("AX0606", f"cannot stratify by `{name}`: {why}", self.span, help=way)
        for part, size in parts.items():
            if size < len(classes):
                why = f"there are {len(classes)} classes, and the {part} part has {size} of the examples"
                fail("AX0606", f"cannot stratify by `{name}`: {why}", self.span)

    # ------------------------------------------------------------ folds

    def folded(self, parts: Parts, number: int, count: int) -> Parts:
        """What is not in the test part, cut into ``count`` pieces, of which one is the valid part."""
        rest = np.sort(np.concatenate([parts.train, parts.valid]))
        if len(rest) < count:
            fail("AX0606", f"{len(rest)} examples cannot be cut into {count} folds", self.span)
        held = np.zeros(len(rest), bool)
        held[self._fold(rest, number - 1, count)] = True
        return Parts(rest[~held], rest[held], parts.test)

    def _fold(self, rest: Indices, number: int, count: int) -> Indices:
        """The places in ``rest`` of one fold."""
        how = self.how
        if how.group is not None:
            groups, of_row = self._groups(how.group, rest)
            if groups < count:
                fail("AX0606", f"cannot cut by `{how.group}`: {groups_in_words(groups)}, and {count} folds", self.span)
            share, more = divmod(len(rest), count)
            needs = [share + (fold < more) for fold in range(count)]
            return np.flatnonzero(assign(np.bincount(of_row), needs, how.seed)[of_row] == number)
        if how.stratify is not None:
            return self._stratified_fold(how.stratify, rest, number, count)
        return np.array_split(self._order(rest), count)[number]

    def _stratified_fold(self, name: str, rest: Indices, number: int, count: int) -> Indices:
        from sklearn.model_selection import StratifiedKFold

        classes, labels = np.unique(self.field(name, "stratify")[rest], return_inverse=True)
        counts = np.bincount(labels)
        if counts.min() < count:
            why = f"{classes[counts.argmin()]} has {counts.min()} of the examples, and there are {count} folds"
            fail("AX0606", f"cannot stratify by `{name}`: {why}", self.span)
        folds = StratifiedKFold(count, shuffle=True, random_state=self.how.seed).split(rest, labels)
        held: list[Indices] = [test for _, test in folds]
        return held[number]

    # ------------------------------------------------------------ examples that share rows

    def apart(self, parts: Parts) -> Parts:
        """Without the examples of a part that have rows of a later part."""
        if self.spans is None:
            return parts
        left: dict[str, Indices] = {}
        for name, later in _later(parts):
            rows = parts.of(name)
            left[name] = rows[~sharing(rows, later, self.spans)]
            if len(rows) and not len(left[name]):
                fail(
                    "AX0606",
                    f"the {name} part is empty: each of its {examples_in_words(len(rows))} has rows of a later part",
                    self.span,
                    help="a longer series, a smaller window or another split leaves some",
                )
        return Parts(**left)


def split(
    count: int,
    how: Split,
    fields: Mapping[str, Array],
    span: Span | None = None,
    *,
    shuffle: bool = True,
    row: Callable[[int], str] = lambda number: f"example {number}",
    spans: Spans | None = None,
    moments: npt.NDArray[Any] | None = None,
) -> Parts:
    """Share ``count`` examples out; the same always gives the same parts.

    Where examples share rows (windows of a series) and the split is by order, those of a part that have rows of a later
    one are left out.

    Args:
        count: how many there are.
        how: sizes of the parts, and the rule.
        fields: arrays by name, with a value for each example, for rules that name one.
        span: the place in the spec, for what cannot be done.
        shuffle: the parts of a random split are in random order, fixed by ``how.seed``; otherwise, and by any other
            rule, in the order of the data.
        row: what messages call an example.
        spans: the rows of a series that each example is made of, where examples may share them.
        moments: when each example is, where they are of several series: that is their order then.
    """
    splitting = _Splitting(count, how, fields, shuffle, span, row, spans, moments)
    parts = splitting.parts()
    if how.fold is not None:
        parts = splitting.folded(parts, *how.fold)
    return splitting.apart(parts) if how.in_order(shuffle) else parts


def check_rows(parts: Parts, count: int, span: Span | None = None) -> None:
    """SpecError if parts that were kept have examples that the data no longer has."""
    last = max(int(parts.of(name).max(initial=-1)) for name in PARTS)
    if last >= count:
        headline = f"the data has {count} examples, and the parts that were kept go up to example {last}"
        fail("AX0606", headline, span, notes=["the data has become shorter since the training"])


def _later(parts: Parts) -> Iterator[tuple[PartName, Indices]]:
    """Each part with the examples of the parts that come after it."""
    for place, name in enumerate(PARTS):
        after = [parts.of(later) for later in PARTS[place + 1 :]]
        yield name, np.concatenate(after) if after else np.arange(0)


def _missing(values: Array) -> npt.NDArray[np.bool_]:
    """Where a value is missing: NaN, NaT, or an empty text."""
    if values.dtype.kind in "OU":
        return np.asarray(values == "", bool)
    if values.dtype.kind in "fM":
        return np.asarray(np.isnan(values) if values.dtype.kind == "f" else np.isnat(values), bool)
    return np.zeros(len(values), bool)


def groups_in_words(count: int) -> str:
    return "1 group" if count == 1 else f"{count} groups"


def examples_in_words(count: int) -> str:
    return "1 example" if count == 1 else f"{count} examples"
