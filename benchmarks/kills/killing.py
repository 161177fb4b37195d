"""A training in a process of its own, killed at a random moment, taken up again, and compared with one that was not.

Processes are forked from this one, which has imported everything and opened no session, so that most moments lie in
the training. What this module does not do: choose how many, or write the page.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import shutil
import signal
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import archonnx
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.files import load_parameters, load_with_metadata
from archonnx.runtime.folders.resume import METADATA_KEY
from archonnx.runtime.training.observing import Observer

SPECS = sorted((Path(__file__).parent / "specs").glob("*.arch"))
EVERY: tuple[Mapping[str, Any], ...] = ({"checkpoint.steps": 1}, {"checkpoint.steps": 3}, {"checkpoint.minutes": 0.002})
"""How often the state is kept; chosen by chance."""
IN_TRAINING = 0.8
"""The share of kills that wait for a first pass; others come at any moment, mostly before."""
PATIENCE = 120.0
"""Seconds after which a process counts as hanging."""
COUNTED_ANEW = ("programs",)
"""Specs of several programs of one model, each of which counts its passes from 0."""
KILLS = 3
"""A training is killed so often at most, before it may end."""


@dataclass(slots=True)
class Tally:
    """What was seen.

    Attributes:
        trainings: how many were killed and taken up until they ended.
        moments: how often a kill found the directory in which state.
        writing: kills that came while a file was being written.
        lost: what was lost or is not the same, in words.
        worst: the most passes that were done twice, by how often the state was kept.
    """

    trainings: int = 0
    moments: dict[str, int] = field(default_factory=dict)
    writing: int = 0
    lost: list[str] = field(default_factory=list)
    worst: dict[int, int] = field(default_factory=dict)

    @property
    def kills(self) -> int:
        """How many kills there were."""
        return sum(self.moments.values())


class _Counting(Observer):
    """Counts the passes of a process where its parent can read it, when the killed one cannot tell."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared, self._passes = shared, 0

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        self._passes += 1
        self._shared[:8] = struct.pack("<q", self._passes)


