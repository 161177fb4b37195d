"""A case is done, and what happened is compared with what was expected.

A training is done as far as its first step: its fields, what is learned and what the parts are decide all of the rest.
What this module does not do: judge messages beyond the words that must be in them.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import archonnx
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.training.deciding import decided
from archonnx.runtime.training.preparing import DataChoice, prepare

from . import cells, columns, people, pictures, typed, writing  # noqa: F401 - mutations register themselves
from .cases import MUTATIONS, Case, Either, Expected, Right
from .people import TRAINED, Table, expected


@dataclass(frozen=True)
class Found:
    """What happened otherwise than it should have."""

    case: str
    verb: str
    problem: str

    def __str__(self) -> str:
        return f"{self.case}: {self.verb}: {self.problem}"


@dataclass(frozen=True)
class Subject:
    """What is mutated.

    Attributes:
        spec: trains on it.
        data: the file or folder that the spec names.
        write: writes it, unmutated, into a folder.
    """

    spec: str
    data: str
    write: Callable[[Path], Path]


PEOPLE = Subject(people.SPEC, people.BASE_FILE, people.write_people)
PICTURES = Subject(pictures.SPEC, pictures.FOLDER, pictures.write_pictures)
BENCHES = {"csv": PEOPLE, "parquet": PEOPLE, "arrays": PEOPLE, "pictures": PICTURES}
"""What is mutated, by the kind of file."""


def cases_of(kind: str, seeds: int = 1) -> Iterator[Case]:
    """The cases of a kind of file: so many variants of each mutation, but none twice. The same on every machine."""
    for mutate in MUTATIONS[kind]:
        made = (mutate(Random(f"{mutate.__name__} {seed}")) for seed in range(seeds))
        yield from {case.name: case for case in made}.values()


class Bench:
    """A run on unmutated data, and the folder in which cases are written.

    Args:
        folder: an empty folder.
        subject: what is mutated.
        whole: also train on each file to the end.
    """

    def __init__(self, folder: Path, subject: Subject = PEOPLE, *, whole: bool = False) -> None:
        self.folder, self.subject, self.whole = folder, subject, whole
        data = subject.write(folder)
        (folder / "spec.arch").write_text(subject.spec, encoding="utf-8")
        self.run = archonnx.train(folder / "spec.arch", folder / "run", device="cpu", threads=1)
        self.fields = {name: np.asarray(array) for name, array in self._read(data).items()}
        self.outputs = self.run.predict_fields({name: self.fields[name] for name in self.run.inputs})

    def examine(self, case: Case, number: int = 0) -> list[Found]:
        """What is wrong with how a case is treated."""
        folder = self.folder / f"case-{number}"
        folder.mkdir()
        given = case.write(folder)
        verbs: list[tuple[str, Expected, Callable[[], Mapping[str, Array]]]] = [
            ("train", case.train, lambda: self._trained(folder, given)),
            ("predict", case.predict, lambda: self._predicted(given)),
            ("eval", case.evaluate, lambda: self._measured(given)),
        ]
        found = []
        for verb, wanted, do in verbs:
            problem = _compared(wanted, do, partial(self._differs, verb))
            found += [Found(case.name, verb, problem)] if problem else []
        return found

    # ---------------------------------------------------------------- what is done

    def _trained(self, folder: Path, given: Any) -> Mapping[str, Array]:
        """The fields of a training: on the file that the spec names, or on what takes its place."""
        in_place = isinstance(given, Path) and given.name == self.subject.data
        choice = DataChoice() if in_place else DataChoice({"data": given})
        spec = parse_spec(Source(str(folder / "spec.arch"), self.subject.spec))
        spec = decided(spec, folder, None, choice)
        model = elaborate(spec)
        (program,) = model.programs
        prepared = prepare(model, program, program.settings, folder, None, choice)
        if self.whole:
            (folder / "spec.arch").write_text(self.subject.spec, encoding="utf-8")
            data = None if in_place else given
            run = archonnx.train(folder / "spec.arch", folder / "run", device="cpu", threads=1, data=data)
            assert all(map(np.isfinite, run.metrics["test"].values()))
        return {**prepared.examples.take(np.arange(prepared.examples.count)), "rows of train": prepared.parts.train}

    def _predicted(self, given: Any) -> Mapping[str, Array]:
        """The fields of a prediction, with its outputs."""
        return {**self.run.inputs_of(given).fields, **self.run.predict(given)}

    def _measured(self, given: Any) -> Mapping[str, Array]:
        """The fields that are measured, the target among them, and the figures."""
        figures = self.run.measure(data=given).figures
        return {**self._read(given), **{name: np.array(value) for name, value in figures.items()}}

    def _read(self, given: Any) -> Mapping[str, Array]:
        return self.run._open.reader.read(given, list(self.run._open.model.fields)).fields

    # ---------------------------------------------------------------- what is expected

    def _differs(self, verb: str, right: Right, got: Mapping[str, Array]) -> str:
        """How fields and outputs differ from those of what the cells mean, "" if they do not."""
        if right.table is not None and (problem := self._untrue(verb, right.table, got)):
            return problem
        if right.order is None:
            return ""
        fields = self.run.inputs if verb == "predict" else self.fields
        exact = {name: self.fields[name] for name in fields} | (self.outputs if verb == "predict" else {})
        for name, array in exact.items():
            if not np.array_equal(array[list(right.order)], got[name]):
                return f"`{name}` is not the same to the bit"
        return ""

    def _untrue(self, verb: str, table: Table, got: Mapping[str, Array]) -> str:
        """How fields differ from what NumPy makes of the values that were meant."""
        learned = table.taken([int(row) for row in got["rows of train"]]) if verb == "train" else self._learned
        for name, wanted in expected(table.truth, learned.truth).items():
            if verb == "predict" and name == "bought":
                continue
            if name not in got:
                return f"`{name}` is not there"
            array = np.asarray(got[name])
            if array.shape != wanted.shape or not np.allclose(array, wanted, rtol=1e-4, atol=1e-5):
                return f"`{name}` is {array.tolist()}, and should be {wanted.tolist()}"
        return ""

    @cached_property
    def _learned(self) -> Table:
        return people.people().taken(list(TRAINED))


def _compared(
    wanted: Expected, do: Callable[[], Mapping[str, Array]], differs: Callable[[Right, Mapping[str, Array]], str]
) -> str:
    """What is wrong, "" if nothing is."""
    try:
        got = do()
    except SpecError as error:
        said = "\n".join("\n".join([d.code, d.headline, *d.notes, d.help or ""]) for d in error.diagnostics)
        if isinstance(wanted, Right):
            return f"refused: {said}"
        if isinstance(wanted, Either):
            return "" if error.diagnostics else "a report of nothing"
        lacking = [word for word in wanted.words if word not in said]
        return f"the message lacks {', '.join(map(repr, lacking))}: {said}" if lacking or not error.diagnostics else ""
    except Exception:  # whatever it is, it is a bug
        return f"a traceback: {traceback.format_exc(limit=-3)}"
    if isinstance(wanted, Either):
        return ""
    return differs(wanted, got) if isinstance(wanted, Right) else f"not refused; expected were the words {wanted.words}"
