"""``python -m benchmarks.memory``: how much memory training steps take, beside PyTorch; writes a page of docs/.

Each side of each workload has a process of its own, whose resident memory Linux tells. What this module does not do:
predict (``archonnx show --memory`` does), or measure time.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import page
from .cases import CASES, Case, argument, case_named
from .measure import ROOT, environment, geomean
from .ours import initial
from .worker import OURS, maker

PEERS = {"torch": "eager", "torch-fused": "fused"}
NAMES = ("mlp_large", "mlp_norm", "dense", "embedding", "cnn", "autoencoder", "separable", "unet", "resnet18",
         "residual", "resnet50", "mobilenet_v2", "convnext_tiny", "lstm_large", "transformer", "gpt_small", "gpt_large",
         "ddpm")  # fmt: skip
WARM, STEPS, SECONDS = 3, 10, 3.0
"""Steps before the peak of a step is taken; after that, at most so many, and for about so long."""
SMALLEST = "mlp_small"
"""What is trained first, so that what a library loads late (PyTorch's optimizers: 86 MB) belongs to no workload."""
PACKAGES = ("numpy", "onnxruntime-gpu", "onnxruntime", "torch")
METHOD = f"""\
Resident memory of a process (`VmHWM` of Linux, reset where a peak begins), in MB above what it takes once it has
trained a tiny net, so that all libraries are loaded, and its batch is drawn. *Step* is the peak over the steps after
the first {WARM}; *all* is the peak from there on, with what it takes to compile the step or to build the net, so that
it is larger only where that takes more than a step. *Growth* is how much more is resident after at most {STEPS} more
steps. A ratio is archonnx over PyTorch's step, so that less than 1 means that archonnx takes less. *Carried* is what
parameters, the optimizer's state and gradients take by themselves: where that is most of it, `fused` is the peer,
elsewhere `eager`. [More on it](performance.md#memory)."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes of one side."""

    everything: int
    step: int
    growth: int


def resident(key: str) -> int:
    """Bytes: ``VmRSS`` now, or ``VmHWM``, the most since the peak was reset."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{key}:")).split()[1])


def reset_peak() -> None:
    """Let the peak begin anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def serve(side: str, case: Case) -> Peak:
    """What this process takes for the steps of a case."""
    make = maker(side)
    used = make(CASES[SMALLEST], False, None)
    for _ in range(WARM):
        used()
    del used
    gc.collect()
    case.batch()
    reset_peak()
    before = resident("VmRSS")
    step = make(case, False, None)
    for _ in range(WARM):
        step()
    everything, warm = resident("VmHWM"), resident("VmRSS")
    reset_peak()
    begin, steps = time.perf_counter(), 0
    while steps < STEPS and (steps < 2 or time.perf_counter() - begin < SECONDS):
        step()
        steps += 1
    peak, after = resident("VmHWM"), resident("VmRSS")
    return Peak(max(everything, peak) - before, peak - before, after - warm)


def measured(case: Case, side: str) -> Peak:
    """That of a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--serve", side, case.name]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


CARRIED = {"sgd": 2, "momentum": 3, "adam": 4, "adamw": 4}
"""Tensors of a parameter's size: itself, its gradient, and what an optimizer keeps of it."""


def carried(case: Case) -> int:
    """Bytes of parameters, gradients and the optimizer's state."""
    return CARRIED[case.optimizer] * sum(int(array.nbytes) for array in initial(case).values())


def cells(case: Case, found: dict[str, Peak]) -> list[str]:
    """A row of the table."""
    ours = found[OURS]
    figures = (carried(case), ours.step, ours.everything, ours.growth)
    row = [case.title, *(f"{size / 1e6:.1f}" for size in figures)]
    row += [f"{found[side].step / 1e6:.1f}" for side in PEERS if side in found]
    return row + [f"{ours.step / found[side].step:.2f}" for side in PEERS if side in found]


def table(rows: Sequence[tuple[Case, dict[str, Peak]]]) -> str:
    """All rows, and the geometric means of their ratios."""
    header = ["training step", "carried, MB", "archonnx, step", "all", "growth"]
    header += [*(f"PyTorch, {name}" for name in PEERS.values()), *(f"of {name}" for name in PEERS.values())]
    means = [geomean([found[OURS].step / found[side].step for _, found in rows]) for side in PEERS]
    last = ["geometric mean", "", "", "", "", *[""] * len(PEERS), *(f"{mean:.2f}" for mean in means)]
    return page.table(header, [*(cells(*row) for row in rows), last])


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="NAME", type=argument, action="append", default=[],
                        help="measure this workload, and write no page; may be given several times")  # fmt: skip
    given = parser.parse_args()
    if given.serve:
        print(json.dumps(dataclasses.asdict(serve(given.serve[0], case_named(given.serve[1])))))
        return 0
    if find_spec("torch") is None:
        print("PyTorch, with which archonnx is compared, is not installed: .venv/bin/pip install torch")
        return 1
    rows = []
    for case in given.only or [CASES[name] for name in NAMES]:
        rows.append((case, {side: measured(case, side) for side in (OURS, *PEERS)}))
        print(*cells(*rows[-1]), sep=" | ", flush=True)
    print(table(rows))
    if not given.only:
        load = f"{page.circumstances(PACKAGES)} The load average after was {os.getloadavg()[0]:.2f}."
        intro = "Written by `python -m benchmarks.memory`."
        print(page.write("memory.md", ["# Memory", intro, METHOD, table(rows), load]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