class Bench:
    """A spec, trained whole once, and then again and again with kills.

    Args:
        spec: what is trained.
        folder: an empty one, for the runs.
    """

    def __init__(self, spec: Path, folder: Path) -> None:
        self.spec, self._folder = spec, folder
        self._shared = mmap.mmap(-1, 8)
        for name in ("onnx", "onnxruntime", "sklearn.metrics"):
            import_module(name)  # else each process would import them
        self.seconds, started = PATIENCE, time.perf_counter()
        child = self._start(folder / "whole", {})
        self._wait_for_a_pass()
        begun = time.perf_counter()
        self._end(child)
        self.seconds, self._trained = time.perf_counter() - started, time.perf_counter() - begun
        self._expected = contents(folder / "whole")

    def killed(self, number: int, kills: int, tally: Tally) -> None:
        """Train, kill, take up, until ``kills`` kills are done at most; and compare."""
        chance = random.Random(f"{self.spec.stem} {number}")
        out, every = self._folder / f"{number}", chance.choice(EVERY)
        for _ in range(min(kills, chance.randint(1, KILLS))):
            before, child = _reached(out), self._start(out, every)
            if chance.random() < IN_TRAINING:
                self._wait_for_a_pass()
                time.sleep(chance.uniform(0, self._trained))
            else:
                time.sleep(chance.uniform(0, 1.1 * self.seconds))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            self._note(out, every, before, tally)
        try:
            self._end(self._start(out, every))
            found = differences(self._expected, contents(out))
        except (RuntimeError, SpecError, OSError, ValueError, KeyError) as error:
            found = [f"{type(error).__name__}: {error}"]
        tally.trainings += 1
        tally.lost += [f"{self.spec.stem}, {number}: {one}" for one in found]
        if not found:
            shutil.rmtree(out)

    def _wait_for_a_pass(self) -> None:
        end = time.monotonic() + self.seconds
        while not struct.unpack("<q", self._shared[:8])[0] and time.monotonic() < end:
            time.sleep(0.0005)

    def _note(self, out: Path, every: Mapping[str, Any], before: int, tally: Tally) -> None:
        done = struct.unpack("<q", self._shared[:8])[0]
        whole, kept = _ends(out), _reached(out)
        moment = "whole" if whole else "resumable" if kept else "nothing yet"
        tally.moments[moment] = tally.moments.get(moment, 0) + 1
        tally.writing += _writing(out)
        steps = every.get("checkpoint.steps")
        if steps is not None and not whole and self.spec.stem not in COUNTED_ANEW:
            twice = before + done - kept
            tally.worst[steps] = max(tally.worst.get(steps, 0), twice)
            if twice > steps:
                tally.lost.append(f"{self.spec.stem}: {twice} passes of {before + done} were lost, with {dict(every)}")

    def _start(self, out: Path, every: Mapping[str, Any]) -> int:
        """The number of a process that trains, or goes on with what there is."""
        self._shared[:8] = struct.pack("<q", 0)
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
                resume = out if _resumable(out) else None
                archonnx.train(
                    self.spec,
                    None if resume else out,
                    resume=resume,
                    settings=every,
                    device="cpu",
                    threads=1,
                    observer=_Counting(self._shared),
                )
            status = 0
        except BaseException as error:
            (self._folder / "error").write_text(f"{type(error).__name__}: {error}")
        finally:
            os._exit(status)

    def _end(self, child: int) -> None:
        """Wait for a process; RuntimeError if it failed or hangs."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            number, status = os.waitpid(child, os.WNOHANG)
            if number and status == 0:
                return
            if number:
                raise RuntimeError((self._folder / "error").read_text())
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise RuntimeError(f"a process was not done after {PATIENCE:.0f} s")


def _runs(out: Path) -> list[Path]:
    """The directories of the runs that a training leaves, in order of their models."""
    if (models := out / "models.json").is_file():
        return [out / name for name in json.loads(models.read_text())["runs"]]
    return [out]


def _resumable(out: Path) -> bool:
    """Whether a training goes on with ``resume``."""
    return (out / "models.json").is_file() or (out / STATE_FILE).is_file()


def _ends(out: Path) -> bool:
    """Whether there is nothing left to do."""
    return all((run / "run.json").is_file() for run in _runs(out))


def _reached(out: Path) -> int:
    """How many passes the states of a directory are from the start."""
    return sum(_passes(run / STATE_FILE) for run in _runs(out))


def _passes(state: Path) -> int:
    if not state.is_file():
        return 0
    numbers = json.loads(load_with_metadata(state)[1][METADATA_KEY])["numbers"]
    return int(numbers["passes"])


def _writing(out: Path) -> bool:
    """Whether something lies there that was not finished."""
    return any(".saving" in path.name or path.name.endswith(".archonnx-part") for path in out.rglob(".*"))


def contents(out: Path) -> dict[str, Any]:
    """What a training has made, but for what depends on the clock: arrays, history, figures."""
    found: dict[str, Any] = {}
    for run in _runs(out):
        for file in ("weights.safetensors", STATE_FILE):
            found |= {f"{run.name if run != out else ''}/{file}/{n}": a for n, a in load_parameters(run / file).items()}
        opened = archonnx.Run(run)
        name = run.name if run != out else ""
        found[f"{name}/history"] = [{k: v for k, v in line.items() if k != "seconds"} for line in opened.history]
        found[f"{name}/figures"] = [
            {key: program[key] for key in ("name", "metrics", "epochs", "best_epoch", "stopped")}
            for program in opened.record["programs"]
        ]
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What is not the same in two trainings, to the bit."""
    missing = [f"{name} is in one of them alone" for name in one.keys() ^ other.keys()]
    return missing + [f"{name} differs" for name in one.keys() & other.keys() if not _same(one[name], other[name])]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    return repr(one) == repr(other)  # where NaN is NaN
