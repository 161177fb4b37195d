"""Where two forms of the same are equally fast: ``python -m benchmarks.crossings`` prints what it measures, and
``--write`` keeps it for everybody (``compiler/passes/crossings.json``).

The times of all rungs are printed in microseconds, as a product and as it stands. ``archonnx train --tune`` measures
the same for the machine of whoever trains.
"""

from __future__ import annotations

import argparse

from archonnx.compiler.passes.crossings import FILE
from archonnx.runtime.device.crossing import LADDERS, measured
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.tuning import described


def main() -> None:
    """Measure, print, and keep it if that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crossings", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    given = parser.parse_args()
    options = SessionOptions("cpu", given.threads)
    found, rungs = measured(options)
    for ladder in LADDERS:
        times = "  ".join(
            f"{rung.size} of {rung.width}: {rung.product * 1e6:.1f}, {rung.direct * 1e6:.1f}"
            for rung in rungs[ladder.name]
        )
        print(f"{ladder.name} {getattr(found, ladder.name)}  ({times})")
    if given.write:
        FILE.write_text(described(found, options), encoding="utf-8")


if __name__ == "__main__":
    main()
