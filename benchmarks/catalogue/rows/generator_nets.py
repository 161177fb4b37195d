"""Differentiable generator nets: that draw directly, and that give the chances of what is drawn."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import numbers, spec
from ..sampling import differences, started, states
from ..training import train

ROW = Row("5.9", "Differentiable generator nets", "003 14.2", ("normal_generator", "bernoulli_generator"))
MU = np.array([0.5, -1.0, 2.0])
RAW = numbers(3, 3) + 2 * np.eye(3)
L = np.tril(RAW)


@ROW.fact(
    "draws mu + L z have the mean mu and the covariance L L^T: 200,000 of them, to 1% of the largest; L^T L is another "
    "matrix"
)
def covariance() -> Measured:
    """Of random mu and L; the notes print L^T L."""
    drawn = (
        started("normal_generator", {"mu": MU, "raw": RAW}).call("sample", n=200_000, seed=1)["sample"].astype(float)
    )
    found = np.cov(drawn.T)
    scale = np.abs(L @ L.T).max()
    off = float(max(np.abs(found - L @ L.T).max() / scale, np.abs(drawn.mean(0) - MU).max() / np.sqrt(scale)))
    other = float(np.abs(L.T @ L - L @ L.T).max() / scale)
    return Measured(f"off by {off:.2%}; L^T L by {other:.0%}", off < 0.01 and other > 0.05)


@ROW.fact(
    "gradients through the draws: of the mean of |x|^2 they are 2 mean x and 2 mean x z^T, to 1e-5; "
    "over 200,000 draws that comes to 2 mu and 2 L, to 2%"
)
def gradients() -> Measured:
    """The draws and their noise are outputs as well: of 1,000 draws, then of all."""
    few, many = (
        started("normal_generator", {"mu": MU, "raw": RAW}, draws=draws).predict({"x": np.zeros((1, 3), np.float32)})
        for draws in (1000, 200_000)
    )
    x, z = few["points"].astype(float), few["noise"].astype(float)
    exact = max(
        float(np.abs(few["slope_mu"] - 2 * x.mean(0)).max()),
        float(np.abs(few["slope_L"] - 2 * x.T @ z / len(x)).max()),
    )
    expected = np.concatenate([2 * MU, (2 * L).ravel()])
    off = np.abs(np.concatenate([many["slope_mu"], many["slope_L"].ravel()]) - expected).max() / np.abs(expected).max()
    return Measured(f"{exact:.0e}; {off:.1%}", exact < 1e-5 and bool(off < 0.02))


@ROW.fact("trained by its likelihood, mu and L L^T are the mean and the covariance of the data, to 0.5%")
def fitted() -> Measured:
    """Which is where the likelihood is largest; 300 steps on 2,000 points."""
    data = (MU + np.random.default_rng(0).normal(size=(2000, 3)) @ L.T).astype(np.float32)
    net = Trainer(spec("normal_generator"), options=SessionOptions("cpu"), total=300)
    for _ in range(300):
        net.step({"x": data})
    lower = np.tril(np.asarray(net.parameters["raw"], float))
    off = np.abs(lower @ lower.T - np.cov(data.T, ddof=0)).max() / np.abs(L @ L.T).max()
    mean = np.abs(np.asarray(net.parameters["mu"], float) - data.mean(0)).max() / np.abs(MU).max()
    return Measured(f"{off:.2%} and {mean:.2%}", bool(max(off, mean) < 0.005))


@cache
def generator() -> Any:
    """The Bernoulli generator, trained."""
    return train("bernoulli_generator")[-1]


@ROW.fact(
    "a Bernoulli generator's p(x) is the sum over its 32 codes, by NumPy: to 1e-6, and it sums to 1 over 512 pictures"
)
def enumerated() -> Measured:
    """With random weights."""
    net = started("bernoulli_generator")
    w = {path: np.asarray(net.parameters[path], float) for path in net.parameters}
    codes, x = states(5), states(9)
    hidden = np.tanh((2 * codes - 1) @ w["net.dense.0.W"] + w["net.dense.0.b"])
    white = 1 / (1 + np.exp(-hidden @ w["net.dense.1.W"] - w["net.dense.1.b"]))
    p = np.prod(np.where(x[:, None] > 0, white, 1 - white), axis=2).mean(1)
    found = net.predict({"x": x.astype(np.float32)})
    gap = float(np.abs(found["likelihood"] - p).max())
    total = float(found["p"].astype(float).sum())
    return Measured(f"{gap:.0e}; {total:.7f}", gap < 1e-6 and abs(total - 1) < 1e-5)


@ROW.fact(
    "its draws come as often as p(x) says, and the mean of p(x given z) over codes that are drawn is p(x): 4 errors"
)
def drawn() -> Measured:
    """After training: 50,000 draws, chi-square of all pictures that should come 5 times; 20,000 codes for one."""
    net = generator().trainer
    x = net.call("sample", n=50_000, seed=1)["sample"].astype(int)
    p = net.predict({"x": np.zeros((1, 9), np.float32)})["p"].astype(float)
    counts = np.bincount(x @ 2 ** np.arange(9), minlength=512)
    often = p * len(x) > 5
    observed, expected = np.append(counts[often], counts[~often].sum()), np.append(p[often], p[~often].sum()) * len(x)
    off = (((observed - expected) ** 2 / expected).sum() - often.sum()) / np.sqrt(2 * often.sum())
    found = [float(net.call("estimate", x=np.ones(9, np.float32), n=20_000, seed=i)["estimate"]) for i in range(20)]
    error = abs(np.mean(found) - p[511]) / (np.std(found) / np.sqrt(len(found)))
    return Measured(f"{off:.1f} and {error:.1f} deviations", bool(off < 4 and error < 4))


@ROW.fact("trained by its exact likelihood on bars and stripes, it is within 0.2 of the best possible, -2.60")
def learned() -> Measured:
    """150 epochs; -6.24 is what knows nothing."""
    reached = -float(generator().metrics["train"]["nll"])
    return Measured(f"{reached:.2f}", reached > -2.80)


@ROW.fact("the sampling entries run in plain onnxruntime, with the seed as an input, as they are called, to the bit")
def exported() -> Measured:
    """A few draws of each."""
    wrong = differences(started("normal_generator"), [("sample", {"n": 5})])
    wrong += differences(
        started("bernoulli_generator"), [("sample", {"n": 5}), ("estimate", {"x": np.ones(9), "n": 5})]
    )
    return Measured("3 of 3" if not wrong else f"not {', '.join(wrong)}", not wrong)
