"""What the training loop costs beside its steps: ``python -m benchmarks.loop``.

The bare step is onnxruntime's session, run on bound buffers, one side after the other. The loop is what ``archonnx
train`` runs: order, batches, checks, losses, averages. Both go over the same batches in turns; the best round counts,
and the median of the paired rounds is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import archonnx
from archonnx.compiler.program import TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Report
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import Parts
from archonnx.runtime.training.fit import TrainingLoop

from .cases import CASES, SPECS

ROUNDS = 15
ROUND_SECONDS = 0.3


@dataclass(frozen=True)
class Workload:
    """A spec with the shape of an example and the examples in a batch."""

    title: str
    spec: str
    shape: tuple[int, ...]
    size: int
    field: str = "image"
    classes: int = 10


WORKLOADS = {
    "line": Workload("linear regression 10-1, batch 32, SGD", str(SPECS / "line.arch"), (10,), 32, "x", 0),
    **{
        name: Workload(
            CASES[name].title,
            str(CASES[name].path()),
            CASES[name].batch()["image"].shape[1:],
            CASES[name].batch_size,
        )
        for name in ("mlp_small", "mlp_large", "digits_cnn", "cnn")
    },
}


def data_of(work: Workload, count: int) -> dict[str, Any]:
    """Examples of noise."""
    generator = np.random.default_rng(0)
    fields: dict[str, Any] = {work.field: generator.standard_normal((count, *work.shape), dtype=np.float32)}
    if work.classes:
        return fields | {"label": generator.integers(0, work.classes, count)}
    return fields | {"y": generator.standard_normal((count, 1), dtype=np.float32)}


def sides(work: Workload, threads: int) -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Seconds of so many bare steps, and of so many in the loop."""
    trainer = archonnx.Trainer(work.spec, batch_size=work.size, threads=threads, device="cpu")
    model, program = trainer.model, trainer.model.programs[-1]
    steps = 2000
    fields = data_of(work, steps * work.size)
    examples = Examples(fields, {name: model.fields[name].type for name in fields})
    nothing = np.arange(0)
    parts = Parts(np.arange(steps * work.size), nothing, nothing)
    first = {name: array[: work.size] for name, array in fields.items()}
    trainer.step(first)
    runner = trainer.runner

    def bare(count: int) -> float:
        runner.load(first)
        (statement,) = runner.load(first).statements
        for _ in range(2):
            runner.execute(statement)
        handle, bindings = statement.session.handle, [*statement.bindings.values()]
        run = handle.run_with_iobinding
        begin = time.perf_counter()
        for number in range(count):
            run(bindings[number & 1])
        return time.perf_counter() - begin

    def loop(count: int) -> float:
        changed = {"epochs": max(1, count // steps), "batch_size": work.size}
        settings = _settings(program, changed)
        looped = TrainingLoop(trainer, examples, parts, settings)
        begin = time.perf_counter()
        looped.run()
        return (time.perf_counter() - begin) * count / (settings.epochs * steps)

    return bare, loop


def _settings(program: TrainProgram, changes: dict[str, Any]) -> TrainSettings:
    report = Report()
    found = program.settings.changed(changes, report)
    report.finish()
    return found


def measure(work: Workload, threads: int, rounds: int) -> tuple[float, float, float]:
    """Seconds of a bare step and of one in the loop, best of the rounds; the median of their ratios in pairs."""
    bare, loop = sides(work, threads)
    count = max(200, int(ROUND_SECONDS / (bare(200) / 200)))
    pairs = [(bare(count) / count, loop(count) / count) for _ in range(rounds)]
    return min(b for b, _ in pairs), min(w for _, w in pairs), statistics.median(w / b for b, w in pairs)


def main() -> None:
    """Print a line a workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=WORKLOADS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    for name in [options.only] if options.only else WORKLOADS:
        work = WORKLOADS[name]
        bare, loop, paired = measure(work, options.threads, options.rounds)
        print(
            f"{work.title}: bare {bare * 1e6:.2f} us, in the loop {loop * 1e6:.2f} us, "
            f"best {loop / bare - 1:+.1%}, paired median {paired - 1:+.1%}"
        )


if __name__ == "__main__":
    main()
