"""Where a training step of a benchmark spends its time: ``python -m benchmarks.profile CASE``, line by line.

``archonnx profile`` does the same for any spec or run; here the batches are those of the benchmark.
"""

from __future__ import annotations

import argparse

from archonnx.cli.verbs.profile import show
from archonnx.compiler.pipeline import elaborate
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.insight.profile import Profile, profile_step

from .cases import CASES, THREADS, Case, argument
from .ours import spec_of

RUNS = 30


def profile(case: Case) -> Profile:
    """``RUNS`` steps of a case."""
    model = elaborate(spec_of(case))
    return profile_step(model, model.programs[-1], case.batch(), runs=RUNS, options=SessionOptions(threads=THREADS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=argument, metavar="NAME", help=f"one of {', '.join(CASES)}, or NAME:OPTIMIZER")
    parser.add_argument("--top", type=int, default=30)
    options = parser.parse_args()
    show(profile(options.case), options.top, operators=True)
