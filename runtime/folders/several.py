"""Folders of several runs: trainings of one spec on the folds of its data, or with several seeds.

    folds.json    (or seeds.json) which runs there are to be, which are finished, mean and deviation of every figure
    fold-1        each run whole (or seed-0)

What this module does not do: train (``archonnx.training`` does).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from archonnx.grammar.diagnostics import fail
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.files import write_atomically
from archonnx.runtime.measures.figures import to_json

from .record import RunName, first_problem
from .resume import SEVERAL_MODELS, Request
from .run import Run

Kind = Literal["folds", "seeds"]
KINDS: tuple[Kind, ...] = ("folds", "seeds")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several runs."""

    values: Mapping[str, float]
    """By the name of the run."""

    @property
    def mean(self) -> float:
        """Their mean, which is NaN where one of them is."""
        with np.errstate(invalid="ignore"):
            return float(np.mean([*self.values.values()]))

    @property
    def deviation(self) -> float:
        """The standard deviation of the sample (n - 1 in the denominator); NaN of a single value."""
        with np.errstate(invalid="ignore"):
            return float(np.std([*self.values.values()], ddof=1)) if len(self.values) > 1 else math.nan


@dataclass(frozen=True, slots=True)
class Plan:
    """Several runs that there are to be: for each the settings that it has of its own, by its name."""

    kind: Kind
    runs: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def folds(count: int) -> Plan:
        """Each piece of the data is the valid part once."""
        return Plan("folds", {f"fold-{n}": {"split.fold": [n, count]} for n in range(1, count + 1)})

    @staticmethod
    def seeds(count: int, first: int) -> Plan:
        """Initial parameters and draws differ, and the split is the same."""
        return Plan("seeds", {f"seed-{seed}": {"seed": seed} for seed in range(first, first + count)})


class Runs(Sequence[Run]):
    """The finished runs of a folder of several.

    Examples:
        >>> runs = Runs("runs/digits_cnn-1")               # doctest: +SKIP
        >>> runs.metrics["valid"]["accuracy"].mean         # doctest: +SKIP
        0.9781
    """

    def __init__(self, path: str | Path, options: SessionOptions | None = None) -> None:
        self.path = Path(path)
        self._options = options
        models = (self.path / SEVERAL_MODELS).is_file()
        way = f"`ModelRuns({str(self.path)!r})` opens it" if models else "`archonnx train SPEC --folds 5` makes it"
        record = read_summary(self.path, KINDS, "runs of folds or seeds", way)
        self.plan = Plan(record["kind"], record["runs"])
        self.request = request_of(record, self.path)
        self.names: tuple[str, ...] = tuple(record["finished"])
        """Of those that are finished."""

    @cached_property
    def _runs(self) -> tuple[Run, ...]:
        return tuple(Run(self.path / name, self._options) for name in self.names)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Run]: ...
    def __getitem__(self, place: int | slice) -> Run | Sequence[Run]:
        return self._runs[place]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def complete(self) -> bool:
        """Whether all are finished."""
        return len(self) == len(self.plan.runs)

    @property
    def metrics(self) -> dict[str, dict[str, Spread]]:
        """Losses and metrics by part, over the runs that measured them."""
        return spreads(self)

    def __getstate__(self) -> dict[str, Any]:
        """The folder, found from anywhere; its runs are opened again when they are used."""
        return {name: value for name, value in vars(self).items() if name != "_runs"} | {"path": self.path.absolute()}

    def __repr__(self) -> str:
        return f"<Runs: {len(self)} of {len(self.plan.runs)} {self.plan.kind} in {self.path}>"


def spreads(runs: Iterable[Run]) -> dict[str, dict[str, Spread]]:
    """Losses and metrics by part, over the runs that measured them."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    for run in runs:
        for part, figures in run.metrics.items():
            for name, value in figures.items():
                values.setdefault(part, {}).setdefault(name, {})[run.path.name] = value
    return {part: {name: Spread(of) for name, of in names.items()} for part, names in values.items()}


def save_summary(folder: Path, plan: Plan, request: Request, finished: Sequence[Run]) -> None:
    """Write what there is to be and what there is, in place of what was written before."""
    metrics = {
        part: {
            name: {**to_json({"mean": of.mean, "deviation": of.deviation}), "values": to_json(of.values)}
            for name, of in figures.items()
        }
        for part, figures in spreads(finished).items()
    }
    record = {
        "format": FORMAT,
        "kind": plan.kind,
        "runs": {name: dict(settings) for name, settings in plan.runs.items()},
        "request": request.as_json(),
        "finished": [run.path.name for run in finished],
        "metrics": metrics,
    }
    write_atomically(folder / f"{plan.kind}.json", f"{json.dumps(record, indent=2)}\n".encode())


def holds_several(folder: Path) -> bool:
    """Whether a folder is one of runs of folds or seeds."""
    return any((folder / f"{kind}.json").is_file() for kind in KINDS)


def read_summary(folder: Path, kinds: Sequence[str], what: str, way: str) -> dict[str, Any]:
    """The file of a folder of several runs that says what is in it; SpecError if it is not there, or damaged.

    Args:
        folder: the folder.
        kinds: what it may hold several of; the file is called like that.
        what: the same for people.
        way: how such a folder is made.
    """
    file = next((path for kind in kinds if (path := folder / f"{kind}.json").is_file()), None)
    if file is None:
        fail("AX0611", f"{folder} holds no {what}", None, help=way)
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        known = record["format"] == FORMAT and record["kind"] in kinds
        summary = _Summary.model_validate(record)
    except ValidationError as error:
        fail("AX0611", f"{file} is damaged: {first_problem(error)}", None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fail("AX0611", f"{file} is damaged: {error}", None)
    if not known:
        fail("AX0611", f"{file} was written by another version of archonnx", None)
    if not summary.runs.keys() >= {*summary.finished}:
        fail("AX0611", f"{file} is damaged: a run is finished that is not among the runs", None)
    return record


def request_of(record: Mapping[str, Any], folder: Path) -> Request:
    """What was asked for, as the file of a folder of several runs says it; SpecError if that is damaged."""
    try:
        return Request.from_json(record["request"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        fail("AX0611", f"{folder} is damaged: what was asked for cannot be read", None, notes=[str(error)])


class _Summary(BaseModel):
    """What such a file says: the names of the runs are names of folders in it."""

    model_config = ConfigDict(strict=True, extra="allow")

    runs: dict[RunName, dict[str, Any]]
    request: dict[str, Any]
    finished: list[str]
