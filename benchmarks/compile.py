"""What comes before training: ``python -m benchmarks.compile`` writes docs/compile_time.md.

Deep networks are compiled by fresh processes of ``archonnx compile``, from nothing to the files of all their graphs,
and one is shown stage by stage. Other tables have the time to the first step, beside PyTorch where it is installed,
and what layers cost as there are more. The least of several runs counts, in seconds that pass and in seconds of
processors; the latter depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np

from archonnx.compiler.pipeline import train_steps

from . import page
from .cases import CASES, Case
from .measure import Worker, wall
from .memory import resident
from .ours import initial
from .worker import OURS

RUNS = 3
BLOCKS = {"resnet18": 8, "resnet34": 16, "resnet50": 16, "resnet101": 33, "resnet152": 50}
"""Residual blocks of each network."""
STAGES = "resnet50"
LIMIT = 1.5
"""Seconds in which it is to be done on two cores with nothing else to do."""
INTRODUCTION = """\
From nothing to all graphs: a fresh process reads the spec and the library, proves every shape, builds the losses, the
gradients and the update, optimises and lowers the graphs for prediction, evaluation and a training step, has onnx check
each of them (with strict shape inference), draws the initial weights, and writes the files. *CPU* is the time of all
processors, *per block* that of `check` and of `compile` for each residual block (networks from ResNet-50 on have blocks
of three convolutions, the others of two)."""
STARTED = ("linear", "mlp_small", "mlp_large", "cnn", "digits_cnn", "gpt_small", "unet", "resnet18")
FIRST = f"""\
From the import of the libraries to the end of the first step, in fresh processes, the best of {RUNS}: reading the spec,
proving its shapes, differentiating, compiling to ONNX, building the session; or building the net and the optimizer of
PyTorch, which runs eagerly."""
COMMANDS = f"""\
Whole processes, the best of {RUNS}. Training reads the data, splits it, compiles and makes one step; PyTorch's script
reads the same data and makes the same step."""
LAYERS = (125, 250, 500, 1000)
DEPTH = """\
A stack of so many dense layers of 16 units with relu, trained with Adam: what a check of it takes, and a trainer up to
the end of its first step, through a session of onnxruntime. CPU seconds and the peak of memory of a fresh process, the
least of several (`--depth` writes this table alone)."""
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
    from archonnx.runtime.training.initial import initial_values

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


# ---------------------------------------------------------------- the first step


def starts(case: Case, side: str) -> tuple[float, float]:
    """Seconds to import the libraries and to the end of the first step after it: the best of fresh processes."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        parameters = Path(folder) / "initial.npz"
        np.savez(parameters, **initial(case))
        for _ in range(RUNS):
            worker = Worker(side, case, parameters)
            worker.stop()
            found.append((worker.said["import"], worker.said["first_step"]))
    return min(first for first, _ in found), min(second for _, second in found)


def start_table(sides: list[str]) -> str:
    """Times to the first step."""
    rows = []
    for name in STARTED:
        rows.append([CASES[name].title])
        for side in sides:
            rows[-1] += [f"{seconds:.2f}" for seconds in starts(CASES[name], side)]
        print(*rows[-1], sep="  ", flush=True)
    return page.table(["seconds", *(cell for side in sides for cell in (f"{side}, import", "first step"))], rows)


def command_table(sides: list[str]) -> str:
    """Times of whole commands."""
    commands = {
        "`python -c pass`": ["-c", "pass"],
        "`archonnx check digits_cnn`": ["-m", "archonnx", "check", "digits_cnn"],
        "`archonnx train digits_cnn`, to the end of the first step": ["-m", "benchmarks.compile", "--first", OURS],
    }
    if len(sides) > 1:
        commands["the same in PyTorch"] = ["-m", "benchmarks.compile", "--first", sides[1]]
    return page.table(["command", "s"], [[what, f"{wall(given, RUNS):.2f}"] for what, given in commands.items()])


