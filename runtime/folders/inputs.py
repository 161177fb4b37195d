"""What people give a run to predict from: raw data as the run was trained with, or the fields of its model.

Columns are matched by their names; where a name is missing it is said. What this module does not do: predict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.feeding import DATA, INDEX, TARGET, Feeding
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.pipeline import feeding as elaborated_feeding
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, did_you_mean, fail, listing
from archonnx.grammar.record import replace as replace_record
from archonnx.runtime.data.alike import nearly_known
from archonnx.runtime.data.feeding import fed, learned, sample_of
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.ranges import check_set
from archonnx.runtime.data.sources import load_given, load_source
from archonnx.runtime.data.subwords import TokenizerFiles
from archonnx.runtime.data.tables import stacked
from archonnx.runtime.training.preparing import given_by, spans_of

from .texts import TextNumbers

SHOWN = 5
WHOLE = ("int", "bool")
"""Kinds of columns that have a value in each row."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Fields of the model for any number of rows.

    Attributes:
        fields: arrays by name.
        loaded: the data that they are made of; None where fields were given.
        notes: what people should know of it.
    """

    fields: Mapping[str, Any]
    loaded: Loaded | None = None
    notes: tuple[str, ...] = ()


def fields_given(given: Mapping[str, Any], fields: Collection[str], memory: Memory) -> Inputs | None:
    """What is given if it is fields of the model; None if it is columns of the data.

    A name that both have means the column, which may be the field as it is: then all fields must be there.
    """
    raw = {*memory.kinds, *[DATA] * bool(memory.matrix), *[TARGET] * (memory.target is not None)} - {*memory.same}
    if not given or any(name not in fields or name in raw for name in given):
        return None
    made = [f"`{name}`" for name in given if name not in memory.same]
    if not made and not set(fields) <= given.keys():
        return None
    are = "are fields" if len(made) > 1 else "is a field"
    wrong = [array for array in given.values() if isinstance(array, Diagnostic)]
    if wrong:
        raise SpecError(Report(wrong))
    note = f"{listing(made)} {are} of the model: what the feed does to the data is not done to it"
    check_numbers(given)
    return Inputs(given, None, (note,) if made else ())


def check_numbers(fields: Mapping[str, Any]) -> None:
    """SpecError if a field holds NaN, which no training lets through, and of which outputs would be NaN in silence."""
    report = Report()
    for name, given in fields.items():
        array = given if isinstance(given, np.ndarray) else np.array(given, dtype=object).ravel()
        numbers = array if array.dtype.kind in "fO" else np.zeros(0)
        odd = np.flatnonzero(numbers != numbers)
        if len(odd):
            row = int(np.unravel_index(odd[0], array.shape)[0]) if isinstance(given, np.ndarray) and given.ndim else 0
            more = f" and {len(odd) - 1:,} more" if len(odd) > 1 else ""
            at = f" in row {row} (from 0)" if isinstance(given, np.ndarray) else ""
            report.error("AX0608", f"the field `{name}` is NaN{at}{more}", None, help="fill it, or leave the row out")
    report.finish()


class InputReader:
    """Makes the fields of a model of new data, as those were made that it was trained with."""

    def __init__(self, model: ModelProgram, program: TrainProgram, memory: Memory, base: Path) -> None:
        self._model, self._program, self._memory, self._base = model, program, memory, base
        self._feeding: Feeding | None = None

    def read(self, given: Any, wanted: Sequence[str], keep: Sequence[str] = ()) -> Inputs:
        """Fields from a file, a folder, a frame, or arrays by name.

        Args:
            given: a path, a frame, or a mapping.
            wanted: the fields that are needed.
            keep: columns that are wanted besides.
        """
        given = self._by_columns(given) if isinstance(given, Mapping) else given
        targets = any(self._model.fields[name].target for name in wanted)
        kinds = self._kinds(wanted, keep)
        loaded = self._load(given, kinds, targets)
        unread = [name for name in keep if name in loaded.problems and name not in kinds]
        if unread:
            loaded = self._load(given, {**kinds, **dict.fromkeys(unread, "text")}, targets)
        return self.of(loaded, wanted, keep)

    def _kinds(self, wanted: Sequence[str], keep: Sequence[str]) -> dict[str, str]:
        """Kinds of columns that must hold: not of those that are only kept, which may hold anything."""
        memory = self._memory
        only = set() if memory.together else {*keep} - {*self.feeding.columns(wanted)}
        return {name: kind for name, kind in memory.kinds.items() if name not in only}

    def _load(self, given: Any, kinds: Mapping[str, str], targets: bool) -> Loaded:
        source, memory = self._program.source, self._memory
        if source is None:
            return load_given(given, self._base, kinds, memory.tokenizers)
        how: dict[str, Any] = {"kinds": kinds, "settled": memory.settled, "tokenizers": memory.tokenizers}
        return load_source(source, self._base, given=given, targets=targets, **how)

    def _by_columns(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A matrix as the columns that it is made of, by position."""
        columns, matrix = dict(given), self._memory.matrix
        if matrix and DATA in columns and DATA not in self._memory.kinds:
            array = np.asarray(columns.pop(DATA))
            if array.ndim != 2 or array.shape[1] != len(matrix):
                fail(
                    "AX0608",
                    f"`data` has {len(matrix)} columns, {', '.join(matrix[:SHOWN])}; given: {list(array.shape)}",
                    None,
                )
            columns |= {name: array[:, position] for position, name in enumerate(matrix)}
        return columns

    def of(self, loaded: Loaded, wanted: Sequence[str], keep: Sequence[str] = ()) -> Inputs:
        """Fields from data that is loaded already."""
        model, program, memory = self._model, self._program, self._memory
        fields = {name: model.fields[name] for name in wanted}
        loaded, used, notes = self._with_matrices(loaded)
        loaded = replace(loaded, tokenizers=TokenizerFiles(self._base, memory.tokenizers))
        if memory.together:
            everything = np.arange(len(loaded.fields[INDEX]))
            sample = sample_of(loaded, model.float_type, counted=True)
            sample = memory.completed(sample, model.float_type, len(everything))
            feeding = elaborated_feeding(model, program, sample, memory.fitted.learn).only(wanted)
            self._check_columns(feeding, loaded, wanted)
            fitted = learned(feeding, loaded, memory.fitted, everything, together=True)
        else:
            feeding, fitted = self._feeding_of(loaded, wanted), memory.fitted
            self._check_columns(feeding, loaded, wanted)
        known = {*used, *keep, *memory.kinds, DATA, TARGET, INDEX}
        extra = [name for name in (*loaded.fields, *loaded.problems) if name not in known]
        if extra and loaded.where:
            more = f" and {len(extra) - SHOWN} more" if len(extra) > SHOWN else ""
            shown = ", ".join(f"`{name}`" for name in extra[:SHOWN])
            notes += (f"{loaded.where}: left out, for the training had no such columns: {shown}{more}",)
        made = fed(feeding, fitted, loaded, fields, spans_of(program, fields))
        check_set(model, program, made, given_by(program, loaded, again=True))
        read = [feeding.encodings[name] for name in feeding.feed.inputs if name in feeding.encodings]
        return Inputs(made, loaded, (*notes, *nearly_known(read, loaded)))

    def _feeding_of(self, loaded: Loaded, wanted: Sequence[str]) -> Feeding:
        """How fields are made of these rows: as in the training, where numbers may have gaps now that the feed fills.

        A column of integers without gaps is one of floats where it has some, if nothing else changes by that.
        """
        kinds = self._memory.kinds
        gaps = [name for name, array in loaded.fields.items() if array.dtype.kind == "f" and kinds.get(name) in WHOLE]
        if not gaps:
            return self.feeding
        memory = replace(self._memory, kinds={**kinds, **dict.fromkeys(gaps, "float")})
        try:
            feeding = self._elaborated(memory)
        except SpecError:  # what integers alone do
            return self.feeding
        filled = all(feeding.handled[name].issuperset({*gaps} & {*feeding.sources[name]}) for name in wanted)
        return feeding if filled and _learned(feeding) == _learned(self.feeding) else self.feeding

    @property
    def feeding(self) -> Feeding:
        """How fields are made of columns, as in the training."""
        if self._feeding is None:
            self._feeding = self._elaborated(self._memory)
        return self._feeding

    def open_feeding(self) -> Feeding:
        """The same where windows of a text may have any length, as the model takes them."""
        return self._elaborated(self._memory, any_length=True)

    def _elaborated(self, memory: Memory, *, any_length: bool = False) -> Feeding:
        model = self._model
        sample = memory.sample(model.float_type, any_length=any_length)
        return elaborated_feeding(model, self._program, sample, memory.fitted.learn)

    def _with_matrices(self, loaded: Loaded) -> tuple[Loaded, tuple[str, ...], tuple[str, ...]]:
        """The same with matrices of the training that new data has as columns: by name, or in order if they have none.

        And the columns that were used, and what is to be said of it.
        """
        memory, fields = self._memory, dict(loaded.fields)
        used: tuple[str, ...] = ()
        notes = loaded.notes
        for name, kind in memory.kinds.items():
            shape = memory.shapes.get(name)
            if shape is None or len(shape) != 1 or kind not in ("int", "float"):
                continue
            if name in fields and name not in loaded.made:
                continue
            names = memory.columns_of.get(name)
            if DATA in loaded.problems and names is None:
                raise SpecError(Report([loaded.problems[DATA]]))
            if names is None and len(loaded.matrix) == shape[0]:
                names = loaded.matrix
                notes += (f"{loaded.where}: `{name}` has no names of columns; the {shape[0]} are taken in their order",)
            if names is not None and set(names) <= fields.keys():
                fields[name] = stacked(fields, names)
                used += tuple(names)
        return replace(loaded, fields=fields), used, notes

    def _check_columns(self, feeding: Feeding, loaded: Loaded, wanted: Sequence[str]) -> None:
        """SpecError with the columns that are not there, or are not what they were."""
        report = Report()
        for column in feeding.columns(wanted):
            if column in loaded.problems:
                raise SpecError(Report([loaded.problems[column]]))
            of = next(name for name in wanted if column in feeding.sources[name])
            if column in loaded.whole:
                continue
            if column not in loaded.fields:
                here = [name for name in (*loaded.fields, *loaded.whole) if name not in loaded.made]
                made = "" if of == column else f", of which `{of}` is made"
                report.error(
                    "AX0607",
                    f"{loaded.where} has no column `{column}`{made}",
                    None,
                    help=did_you_mean(column, here) or (f"it has {listing(here)}" if here else None),
                )
                continue
            if self._memory.clocks.get(column) == "offset" and loaded.clocks.get(column) == "local":
                headline = (
                    f"{loaded.where}: the dates of `{column}` have no offset from UTC, and had one in the training"
                )
                report.error("AX0631", headline, None, help="write it, as in `2024-03-31T01:30:00+01:00`")
            shape, before = loaded.fields[column].shape[1:], self._memory.shapes.get(column, ())
            if shape != before and not self._memory.together:
                report.error(
                    "AX0608",
                    f"{loaded.where}: a row of `{column}` is {list(shape)}, and was {list(before)} in the training",
                    None,
                    help=self._scaled(before) if len(shape) == len(before) == 3 else None,
                )
        report.finish()

    def _scaled(self, shape: Sequence[int]) -> str | None:
        """What is to be done about pictures of another size."""
        source = self._program.source
        if source is None or source.kind != "images":
            return None
        height, width = shape[1:]
        later = f"with `size=[{height}, {width}]` in `images` a training scales all, and so do later readings"
        return f"scale it, as by `image.resize(({width}, {height}))`; {later}"


