"""A process that makes the training steps of one side, so that neither side's threads disturb the other's.

``python -m benchmarks.worker SIDE CASE`` makes its first step, prints how long that took as JSON, and then answers
each line of its input, a number of steps, by the seconds they took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from .cases import CASES, Case


def step_of(side: str) -> Callable[[Case], Callable[[], float]]:
    """What makes the step of a side; importing the library is part of the call."""
    if side == "archonnx":
        from .ours import make_step

        return make_step
    from functools import partial

    from . import peer

    return partial(peer.make_step, fused=side == "torch-fused")


def main(side: str, name: str) -> None:
    """Serve one side of one case."""
    start = time.perf_counter()
    make = step_of(side)
    imported = time.perf_counter()
    step = make(CASES[name])
    step()
    first = time.perf_counter()
    print(json.dumps({"import": imported - start, "first_step": first - imported}), flush=True)
    for line in sys.stdin:
        count = int(line)
        begin = time.perf_counter()
        for _ in range(count):
            step()
        print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
