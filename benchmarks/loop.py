"""What the training loop costs beside its steps: ``python -m benchmarks.loop``.

The bare step is onnxruntime's session, run on bound buffers, one side after the other, always on the same batch. The
loop is what ``archonnx train`` runs: order, batches, losses, averages, looks at whether all is well. Both run in turns;
the best round counts, and the median of the paired rounds is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import archonnx
from archonnx.compiler.settings import TrainSettings
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import Parts
from archonnx.runtime.training.fit import TrainingLoop

from .cases import CASES, Case
from .ours import spec_of

NAMES = ("linear", "mlp_small", "mlp_large", "digits_cnn", "cnn")
ROUNDS = 15
ROUND_SECONDS = 1.0
EPOCH_BYTES = 2**24
"""Memory of the examples of an epoch."""


def sides(case: Case, threads: int) -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Seconds of so many bare steps, and of so many in the loop."""
    trainer, first = archonnx.Trainer(spec_of(case), batch_size=case.batch_size, threads=threads), case.batch()
    steps: int = max(8, min(2000, EPOCH_BYTES // sum(array.nbytes for array in first.values())))
    fields = case.batch_of(np.random.default_rng(0), steps * case.batch_size)
    examples = Examples(fields, {name: trainer.model.fields[name].type for name in fields})
    parts = Parts(np.arange(steps * case.batch_size), np.arange(0), np.arange(0))
    runner = trainer.runner

    def bare(count: int) -> float:
        (statement,) = runner.load(first).statements
        for _ in range(2):
            runner.execute(statement)
        one, other = [statement.session.runs(binding) for binding in statement.bindings.values()]
        begin = time.perf_counter()
        for _ in range(count // 2):
            one()
            other()
        return time.perf_counter() - begin

    def loop(count: int) -> float:
        epochs = max(1, count // steps)
        settings = TrainSettings(epochs=epochs, batch_size=case.batch_size)
        looped = TrainingLoop(trainer, examples, parts, settings)
        begin = time.perf_counter()
        looped.run()
        took: float = time.perf_counter() - begin
        return took * count / (epochs * steps)

    return bare, loop


def measure(case: Case, threads: int, rounds: int) -> tuple[float, float, float]:
    """Seconds of a bare step and of one in the loop, best of the rounds; the median of their ratios in pairs."""
    bare, loop = sides(case, threads)
    count = max(40, int(ROUND_SECONDS / (bare(40) / 40)) // 2 * 2)
    pairs = [(bare(count) / count, loop(count) / count) for _ in range(rounds)]
    return min(b for b, _ in pairs), min(w for _, w in pairs), statistics.median(w / b for b, w in pairs)


def main() -> None:
    """Print a line a workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    for name in [options.only] if options.only else NAMES:
        bare, loop, paired = measure(CASES[name], options.threads, options.rounds)
        print(
            f"{CASES[name].title}: bare {bare * 1e6:.2f} us, in the loop {loop * 1e6:.2f} us, "
            f"best {loop / bare - 1:+.1%}, paired median {paired - 1:+.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
