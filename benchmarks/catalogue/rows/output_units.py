"""Output units as distributions, and three ways to predict from them."""

from __future__ import annotations

from functools import cache
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archonnx.runtime.training.programs import Trained

from ..facts import Measured, Row
from ..training import SEEDS, train

ROW = Row(
    "1.4",
    "Output units: Gaussian, Bernoulli, multinoulli; the most probable value, the expected one, a sample",
    "003 3.3.1 to 3.3.3; 002 1.2, 1.3",
    ("gaussian_units", "bernoulli_units", "multinoulli_units"),
)
DRAWS = 20_000
ERRORS = 5.0
"""Standard errors by which a mean over draws may miss."""
Floats = NDArray[np.float64]
X: Floats = np.linspace(-0.95, 0.95, 39)[:, None]
SIGMA = 0.3 + 0.2 * X
"""The noise of the generated data."""


@cache
def trained(spec: str, **options: Any) -> Trained:
    """A spec after training; several facts look at the same one."""
    return train(spec, **options)[-1]


def called(spec: str, entry: str, x: Floats) -> Floats:
    """The answer of an entry, in float64."""
    trainer = trained(spec).trainer
    (field,) = trainer.entries[entry]
    return trainer.call(entry, seed=3, **{field: x.astype(np.float32)})[entry].astype(np.float64)


def outputs(x: Floats, **options: Any) -> dict[str, Floats]:
    """Mean and deviation by the Gaussian units, in float64."""
    told = trained("gaussian_units", **options).trainer.predict({"x": x.astype(np.float32)})
    return {name: array.astype(np.float64) for name, array in told.items()}


def doubtful(spec: str, width: int) -> Floats:
    """The one of 200 drawn inputs about which the net is least certain, repeated."""
    drawn = np.random.default_rng(0).normal(0, 1, (200, width))
    likely = called(spec, "expected", drawn).reshape(200, -1)
    return np.tile(drawn[np.abs(likely - 0.5).min(axis=1).argmin()], (DRAWS, 1))


def missed(draws: Floats, expected: Floats) -> float:
    """By how many standard errors the frequencies of draws of 0 and 1 miss their probabilities, at most."""
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / DRAWS)
    return float(np.max(np.abs(draws.mean(axis=0) - expected) / error))


@ROW.fact("a heteroscedastic Gaussian recovers the noise 0.3 + 0.2 x of its data: mean relative error at most 0.1")
def varying_noise() -> Measured:
    """The standard deviation on a grid, over three seeds."""
    errors = [float(np.abs(outputs(X, seed=seed)["sigma"] / SIGMA - 1).mean()) for seed in SEEDS]
    return Measured(f"{fmean(errors):.3f} (at most {max(errors):.3f})", fmean(errors) <= 0.1)


@ROW.fact("a homoscedastic one finds the root of the mean variance, 0.321, to 0.1, and is less likely on the same data")
def constant_noise() -> Measured:
    """Integrated over x, the variance is 0.09 + 0.04 / 3."""
    same, other = trained("gaussian_units", noise="constant"), trained("gaussian_units")
    found, wanted = float(outputs(X[:1], noise="constant")["sigma"][0, 0]), float(np.sqrt(0.09 + 0.04 / 3))
    losses = [run.metrics["train"]["nll"] for run in (same, other)]
    shown = f"sigma {found:.3f}; loss {losses[0]:.3f}, heteroscedastic {losses[1]:.3f}"
    return Measured(shown, abs(found / wanted - 1) <= 0.1 and losses[1] < losses[0])


@ROW.fact("samples of the Gaussian unit have its mean and deviation, within 5 standard errors of 20,000 draws")
def gaussian_samples() -> Measured:
    """At x = 0.5."""
    x = np.full((DRAWS, 1), 0.5)
    told = outputs(x[:1])
    mean, sigma = float(told["mean"][0, 0]), float(told["sigma"][0, 0])
    drawn = called("gaussian_units", "sample", x)
    off = abs(drawn.mean() - mean) / (sigma / np.sqrt(DRAWS)), abs(drawn.std() - sigma) / (sigma / np.sqrt(2 * DRAWS))
    same = bool(np.all(called("gaussian_units", "most_probable", x) == called("gaussian_units", "expected", x)))
    return Measured(f"{off[0]:.1f} and {off[1]:.1f} standard errors", max(off) <= ERRORS and same)


@ROW.fact("samples of the Bernoulli unit come as often as it says, within 5 standard errors of 20,000 draws")
def bernoulli_samples() -> Measured:
    """An input about which it is uncertain; the most probable value is the side of 1/2 on which p lies."""
    x = doubtful("bernoulli_units", 30)
    p = called("bernoulli_units", "expected", x[:1])[0]
    off = missed(called("bernoulli_units", "sample", x), p)
    likely = bool(called("bernoulli_units", "most_probable", x[:1])[0, 0]) == bool(p[0] > 0.5)
    return Measured(f"p {p[0]:.3f}: {off:.1f} standard errors", off <= ERRORS and likely and 0.05 < p[0] < 0.95)


@ROW.fact("samples of the multinoulli units come as often as they say, within 5 standard errors of 20,000 draws")
def multinoulli_samples() -> Measured:
    """All ten classes; the most probable one is the argmax of the probabilities."""
    x = doubtful("multinoulli_units", 64)
    p = called("multinoulli_units", "expected", x[:1])[0]
    drawn = np.eye(10)[called("multinoulli_units", "sample", x).astype(np.int64)]
    off = missed(drawn, p)
    likely = int(called("multinoulli_units", "most_probable", x[:1])[0]) == int(p.argmax())
    return Measured(f"largest p {p.max():.3f}: {off:.1f} standard errors", off <= ERRORS and likely and p.max() < 0.95)


@ROW.fact("accuracy on a stratified 20%: Bernoulli at least 0.95 (breast cancer), multinoulli at least 0.95 (digits)")
def accuracies() -> Measured:
    """After 20 and 8 epochs."""
    shares = [trained(spec).metrics["test"]["accuracy"] for spec in ("bernoulli_units", "multinoulli_units")]
    return Measured(", ".join(f"{share:.3f}" for share in shares), min(shares) >= 0.95)
