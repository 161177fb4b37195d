"""``export RUN --raw``: a run as one ONNX file that takes the columns of the data, run beside the run before it stands.

What this module does not do: compose the graph (``compiler.raw`` does), or say what is in the file (``export.raw``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from archonnx.compiler.feeding import INDEX, Encoding
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.program import SEED, ModelProgram, TrainProgram
from archonnx.compiler.raw import Entering, RawColumn, RawGraph, raw_graph
from archonnx.grammar.diagnostics import Report, SpecError, fail, make_error
from archonnx.runtime.data.arrays import from_arrays
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions, open_session
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.models import check_name, write_tried
from archonnx.runtime.export.raw import as_given, as_taken, differences, entering, raw_model

from .inputs import InputReader

ROWS_TRIED = 64
"""So many rows are given to the file and to the run."""
OF_DATA, MADE = "rows of the training data", "made rows"
"""Which rows those are."""
WITHOUT_RAW = "leave `--raw` out: then what is exported takes the fields of the model"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file that was written.

    Attributes:
        columns: what it takes, by name.
        nodes: in its graph.
        size: of it in bytes.
        checked: on how many rows it was run beside the run.
        on: which those are.
    """

    columns: Mapping[str, RawColumn]
    nodes: int
    size: int
    checked: int
    on: str


@dataclass(frozen=True, slots=True)
class RawExport:
    """What a run gives to its export.

    Attributes:
        model: what was trained.
        program: by which program.
        memory: what the run remembers of its data.
        reader: makes fields of columns.
        data: loads the data of the training.
        predict: the outputs for fields.
        weights: by path.
        options: where the file is run.
        about: what the metadata say of the run.
    """

    model: ModelProgram
    program: TrainProgram
    memory: Memory
    reader: InputReader
    data: Callable[[], Loaded]
    predict: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    weights: Mapping[str, Array]
    options: SessionOptions
    about: Mapping[str, Any]

    def write(self, path: Path, how: GraphOptions) -> RawFile:
        """Write the file, after it has been run.

        Raises:
            SpecError: the feed cannot be put in the graph, or what the file gives is not what the run predicts. Then
                nothing is written.
        """
        check_name(path)
        if self.memory.together:
            self._refuse_whole()
        feeding = self.reader.open_feeding()
        raw = raw_graph(self.model, feeding, entering(self.memory, self.program))
        rows, wanted, on = self._tried(raw)
        count = len(rows.fields[INDEX])
        about = {**self.about, "checked": {"rows": count, "on": on}}
        statistics = self.memory.fitted.statistics
        model = raw_model(self.model, raw, feeding, self.weights, statistics, how, about)
        size = write_tried(path, model, lambda part: self._compare(part, as_given(rows, raw), wanted, how))
        return RawFile(raw.columns, len(model.graph.node), size, count, on)

    def _refuse_whole(self) -> NoReturn:
        whole = sorted(self.program.whole)
        fail(
            "AX0513",
            f"`{whole[0]}` is fed whole: all rows are one example, and nothing is kept of them",
            self.program.feeds[whole[0]].statement.span,
            help=WITHOUT_RAW,
        )

    def _compare(self, file: Path, given: dict[str, Array], wanted: Mapping[str, Array], how: GraphOptions) -> None:
        """SpecError unless a file gives what the run does."""
        handle = open_session(file, self.options).handle
        if any(one.name == SEED for one in handle.get_inputs()):
            given = {SEED: np.array(0, np.int64), **given}  # a column may have its name
        names = [one.name for one in handle.get_outputs()]
        try:
            taken = {one.name: as_taken(given[one.name], one.type) for one in handle.get_inputs()}
            made = dict(zip(names, handle.run(names, taken), strict=True))
            found = differences(made, wanted, DType.f16 if how.precision != "f32" else None)
        except Exception as error:  # onnxruntime's exceptions have no base of their own
            found = [str(error)]
        if found:
            fail(
                "AX0514", "the exported file does not give what the run predicts: nothing is written", None, notes=found
            )

    # Rows to try it on.

    def _tried(self, raw: RawGraph) -> tuple[Loaded, Mapping[str, Array], str]:
        """Rows, what the run predicts of them, and which they are."""
        fields = [name for name in self.model.fields if name in self.model.infer.inputs]
        refused: list[str] = []
        for rows, on in self._candidates(raw):
            try:
                return rows, self.predict(self.reader.of(rows, fields).fields), on
            except SpecError as error:
                refused += [diagnostic.headline for diagnostic in error.diagnostics]
        raise SpecError(
            Report(
                [
                    make_error(
                        "AX0514",
                        "the file cannot be tried: the data of the training is not at hand, and made rows are refused",
                        None,
                        notes=list(dict.fromkeys(refused)),
                        help="put the data back where the training read it",
                    )
                ]
            )
        )

    def _candidates(self, raw: RawGraph) -> Iterator[tuple[Loaded, str]]:
        """Rows of the training data where it can be read, then rows that are made."""
        with suppress(SpecError):
            yield some_rows(self.data()), OF_DATA
        for scale in (1.0, 0.0):
            yield made_rows(raw, self.reader.feeding.encodings, self.memory, scale), MADE


def some_rows(loaded: Loaded) -> Loaded:
    """Rows of data from its beginning to its end; they are numbered anew."""
    count = len(loaded.fields[INDEX])
    rows = np.unique(np.linspace(0, count - 1, min(count, ROWS_TRIED)).astype(np.int64))
    fields = {name: array[rows] for name, array in loaded.fields.items()}
    if INDEX in loaded.made:
        fields[INDEX] = np.arange(len(rows), dtype=np.int64)
    return replace(loaded, fields=fields, lines=None if loaded.lines is None else loaded.lines[rows])


def made_rows(raw: RawGraph, encodings: Mapping[str, Encoding], memory: Memory, scale: float) -> Loaded:
    """Rows that are made of what is known of the columns: values of vocabularies, else numbers.

    Args:
        raw: whose columns.
        encodings: the vocabularies.
        memory: of the columns: their kinds, and what a row of each holds.
        scale: of the numbers; 0 for those that a model takes for the number of something.
    """
    draw = np.random.default_rng(0)
    keys = {encoding.column: encoding.keys for encoding in encodings.values()}
    arrays = {
        name: _made(draw, column.entering, (ROWS_TRIED, *memory.shapes.get(name, ())), keys.get(name), scale)
        for name, column in raw.columns.items()
    }
    return from_arrays(arrays, {name: memory.kinds[name] for name in arrays}, "made rows")


def _made(
    draw: np.random.Generator,
    how: Entering,
    shape: tuple[int, ...],
    keys: tuple[str | int, ...] | None,
    scale: float,
) -> Array:
    if keys:
        values: Array = np.array(keys, dtype=object if how.dtype is None else np.int64)
        return values[draw.integers(0, len(keys), shape)]
    if how.dtype is None:
        return np.full(shape, "", dtype=object)
    if how.pixels:
        return draw.integers(0, 256, shape).astype(np.float32) / np.float32(255)
    if how.kind == "date":
        return np.datetime64("2000-01-01", "s") + draw.integers(0, 10_000, shape) * np.timedelta64(86_400, "s")
    if how.kind == "bool":
        return draw.random(shape) < 0.5
    numbers = draw.normal(size=shape) * scale
    return numbers.astype(how.dtype.numpy)
