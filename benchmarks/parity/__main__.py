"""``python -m benchmarks.parity``: run families, print what they found, write docs/parity.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from . import lengths, report, steps, suite
from .setting import FAMILIES

DESCRIPTION = """\
Compares every function of the library with an oracle, over random settings from seeds.

Each setting is run in float32 and float64 on onnxruntime, its value and its gradients beside NumPy's in float64. Errors
are counted in units of rounding: a few are what any order of computing gives, thousands are a wrong formula.

The whole suite takes some minutes, and writes docs/parity.md. With PyTorch installed it also trains each kind of layer
for ten steps beside PyTorch's, and compares layers for sequences with its modules. The exit status is 1 if something is
beyond rounding and not stated in docs/numbers.md.
"""
EXAMPLES = """\
examples:
  python -m benchmarks.parity                             all of it; writes docs/parity.md
  python -m benchmarks.parity --sample                    what `make test` runs of it; writes nothing
  python -m benchmarks.parity --family losses             families whose names hold a word, all their seeds
  python -m benchmarks.parity --family pools --seeds 40   the first 40 seeds of them
  python -m benchmarks.parity --family pools --seed 9     one setting, with all that was compared
  python -m benchmarks.parity --list                      the families, and how many seeds they have
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.parity",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--family", metavar="NAME", help="families whose names hold this")
    parser.add_argument("--seeds", type=int, metavar="N", help="the first N seeds of each family")
    parser.add_argument("--seed", type=int, metavar="N", help="this seed alone")
    parser.add_argument("--sample", action="store_true", help="the seeds that `make test` runs")
    parser.add_argument("--list", action="store_true", help="list the families")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="how many (all cores)")
    chosen = parser.parse_args(arguments)
    names = [name for name in FAMILIES if chosen.family is None or chosen.family in name]
    if chosen.family in FAMILIES:
        names = [chosen.family]
    if not names:
        print(f"no family's name holds `{chosen.family}`: {', '.join(FAMILIES)}")
        return 2
    if chosen.list:
        for name in names:
            print(f"{name}: {FAMILIES[name].seeds} seeds, {FAMILIES[name].sample} in `make test`")
        return 0
    if chosen.seed is not None:
        return _one(names, chosen.seed)
    whole = chosen.family is None and chosen.seeds is None and not chosen.sample
    return _all(names, _seeds(chosen), chosen.processes, whole)


def _seeds(chosen: argparse.Namespace) -> Callable[[str], Sequence[int]]:
    def seeds(name: str) -> Sequence[int]:
        of = FAMILIES[name]
        most = of.sample if chosen.sample else of.seeds
        return range(min(most, chosen.seeds) if chosen.seeds is not None else most)

    return seeds


def _one(names: Sequence[str], seed: int) -> int:
    """One setting of each family, with everything that was compared."""
    wrong = 0
    for name in names:
        print(f"{name}, seed {seed}: {FAMILIES[name].setting(seed).shown}")
        for outcome, allowed in suite.compared(name, seed):
            verdict = "no kernel" if outcome.skipped else "" if outcome.units <= allowed else "BEYOND ROUNDING"
            print(f"  {outcome.what:16} {outcome.units:10.3g} units  {outcome.note}  {verdict}".rstrip())
            wrong += outcome.units > allowed
    return 1 if wrong else 0


def _all(names: Sequence[str], seeds: Callable[[str], Sequence[int]], processes: int, whole: bool) -> int:
    began = time.monotonic()
    pieces = suite.chunks(names, seeds)
    left = {name: sum(of == name for of, _ in pieces) for name in names}
    found = {name: suite.Found(name) for name in names}
    for part in suite.explore(pieces, processes):
        found[part.family].join(part)
        left[part.family] -= 1
        if not left[part.family]:
            _print(found[part.family], sum(map(bool, left.values())))
    missing = suite.uncovered() if whole else []
    for name in missing:
        print(f"the library's `{name}` is in no family")
    rows, modules = None, None
    if whole and find_spec("torch") is not None:
        print("training steps beside PyTorch's:")
        rows = steps.rows()
        print("layers for sequences beside PyTorch's modules:")
        modules = lengths.rows()
    if whole:
        print(report.write(found, rows, modules, time.monotonic() - began))
    unstated = sum(len(one.unstated) for one in found.values())
    settings = sum(one.settings for one in found.values())
    print(f"{settings} settings in {len(names)} families, {unstated} results beyond rounding, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    apart = any(not row.holds for row in rows or []) or any(not row.holds for row in modules or [])
    return 1 if unstated or missing or apart else 0


def _print(found: suite.Found, left: int) -> None:
    stated = len(found.failures) - len(found.unstated)
    more = f", {stated} as stated" if stated else ""
    print(f"{found.family}: {found.settings} settings, {found.checks} comparisons, worst {found.worst:.1f} units "
          f"({found.where}){more}; {left} families to go", flush=True)  # fmt: skip
    for failure in found.unstated[:10]:
        print(f"  BEYOND ROUNDING: {failure}")
    if len(found.unstated) > 10:
        print(f"  ... and {len(found.unstated) - 10} more")


if __name__ == "__main__":
    sys.exit(main())
