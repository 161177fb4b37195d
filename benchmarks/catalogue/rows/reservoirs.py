"""Echo state networks: a reservoir that is not trained, forgets how it began, and lets a linear readout forecast."""

from __future__ import annotations

import numpy as np

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import numbers, outputs_of, spec
from ..training import SEEDS, train

ROW = Row("3.3", "Reservoirs and echo state networks", "003 8.10", ("sunspots",))


@ROW.fact(
    "next year's sunspots: the ridge readout of a reservoir has at most 0.6 of the squared error of persistence, and "
    "less than an autoregression on two years; held out, each of three seeds",
    slow=True,
)
def sunspots() -> Measured:
    """The last 88 years; the readouts are those of 200 years before. The seed is that of the weights."""
    tested = [dict(train("sunspots", seed=seed, settings={"epochs": 1})[-1].metrics["test"]) for seed in SEEDS]
    ridge, two, last = ([one[name] for one in tested] for name in ("by_ridge", "by_two_years", "by_last_year"))
    shown = ", ".join(f"{error:.4f}" for error in ridge)
    holds = max(ridge) <= 0.6 * last[0] and max(ridge) < two[0]
    return Measured(f"{shown}; two years {two[0]:.4f}, persistence {last[0]:.4f}", holds)


@ROW.fact("training changes the readout, and of the reservoir not a byte")
def untouched() -> Measured:
    """A hundred steps of Adam on its own readout."""
    of = Trainer(spec("sunspots"), options=SessionOptions("cpu"), batch_size=200)
    before = {path: array.tobytes() for path, array in of.parameters.items()}
    years, series = np.arange(20, 220), numbers(308)
    for _ in range(100):
        of.step({"year": years, "series": series})
    changed = sorted(path for path, array in of.parameters.items() if array.tobytes() != before[path])
    kept = [path for path in before if path not in changed]
    return Measured(f"changed: {', '.join(changed)}", bool(changed) and all("reservoir" in path for path in kept)
                    and not any("reservoir" in path for path in changed))  # fmt: skip


@ROW.fact(
    "states from two beginnings meet within 1e-6 in 300 steps where the spectral radius is 0.8, and stay apart by 0.1 "
    "where it is 1.2"
)
def forgetting() -> Measured:
    """Without an input, so that nothing but the radius decides."""
    gaps = {}
    for radius in (0.8, 1.2):
        text = (
            f"f = Reservoir(40, spectral_radius={radius}, density=0.2)\n"
            "output a = f(x).h\noutput b = f(x, start=ones([B, 40])).h"
        )
        found = outputs_of(text, "x: [B, T, 1]", {}, x=1e-3 * numbers(1, 300, 1))
        gaps[radius] = float(np.abs(found["a"] - found["b"]).max())
    return Measured(
        ", ".join(f"{radius}: {gap:.0e}" for radius, gap in gaps.items()), gaps[0.8] < 1e-6 and gaps[1.2] > 0.1
    )
