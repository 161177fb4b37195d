"""Forecasts of time series beside naive ones: half a year of carbon dioxide, and next year's sunspots."""

from __future__ import annotations

from functools import cache, partial
from statistics import fmean

import numpy as np

from ..facts import Measured, Row
from ..training import SEEDS, train, trainer_of

ROW = Row("3.7", "Time series", "004 21", ("co2", "co2_tcn", "co2_transformer", "sunspots_tcn"))
NAIVE = {
    "error_of_no_change": "nothing changes",
    "error_of_last_year": "as a year ago",
    "error_of_same_changes": "the changes of a year ago",
}
MARGINS = {"error_of_no_change": 0.3, "error_of_last_year": 0.5, "error_of_same_changes": 0.9}
"""The error is at most this part of a naive forecast's."""


@cache
def _tested(name: str) -> tuple[dict[str, float], ...]:
    """Figures of the test part by seed: the last years, which neither training nor stopping saw."""
    return tuple(dict(train(name, seed=seed)[-1].metrics["test"]) for seed in SEEDS)


def _beats(name: str) -> Measured:
    errors = [found["error"] for found in _tested(name)]
    naive = {figure: _tested(name)[0][figure] for figure in NAIVE}
    beside = ", ".join(f"{NAIVE[figure]} {value:.2f}" for figure, value in naive.items())
    mean = fmean(errors)
    holds = all(mean <= MARGINS[figure] * value for figure, value in naive.items())
    return Measured(f"{', '.join(f'{error:.2f}' for error in errors)} ppm; {beside}", holds)


for name, what in (("co2_tcn", "causal dilated convolutions"), ("co2_transformer", "a Transformer over patches")):
    ROW.fact(
        f"{what} forecast 26 weeks with at most 0.3 of the error of no change, 0.5 of that of the year before, and 0.9 "
        "of that of the year's changes; held out, mean of three seeds",
        slow=True,
    )(partial(_beats, name))


@ROW.fact(
    "causal dilated convolutions forecast next year's sunspots with at most 0.7 of the error of the last year and of "
    "the year 11 years before; held out, mean of three seeds",
    slow=True,
)
def sunspots() -> Measured:
    """The last fifth of the windows; statsmodels has the numbers."""
    found = _tested("sunspots_tcn")
    errors, naive = [one["error"] for one in found], [found[0]["error_of_last_year"], found[0]["error_of_cycle"]]
    shown = f"{', '.join(f'{error:.1f}' for error in errors)}; last year {naive[0]:.1f}, 11 years before {naive[1]:.1f}"
    return Measured(shown, fmean(errors) <= 0.7 * min(naive))


@ROW.fact(
    "four weeks ahead, a linear map of past changes and the season has less error than no change, in the test part"
)
def linear() -> Measured:
    """The zoo's `co2`."""
    found = train("co2", settings={"epochs": 12})[-1].metrics["test"]
    return Measured(f"{found['error']:.2f} beside {found['error_of_no_change']:.2f} ppm",
                    found["error"] < 0.7 * found["error_of_no_change"])  # fmt: skip


@ROW.fact("each place of a temporal net of three blocks of width 3 depends on the 29 places up to it and on no other")
def receptive() -> Measured:
    """By the support of the gradient, where no rectifier is shut: 1 + 2 (3 - 1) (2^3 - 1)."""
    length = 40
    text = (
        f"model R():\n    input x: [1, 1, {length}]\n    net = TemporalConvNet(2, 3)\n    y = net(x)\n"
        f"    output s = stack([grad(sum(y[0, :, i]), x)[0, 0] for i in range({length})])\n"
    )
    trainer = trainer_of(text, batch_size=1)
    for path in trainer.parameters:
        trainer.parameters[path] = np.abs(trainer.parameters[path]) + np.float32(0.05)
    seen = np.abs(trainer.predict({"x": np.ones((1, 1, length), np.float32)})["s"]) > 0
    apart = np.arange(length)[:, None] - np.arange(length)
    holds = bool((seen == ((apart >= 0) & (apart < 29))).all())
    return Measured(f"{int(seen[-1].sum())} places", holds)
