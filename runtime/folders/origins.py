"""Where the things of a run were on this machine: the folder of its spec, data of one's own, other runs' weights.

A run is to be shared, so it holds no such places. They stand in a file of its user, by the id of the run, and count
only while its spec is what was trained then: a run of a stranger leads nowhere.

    $XDG_STATE_HOME/archonnx/runs/ID.json    (~/.local/state unless that is set)

What this module does not do: read data.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from archonnx.compiler.pipeline import zoo
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.spec import read_file

UPWARDS = 3
"""How far up from a run its spec is looked for."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Places on this machine.

    Attributes:
        folder: that of the spec, in which its data is.
        data: files and folders in place of sources, by their names.
        weights: runs whose weights a training started with, in the order in which they were named.
    """

    folder: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    weights: tuple[str, ...] = ()


def _state() -> Path:
    given = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(given) if given else Path.home() / ".local" / "state") / "archonnx" / "runs"


def remember(run: str, text: str, origins: Origins) -> None:
    """Note where the things of a run are. That nobody can write there is no harm: then people are asked."""
    said = {"spec": sha256(text.encode()).hexdigest(), **asdict(origins)}
    with suppress(OSError, RuntimeError):
        folder = _state()
        folder.mkdir(0o700, parents=True, exist_ok=True)
        part = folder / f".{run}.{os.getpid()}"
        part.write_text(json.dumps(said), "utf-8")
        part.replace(folder / f"{run}.json")


def remembered(run: str | None, text: str | None = None) -> Origins:
    """What was noted of a run; nothing where its spec is not the one of which it was noted."""
    if run is None or not re.fullmatch("[0-9a-f]{32}", run):
        return Origins()
    try:
        said = json.loads((_state() / f"{run}.json").read_text("utf-8"))
        if text is not None and said["spec"] != sha256(text.encode()).hexdigest():
            return Origins()
        return Origins(said["folder"], dict(said["data"]), tuple(said["weights"]))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return Origins()


def beside(run: Path, spec: Path | None) -> str | None:
    """The way from a run to its spec, if they lie close together; it names nothing that is above both."""
    if spec is None:
        return None
    try:
        way = os.path.relpath(spec.resolve(), run.resolve())
    except (OSError, ValueError):
        return None
    parts = Path(way).parts
    near = parts.count("..") <= UPWARDS and len(run.resolve().parts) > parts.count("..") + 1
    return Path(way).as_posix() if near else None


def folder_of(run: Path, record: Mapping[str, Any], text: str) -> Path | None:
    """The folder of a run's spec: one nearby that holds the same spec, or the one that was noted; None without both."""
    near = run / record["beside"] if record["beside"] is not None else None
    old = Path(record["path"]) if record["path"] is not None else None
    for path in (near, old):
        if path is not None and _holds(path, text):
            return path.parent
    noted = remembered(record["id"], text).folder
    known = zoo().get(record["name"])
    return Path(noted) if noted is not None else known.parent if known is not None and _holds(known, text) else None


def _holds(path: Path, text: str) -> bool:
    """Whether a file is the same spec, which then is the user's own."""
    try:
        if not path.is_file() or path.stat().st_size > len(text.encode()) * 2 + 3:
            return False
        return read_file(path).text == text
    except (OSError, ValueError, SpecError):
        return False
