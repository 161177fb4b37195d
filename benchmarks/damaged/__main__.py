"""Do cases, print what went otherwise than it should, and write docs/damaged.md; any such case fails the command."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from benchmarks import page

from .cases import KINDS, SEED, draw_case
from .examine import BYTES, SECONDS, Found, Outcome, kind_of, reached, run_chunk
from .setting import Setting

CASES, CHUNK = 5000, 100
ENOUGH = 500
"""Cases of which the page may tell."""
PACKAGES = ("archonnx", "numpy", "pyarrow", "Pillow", "safetensors")
WORDS = {
    "arrays": "`.npy`, `.npz`, numbers in JSON",
    "tables": "CSV, Parquet, and what is neither",
    "pictures": "pictures, and folders of them",
    "weights": "`.safetensors`",
    "runs": "files of a run, and keys of its records",
    "arguments": "the command line",
}


def run_all(root: Path, numbers: range, seed: int, processes: int) -> Iterator[Found]:
    """Examine cases in several processes; one that dies (no Python exception: a crash) is a problem of its case."""
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    with ThreadPoolExecutor(processes) as threads:
        waiting = [threads.submit(_in_a_process, root, chunk, seed) for chunk in chunks]
        for done in as_completed(waiting):
            yield from done.result()


def _in_a_process(root: Path, numbers: range, seed: int) -> list[Found]:
    found: list[Found] = []
    while numbers:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            try:
                return found + pool.submit(run_chunk, root, numbers, seed).result()
            except BrokenProcessPool:
                at = reached(root, numbers)
        kind, case = draw_case(at, seed)
        found.append((at, kind, case.name, Outcome("refused", "the process died")))
        numbers = range(at + 1, numbers.stop)
    return found


def main() -> int:
    """Do the cases of a seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.damaged", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    begun, found = time.perf_counter(), list[Found]()
    with tempfile.TemporaryDirectory() as folder:
        Setting.make(Path(folder))
        for one in run_all(Path(folder), range(asked.first, asked.first + asked.cases), asked.seed, asked.processes):
            found.append(one)
            if one[3].problem:
                print(f"{one[0]} ({one[2]}): {one[3].problem}", file=sys.stderr, flush=True)
    problems = Counter(kind_of(outcome.problem) for *_, outcome in found if outcome.problem)
    print("\n".join(f"{count:5} {kind}" for kind, count in problems.most_common()))
    if asked.cases >= ENOUGH:
        print(page.write("damaged.md", _page(found, time.perf_counter() - begun, asked.seed)))
    return 1 if problems else 0


def _page(found: list[Found], seconds: float, seed: int) -> list[str]:
    rows = []
    for kind in KINDS:
        of = [outcome for _, its, _, outcome in found if its == kind]
        answers = Counter(outcome.answer for outcome in of)
        bad = sum(bool(outcome.problem) for outcome in of)
        rows.append(
            [WORDS[kind], *(f"{n:,}" for n in (len(of), answers["refused"], answers["right"], answers["done"], bad))]
        )
    outcomes = [outcome for *_, outcome in found]
    problems = Counter(kind_of(outcome.problem) for outcome in outcomes if outcome.problem)
    slowest, most = max(o.seconds for o in outcomes), max(o.bytes for o in outcomes)
    return [
        "# Damaged data, weights, runs and arguments",
        "What the command line does with files that are cut, emptied, encrypted, full of zeros, larger inside than "
        "out, of another kind than their name says, or not files at all, and with arguments that nobody should give. "
        "A command must say what is wrong, or go well; where it goes well and computes something of a file, this is "
        "compared with what another reader (NumPy, Python's `csv`, pyarrow, Pillow) finds in the file, and where a run "
        "was damaged, with what the intact run gives. It may not raise anything, take more than "
        f"{SECONDS:g} s of processor time or {BYTES / 2**30:g} GiB more than it had, or let a library speak. Written "
        "by `python -m benchmarks.damaged` (`make proof`).",
        f"{len(found):,} cases (seed {seed}) in {seconds / 60:.0f} minutes; the slowest took {slowest:.1f} s, and the "
        f"largest {most / 2**20:.0f} MiB. {page.circumstances(PACKAGES)}",
        page.table(("what is damaged", "cases", "refused", "right", "done", "otherwise than it should"), rows),
        "*Right* are commands whose outputs were compared, *done* those that went well without outputs to be compared.",
        "Otherwise than it should: " + ("; ".join(f"{kind} ({n})" for kind, n in problems.most_common()) or "0") + ".",
    ]


if __name__ == "__main__":
    sys.exit(main())
