"""``python -m benchmarks`` (``make bench``): speed beside PyTorch in one run; writes docs/benchmarks.md.

First both sides must agree: from the same parameters, the losses of a few steps are the same. Then each side works in
a process of its own, in turns. What this module does not do: compare what is learned (``benchmarks.proof`` does).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec

from . import measure, page
from .cases import CASES, THREADS, Case
from .ours import loss_of, make_trainer

STEPS_COMPARED = 5
TOLERANCE = 1e-4
PACKAGES = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch")
QUIET = 0.5
"""Load average above which the figures are not worth writing down."""

METHOD = f"""\
Both sides do the same arithmetic in float32 with {THREADS} threads, and each step gives its loss as a Python float.
Before anything is timed, {STEPS_COMPARED} steps from the same parameters must give the same losses (within a relative
{TOLERANCE:g}; without dropout and other draws). Each side has its own process; they work in turns, {measure.ROUNDS}
rounds of about {measure.ROUND_SECONDS} s each, and the best round counts: other work of the machine can only make a
round longer. A ratio is PyTorch over archonnx, so that more than 1 means that archonnx is faster. "Fused" is PyTorch
with `fused=True` for its optimizer, which is not its default."""
FIRST = f"""\
Fresh processes, the best of {measure.STARTS}. Importing: NumPy, onnx, onnxruntime and archonnx; or NumPy and PyTorch.
Making and running the first step: reading the spec, proving its shapes, differentiating, compiling to ONNX, building
the session; or building the network and the optimizer of PyTorch, which runs eagerly. The process: from its start until
the first step is done."""
COMMANDS = f"""\
Wall-clock time of whole processes, the best of {measure.STARTS}. Training reads the data, splits it, compiles and
makes one step; PyTorch's script reads the same data and makes the same step."""


def check_agreement(case: Case) -> None:
    """An AssertionError unless both sides give the same losses from the same parameters."""
    from . import peer

    trainer = make_trainer(case, case.plain)
    step = peer.make_step(case, plain=True, initial=dict(trainer.parameters))
    batch = case.batch()
    for number in range(STEPS_COMPARED):
        ours, theirs = loss_of(case, trainer.step(batch)), step()
        assert abs(ours - theirs) <= TOLERANCE * abs(theirs), f"{case.name}, step {number}: {ours} and {theirs}"


def step_table(cases: Iterable[Case] = tuple(CASES.values())) -> str:
    """Times of training steps."""
    sides = ("archonnx", "torch", "torch-fused")
    rows = []
    for case in cases:
        seen = measure.steps(case, sides)
        times = [f"{seen[side] * 1e3:.3f} ms" for side in sides]
        rows.append([case.title, *times, *(f"{seen[side] / seen[sides[0]]:.2f}" for side in sides[1:])])
        print(*rows[-1], sep=" | ", flush=True)
    return page.table(["training step", "archonnx", "PyTorch", "PyTorch, fused", "ratio", "ratio, fused"], rows)


def start_table() -> str:
    """Times to the first step."""
    rows = []
    for case in CASES.values():
        ours, theirs = measure.starts(case, "archonnx"), measure.starts(case, "torch")
        cells = [f"{ours[key]:.2f} / {theirs[key]:.2f} s" for key in ("import", "first_step", "process")]
        rows.append([case.title, *cells, f"{theirs['process'] / ours['process']:.2f}"])
        print(*rows[-1], sep=" | ", flush=True)
    header = ["archonnx / PyTorch", "importing", "making and running the first step", "process", "ratio, process"]
    return page.table(header, rows)


def command_table() -> str:
    """Times of whole commands."""
    rows = [[title, f"{measure.wall(arguments):.2f} s"] for title, arguments in (
        ("`python -c pass`", ["-c", "pass"]),
        ("`archonnx check digits_cnn`", ["-m", "archonnx", "check", "digits_cnn"]),
        ("`archonnx train digits_cnn`, to the end of the first step", ["-m", "benchmarks.first_step", "archonnx"]),
        ("the same in PyTorch", ["-m", "benchmarks.first_step", "torch"]),
    )]  # fmt: skip
    return page.table(["command", "time"], rows)


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is busy")
    parser.add_argument(
        "--only", metavar="CASE", choices=sorted(CASES), help="measure one step alone, and write no page"
    )
    options = parser.parse_args()
    if find_spec("torch") is None:
        print("PyTorch, with which archonnx is compared, is not installed: .venv/bin/pip install torch")
        return 1
    load = os.getloadavg()[0]
    if not options.busy and load > QUIET:
        print(f"the machine is busy (load average {load:.2f}): wait, or give --busy")
        return 1
    if options.only:
        check_agreement(CASES[options.only])
        step_table([CASES[options.only]])
        return 0
    for case in CASES.values():
        check_agreement(case)
    steps = ["# Speed", "Written by `make bench`.", METHOD, step_table()]
    starts = ["## The first step", FIRST, start_table(), "## Commands", COMMANDS, command_table()]
    circumstances = f"{page.circumstances(PACKAGES)} The load average before was {load:.2f}."
    print(page.write("benchmarks.md", [*steps, *starts, circumstances]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
