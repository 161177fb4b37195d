"""A process that makes the training steps of one side, so that neither side's threads disturb the other's.

``python -m benchmarks.worker SIDE CASE INITIAL`` makes a plain step from the parameters of the file INITIAL (.npz; ours
makes its own), prints how long the first took and the first losses as JSON, and then answers each line of its input, a
number of steps, by the seconds they took. Where a case draws, those are of the step that draws.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, case_named

COMPARED = 10
"""How many losses must be those of the other sides."""
OURS = "archonnx"


def maker(side: str) -> Callable[..., Callable[[], float]]:
    """What makes the step of a side, given a case; importing the library is part of the call."""
    if side == OURS:
        from . import ours

        return lambda case, plain, initial: ours.make_step(case, plain=plain)
    from .peers import steps

    return lambda case, plain, initial: steps.make_step(case, side, plain=plain, initial=initial)


def begin(side: str, case: Case, initial: Any) -> tuple[Callable[[], float], dict[str, Any]]:
    """The step that is timed, and what is said of its beginning."""
    start = time.perf_counter()
    make = maker(side)
    imported = time.perf_counter()
    step = make(case, True, initial)
    losses = [step()]
    first = time.perf_counter()
    losses += [step() for _ in range(COMPARED - 1)]
    if case.plain:
        step = make(case, False, initial)
    return step, {"import": imported - start, "first_step": first - imported, "losses": losses}


def main(side: str, name: str, path: str) -> None:
    """Serve one side of one case."""
    with np.load(path) as stored:
        initial = dict(stored)
    try:
        step, said = begin(side, case_named(name), initial)
    except Exception as error:  # a row says why there is no figure, whatever PyTorch's compiler raised
        traceback.print_exc()
        lines = str(error).strip().splitlines()
        print(json.dumps({"error": f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]}), flush=True)
        return
    print(json.dumps(said), flush=True)
    for line in sys.stdin:
        count = int(line)
        start = time.perf_counter()
        for _ in range(count):
            step()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
