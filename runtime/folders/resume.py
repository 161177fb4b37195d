"""``state.safetensors``: where a training stands, written in one piece while it runs and when it ends.

The file holds tensors (``now/NAME``: what the steps carry; ``best/PATH``: early stopping's; ``done.0/PATH``: the
parameters with which the first program ended; ``running/NAME``: figures of what is under way; ``data.SOURCE/NAME``:
what was learned of the data) and, as JSON in its metadata, the rest. So one file is the state, and a process that is
killed leaves that before or that after. What this module does not do: go on training (``training`` does).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import Field, ValidationError

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.settings import Transfer
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions, threads_of
from archonnx.runtime.files import load_with_metadata, save_parameters
from archonnx.runtime.reserving import fail_if_in_use
from archonnx.runtime.training.named import label
from archonnx.runtime.training.observing import Snapshot
from archonnx.runtime.training.programs import State, Trained

from .edited import edits
from .origins import Origins, remember, remembered
from .record import DEFAULT_DTYPE, DoneRecord, Strict, first_problem

SEVERAL_MODELS = "models.json"
"""In a folder of the runs of several models."""
METADATA_KEY = "archonnx.state"
FORMAT = 2
WITHOUT_DATA = 1
"""The format of states whose data is remembered in files beside them, and that have no checksum."""
KEPT = "numbers, texts, truth values, lists of them, and dicts by texts can be kept"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: arguments of the model, settings replaced, the program alone that was to run (or just which
    ones), the floats, weights of other runs to start with, files in place of sources, by their names, and which model
    of the file.
    """

    arguments: Mapping[str, Any]
    changes: Mapping[str, Any]
    only: str | tuple[str, ...] | None
    dtype: str = DEFAULT_DTYPE
    start: tuple[Transfer, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    id: str = field(default_factory=lambda: uuid4().hex, compare=False)
    """Under which the places of this machine are noted, which a run does not hold."""
    specs: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The texts of the spec and of what it imports, by the names of their files."""
    threads: int | None = field(default=None, compare=False)
    """How many threads of the CPU it is trained with."""

    def about(self, spec: Spec, options: SessionOptions) -> Request:
        """The same with what a state says of the spec and of the machine."""
        specs = {Path(spec.source.name).name: spec.source.text, **(spec.imports or {})}
        return replace(self, specs=specs, threads=threads_of(options))

    def check(self) -> None:
        """SpecError if something cannot be written down; to be asked before training rather than after it."""
        for what, values in (("argument", self.arguments), ("setting", self.changes)):
            for name, value in values.items():
                if (why := _unwritable(value)) is not None:
                    fail("AX0702", f"the {what} `{name}` cannot be kept in a run: {why}", None, help=KEPT)

    def check_places(self) -> None:
        """SpecError where it is not known on this machine where data lay that was given: a state only has its name."""
        for name, path in self.data.items():
            if not Path(path).is_absolute():
                way = f"give it again: `--data {name}=PATH`"
                fail("AX0618", f"it is not known here where `{path}` lay, which the training reads", None, help=way)

    def remember(self, text: str, folder: Path) -> None:
        """Note for this user where the data and the weights of a training are, whose spec lies in a folder."""
        runs = tuple(transfer.run for transfer in self.start)
        remember(self.id, text, Origins(str(folder.resolve()), dict(self.data), runs))

    def as_json(self) -> dict[str, Any]:
        """What a state says of it: of places, only their names."""
        return {
            "id": self.id,
            "arguments": dict(self.arguments),
            "changes": dict(self.changes),
            "only": self.only,
            "dtype": self.dtype,
            "data": {name: Path(path).name for name, path in self.data.items()},
            "start": [transfer.shared.model_dump() for transfer in self.start],
            "model": self.model,
            "specs": dict(self.specs),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Request:
        """What ``as_json`` gave, and what it gave before there were floats and weights to be asked for."""
        noted = remembered(record.get("id"))
        start = tuple(Transfer(**transfer) for transfer in record.get("start", ()))
        if len(noted.weights) == len(start):
            start = tuple(one.model_copy(update={"run": run}) for one, run in zip(start, noted.weights, strict=True))
        dtype = record.get("dtype", DEFAULT_DTYPE)
        only = tuple(record["only"]) if isinstance(record["only"], list) else record["only"]
        data = {name: noted.data.get(name, Path(path).name) for name, path in record.get("data", {}).items()}
        about = (record["arguments"], record["changes"], only, dtype, start, data, record.get("model"))
        specs = {str(name): str(text) for name, text in dict(record.get("specs") or {}).items()}
        return Request(*about, record.get("id") or uuid4().hex, specs)


def _unwritable(value: Any) -> str | None:
    """Why JSON cannot hold a value so that it comes back as it was; None if it can."""
    if isinstance(value, tuple):
        value = list(value)
    try:
        back = json.loads(json.dumps(value, allow_nan=False))
    except RecursionError:
        return "it is nested too deeply"
    except (TypeError, ValueError, OverflowError) as error:
        return f"{str(error)[:1].lower()}{str(error)[1:]}"
    return None if back == value else f"it would come back as {json.dumps(back)[:60]}"


def save_state(folder: Path, state: State, request: Request) -> None:
    """Write the state."""
    snapshot = state.snapshot
    tensors = {f"now/{name}": array for name, array in snapshot.tensors.items()}
    tensors |= {f"best/{path}": array for path, array in snapshot.best.items()}
    for number, trained in enumerate(state.done):
        tensors |= {f"done.{number}/{path}": array for path, array in trained.trainer.runner.parameters().items()}
    tensors |= {f"running/{name}": array for name, array in snapshot.running.items()}
    memories = {"": state.memory, **state.memory.others} if state.memory is not None else {}
    for source, memory in memories.items():
        tensors |= {f"data.{source}/{name}": array for name, array in memory.fitted.statistics.items()}
    record = {
        "format": FORMAT,
        **request.as_json(),
        "started_from": state.start,
        "done": [{**t.as_json(), "history": [epoch.as_json() for epoch in t.outcome.history]} for t in state.done],
        "program": label(state.program),
        "numbers": snapshot.numbers,
        "threads": request.threads,
        "memory": {source: memory.as_json() for source, memory in memories.items()},
    }
    save_parameters(folder / STATE_FILE, tensors, {METADATA_KEY: json.dumps(record)})


class StateRecord(Strict):
    """What a state says, but for what the programs themselves look at."""

    program: str
    numbers: dict[str, Any]
    done: list[DoneRecord]
    arguments: dict[str, Any]
    changes: dict[str, Any]
    only: str | list[str] | None
    dtype: str = DEFAULT_DTYPE
    start: list[dict[str, Any]] = Field(default_factory=list)
    data: dict[str, str] = Field(default_factory=dict)
    model: str | None = None
    memory: dict[str, dict[str, Any]] | None = None


def _count(threads: int | None) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


class SavedState:
    """A state as it was read."""

    def __init__(self, folder: Path) -> None:
        path, self._folder = folder / STATE_FILE, folder
        if path.is_symlink():
            way = "put the file in place"
            fail("AX0618", f"{path} is a link, and a run reads nothing outside itself", None, help=way)
        if not path.is_file():
            fail_if_in_use(folder)
            fail("AX0618", f"{folder} contains no training to continue: there is no {path}", None)
        with self._damaged():
            self._tensors, metadata = load_with_metadata(path)
            self._record = json.loads(metadata[METADATA_KEY])
            if self._record["format"] not in (WITHOUT_DATA, FORMAT):
                fail("AX0618", f"{path} was written by another version of archonnx", None)
            StateRecord.model_validate(self._record)
            self.request = Request.from_json(self._record)
            """What was asked for when it was trained."""

    @contextmanager
    def _damaged(self) -> Iterator[None]:
        """What is not as a state has it is a diagnostic: it may be a stranger's."""
        path = self._folder / STATE_FILE
        try:
            yield
        except SpecError as error:
            fail("AX0618", error.diagnostics[0].headline, None)
        except ValidationError as error:
            fail("AX0618", f"{path} is damaged: {first_problem(error)}", None)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
            fail("AX0618", f"{path} is damaged: {type(error).__name__} {error}", None)

    @property
    def epochs(self) -> int:
        """How many the program under way has done."""
        return len(self._record["numbers"]["history"])

    @property
    def memory(self) -> Memory | None:
        """What is remembered of the data of the program under way."""
        if self._record["format"] == WITHOUT_DATA:
            return Memory.load(self._folder)
        records = self._record["memory"]
        if not records:
            return None
        with self._damaged():
            parts = {name: self._part(f"data.{name}/") for name in records}
            others = {name: Memory.from_json(records[name], parts[name], {}) for name in records if name}
            return Memory.from_json(records[""], parts[""], others)

    def differences(self, now: Request) -> list[str]:
        """What is not as it was when the training was left, in words: it goes on all the same."""
        found, specs = list[str](), dict(self._record.get("specs") or {})
        if specs and now.specs:  # the file itself may have another name
            specs = {next(iter(now.specs)): specs.pop(next(iter(specs))), **specs}
        if specs and specs != now.specs:
            kept = ", ".join(f"{name} = {value}" for name, value in now.changes.items())
            told = f"; settings that were given then hold as before: {kept}" if kept else ""
            what = "; ".join(edits(specs, now.specs))
            found.append(f"the spec was edited, and the training goes on with it as it is now: {what}{told}")
        threads = self._record.get("threads")
        if None not in (threads, now.threads) and threads != now.threads:
            found.append(
                f"trained with {_count(threads)} so far, and with {_count(now.threads)} from now on: sums are rounded "
                f"otherwise, so that the rest is not the same to the bit; `--threads {threads}` makes it so"
            )
        return found

    def parameters_of(self, program: str) -> dict[str, Array]:
        """Those with which an earlier program of the training ended; empty where there is none of that name."""
        names = [record["name"] for record in self._record["done"]]
        return self._part(f"done.{names.index(program)}/") if program in names else {}

    def check_dtype(self, dtype: str) -> None:
        """SpecError if this is not the float type in which it was trained."""
        before = self.request.dtype
        if dtype != before:
            fail("AX0618", f"a training in {before} is not continued in {dtype}", None, help="leave the float type out")

    def of(self, model: ModelProgram, options: SessionOptions) -> State:
        """The state of the model's programs; SpecError if it has others."""
        programs = {label(program): program for program in model.programs}
        records = self._record["done"]
        for name in (*(record["name"] for record in records), self._record["program"]):
            if name not in programs:
                fail(
                    "AX0618",
                    f"the state is of a train program `{name}`, and {model.name} has none",
                    None,
                    help=f"it has {', '.join(programs)}" if programs else None,
                )
        with self._damaged():
            done = [
                Trained.from_json(
                    programs[record["name"]], model, record, record["history"], self._part(f"done.{number}/"), options
                )
                for number, record in enumerate(records)
            ]
        snapshot = Snapshot(self._part("now/"), self._part("best/"), self._record["numbers"], self._part("running/"))
        memory = self.memory
        return State(done, programs[self._record["program"]], snapshot, memory, self._record.get("started_from"))

    def _part(self, prefix: str) -> dict[str, Array]:
        return {name.removeprefix(prefix): array for name, array in self._tensors.items() if name.startswith(prefix)}
