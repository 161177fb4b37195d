"""Loading the data source of a train program: its fields, as many examples of each.

What this module does not do: read a format (``loaders`` do), or change examples (feeds do, in the language).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.feeding import TARGET
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.program import LARGEST, SEED, DataSource
from archonnx.compiler.sources import SOURCES, rowless
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span
from archonnx.grammar.spec import near_file
from archonnx.runtime.assumptions import bound_dims, check_assumptions
from archonnx.runtime.paths import kind_at, short

from .arrays import from_arrays, from_frame
from .batch import checked
from .graphs import from_graph, is_graph
from .lengths import numbered
from .loader import PICTURES, Loaded, Place, loader_of
from .subwords import TokenizerFiles
from .tables import table
from .tokenising import of_texts

TEXT = "text"
"""The source whose rows are tokens."""
Innermost = Callable[[Mapping[str, Any], Place], Loaded]
"""Gives what a source holds without reading anything, by its arguments."""


def load_source(
    source: DataSource,
    base: Path,
    seed: int = 0,
    *,
    arrays: Mapping[str, Array] | None = None,
    given: Any = None,
    kinds: Mapping[str, str] | None = None,
    settled: Mapping[str, Any] | None = None,
    targets: bool = True,
    tokenizers: Mapping[str, str] | None = None,
) -> Loaded:
    """What a data source holds: all fields with as many examples, and ``index``, the example's number.

    Args:
        source: what to load.
        base: the folder of the spec; files are looked for there and may not lie outside it.
        seed: for sources that draw.
        arrays: fields of other sources, where it is made of them.
        given: what stands for what the source names: a file or folder, which may lie anywhere and be of another format,
            a frame, arrays by name, or what is loaded already.
        kinds: kinds of columns in an earlier reading (``Loaded.kinds``), which must hold now; a column that is not
            there is not among the fields.
        settled: what an earlier reading found out (``Loaded.settled``).
        targets: whether what is to be foretold must be there; if not, windows of a series reach to its end.
        tokenizers: files that a run has kept, by their paths.
    """
    arguments = dict(source.arguments)
    for name, value in (settled or {}).items():
        if name in arguments and arguments[name] is None:
            arguments[name] = value
    path = Path(given) if isinstance(given, str | Path) else None
    files = TokenizerFiles(base, tokenizers)
    place = Place(base, source.span if given is None else None, path, kinds or {}, targets, files)
    rows = None
    if given is not None and path is None:
        rows = partial(_in_memory, given, whole=rowless(source.kind, arguments))
    if rows is None and path is None and source.graph is not None:
        rows = partial(_drawn, source, arrays or {}, seed)
    return replace(_load(source.kind, arguments, place, rows), tokenizers=files)


def load_given(
    given: Any, base: Path, kinds: Mapping[str, str] | None = None, tokenizers: Mapping[str, str] | None = None
) -> Loaded:
    """What is given where no spec names a source: a path, a frame, arrays by name, or what is loaded already."""
    files = TokenizerFiles(base, tokenizers)
    if isinstance(given, str | Path):
        return replace(load_file(Path(given), kinds), tokenizers=files)
    return replace(numbered(_in_memory(given, {}, Place(base, None, None, kinds or {}))), tokenizers=files)


def load_file(path: Path, kinds: Mapping[str, str] | None = None) -> Loaded:
    """What a file or a folder holds that no spec names, by its suffix; see ``load_source``."""
    return _load("", {}, Place(path.parent, None, path, kinds or {}))


def _drawn(
    source: DataSource, arrays: Mapping[str, Array], seed: int, arguments: Mapping[str, Any], place: Place
) -> Loaded:
    """What a fn of the spec generates, of fields of other sources if it takes such."""
    graph = source.graph
    assert graph is not None
    types = {reading.name: graph.inputs[reading.name].type for reading in source.reads}
    given = checked({name: _as_column(arrays[name], type_) for name, type_ in types.items()}, types, "field")
    sizes = bound_dims({name: (types[name], array.shape) for name, array in given.items()})
    check_assumptions(source.assumptions, sizes)
    _check_size(graph, sizes, source.span)
    try:
        drawn = interpret(graph, {**given, **({SEED: np.int64(seed)} if SEED in graph.inputs else {})})
    except IndexError:
        fail(
            "AX0631",
            "what is drawn here takes an element of a tensor that is not there",
            source.span,
            help="an index goes from 0 to the size of the axis less 1; `episode_rows` needs as many classes of enough "
            "examples, in each part, as a task has",
        )
    return Loaded(drawn, "the generated data")


def _as_column(array: Array, type_: TensorType) -> Array:
    """A column as feeds see it: numbers of a file are of the float that is wanted, dates are seconds since 1970."""
    if array.dtype.kind == "f" and type_.dtype.is_float:
        return array.astype(type_.dtype.numpy)
    return array.astype("datetime64[s]").astype(np.int64) if array.dtype.kind == "M" else array


def _check_size(graph: Graph, sizes: Mapping[str, int], span: Span) -> None:
    """SpecError if something that is computed has more elements than a tensor may: with these sizes it is known."""
    for node in graph.nodes:
        for value in node.outputs:
            if value.type.symbols() <= sizes.keys() and prod(d.evaluate(sizes) for d in value.shape) > LARGEST:
                shape = ", ".join(str(dim.evaluate(sizes)) for dim in value.shape)
                fail("AX0327", f"what is drawn here needs a tensor [{shape}], of more than {LARGEST:,} elements", span)


def _in_memory(given: Any, arguments: Mapping[str, Any], place: Place, *, whole: Collection[str] = ()) -> Loaded:
    """A frame, a graph, arrays by name, or what is loaded already; columns alone are a table, as a frame is.

    Where a source cannot say which column is the target, it is the one of that name. Of arrays, those of the names in
    ``whole`` have no row for each example.
    """
    if isinstance(given, Loaded):
        return given
    if is_graph(given):
        return from_graph(given, arguments.get("weight", "weight"), kinds=place.kinds)
    kinds = {**arguments.get("kinds", {}), **place.kinds}
    target, side_by_side = arguments.get("target", TARGET), arguments.get("columns")
    if not isinstance(given, Mapping):
        return from_frame(given, target, kinds, columns=side_by_side)
    loaded = from_arrays(given, kinds, whole=whole)
    if any(array.ndim != 1 for array in loaded.fields.values()):
        return loaded
    columns = {name: array for name, array in loaded.fields.items() if name not in loaded.made}
    count = len(next(iter(columns.values())))
    made = table({**columns, **loaded.problems}, loaded.where, count, target=target, side_by_side=side_by_side)
    return replace(made, whole=loaded.whole)


def _load(kind: str, arguments: Mapping[str, Any], place: Place, rows: Innermost | None = None) -> Loaded:
    """What a source of this kind holds; ``rows`` gives what the innermost source holds, if nothing is to be read."""
    if kind in SOURCES and "rows" in SOURCES[kind].model_fields:
        inner = partial(_inner, place, rows)
        place = replace(place, path=None, inner=inner)
    elif rows is not None:
        loaded = rows(arguments, place)
        return numbered(of_texts(loaded, arguments["tokens"], place) if kind == TEXT else loaded, place.span)
    elif place.path is not None:
        whole = sorted(rowless(kind, arguments))
        kind = _format(kind, place.path)
        known = SOURCES[kind].model_fields
        given = {**arguments, "path": place.path.name, "whole": whole}
        arguments = {name: value for name, value in given.items() if name in known}
    taken = SOURCES[kind]
    return numbered(loader_of(taken)(taken.model_construct(None, **arguments), place), place.span)


def _inner(place: Place, rows: Innermost | None, kind: str, arguments: Mapping[str, Any]) -> Loaded:
    """What a source holds that another one takes."""
    return _load(kind, arguments, place, rows)


FORMATS = {".csv": "csv", ".parquet": "parquet", ".npz": "npz", ".npy": "npy"} | dict.fromkeys(PICTURES, "images")
"""Kinds of sources by the suffix of the file."""
PLAIN = {".txt": TEXT}
"""The same for files whose suffix says less than a spec does."""


def _format(kind: str, path: Path) -> str:
    """What kind of source a user's own file is; that of the spec unless its name says otherwise."""
    kind = FORMATS.get(path.suffix.lower(), kind or PLAIN.get(path.suffix.lower(), ""))
    stands, what = kind_at(path)
    if stands == "other":
        fail("AX0601", f"`{short(str(path))}` {what}, not a file or a folder", None)
    if stands == "folder" and kind not in ("npy", "images"):
        kind = "npy" if any(path.glob("*.npy")) else "images"
    if kind not in SOURCES or "path" not in SOURCES[kind].model_fields:
        if stands == "nothing":
            fail("AX0601", f"there is no file {short(str(path))}", None, help=near_file(path))
        fail(
            "AX0604",
            f"{short(path.name)} is not known as a file of data by the end of its name",
            None,
            help="data is a .csv, .txt, .parquet, .npz or .npy file, a picture, or a folder of pictures or .npy files",
        )
    return kind
