"""What a run remembers of its data: ``data.json`` and ``fitted.safetensors``.

    data.json             the source, its columns and their kinds, a checksum, the vocabularies, the names of classes
    fitted.safetensors    what was learned of the train part, by name

What this module does not do: read data again, or say what was predicted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archonnx.compiler.feeding import INDEX, LENGTH, ROWS, Feeding, Sample
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.grammar.diagnostics import fail, listing
from archonnx.grammar.record import replace
from archonnx.runtime.checksums import checked
from archonnx.runtime.files import load_parameters, save_parameters, write_atomically

from .feeding import Fitted
from .loader import Loaded

DATA_FILE, FITTED_FILE = "data.json", "fitted.safetensors"


@dataclass(frozen=True)
class Memory:
    """What a run remembers of its data.

    Attributes:
        where: what messages call the source.
        rows: how many rows it had.
        checksum: of its columns.
        kinds: of its columns, by name.
        shapes: those of them that hold more than a number or a text in a row, by name.
        matrix: the columns that ``data`` stacks.
        target: the column that ``target`` is another name of.
        columns_of: names of the columns of matrices.
        classes: names of the values of integer fields of the model, by field.
        same: fields of the model that are columns as they are.
        replaced: what took the place of the data that the spec names: a path, or its name; "" for what was in memory.
        settled: what was found out in reading it.
        together: whether its rows are one example, as where a field is fed whole: then nothing is learned of them.
        fitted: what was learned of the train part.
        tokens: what a text was cut into, if its tokens are the rows.
        tokenizers: the files that say how texts are cut, by their paths.
        dtypes: of columns of numbers, as they were in the data; none in a run of before they were kept.
        whole: the shapes of those that have no row for each example, by name.
        others: what it remembers of further sources, by their names.
        fields: the fields of the model that the source feeds; none in a run of before they were kept.
        clocks: of columns of dates, as far as it is known: "local", "UTC" or "offset".
    """

    where: str
    rows: int
    checksum: str
    kinds: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    matrix: tuple[str, ...] = ()
    target: str | None = None
    columns_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    replaced: str | None = None
    settled: Mapping[str, Any] = field(default_factory=dict)
    together: bool = False
    fitted: Fitted = field(default_factory=Fitted)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    tokens: str | None = None
    tokenizers: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    others: Mapping[str, Memory] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    clocks: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(loaded: Loaded, feeding: Feeding, fitted: Fitted, *, together: bool, replaced: str | None = None) -> Memory:
        """What is to be remembered of loaded data."""
        kinds = loaded.kinds
        rowed = [name for name in kinds if name not in loaded.whole]
        shapes = {name: loaded.fields[name].shape[1:] for name in rowed if loaded.fields[name].ndim > 1}
        return Memory(
            loaded.where,
            len(loaded.fields[INDEX]),
            loaded.checksum,
            kinds,
            shapes,
            loaded.matrix,
            loaded.target,
            loaded.columns_of,
            class_names(loaded, feeding),
            _same(feeding),
            replaced,
            loaded.settled,
            together,
            Fitted(fitted.keys) if together else fitted,
            {name: str(dtype) for name in kinds if (dtype := _held(loaded.column(name))) is not None},
            loaded.tokens,
            dict(loaded.tokenizers.used),
            {name: array.shape for name, array in loaded.whole.items()},
            clocks=dict(loaded.clocks),
        )

    def sample(self, float_type: DType, rows: int | str = ROWS, *, any_length: bool = False) -> Sample:
        """What feeds are elaborated for, whatever new data has.

        Args:
            float_type: the model's.
            rows: how many, where they are one example.
            any_length: windows of a text may have any.
        """
        types: dict[str, TensorType | None] = {INDEX: TensorType.of(DType.i64, rows)}
        floats = {"float": float_type, "bool": DType.bool, "text": None}
        shapes: dict[str, tuple[int | str, ...]] = dict(self.shapes)
        if any_length and self.tokens is not None:
            shapes = dict.fromkeys(shapes, (LENGTH,))
        for name, kind in self.kinds.items():
            dtype = floats.get(kind, DType.i64)
            shape = self.whole.get(name, (rows, *shapes.get(name, ())))
            types[name] = None if dtype is None else TensorType.of(dtype, *shape)
        texts = {name: shape for name, shape in shapes.items() if self.kinds[name] == "text"}
        return Sample(self.where, types, self.matrix, self.target, texts=texts, whole=frozenset(self.whole))

    def completed(self, sample: Sample, float_type: DType, rows: int) -> Sample:
        """New data whose rows are one example, with the columns of the training that it lacks: targets, mostly."""
        known = self.sample(float_type, rows)
        types, texts = {**known.types, **sample.types}, {**known.texts, **sample.texts}
        return replace(sample, types=types, texts=texts, whole=sample.whole | known.whole)

    def as_json(self) -> dict[str, Any]:
        """All but the numbers that were learned, and what is remembered of further sources; of a path, the name."""
        return {
            "where": self.where,
            "rows": self.rows,
            "checksum": self.checksum,
            "columns": dict(self.kinds),
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "dtypes": dict(self.dtypes),
            "whole": {name: list(shape) for name, shape in self.whole.items()},
            "matrix": list(self.matrix),
            "target": self.target,
            "columns_of": {name: list(columns) for name, columns in self.columns_of.items()},
            "classes": {name: list(names) for name, names in self.classes.items()},
            "same": list(self.same),
            "replaced": Path(self.replaced).name if self.replaced else self.replaced,
            "settled": dict(self.settled),
            "together": self.together,
            **({"tokens": self.tokens} if self.tokens is not None else {}),
            **({"tokenizers": dict(self.tokenizers)} if self.tokenizers else {}),
            **({"clocks": dict(self.clocks)} if self.clocks else {}),
            "fields": list(self.fields),
            **({"others": list(self.others)} if self.others else {}),
            "statistics": list(self.fitted.statistics),
            "vocabularies": [
                {"column": column, "filled": filled, "values": list(keys)}
                for (column, filled), keys in self.fitted.keys.items()
            ],
        }

    def save(self, folder: Path, source: str = "") -> None:
        """Write both files into a folder, and those of further sources, which have their names: ``data.there.json``."""
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False)
        write_atomically(folder / _named(DATA_FILE, source), f"{text}\n".encode())
        if self.fitted.statistics:
            save_parameters(folder / _named(FITTED_FILE, source), self.fitted.statistics)
        for name, other in self.others.items():
            other.save(folder, name)

    @staticmethod
    def load(folder: Path, source: str = "") -> Memory | None:
        """What a run remembers; None of one that was made before runs did."""
        name = _named(DATA_FILE, source)
        if not os.path.lexists(folder / name):
            return None
        path, statistics_file = checked(folder, name), folder / _named(FITTED_FILE, source)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            statistics: dict[str, Array] = {}
            if os.path.lexists(statistics_file):
                statistics = load_parameters(checked(folder, statistics_file.name))
            lost = [name for name in record.get("statistics", ()) if name not in statistics]
            if lost:
                fail("AX0611", f"{statistics_file} is damaged: it lacks {listing(lost)}", None)
            names = [str(name) for name in record.get("others", ())]
            others = {name: Memory.load(folder, name) if name.isidentifier() else None for name in names}
            gone = [name for name, other in others.items() if other is None]
            if gone:
                fail("AX0611", f"{path} is damaged: there is no data of a source `{gone[0]}`", None)
            return Memory.from_json(record, statistics, {n: other for n, other in others.items() if other is not None})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            fail("AX0611", f"{path} is damaged: {error}", None)

    @staticmethod
    def from_json(record: Mapping[str, Any], statistics: Mapping[str, Array], others: Mapping[str, Memory]) -> Memory:
        """What ``as_json`` gave; a key that is missing or of another type is a KeyError or a TypeError."""
        keys = {(v["column"], v["filled"]): tuple(v["values"]) for v in record["vocabularies"]}
        return Memory(
            record["where"],
            record["rows"],
            record["checksum"],
            record["columns"],
            {name: tuple(shape) for name, shape in record["shapes"].items()},
            tuple(record["matrix"]),
            record["target"],
            {name: tuple(columns) for name, columns in record["columns_of"].items()},
            {name: tuple(names) for name, names in record["classes"].items()},
            tuple(record["same"]),
            record["replaced"],
            record["settled"],
            record["together"],
            Fitted(keys, dict(statistics)),
            record.get("dtypes", {}),
            record.get("tokens"),
            record.get("tokenizers", {}),
            {name: tuple(shape) for name, shape in record.get("whole", {}).items()},
            dict(others),
            tuple(record.get("fields", ())),
            dict(record.get("clocks", {})),
        )


def _named(file: str, source: str) -> str:
    """The file of a source: that of the first one has no name in it."""
    stem, _, suffix = file.partition(".")
    return f"{stem}.{source}.{suffix}" if source else file


def changes(loaded: Loaded, known: Memory, *, accepted: bool) -> str:
    """What is no longer as a run remembers it; SpecError unless that is accepted."""
    now, before = loaded.kinds, known.kinds
    found = []
    if gone := [name for name in before if name not in now]:
        found.append(f"gone: {listing(f'`{name}`' for name in gone)}")
    if added := [name for name in now if name not in before]:
        found.append(f"new: {listing(f'`{name}`' for name in added)}")
    for name, kind in now.items():
        if name in before and kind != before[name]:
            found.append(f"`{name}` holds {kind}, and held {before[name]}")
    rows = len(loaded.fields[INDEX])
    if rows != known.rows:
        found.append(f"{rows} rows, and there were {known.rows}")
    if not found:
        found.append(f"values are others, or rows stand in another order ({rows} rows and all columns are there)")
    headline = f"{loaded.where} is not what it was in the training"
    if not accepted:
        fail(
            "AX0632",
            headline,
            None,
            notes=found,
            help="to go on with it, say so: `--changed-data`; to measure on other data: `eval RUN --data FILE`",
        )
    return f"{headline}: {'; '.join(found)}"


def _held(array: Array) -> DType | None:
    """The element type of numbers; None of what is no tensor as it is."""
    try:
        return DType.from_numpy(array.dtype)
    except KeyError:
        return None


def _same(feeding: Feeding) -> tuple[str, ...]:
    """Fields of the model that are columns of their names, as they are."""
    columns = {value: name for name, value in feeding.feed.inputs.items() if name not in feeding.encodings}
    return tuple(name for name, value in feeding.feed.outputs.items() if columns.get(value) == name)


def class_names(loaded: Loaded, feeding: Feeding) -> dict[str, tuple[str, ...]]:
    """What the numbers of integer fields of the model stand for, where that is known."""
    names = {name: feeding.encodings[title].names for name, title in feeding.numbered.items()}
    known = {feeding.feed.inputs[name]: texts for name, texts in loaded.classes.items() if name in feeding.feed.inputs}
    direct = {name: known[value] for name, value in feeding.feed.outputs.items() if value in known}
    return {**direct, **names}
