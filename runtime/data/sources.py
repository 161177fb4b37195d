"""Data: loading a source, sharing the examples out, and drawing batches.

All of it is a function of what the spec says: the same seed gives the same parts and the same order of every epoch.
What this module does not do: change examples (feeds do, in the language).
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.program import SEED, DataSource
from archonnx.compiler.settings import BUNDLED, Split
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span

from .batch import batch_symbol
from .csv import read_csv, table_fields
from .images import read_images
from .parquet import read_parquet

Indices = npt.NDArray[np.int64]
Fields = dict[str, Array]

# ---------------------------------------------------------------- sources


def load_source(source: DataSource, base: Path, seed: int = 0) -> Fields:
    """The fields of a data source, all with as many examples, and ``index``, the example's number.

    Args:
        source: what to load.
        base: the folder of the spec; files are looked for there and may not lie outside it.
        seed: for sources that draw.
    """
    arguments, span = source.arguments, source.span
    if source.graph is not None:
        fields = interpret(source.graph, {SEED: np.int64(seed)} if SEED in source.graph.inputs else {})
    elif source.kind == "sklearn":
        fields = _bundled(arguments["name"], span)
    elif source.kind == "npz":
        fields = _npz(_inside(arguments["path"], base, span), span)
    elif source.kind == "csv":
        table = read_csv(_inside(arguments["path"], base, span), arguments.get("delimiter", ","), span)
        fields = table_fields(table, arguments.get("target"), span)
    elif source.kind == "parquet":
        table = read_parquet(_inside(arguments["path"], base, span), span)
        fields = table_fields(table, arguments.get("target"), span)
    elif source.kind == "images":
        fields = read_images(_inside(arguments["path"], base, span, folder=True), arguments.get("size"), span)
    else:
        fail("AX0705", f"there is no data source `{source.kind}`", span)
    count = example_count(fields, span)
    return fields if "index" in fields else {**fields, "index": np.arange(count, dtype=np.int64)}


def example_count(fields: Mapping[str, Array], span: Span | None = None) -> int:
    """The number of examples, which all fields share."""
    scalars = [name for name, array in fields.items() if array.ndim == 0]
    if scalars or not fields:
        fail(
            "AX0605",
            f"`{scalars[0]}` is a single number, not one value for each example"
            if scalars
            else "the data has no fields",
            span,
        )
    lengths = {name: len(array) for name, array in fields.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
        fail("AX0605", f"the fields differ in their number of examples: {shown}", span)
    return next(iter(lengths.values()))


def _inside(name: str, base: Path, span: Span | None, *, folder: bool = False) -> Path:
    path = (base / name).resolve()
    if not path.is_relative_to(base.resolve()):
        fail(
            "AX0601",
            f"`{name}` lies outside the folder of the spec",
            span,
            help="copy it beside the spec, and give its path from there",
        )
    if not (path.is_dir() if folder else path.is_file()):
        here = sorted(p.name for p in path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
        fail(
            "AX0601",
            f"there is no {'folder' if folder else 'file'} `{name}` beside the spec",
            span,
            help=did_you_mean(path.name, here),
            notes=[f"looked for {path}"],
        )
    return path


def _bundled(name: str, span: Span | None) -> Fields:
    if name not in BUNDLED:
        fail(
            "AX0602",
            f"scikit-learn bundles no data set `{name}`",
            span,
            help=did_you_mean(name, BUNDLED) or f"bundled: {', '.join(BUNDLED)}",
        )
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    target = bunch.target.astype(np.int64) if bunch.target.dtype.kind in "iu" else bunch.target
    return {"data": bunch.data, "target": target}


def _npz(path: Path, span: Span | None) -> Fields:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError):
        fail(
            "AX0604",
            f"{path.name} is not an .npz file of plain arrays",
            span,
            help=f'write it with `numpy.savez("{path.name}", x=..., y=...)`; arrays of Python objects are not read',
        )


# ---------------------------------------------------------------- parts


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


# ---------------------------------------------------------------- batches


def epoch_order(indices: Indices, seed: int, epoch: int) -> Indices:
    """The order of one epoch, which depends on the seed and the epoch alone."""
    return np.random.default_rng([seed, epoch]).permutation(indices)


def endless_order(indices: Indices, seed: int, epoch: int, size: int, *, shuffle: bool = True) -> Iterator[Indices]:
    """Batches without end, for rounds of ``repeat``: a stream of their own in each epoch, apart from its order."""
    for number in itertools.count(1):
        order = np.random.default_rng([seed, epoch, number]).permutation(indices) if shuffle else indices
        for start in range(0, len(order), size):
            yield order[start : start + size]


class Examples:
    """A model's fields over all examples. Fields whose first axis does not count examples are given whole.

    Args:
        fields: arrays by name.
        types: their types.
        whole: fields that are given whole whatever their type says.
    """

    def __init__(
        self, fields: Mapping[str, Array], types: Mapping[str, TensorType], whole: Collection[str] = ()
    ) -> None:
        cut = {name: types[name] for name in fields if name not in whole}
        symbol = batch_symbol(cut)
        by_row = {name for name, type_ in cut.items() if type_.rank and type_.shape[0].symbol == symbol is not None}
        self._rows = {name: np.ascontiguousarray(fields[name]) for name in fields if name in by_row}
        self._whole = {name: np.asarray(fields[name], order="C") for name in fields if name not in by_row}
        self.count = example_count(self._rows) if self._rows else 1

    def take(self, indices: Indices) -> Fields:
        """These examples."""
        return {**{name: array[indices] for name, array in self._rows.items()}, **self._whole}

    def batches(self, indices: Indices, size: int | Literal["all"]) -> Iterator[tuple[int, Fields]]:
        """Batches in this order, each with its number of examples; the last one may be smaller."""
        step = max(len(indices), 1) if size == "all" else size
        for start in range(0, len(indices), step):
            rows = indices[start : start + step]
            yield len(rows), self.take(rows)
