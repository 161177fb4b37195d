"""Hostile specs (``python -m benchmarks.hostile``): whatever a spec asks for, ``archonnx check`` ends soon, and well.

Each case is a process of its own that runs the command line. What must hold: the exit status is 0, 1 or 2, never 70 and
never a signal; 5 s of processor time and 1 GiB are enough. Cases are numbered, and a number gives the same case
everywhere (``hostile_cases``). ``--whole`` examines a thousand and writes docs/hostile.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from . import page
from .hostile_cases import KINDS, Case, make_case

SECONDS, BYTES = 5.0, 2**30
PATIENCE = 60.0
"""Seconds by the clock after which a case is killed: it waits for something."""
CASES = 1_000
VERBS = ("check", "check", "check", "fmt")


@dataclass(frozen=True)
class Outcome:
    """How a case ended: its exit status (a signal is negative), what it took, and the first line that it printed."""

    kind: str
    status: int
    seconds: float
    size: int
    line: str

    @property
    def problem(self) -> str:
        """What should not have happened; empty where nothing did."""
        if self.status not in (0, 1, 2):
            return f"exit status {self.status}: {self.line}"
        if self.seconds > SECONDS:
            return f"{self.seconds:.1f} s of processor time: {self.line}"
        return f"{self.size / 2**20:.0f} MiB: {self.line}" if self.size > BYTES else ""

    @property
    def code(self) -> str:
        """The code of the first finding, or how it ended without one."""
        return self.line[6:12] if self.line.startswith(("error[", "warning[")) else f"status {self.status}"


def examine(number: int) -> Outcome:
    """Make a case in a folder of its own, and run the command line on it."""
    kind, case = make_case(number)
    with tempfile.TemporaryDirectory(prefix="hostile") as folder:
        status, seconds, size = _run(case, Path(folder), VERBS[number // len(KINDS) % len(VERBS)])
        out = Path(folder) / "printed"
        printed = out.read_text("utf-8", "replace").strip().split("\n")[0] if out.exists() else ""
    return Outcome(kind, status, seconds, size, printed[:160])


def _run(case: Case, folder: Path, verb: str) -> tuple[int, float, int]:
    if case.beside is not None:
        case.beside(folder)
    text = case.text if isinstance(case.text, bytes) else case.text.encode("utf-8", "surrogatepass")
    (folder / case.name).write_bytes(text)
    given = case.name if case.given is None else case.given
    child = os.fork()
    if child == 0:
        _child(folder, [verb, given])
    end = time.monotonic() + PATIENCE
    while True:
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
        if time.monotonic() > end:
            os.kill(child, 9)
        time.sleep(0.005)


def _child(folder: Path, arguments: list[str]) -> None:
    """The command line, in a process that has done nothing else."""
    status: object = 70
    try:
        os.chdir(folder)
        out = os.open("printed", os.O_WRONLY | os.O_CREAT)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = ["archonnx", *arguments]
        from archonnx.cli import main

        main()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 70)


@dataclass
class Tally:
    """The sum of many outcomes."""

    outcomes: list[Outcome] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one."""
        self.outcomes.append(outcome)
        if outcome.problem:
            self.problems[number] = outcome.problem

    def rows(self) -> list[list[str]]:
        """A row for each kind: how many, how many are accepted, what they take, and the commonest findings."""
        rows = []
        for kind in KINDS:
            of = [one for one in self.outcomes if one.kind == kind]
            if not of:
                continue
            codes = Counter(one.code for one in of if one.status).most_common(4)
            seconds = [one.seconds for one in of]
            rows.append(
                [kind, str(len(of)), str(sum(one.status == 0 for one in of)), f"{median(seconds):.2f}",
                 f"{max(seconds):.2f}", f"{max(one.size for one in of) / 2**20:.0f}",
                 ", ".join(f"{code} {count}" for code, count in codes)]
            )  # fmt: skip
        return rows


HEADER = ["kind", "cases", "accepted", "median, s", "slowest, s", "largest, MiB", "commonest findings"]


def run(numbers: range, *, show: bool = False) -> Tally:
    """Examine these cases."""
    import archonnx.cli.checking
    import archonnx.cli.output  # noqa: F401

    tally = Tally()
    for number in numbers:
        outcome = examine(number)
        tally.add(number, outcome)
        if show and outcome.problem:
            print(f"{number} ({outcome.kind}): {outcome.problem}", flush=True)
    return tally


def main() -> int:
    """Examine cases, and with ``--whole`` write the page; 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--whole", action="store_true", help=f"{CASES} cases, and docs/hostile.md")
    parser.add_argument("--cases", type=int)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    count = chosen.cases or (CASES if chosen.whole else 140)
    tally = run(range(chosen.first, chosen.first + count), show=True)
    for row in tally.rows():
        print("  ".join(row))
    if chosen.whole:
        text = [
            "# Hostile specs",
            "Written by `make proof` (`python -m benchmarks.hostile --whole`).",
            f"{count:,} specs and files that ask for too much, made by a seed, each given to `archonnx check` (a "
            f"quarter to `archonnx fmt`) in a process of its own. None may end by a signal or as a bug (exit status "
            f"70), take more than {SECONDS:g} s of processor time, or more than 1 GiB. **{len(tally.problems)}** did.",
            page.table(HEADER, tally.rows()),
            *(f"- {number}: {problem}" for number, problem in tally.problems.items()),
            page.circumstances(("numpy",)),
        ]
        print(page.write("hostile.md", text))
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
