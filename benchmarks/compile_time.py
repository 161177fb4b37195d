"""How long it takes to compile deep networks: ``python -m benchmarks.compile_time`` writes docs/compile_time.md.

Each network is compiled by a fresh process of ``archonnx compile``: from nothing to the files of all its graphs. The
least of several runs counts, in seconds that pass and in seconds of processors; the latter depend less on what else
the machine does. A second table says where the time of one network goes.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from archonnx.compiler.pipeline import train_steps

from . import page

RUNS = 3
BLOCKS = {"resnet18": 8, "resnet34": 16, "resnet50": 16, "resnet101": 33, "resnet152": 50}
"""Residual blocks of each network."""
STAGES = "resnet50"
LIMIT = 2.0
"""Seconds in which it is to be done on two cores with nothing else to do."""
INTRODUCTION = """\
From nothing to all graphs: a fresh process reads the spec and the library, proves every shape, builds the losses, the
gradients and the update, optimises and lowers the graphs for prediction, evaluation and a training step, has onnx check
each of them (with strict shape inference), draws the initial weights, and writes the files. *CPU* is the time of all
processors, *per block* that of `check` and of `compile` for each residual block (networks from ResNet-50 on have blocks
of three convolutions, the others of two)."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds that passed, and those of processors."""

    wall: float
    cpu: float


def cost(arguments: list[str]) -> Cost:
    """Run the command line in a process of its own, which keeps its compiled modules as installed ones are kept."""
    before, begin = os.times(), time.perf_counter()
    command = "from archonnx.cli import console; console()"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", command, *arguments], stdout=subprocess.DEVNULL, check=True, env=environment)
    wall, after = time.perf_counter() - begin, os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return Cost(wall, used)


def least(arguments: list[str]) -> Cost:
    """The least of several runs."""
    costs = [cost(arguments) for _ in range(RUNS)]
    return Cost(min(c.wall for c in costs), min(c.cpu for c in costs))


def row(name: str, folder: Path) -> list[str]:
    """A network's row of the table."""
    check, compiled = least(["check", name]), least(["compile", name, "-o", str(folder / name)])
    graphs = json.loads((folder / name / "graphs.json").read_text("utf-8"))["graphs"]
    nodes = sum(graph["nodes"] for graph in graphs.values())
    blocks = BLOCKS[name]
    times = [check.wall, check.cpu, compiled.wall, compiled.cpu, check.cpu / blocks, compiled.cpu / blocks]
    return [
        name,
        str(blocks),
        f"{nodes:,}",
        *(f"{seconds:.2f}" for seconds in times[:4]),
        *(f"{1000 * t:.0f}" for t in times[4:]),
    ]


def stages(name: str) -> list[tuple[str, float]]:
    """The CPU time of each stage, in this process: imports and the start of Python are not in it."""
    from archonnx.compiler.onnx_export import export
    from archonnx.compiler.passes.manager import optimise
    from archonnx.compiler.pipeline import elaborate, load
    from archonnx.runtime.files import save_parameters
    from archonnx.runtime.training.trainer import initial_values

    taken: list[tuple[str, float]] = []

    def timed(what: str, work: Callable[[], Result]) -> Result:
        begin = time.process_time()
        result = work()
        taken.append((what, time.process_time() - begin))
        return result

    spec = timed("parse", lambda: load(name))
    model = timed("elaborate twice, for prediction and for training", lambda: elaborate(spec))
    (step,) = timed("differentiate and update", lambda: train_steps(model, model.programs[0], None, None))
    built = (model.infer, model.evaluate, step.graph)
    optimised = timed("passes", lambda: [optimise(graph) for graph in built])
    timed("lower to ONNX", lambda: [export(graph, check=False) for graph in optimised])
    lowered = taken[-1][1]
    timed("check by onnx", lambda: [export(graph) for graph in optimised])
    taken[-1] = (taken[-1][0], taken[-1][1] - lowered)
    values = timed("initial weights", lambda: initial_values(model.parameters, 0))
    with tempfile.TemporaryDirectory() as folder:
        timed("write weights", lambda: save_parameters(Path(folder) / "weights.safetensors", values))
    return taken


def main() -> int:
    """Write the page; 1 if the limit was not kept."""
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name in BLOCKS:
            rows.append(row(name, Path(folder)))
            print(*rows[-1], sep="  ", flush=True)
    header = ["", "blocks", "nodes", "check, s", "CPU", "compile, s", "CPU", "check, ms per block", "compile"]
    stages(STAGES)  # what is imported late is imported now
    gc.collect()
    gc.disable()
    inside = [[what, f"{seconds:.2f}"] for what, seconds in stages(STAGES)]
    parts = [
        "# How long it takes to compile",
        "Written by `python -m benchmarks.compile_time`.",
        INTRODUCTION,
        page.table(header, rows),
        f"Where the time of {STAGES} goes, without the start of Python and its libraries:",
        page.table(["stage", "CPU, s"], inside),
        page.circumstances(("numpy", "onnx")),
    ]
    print(page.write("compile_time.md", parts))
    wall = float(next(r for r in rows if r[0] == STAGES)[5])
    return 0 if wall < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