def _learned(feeding: Feeding) -> dict[str, TensorType]:
    """The types of what is learned, by name."""
    return {name: statistic.graph.outputs[name].type for name, statistic in feeding.statistics.items()}


def narrowed(
    model: ModelProgram, program: TrainProgram, memory: Memory, wanted: Collection[str]
) -> tuple[ModelProgram, TrainProgram, Memory]:
    """A model, its program and what is remembered of its data, as far as fields are concerned that one source feeds.

    All of the first source where there is no other one, or where several feed them.
    """
    if not program.others:
        return model, program, memory
    known = {program.data: memory, **memory.others}
    sources = {source.name: source for source in program.sources}
    feeding = next((name for name in sources if name in known and {*wanted} <= {*known[name].fields}), program.data)
    fields = {name: field for name, field in model.fields.items() if name in known[feeding].fields}
    return replace_record(model, fields=fields), program.reading(sources[feeding]), replace(known[feeding], others={})


def text_numbers(model: ModelProgram, program: TrainProgram, memory: Memory | None) -> TextNumbers | None:
    """How texts are numbered by a run; None if it numbers none, or in several ways."""
    if memory is None:
        return None
    model, program, memory = narrowed(model, program, memory, model.infer.inputs.keys() & model.fields.keys())
    if memory.tokens is None and not memory.fitted.keys:
        return None
    feeding = InputReader(model, program, memory, Path()).feeding
    return TextNumbers.of(memory, feeding.encodings)


