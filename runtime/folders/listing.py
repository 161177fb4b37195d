"""The runs of a folder: which are whole, can be gone on with, or are damaged, and in what they differ.

What this module does not do: open a model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.checksums import RECORD, STATE_FILE, checked
from archonnx.runtime.reserving import in_use, mend_if_free

from .models import ModelRuns, holds_models
from .record import read_record
from .resume import SavedState
from .several import KINDS, Runs

SEVERAL = (*KINDS, "models")
PARTS = ("valid", "test", "train")
"""The part whose figures are compared: the first of these that was measured."""


class Mark(StrEnum):
    """What a run is."""

    whole = "whole"
    resumable = "resumable"
    damaged = "damaged"
    busy = "being written"


@dataclass(frozen=True, slots=True)
class Listed:
    """A run as it was found.

    Attributes:
        path: its directory.
        mark: what it is.
        why: what is wrong with it, or from where it can be gone on with.
        record: what it says of itself; empty where it says nothing that can be believed.
        epochs: how many are done.
        parts: the names of the runs in it, if it holds several.
    """

    path: Path
    mark: Mark
    why: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    parts: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments and settings by dotted name, so that two runs can be compared."""
        found = dict(_flat("arg", self.record.get("arguments", {})))
        for program in self.record.get("programs", ()):
            prefix = f"{program['name']}." if len(self.record["programs"]) > 1 else ""
            found |= {f"{prefix}{key}": value for key, value in _flat("", program["settings"])}
        found |= {
            key: self.record[key] for key in ("name", "model", "dtype", "device", "threads") if key in self.record
        }
        return found

    @property
    def part(self) -> str | None:
        """The part whose figures are compared."""
        return next((part for part in PARTS if part in self.record.get("metrics", {})), None)

    @property
    def metrics(self) -> dict[str, Any]:
        """Its figures, with the part before the name."""
        return (
            {f"{self.part} {name}": value for name, value in self.record["metrics"][self.part].items()}
            if self.part
            else {}
        )

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "path": self.path.as_posix(),
            "mark": self.mark.value,
            "why": self.why,
            "epochs": self.epochs,
            "settings": self.settings,
            "metrics": dict(self.record.get("metrics", {})),
            "stopped": self.record.get("stopped"),
            "finished": self.record.get("finished"),
            "runs": list(self.parts),
        }


def runs_in(folder: Path, *, verify: bool = False) -> list[Listed]:
    """The runs of a folder, those inside of runs of several too; the folder itself, if it is one.

    Args:
        folder: where to look.
        verify: whether every file is read and its checksum compared; else whether it is there, with its size.
    """
    if (own := look(folder, verify=verify)) is not None:
        return [own, *_inside(folder, own.parts, verify)]
    found = []
    for path in sorted(folder.iterdir(), key=_natural):
        if path.is_dir() and (one := look(path, verify=verify)) is not None:
            found += [one, *_inside(path, one.parts, verify)]
    return found


def _inside(folder: Path, names: Iterable[str], verify: bool) -> Iterator[Listed]:
    for name in names:
        if (one := look(folder / name, verify=verify)) is not None:
            yield one


def _natural(path: Path) -> tuple[str, int, str]:
    """``x-10`` after ``x-9``."""
    stem, _, number = path.name.rpartition("-")
    return (stem, int(number), "") if number.isdecimal() and len(number) < 19 else (path.name, 0, "")


def look(folder: Path, *, verify: bool = False) -> Listed | None:
    """What a directory is; None if no training left it. What was not finished there is mended, if that is possible."""
    held = any((folder / f"{kind}.json").is_file() for kind in SEVERAL)
    if in_use(folder):
        return Listed(folder, Mark.busy)
    try:
        mend_if_free(folder)
        if os.path.lexists(folder / RECORD):
            return _run(folder, verify)
        if held:
            return _several(folder)
        if not os.path.lexists(folder / STATE_FILE):
            return None
        return Listed(folder, Mark.resumable, "its training did not end", epochs=SavedState(folder).epochs)
    except SpecError as error:
        return Listed(folder, Mark.damaged, error.diagnostics[0].headline + _way(folder))
    except OSError as error:
        return Listed(folder, Mark.damaged, str(error.strerror))


def _way(folder: Path) -> str:
    """What can still be done with a damaged run."""
    if not (folder / STATE_FILE).is_file() or not os.path.lexists(folder / RECORD):
        return ""
    try:
        SavedState(folder)
    except SpecError:
        return ""
    return f"; its state is sound: `--resume {folder}` writes the rest anew"


def _run(folder: Path, verify: bool) -> Listed:
    record = read_record(folder)
    epochs = record["epochs"]
    try:
        reached = _checked(folder, record["files"] or {}, verify)
    except SpecError as error:
        return Listed(folder, Mark.damaged, error.diagnostics[0].headline + _way(folder), record, epochs)
    if reached > epochs:  # a training that goes on has written the state since
        return Listed(folder, Mark.resumable, f"a training that went on has come to epoch {reached}", record, epochs)
    if record["stopped"] == "interrupted":
        return Listed(folder, Mark.resumable, "interrupted", record, epochs)
    return Listed(folder, Mark.whole, ", ".join(f"no {name}" for name in record["unwritten"]), record, epochs)


def _checked(folder: Path, files: Mapping[str, Mapping[str, Any]], verify: bool) -> int:
    """SpecError if a file is not what was written; how many epochs the state has, if it is another one."""
    changed = [name for name, said in files.items() if verify or _size(folder / name) != said["bytes"]]
    for name in changed:
        if name != STATE_FILE:
            checked(folder, name)
    return SavedState(folder).epochs if STATE_FILE in changed else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _several(folder: Path) -> Listed:
    runs: Runs | ModelRuns = ModelRuns(folder) if holds_models(folder) else Runs(folder)
    names = tuple(runs.stages if isinstance(runs, ModelRuns) else runs.plan.runs)
    finished = tuple(runs if isinstance(runs, ModelRuns) else runs.names)
    if lost := [name for name in finished if not os.path.lexists(folder / name / RECORD)]:
        return Listed(folder, Mark.damaged, f"{', '.join(lost)} had ended, and has no {RECORD}", parts=names)
    done = f"{len(runs)} of {len(names)} runs"
    return Listed(folder, Mark.whole if runs.complete else Mark.resumable, done, parts=names)


def differing(runs: Iterable[Listed]) -> list[str]:
    """The settings in which runs differ that say something of themselves."""
    known = [run.settings for run in runs if run.record]
    names = dict.fromkeys(name for settings in known for name in settings)
    return [name for name in names if any(one.get(name) != known[0].get(name) for one in known)]


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and value:
            yield from _flat(name, value)
        else:
            yield name, value
