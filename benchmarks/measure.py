"""Measuring training steps: processes that work in turns, after they have shown equal losses.

Whatever else a machine does can only make a round longer, so the best round is what repeats from day to day; a ratio is
also taken round by round, and its median says what it is while the machine does something else.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np

from .cases import THREADS, Case
from .ours import initial
from .worker import OURS

ROUNDS = 15
ROUND_SECONDS = 0.25
TOLERANCE = 1e-3
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a case took.

    Attributes:
        importing: seconds for the libraries.
        first_step: seconds from there to the end of the first step.
        rounds: seconds a step, round by round; none where there is an error.
        error: why there are no figures.
    """

    importing: float = math.nan
    first_step: float = math.nan
    rounds: tuple[float, ...] = ()
    error: str = ""

    @property
    def best(self) -> float:
        """Seconds a step in the best round."""
        return min(self.rounds, default=math.nan)


@dataclass(frozen=True, slots=True)
class Row:
    """A case, measured on all sides."""

    name: str
    sides: Mapping[str, Side]

    def ratio(self, side: str) -> float:
        """Our best round over theirs."""
        return self.sides[OURS].best / self.sides[side].best

    def paired(self, side: str) -> float:
        """The median over rounds of our seconds over theirs in the same round."""
        pairs = zip(self.sides[OURS].rounds, self.sides[side].rounds, strict=False)
        return median([a / b for a, b in pairs] or [math.nan])

    def fastest(self) -> str:
        """The side, other than ours, with the best round."""
        return min((side for side, one in self.sides.items() if side != OURS and one.rounds),
                   key=lambda side: self.sides[side].best)  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """As plain data, with both ratios to each peer."""
        peers = [side for side, one in self.sides.items() if side != OURS and one.rounds]
        ratios = {side: {"best": self.ratio(side), "paired": self.paired(side)} for side in peers}
        return {"name": self.name, "sides": {side: asdict(one) for side, one in self.sides.items()}, "of": ratios}


def geomean(ratios: Sequence[float]) -> float:
    """The geometric mean; not a number if there are none."""
    return geometric_mean(ratios) if ratios else math.nan


class Worker:
    """The client's side of ``benchmarks.worker``."""

    def __init__(self, side: str, case: Case, parameters: Path) -> None:
        self.side = side
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", side, case.name, str(parameters)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if side == OURS else subprocess.DEVNULL,
            env=environment() | {"TORCHINDUCTOR_CACHE_DIR": str(parameters.parent / "inductor")},
        )  # fmt: skip
        line = self._line()
        self.said: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        self.rounds: list[float] = []
        self.count = 0

    def measure(self) -> None:
        """A round of about ``ROUND_SECONDS``."""
        self.rounds.append(self.seconds(self.count) / self.count)

    def calibrate(self, round_seconds: float) -> None:
        """Choose how many steps are a round."""
        steps = 1
        while (taken := self.seconds(steps)) < round_seconds / 4:
            steps *= 4
        self.count = max(1, round(round_seconds / (taken / steps)))

    def seconds(self, steps: int) -> float:
        """How long so many steps take."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return float(self._line())

    def result(self) -> Side:
        """All that was seen."""
        if error := self.said.get("error"):
            return Side(error=error)
        return Side(self.said["import"], self.said["first_step"], tuple(self.rounds))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


def environment() -> dict[str, str]:
    """The environment of a measured process: its threads, and compiled modules kept as an installation keeps them."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"OMP_NUM_THREADS": str(THREADS)}


def measured(case: Case, sides: Sequence[str], rounds: int = ROUNDS, round_seconds: float = ROUND_SECONDS) -> Row:
    """A case on all sides. They work in turns, a round each; the order changes with each round.

    Raises:
        ValueError: a side that runs has other losses than ours.
    """
    workers: list[Worker] = []
    with tempfile.TemporaryDirectory() as folder:
        parameters = Path(folder) / "initial.npz"
        np.savez(parameters, **initial(case))
        try:
            workers += [Worker(side, case, parameters) for side in sides]
            for worker in workers:
                check_agreement(case.name, worker.side, workers[0].said, worker.said)
            able = [worker for worker in workers if "error" not in worker.said]
            for worker in able:
                worker.calibrate(round_seconds)
            for number in range(rounds):
                for worker in able if number % 2 else able[::-1]:
                    worker.measure()
        finally:
            for worker in workers:
                worker.stop()
    return Row(case.name, {worker.side: worker.result() for worker in workers})


def check_agreement(name: str, side: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """ValueError unless a side has our losses, step by step, or says that it could not run."""
    if "error" in ours:
        raise ValueError(f"{name}: {ours['error']}")
    for number, (a, b) in enumerate(zip(ours["losses"], theirs.get("losses", ()), strict=False)):
        if not abs(a - b) <= TOLERANCE * abs(a):
            raise ValueError(f"{name}, step {number}: the loss is {a} of archonnx, and {b} of {side}")


def wall(arguments: Sequence[str], times: int) -> float:
    """Seconds that a Python process with these arguments takes, from start to end: the least of so many."""
    best = math.inf
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True,
                           env=environment() | {"PYTHONPATH": str(ROOT)})  # fmt: skip
            best = min(best, time.perf_counter() - begin)
    return best
