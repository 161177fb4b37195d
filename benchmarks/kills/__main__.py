"""Kill trainings and write docs/kills.md; anything that is lost makes the command fail."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import page

from .cost import COSTLY, Cost, cost
from .killing import SPECS, Bench, Tally

COUNT = 300


def main() -> int:
    """Kill so many, and take the cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="so many kills")
    parser.add_argument("--only", action="store_true", help="write no page, and take no cost")
    asked = parser.parse_args()
    begun, tallies = time.perf_counter(), {spec.stem: Tally() for spec in SPECS}
    with tempfile.TemporaryDirectory() as folder:
        benches: dict[Path, Bench] = {}
        for number in itertools.count():
            left = asked.count - sum(tally.kills for tally in tallies.values())
            if left <= 0:
                break
            spec = SPECS[number % len(SPECS)]
            if spec not in benches:
                benches[spec] = Bench(spec, _made(Path(folder) / spec.stem))
            benches[spec].killed(number, left, tallies[spec.stem])
    lost = [one for tally in tallies.values() for one in tally.lost]
    for one in lost:
        print(one, file=sys.stderr)
    if not asked.only:
        costs = [cost(name) for name in COSTLY]
        (page.DOCS / "kills.md").write_text(written(tallies, costs, time.perf_counter() - begun), encoding="utf-8")
    return 1 if lost else 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def written(tallies: dict[str, Tally], costs: list[Cost], seconds: float) -> str:
    """The page."""
    moments = ("nothing yet", "resumable", "whole")
    rows = [
        [name, str(t.trainings), str(t.kills), *(str(t.moments.get(m, 0)) for m in moments), str(t.writing)]
        for name, t in tallies.items()
    ]
    total = [str(sum(int(row[column]) for row in rows)) for column in range(1, 7)]
    lost = sum(len(t.lost) for t in tallies.values())
    killed = [
        "spec",
        "trainings",
        "kills",
        "before there was a state",
        "resumable",
        "whole",
        "while a file was written",
    ]
    costly = ["model", "numbers", "a step", "a look at the clock", "a state", "in bytes", "ratio"]
    return "\n\n".join(
        [
            "# Trainings that are killed",
            KILLED,
            f"{total[1]} kills in {seconds:.0f} s. {page.circumstances(('archonnx', 'numpy', 'onnxruntime'))}",
            page.table(killed, [*rows, ["together", *total]]),
            f"Lost, or not the same: {lost}. Passes that were done twice: {_worst(tallies)}.",
            "## What keeping the state costs",
            COSTS,
            page.table(costly, [one.row() for one in costs]) + "\n",
        ]
    )


KILLED = (
    "Processes that train are killed (SIGKILL) at random moments, four of five between the first pass and the last "
    "file of the run, others from the start on, once to three times, and taken up again until they end. Weights, "
    "optimizer state, history and figures are then compared with those of a training that was not killed, to the bit."
    " Specs are in `benchmarks/kills/specs`: dropout, batch normalisation, schedules, early stopping, metrics over a "
    "set, several statements, programs, sources and models, recurrence in buckets, texts, examples that are drawn "
    "anew. The state is kept after each pass, after every third one, or every 0.12 s, by chance. Written by `python "
    "-m benchmarks.kills` (`make proof`)."
)
COSTS = (
    "The state is kept every minute unless `checkpoint` says otherwise. After each pass the clock is looked at; once "
    "a minute all that the steps carry is copied and written, with a checksum, and the disk is waited for. The ratio "
    "is that of a step's time with all of this and without."
)


def _worst(tallies: dict[str, Tally]) -> str:
    worst: dict[int, int] = {}
    for tally in tallies.values():
        for steps, passes in tally.worst.items():
            worst[steps] = max(worst.get(steps, 0), passes)
    return ", ".join(f"at most {passes} with `{{steps: {steps}}}`" for steps, passes in sorted(worst.items()))


if __name__ == "__main__":
    sys.exit(main())
