"""Measuring: processes side by side in turns, medians, and nothing that depends on one lucky run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .cases import THREADS, Case

ROUNDS = 15
ROUND_SECONDS = 0.25
STARTS = 5
ROOT = Path(__file__).parents[1]


class Worker:
    """The client's side of ``benchmarks.worker``; stops the process when its block ends."""

    def __init__(self, side: str, case: Case) -> None:
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", side, case.name], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        self.start: dict[str, float] = json.loads(self._line())
        self.start["process"] = time.perf_counter() - begin

    def seconds(self, steps: int) -> float:
        """How long so many steps take."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def environment() -> dict[str, str]:
    """The environment of a measured process."""
    return os.environ | {"OMP_NUM_THREADS": str(THREADS)}


@dataclass(frozen=True, slots=True)
class Steps:
    """Seconds a step by side: medians over rounds, and the ratio of each side to the first, likewise."""

    seconds: Mapping[str, float]
    ratios: Mapping[str, float]


def steps(case: Case, sides: Sequence[str]) -> Steps:
    """Run the sides in turns, a round each; the order changes with each round."""
    workers = {side: Worker(side, case) for side in sides}
    try:
        counts = {side: _calibrated(worker) for side, worker in workers.items()}
        rounds: list[dict[str, float]] = []
        for number in range(ROUNDS):
            order = sides if number % 2 else sides[::-1]
            rounds.append({side: workers[side].seconds(counts[side]) / counts[side] for side in order})
    finally:
        for worker in workers.values():
            worker.__exit__()
    return Steps(
        {side: median(r[side] for r in rounds) for side in sides},
        {side: median(r[side] / r[sides[0]] for r in rounds) for side in sides},
    )


def _calibrated(worker: Worker) -> int:
    """A number of steps that takes about ``ROUND_SECONDS``."""
    worker.seconds(5)
    return max(1, round(ROUND_SECONDS / (worker.seconds(20) / 20)))


def starts(case: Case, side: str) -> dict[str, float]:
    """Seconds to the first step in fresh processes: ``import``, ``first_step`` after it, ``process`` in all."""
    seen = []
    for _ in range(STARTS):
        with Worker(side, case) as worker:
            seen.append(worker.start)
    return {key: median(start[key] for start in seen) for key in seen[0]}


def wall(arguments: Sequence[str]) -> float:
    """Seconds that a Python process with these arguments takes, from start to end."""
    taken = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True,
                           env=environment() | {"PYTHONPATH": str(ROOT)})  # fmt: skip
            taken.append(time.perf_counter() - begin)
    return median(taken)
