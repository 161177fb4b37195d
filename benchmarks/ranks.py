"""What several processes gain: ``python -m benchmarks.ranks [CASE]``, and what a sum of so many bytes costs them.

One process with one thread takes steps on the whole batch; two processes of one thread each take the same steps, half a
batch each; and two processes that know nothing of each other take steps on the whole batch at the same time, which says
what two cores are worth together at that moment. They run in turns. With ``--sums`` the processes sum arrays alone,
which gives the two numbers of the model in ``docs/performance.md``: seconds a sum, and seconds a byte.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.settings import TrainSettings
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import Parts
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.mpi import communicator, processes
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.training.fit import TrainingLoop
from archonnx.runtime.training.trainer import Trainer

from .cases import CASES, Case
from .measure import ROOT
from .ours import spec_of

ROUNDS = 5
SECONDS = 3.0
BYTES = (8, 10**3, 10**4, 10**5, 10**6, 10**7)


def step_seconds(case: Case, steps: int) -> float:
    """Seconds of a step of this process, together with the others if there are others."""
    ranks = Ranks(communicator()) if processes() > 1 else None
    trainer = Trainer(
        elaborate(spec_of(case)), options=SessionOptions("cpu", 1), total=2 * steps, per_epoch=steps,
        batch_size=case.batch_size, ranks=ranks,
    )  # fmt: skip
    fields = case.batch_of(np.random.default_rng(0), 4 * case.batch_size)
    types = {name: trainer.model.fields[name].type for name in fields}
    parts = Parts(np.resize(np.arange(4 * case.batch_size), steps * case.batch_size), np.arange(0), np.arange(0))
    took = []
    for _ in range(2):
        settings = TrainSettings(epochs=1, batch_size=case.batch_size)
        loop = TrainingLoop(trainer, Examples(fields, types), parts, settings)
        begin = time.perf_counter()
        loop.run()
        took.append((time.perf_counter() - begin) / steps)
    return took[-1]


def sum_seconds(size: int) -> float:
    """Seconds in which the processes sum an array of so many bytes, as a step does it."""
    ranks, numbers = Ranks(communicator()), np.ones(max(1, size // 4), np.float32)
    took = []
    for _ in range(30):
        ranks.gather(None)
        begin = time.perf_counter()
        ranks.begin_sum(numbers)()
        took.append(time.perf_counter() - begin)
        numbers[:] = 1
    return statistics.median(took)


OWN = [sys.executable, "-m", "benchmarks.ranks"]
MPIRUN = [str(Path(sys.executable).with_name("mpirun")), "--allow-run-as-root", "--oversubscribe", "-n"]


def in_processes(count: int, *arguments: str) -> float:
    """What the first of so many processes prints."""
    start = [*MPIRUN, str(count)] if count > 1 else []
    done = subprocess.run([*start, *OWN, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.strip().splitlines()[0]))


def side_by_side(*arguments: str) -> float:
    """The mean of what two processes print that run at the same time and know nothing of each other."""
    started = [subprocess.Popen([*OWN, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    return statistics.mean(float(json.loads(process.communicate()[0])) for process in started)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", choices=CASES, default="mlp_large")
    parser.add_argument("--sums", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--own", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.own is not None:
        found = sum_seconds(options.own) if options.sums else step_seconds(CASES[options.case], options.own)
        print(json.dumps(found), flush=True)
    elif options.sums:
        for size in BYTES:
            print(f"{size:>10,} bytes: {in_processes(2, '--sums', '--own', str(size)) * 1e6:,.0f} us", flush=True)
    else:
        steps = max(4, int(SECONDS / in_processes(1, options.case, "--own", "4")))
        own = (options.case, "--own", str(steps))
        rounds = [(in_processes(1, *own), in_processes(2, *own), side_by_side(*own)) for _ in range(options.rounds)]
        alone, two, beside = (min(times) for times in zip(*rounds, strict=True))
        medians = [statistics.median(times) for times in zip(*((a / t, 2 * a / b) for a, t, b in rounds), strict=True)]
        print(f"{CASES[options.case].title}: {alone * 1e3:.3f} ms alone, "
              f"two processes {alone / two:.2f} times the steps (best), {medians[0]:.2f} (paired median); "
              f"two that share nothing {2 * alone / beside:.2f}, {medians[1]:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
