"""Measuring: processes that work in turns; the best round counts.

Whatever else a machine does can only make a round longer; the shortest of many is what repeats from day to day.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .cases import THREADS, Case

ROUNDS = 15
ROUND_SECONDS = 0.25
STARTS = 7
ROOT = Path(__file__).parents[1]


class Worker:
    """The client's side of ``benchmarks.worker``."""

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

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


def environment() -> dict[str, str]:
    """The environment of a measured process: its threads, and compiled modules kept as an installation keeps them."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"OMP_NUM_THREADS": str(THREADS)}


def steps(case: Case, sides: Sequence[str]) -> dict[str, float]:
    """Seconds a step by side. The sides work in turns, a round each; the order changes with each round."""
    workers = {side: Worker(side, case) for side in sides}
    try:
        counts = {side: _calibrated(worker) for side, worker in workers.items()}
        best = dict.fromkeys(sides, math.inf)
        for number in range(ROUNDS):
            for side in sides if number % 2 else sides[::-1]:
                best[side] = min(best[side], workers[side].seconds(counts[side]) / counts[side])
    finally:
        for worker in workers.values():
            worker.stop()
    return best


def _calibrated(worker: Worker) -> int:
    """A number of steps that takes about ``ROUND_SECONDS``."""
    worker.seconds(5)
    return max(1, round(ROUND_SECONDS / (worker.seconds(20) / 20)))


def starts(case: Case, side: str) -> dict[str, float]:
    """Seconds to the first step in fresh processes: ``import``, ``first_step`` after it, ``process`` in all."""
    best: dict[str, float] = {}
    for _ in range(STARTS):
        worker = Worker(side, case)
        worker.stop()
        best = {key: min(seconds, best.get(key, math.inf)) for key, seconds in worker.start.items()}
    return best


def wall(arguments: Sequence[str]) -> float:
    """Seconds that a Python process with these arguments takes, from start to end."""
    best = math.inf
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True,
                           env=environment() | {"PYTHONPATH": str(ROOT)})  # fmt: skip
            best = min(best, time.perf_counter() - begin)
    return best