def first_step(side: str) -> None:
    """Train ``digits_cnn`` from its data as a user would start it, and end this process after the first step."""
    if side == OURS:
        from archonnx.cli import main, progress

        progress.Lines.step = lambda *_: os._exit(0)  # type: ignore[method-assign]
        sys.argv = ["archonnx", "train", "digits_cnn", "--out", "run", "--threads", "2"]
        main()
        return
    from sklearn.datasets import load_digits
    from torch import from_numpy

    from .peers import steps

    case, digits = CASES["digits_cnn"], load_digits()
    rows = np.random.default_rng(0).permutation(len(digits.target))[: case.batch_size]
    images = (digits.data[rows].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    steps.make_step(case, batch={"image": from_numpy(images), "label": from_numpy(digits.target[rows])})()


# ---------------------------------------------------------------- depth


def stack(layers: int) -> str:
    """A spec of so many layers."""
    return (
        "model Deep():\n    input x: [B, 16]\n    h = x\n"
        f"    for _ in range({layers}):\n        h = h |> Dense(16) |> relu\n"
        "    loss objective = mse(h, x)\n\ntrain:\n    minimize objective with adam(1e-3)\n"
    )


def depth(layers: int) -> tuple[float, float, float]:
    """CPU seconds for the check of a stack, and for its trainer to the end of the first step; then MB at the peak."""
    import archonnx
    from archonnx.compiler.pipeline import elaborate, parse_spec
    from archonnx.grammar.source import Source

    begin = time.process_time()
    elaborate(parse_spec(Source("deep.arch", stack(layers))), simplify=False)
    checked = time.process_time()
    trainer = archonnx.Trainer(parse_spec(Source("deep.arch", stack(layers))), batch_size=8, threads=1, device="cpu")
    trainer.step({"x": np.ones((8, 16), np.float32)})
    peak = resident("VmHWM") / 1e6  # getrusage's would be that of whoever started this process, where it had more
    return checked - begin, time.process_time() - checked, peak


def least_depth(layers: int) -> tuple[float, float, float]:
    """The least of fresh processes."""
    command = [sys.executable, "-c", f"from benchmarks.compile import depth; print(*depth({layers}))"]
    found = [subprocess.run(command, capture_output=True, check=True, text=True).stdout for _ in range(RUNS)]
    check, first, peak = (min(numbers) for numbers in zip(*(map(float, one.split()) for one in found), strict=True))
    return check, first, peak


def depth_table() -> str:
    """What layers cost as there are more."""
    rows = []
    for layers in LAYERS:
        *seconds, peak = least_depth(layers)
        cells = [cell for s in seconds for cell in (f"{s:.2f}", f"{1000 * s / layers:.1f}")]
        rows.append([f"{layers:,}", *cells, f"{peak:.0f}"])
        print(*rows[-1], sep="  ", flush=True)
    table = page.table(["layers", "check, s", "ms a layer", "first step, s", "ms a layer", "peak, MB"], rows)
    return f"{table}\n\n{page.circumstances(('numpy', 'onnx', 'onnxruntime'))}"


def main() -> int:
    """Write the page; 1 if the limit was not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile", description=__doc__)
    parser.add_argument("--first", metavar="SIDE", help=argparse.SUPPRESS)
    parser.add_argument("--depth", action="store_true", help="write the table of depth alone")
    given = parser.parse_args()
    if given.depth:
        page.put("compile_time.md", "depth", depth_table())
        return 0
    if given.first:
        first_step(given.first)
        return 0
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
    gc.enable()
    sides = [OURS, "torch"] if find_spec("torch") is not None else [OURS]
    parts = [
        "# How long it takes to compile",
        "Written by `python -m benchmarks.compile`.",
        INTRODUCTION,
        page.table(header, rows),
        f"Where the time of {STAGES} goes, without the start of Python and its libraries:",
        page.table(["stage", "CPU, s"], inside),
        "## The first step",
        FIRST,
        start_table(sides),
        COMMANDS,
        command_table(sides),
        "## Depth",
        DEPTH,
        f"<!-- measured: depth -->\n{depth_table()}\n<!-- end -->",
        page.circumstances(("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch")),
    ]
    print(page.write("compile_time.md", parts))
    wall_of_one = float(next(r for r in rows if r[0] == STAGES)[5])
    return 0 if wall_of_one < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
