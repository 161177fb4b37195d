"""A trained model with its feed inside, as ONNX: columns in, outputs out, and what people must know in the metadata.

    entering      how each column of the data comes in
    raw_model     the file
    as_given      columns of loaded data as the file takes them
    differences   between what the file gives and what the run predicts

What this module does not do: read data, or write the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from archonnx.compiler.feeding import Encoding, Feeding
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.marks import mark
from archonnx.compiler.onnx_export import TextTable
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.raw import Entering, RawColumn, RawGraph
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory

from .artifact import Artifact
from .artifacts import GraphOptions, as_onnx

if TYPE_CHECKING:
    import onnx

METADATA_KEY = "archonnx.raw"
"""In the metadata of ONNX models: a JSON object, which docs/raw.md describes."""
PICTURES, PICTURE = "images", "image"
"""The source of pictures, and its column that holds them from 0 to 1."""
TOLERANCE = {DType.f64: 1e-9, DType.f32: 1e-4, DType.f16: 1e-2, DType.bf16: 1e-1}
"""How far outputs may lie apart, as a part of the largest number in them (or of 1, if that is larger)."""
CHANGED = 0.01
"""So many of the integers may differ: an ``argmax`` may fall to either side where two numbers are as good as equal."""
_DEFAULTS = {"int": DType.i64, "float": DType.f64, "bool": DType.bool, "date": DType.i64}
_WIDE = (DType.u32, DType.u64)


def entering(memory: Memory, program: TrainProgram) -> dict[str, Entering]:
    """How each column comes in: as it was in the data. Dates are i64 seconds since 1970, pictures u8."""
    pictures = program.source is not None and program.source.kind == PICTURES
    found = {}
    for name, kind in memory.kinds.items():
        stored = DType(memory.dtypes[name]) if name in memory.dtypes else _DEFAULTS.get(kind)
        if pictures and name == PICTURE and kind == "float":
            found[name] = Entering(kind, DType.u8, pixels=True)
        else:
            found[name] = Entering(kind, DType.i64 if stored in _WIDE else stored)
    return found


def raw_model(
    model: ModelProgram,
    raw: RawGraph,
    feeding: Feeding,
    weights: Mapping[str, Array],
    statistics: Mapping[str, Array],
    options: GraphOptions,
    about: Mapping[str, Any],
) -> onnx.ModelProto:
    """The file: a graph with weights and statistics inside, that takes columns.

    Args:
        model: what was trained.
        raw: the same with its feed.
        feeding: the feed, of whose vocabularies the metadata tell.
        weights: by path.
        statistics: by name.
        options: how it is written.
        about: what else the metadata are to say (``metadata``).
    """
    inside = {title: weights[path] for title, path in raw.parameters.items() if path in weights}
    inside |= {title: statistics[name] for title, name in raw.statistics.items()}
    texts = {title: _table(encoding, raw.columns[encoding.column].input) for title, encoding in raw.texts.items()}
    artifact = Artifact("raw", "raw", lambda: raw.graph, model.assumptions)
    metadata = {METADATA_KEY: json.dumps({**_described(raw, feeding), **about}, ensure_ascii=False)}
    return as_onnx(artifact, model, options, inside, texts=texts, metadata=metadata, about=about)


def _table(encoding: Encoding, input: str) -> TextTable:
    other = len(encoding.keys) if encoding.unknown else -1
    numbers = {str(key): number for number, key in enumerate(encoding.keys)}
    if encoding.filled is not None:
        numbers[""] = numbers.get(encoding.filled, other)
    return TextTable(input, numbers, other)


def _described(raw: RawGraph, feeding: Feeding) -> dict[str, Any]:
    """What the inputs are."""
    encodings = [e for e in feeding.encodings.values() if e.column in raw.columns]
    return {
        "columns": [_column(column) for column in raw.columns.values()],
        "vocabularies": [
            {"column": e.column, "values": list(e.keys), "unknown": e.unknown, "filled": e.filled} for e in encodings
        ],
        "statistics": list(raw.statistics.values()),
        "outputs": {name: _output(value) for name, value in raw.graph.outputs.items()},
    }


def _output(value: Value) -> dict[str, Any]:
    """What an output is, and what it is in rows that mean nothing."""
    number = mark(value.type.dtype)
    shown = "the run fails" if number is None else "NaN" if value.type.dtype.is_float else str(number)
    return {"dtype": str(value.type.dtype), "shape": list(map(str, value.shape)), "without_meaning": shown}


def _column(column: RawColumn) -> dict[str, Any]:
    how = column.entering
    dtype = "string" if how.dtype is None else str(how.dtype)
    missing = {"float": "NaN", "text": "", "date": str(np.iinfo(np.int64).min)}.get(how.kind)
    return {
        "name": column.name,
        "input": column.input,
        "kind": "image" if how.pixels else how.kind,
        "dtype": dtype,
        "shape": list(map(str, column.shape)),
        **({"unit": "seconds since 1970-01-01 00:00:00 UTC"} if how.kind == "date" else {}),
        **({"missing": missing} if missing is not None and not how.pixels else {}),
    }


def spec_metadata(name: str, text: bytes) -> dict[str, str]:
    """What tells which spec a model was trained by."""
    return {"name": name, "sha256": sha256(text).hexdigest()}


# ---------------------------------------------------------------- the file beside the run


def as_given(loaded: Loaded, raw: RawGraph) -> dict[str, Array]:
    """Columns of loaded data as the file takes them, by the name of the input."""
    return {column.input: _entered(loaded.fields[name], column.entering) for name, column in raw.columns.items()}


def _entered(array: Array, how: Entering) -> Array:
    if how.dtype is None:
        return array.astype(object)
    if how.kind == "date":
        return array.astype("datetime64[s]").astype(np.int64)
    if how.pixels:
        array = np.rint(array.astype(np.float64) * 255)
    return np.asarray(array, how.dtype.numpy, order="C")


def as_taken(array: Array, type_: str) -> Array:
    """An array as an input of this type in onnxruntime's words takes it: in f16, where it is of that."""
    return array.astype(np.float16) if type_ == "tensor(float16)" else array


def differences(made: Mapping[str, Any], wanted: Mapping[str, Any], dtype: DType | None = None) -> list[str]:
    """In which outputs a file and a run differ by more than rounding does, of ``dtype`` where that is what the file
    computes with; in a sentence each."""
    found = []
    for name, right in wanted.items():
        ours = made[name]
        if ours.shape != right.shape:
            found.append(f"`{name}` is {list(ours.shape)}, and {list(right.shape)} in the run")
        elif right.dtype.kind == "f":
            bound = TOLERANCE[dtype or DType.from_numpy(right.dtype)] * max(
                1.0, float(np.nanmax(np.abs(right), initial=0))
            )
            apart = np.abs(np.asarray(ours, right.dtype) - right)
            apart = np.where(np.isnan(ours) & np.isnan(right) | (ours == right), 0, apart)
            if not (worst := float(apart.max(initial=0))) <= bound:
                found.append(f"`{name}` lies up to {worst:.3g} from the run's")
        elif (others := int((ours != right).sum())) > CHANGED * right.size:
            found.append(f"{others} of {right.size} numbers of `{name}` are not the run's")
    return found
