"""``python -m benchmarks.train_step``: training steps beside PyTorch; writes docs/benchmarks.md (``make bench``).

Each side works in a process of its own, in turns, after its first losses were those of the others. What this module
does not do: compare what is learned (``benchmarks.proof`` does), or time what comes before a step
(``benchmarks.compile`` does).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import measure, page
from .cases import CASES, THREADS, argument, case_named
from .measure import Row, Side, geomean, measured
from .worker import COMPARED, OURS

PEERS = {"torch": "eager", "torch-fused": "fused", "torch-compile": "compiled"}
"""Each side of PyTorch, and what a column is called."""
EAGER, COMPILED = "torch", "torch-compile"
PACKAGES = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch")
QUIET = 0.5
"""Load average above which the figures are not worth writing down."""

METHOD = f"""\
All sides do the same arithmetic in float32 with {THREADS} threads, and each step gives its loss as a Python float.
Before anything is timed, {COMPARED} steps of each side from the same parameters must give the same losses (within a
relative {measure.TOLERANCE:g}; without dropout and other draws). Each side has its own process; they work in turns,
{measure.ROUNDS} rounds of about {measure.ROUND_SECONDS} s each, in which the order changes. Milliseconds are those of
the best round: other work of the machine can only make a round longer. A ratio is archonnx over PyTorch, so that less
than 1 means that archonnx is faster: of the best rounds, and in brackets the median over rounds of the ratio within a
round. *Eager* is PyTorch as it is by default, *fused* has `fused=True` for the optimizer, *compiled* has that and
`torch.compile` of the net with its loss, warm; *first* is how long each took from its libraries' import to the end of
the first step, in seconds."""


def ratio(row: Row, side: str) -> str:
    """Of the best rounds, and the median of pairs."""
    return f"{row.ratio(side):.2f} ({row.paired(side):.2f})" if side in row.sides and row.sides[side].rounds else "-"


def cells(row: Row) -> list[str]:
    """A row of the table."""
    able = {side: one for side, one in row.sides.items() if one.rounds}
    times = [f"{able[side].best * 1e3:.3g}" if side in able else "-" for side in (OURS, *PEERS)]
    first = [f"{able[side].first_step:.2f}" if side in able else "-" for side in (OURS, EAGER, COMPILED)]
    return [case_named(row.name).title, *times, ratio(row, EAGER), ratio(row, row.fastest()), " / ".join(first)]


def table(rows: Sequence[Row]) -> str:
    """All rows, and why figures are missing."""
    first = "first: archonnx / eager / compiled"
    header = ["training step", "archonnx, ms", *PEERS.values(), "of eager", "of the fastest", first]
    missing = [
        f"- {case_named(row.name).title}, {PEERS[side]}: {one.error}"
        for row in rows
        for side, one in row.sides.items()
        if one.error
    ]
    shown = page.table(header, [cells(row) for row in rows])
    return shown + ("\n\nNo figures:\n\n" + "\n".join(missing) if missing else "")


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Geometric means of ratios, by what they are of."""
    little, much = ([row for row in rows if case_named(row.name).overhead is flag] for flag in (True, False))
    return {
        "overhead-bound, of eager": geomean([row.ratio(EAGER) for row in little]),
        "compute-bound, of eager": geomean([row.ratio(EAGER) for row in much]),
        "compute-bound, of the fastest": geomean([row.ratio(row.fastest()) for row in much]),
        "all, of the fastest": geomean([row.ratio(row.fastest()) for row in rows]),
    }


def summary(rows: Sequence[Row]) -> str:
    """The geometric means as a table, with the worst row of each."""
    worst = max(rows, key=lambda row: row.ratio(EAGER))
    lines = [[what, f"{value:.2f}"] for what, value in means(rows).items()]
    return page.table(["geometric mean", "ratio"], [
        *lines, [f"the worst, of eager: {case_named(worst.name).title}", f"{worst.ratio(EAGER):.2f}"]
    ])  # fmt: skip


def row_of(stored: Mapping[str, Any]) -> Row:
    """A row as ``Row.as_json`` gave it."""
    sides = {side: Side(one["importing"], one["first_step"], tuple(one["rounds"]), one["error"])
             for side, one in stored["sides"].items()}  # fmt: skip
    return Row(stored["name"], sides)


def options() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step", description=__doc__)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is busy")
    parser.add_argument("--only", metavar="NAME", type=argument, action="append", default=[],
                        help="measure this workload (NAME:OPTIMIZER, with that optimizer), and write no page; may be "
                        "given several times")  # fmt: skip
    parser.add_argument("--peer", choices=PEERS, action="append", default=[], help="measure this peer alone; of --only")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all rounds there, after each workload")
    parser.add_argument("--from", metavar="FILE", type=Path, dest="stored", help="take rows that --json wrote")
    return parser.parse_args()


def main() -> int:
    """Measure, and write the page."""
    given = options()
    if find_spec("torch") is None:
        print("PyTorch, with which archonnx is compared, is not installed: .venv/bin/pip install torch")
        return 1
    load = os.getloadavg()[0]
    if not given.busy and load > QUIET:
        print(f"the machine is busy (load average {load:.2f}): wait, or give --busy")
        return 1
    stored = {one["name"]: row_of(one) for one in json.loads(given.stored.read_text())} if given.stored else {}
    rows: list[Row] = []
    for case in given.only or CASES.values():
        rows.append(stored.get(case.name) or measured(case, (OURS, *(given.peer or PEERS))))
        print(*cells(rows[-1]), sep=" | ", flush=True)
        if given.json:
            given.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    print(table(rows), summary(rows), sep="\n\n")
    if not given.only and not given.peer:
        circumstances = f"{page.circumstances(PACKAGES)} The load average before was {load:.2f}."
        intro = "Written by `python -m benchmarks.train_step`."
        parts = ["# Training steps", intro, METHOD, table(rows), summary(rows), circumstances]
        print(page.write("benchmarks.md", parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
