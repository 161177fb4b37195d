"""``state.safetensors``: where a training stands, written in one piece while it runs and when it ends.

The file holds tensors (``now/NAME``: what the steps carry; ``best/PATH``: early stopping's; ``done.0/PATH``: the
parameters with which the first program ended; ``running/NAME``: figures of what is under way; ``data.SOURCE/NAME``:
what was learned of the data) and, as JSON in its metadata, the rest. So one file is the state, and a process that is
killed leaves that before or that after. What this module does not do: go on training (``training`` does).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.settings import Transfer
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.files import load_with_metadata, save_parameters
from archonnx.runtime.training.observing import Snapshot
from archonnx.runtime.training.programs import State, Trained, label

STATE_FILE = "state.safetensors"
SEVERAL_MODELS = "models.json"
"""In a folder of the runs of several models."""
METADATA_KEY, CHECKSUM_KEY = "archonnx.state", "archonnx.checksum"
FORMAT = 2
WITHOUT_DATA = 1
"""The format of states whose data is remembered in files beside them, and that have no checksum."""
DEFAULT_DTYPE = "f32"
"""The float type of a model of which nothing else is said."""


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

    def as_json(self) -> dict[str, Any]:
        """What a state says of it."""
        return {
            "arguments": dict(self.arguments),
            "changes": dict(self.changes),
            "only": self.only,
            "dtype": self.dtype,
            "data": dict(self.data),
            "start": [transfer.model_dump() for transfer in self.start],
            "model": self.model,
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Request:
        """What ``as_json`` gave, and what it gave before there were floats and weights to be asked for."""
        start = tuple(Transfer(**transfer) for transfer in record.get("start", ()))
        dtype = record.get("dtype", DEFAULT_DTYPE)
        only = tuple(record["only"]) if isinstance(record["only"], list) else record["only"]
        data, model = record.get("data", {}), record.get("model")
        return Request(record["arguments"], record["changes"], only, dtype, start, data, model)


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
        "memory": {source: memory.as_json() for source, memory in memories.items()},
    }
    text = json.dumps(record)
    save_parameters(folder / STATE_FILE, tensors, {METADATA_KEY: text, CHECKSUM_KEY: f"{_checksum(text, tensors):08x}"})


def _checksum(text: str, tensors: Mapping[str, Array]) -> int:
    """CRC-32 of all that a state holds: a bit that has turned is found."""
    found = crc32(text.encode())
    for name in sorted(tensors):
        array = np.asarray(tensors[name], order="C")
        found = crc32(f"{name} {array.dtype} {array.shape}".encode(), found)
        found = crc32(array.reshape(-1).view(np.uint8).data, found)
    return found


class SavedState:
    """A state as it was read."""

    def __init__(self, folder: Path) -> None:
        path, self._folder = folder / STATE_FILE, folder
        if not path.is_file():
            several = next((kind for kind in ("folds", "seeds") if (folder / f"{kind}.json").is_file()), None)
            way = f"it holds several, which go on with `--{several}`" if several is not None else None
            fail("AX0618", f"{folder} contains no training to continue: there is no {path}", None, help=way)
        try:
            self._tensors, metadata = load_with_metadata(path)
            self._record = json.loads(metadata[METADATA_KEY])
            known = self._record["format"] in (WITHOUT_DATA, FORMAT)
        except SpecError as error:
            fail("AX0618", error.diagnostics[0].headline, None)
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            fail("AX0618", f"{path} is damaged: {error}", None)
        if not known:
            fail("AX0618", f"{path} was written by another version of archonnx", None)
        checksum = f"{_checksum(metadata[METADATA_KEY], self._tensors):08x}"
        if self._record["format"] == FORMAT and metadata.get(CHECKSUM_KEY) != checksum:
            fail("AX0618", f"{path} is damaged: its checksum is {checksum}, and was another when it was written", None)

    @property
    def request(self) -> Request:
        """What was asked for when it was trained."""
        return Request.from_json(self._record)

    @property
    def memory(self) -> Memory | None:
        """What is remembered of the data of the program under way."""
        if self._record["format"] == WITHOUT_DATA:
            return Memory.load(self._folder)
        records = self._record["memory"]
        if not records:
            return None
        others = {
            name: Memory.from_json(record, self._part(f"data.{name}/"), {}) for name, record in records.items() if name
        }
        return Memory.from_json(records[""], self._part("data./"), others)

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