def class_names_of(model: ModelProgram, memory: Memory) -> dict[str, tuple[str, ...]]:
    """Names of classes by output: of its last axis, or of its values where it is an ``argmax``.

    Those of the only target whose values have names, and are as many.
    """
    targets = [names for name, names in memory.classes.items() if model.fields[name].target]
    producers = model.infer.producers()
    found = {}
    for name, value in model.infer.outputs.items():
        if value.type.dtype.is_float:
            size = value.shape[-1].constant if value.rank > 1 else None
        else:
            node = producers.get(value)
            while node is not None and node.op.name in ("cast", "reshape", "squeeze"):
                node = producers.get(node.inputs[0])
            of = node.inputs[0] if node is not None and node.op.name == "arg_max" else None
            size = of.shape[getattr(node.op, "axis", -1)].constant if of is not None and node is not None else None
        names = [names for names in targets if len(names) == size]
        if len(names) == 1:
            found[name] = names[0]
    return found


def kept_columns(loaded: Loaded | None, names: Sequence[str]) -> dict[str, Array]:
    """Columns of new data that stand beside the results, as they are."""
    columns: dict[str, Array] = {}
    for name in names:
        if loaded is not None and name in loaded.problems:
            raise SpecError(Report([loaded.problems[name]]))
        if loaded is None or name not in loaded.fields:
            here = list(loaded.fields) if loaded is not None else []
            where = loaded.where if loaded is not None else "what was given"
            fail("AX0607", f"{where} has no column `{name}` to keep", None, help=did_you_mean(name, here))
        columns[name] = loaded.fields[name]
    return columns
