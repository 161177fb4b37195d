"""Clients in processes of their own, and how far what they give lies from what onnxruntime gives.

What this module does not do: make graphs.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from archonnx.compiler.ir.types import Array

from . import worker
from .graphs import Tried, distances

WORKERS = Path(__file__).parent
JAVASCRIPT = {"node": "onnxruntime-node", "web": "onnxruntime-web"}
"""Packages of clients that run in Node."""
EQUAL = 1e-4
"""So far equal results may lie apart: a part of the largest number in a tensor, or of 1 if that is larger."""
ROUNDINGS = 8
"""Where that is too far apart, so many times as far as onnxruntime's own number moves with the last bits of what it is
given: it is rounding that decides such a number, and clients round in other orders."""
SECONDS = 3600
"""For all graphs of a spec; worker.py has a limit for each."""
DEATHS = 20
"""So often a client that died is started again on the files of a spec."""


@dataclass(frozen=True, slots=True)
class Client:
    """A runtime that is tried.

    Attributes:
        name: as worker.py calls it; ``node`` is onnxruntime-node, ``web`` is onnxruntime-web.
        command: the interpreter that has it; of these two the folder of modules.
        label: what its files are called.
        seconds: for which it may compute with a graph, where it is no JavaScript.
    """

    name: str
    command: str
    label: str
    seconds: int = worker.SECONDS


@dataclass(slots=True)
class Found:
    """What a client made of graphs of one kind.

    Attributes:
        tried: how many there were.
        worst: the largest difference among those that are equal.
        undecided: those that are equal but for numbers that rounding decides, with what was seen.
        others: those that are not equal, with what was seen.
    """

    tried: int = 0
    worst: float = 0.0
    undecided: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    @property
    def equal(self) -> int:
        """How many were."""
        return self.tried - len(self.others)

    def join(self, other: Found) -> None:
        """Add what it made of others."""
        self.tried, self.worst = self.tried + other.tried, max(self.worst, other.worst)
        self.undecided |= other.undecided
        self.others |= other.others


def run(client: Client, folder: Path) -> str:
    """Let a client run the graphs of a folder; its version, or "" where it did not come to an end."""
    environment = dict(os.environ)
    if client.name in JAVASCRIPT:
        environment["NODE_PATH"] = client.command
        command = ["node", str(WORKERS / "worker.mjs"), str(folder), client.label, JAVASCRIPT[client.name]]
        for given in folder.glob("*.json"):
            with np.load(given.with_suffix(".npz")) as stored:
                save_file(
                    {n: np.asarray(stored[n], order="C") for n in stored.files}, given.with_suffix(".safetensors")
                )
    else:
        command = [
            client.command,
            str(WORKERS / "worker.py"),
            client.name,
            str(folder),
            client.label,
            str(client.seconds),
        ]
    for _ in range(DEATHS):
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=SECONDS, env=environment
            )
        except subprocess.TimeoutExpired:
            return ""
        if done.returncode == 0:
            return done.stdout.split()[-1]
        if done.returncode > 0:
            raise RuntimeError(f"{client.name}: {done.stderr[-500:]}")
    return ""


def compare(client: Client, one: Tried, found: Found, how: str = "") -> None:
    """Add what a client made of a graph; ``how`` follows its name where it is told."""
    found.tried += 1
    name = f"{one.spec}.{one.graph}{how}"
    failed = one.file.with_suffix(f".{client.label}.txt")
    if failed.exists():
        found.others[name] = " ".join(failed.read_text().split())
        return
    theirs = _results(client, one)
    if theirs is None:
        found.others[name] = "not run"
        return
    moved = _stored(one, "moved")
    apart = {key: _apart(array, theirs.get(key), moved[key]) for key, array in _stored(one, "onnxruntime").items()}
    wrong = {key: far for key, (far, excused) in apart.items() if far > EQUAL and not excused}
    excused = {key: far for key, (far, _) in apart.items() if far > EQUAL} if not wrong else {}
    if wrong:
        found.others[name] = _said(wrong)
    elif excused:
        found.undecided[name] = _said(excused)
    found.worst = max([found.worst, *(far for far, _ in apart.values() if far <= EQUAL and not wrong)])


def _said(apart: dict[str, float]) -> str:
    key = max(apart, key=lambda key: apart[key])
    return f"`{key}` {'is of another shape' if apart[key] == np.inf else f'lies {apart[key]:.2g} apart'}"


def _stored(one: Tried, what: str) -> dict[str, Array]:
    with np.load(one.file.with_suffix(f".{what}.npz")) as stored:
        return {key: stored[key] for key in stored.files}


def _results(client: Client, one: Tried) -> dict[str, Array] | None:
    if client.name in JAVASCRIPT:
        path = one.file.with_suffix(f".{client.label}.safetensors")
        return load_file(path) if path.exists() else None
    path = one.file.with_suffix(f".{client.label}.npz")
    if not path.exists():
        return None
    return _stored(one, client.label)


def _apart(ours: Array, theirs: Array | None, moved: Any) -> tuple[float, bool]:
    """The largest difference, as a part of the largest number, and whether rounding accounts for those beyond EQUAL.

    The difference is infinite where there is nothing to compare.
    """
    if theirs is None or theirs.size != ours.size:
        return float("inf"), False
    apart = distances(ours, theirs.reshape(ours.shape))
    largest = np.abs(np.where(np.isfinite(ours), ours, 0).astype(np.float64)).max(initial=1)
    excused = (apart <= EQUAL * largest) | (apart <= ROUNDINGS * moved)
    return float(np.nan_to_num(apart.max(initial=0) / largest, nan=1e300)), bool(excused.all())
