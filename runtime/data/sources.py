"""Loading the data source of a train program: its fields, as many examples of each.

What this module does not do: read a format (``loaders`` do), or change examples (feeds do, in the language).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SEED, DataSource
from archonnx.compiler.sources import GENERATE, SOURCES
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .loader import PICTURES, Loaded, Place, loader_of


def load_source(
    source: DataSource,
    base: Path,
    seed: int = 0,
    *,
    path: Path | None = None,
    kinds: Mapping[str, str] | None = None,
    settled: Mapping[str, Any] | None = None,
    targets: bool = True,
) -> Loaded:
    """What a data source holds: all fields with as many examples, and ``index``, the example's number.

    Args:
        source: what to load.
        base: the folder of the spec; files are looked for there and may not lie outside it.
        seed: for sources that draw.
        path: a file or folder to read instead of the one that the source names; it may lie anywhere, and be of another
            format.
        kinds: kinds of columns in an earlier reading (``Loaded.kinds``), which must hold now; a column that is not
            there is not among the fields.
        settled: what an earlier reading found out (``Loaded.settled``).
        targets: whether what is to be foretold must be there; if not, windows of a series reach to its end.
    """
    arguments = dict(source.arguments)
    for name, value in (settled or {}).items():
        if name in arguments and arguments[name] is None:
            arguments[name] = value
    place = Place(base, source.span if path is None else None, path, kinds or {}, targets)
    return _load(source.kind, arguments, place, lambda: _drawn(source, seed))


def load_file(path: Path, kinds: Mapping[str, str] | None = None) -> Loaded:
    """What a file or a folder holds that no spec names, by its suffix; see ``load_source``."""
    return _load("", {}, Place(path.parent, None, path, kinds or {}))


def _drawn(source: DataSource, seed: int) -> Loaded:
    """What a fn of the spec generates."""
    assert source.graph is not None
    given = {SEED: np.int64(seed)} if SEED in source.graph.inputs else {}
    return Loaded(interpret(source.graph, given), "the generated data")


def _load(kind: str, arguments: Mapping[str, Any], place: Place, drawn: Callable[[], Loaded] | None = None) -> Loaded:
    """What a source of this kind holds; the file that the user gave stands for the innermost one."""

    def inner(kind: str, arguments: Mapping[str, Any]) -> Loaded:
        return _load(kind, arguments, place, drawn)

    taken = SOURCES.get(kind)
    if taken is not None and "rows" in taken.model_fields:
        outer = replace(place, path=None, inner=inner)
        return numbered(loader_of(taken)(taken.model_construct(None, **arguments), outer), place.span)
    if place.path is None and kind == GENERATE and drawn is not None:
        return numbered(drawn(), place.span)
    if place.path is not None:
        kind = _format(kind, place.path)
        known = SOURCES[kind].model_fields
        arguments = {**{name: v for name, v in arguments.items() if name in known}, "path": place.path.name}
    taken = SOURCES[kind]
    return numbered(loader_of(taken)(taken.model_construct(None, **arguments), place), place.span)


FORMATS = {".csv": "csv", ".parquet": "parquet", ".npz": "npz", ".npy": "npy"} | dict.fromkeys(PICTURES, "images")
"""Kinds of sources by the suffix of the file."""


def _format(kind: str, path: Path) -> str:
    """What kind of source a user's own file is; that of the spec unless its name says otherwise."""
    kind = FORMATS.get(path.suffix.lower(), kind)
    if path.is_dir() and kind not in ("npy", "images"):
        kind = "npy" if any(path.glob("*.npy")) else "images"
    if kind not in SOURCES or "path" not in SOURCES[kind].model_fields:
        if not path.exists():
            fail("AX0601", f"there is no file {path}", None)
        fail(
            "AX0604",
            f"{path.name} is not known as a file of data by the end of its name",
            None,
            help="read are .csv, .parquet, .npz and .npy files, pictures, and folders of .npy files or of pictures",
        )
    return kind


def numbered(loaded: Loaded, span: Span | None = None) -> Loaded:
    """The same with the field ``index``, unless the source has one; SpecError if fields differ in length."""
    count = example_count(loaded.fields, span)
    if "index" in loaded.fields:
        return loaded
    fields = {**loaded.fields, "index": np.arange(count, dtype=np.int64)}
    return replace(loaded, fields=fields, made=loaded.made | {"index"})


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
