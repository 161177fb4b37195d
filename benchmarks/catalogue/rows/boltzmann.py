"""Boltzmann machines beside sums over all of their states; energies in general; memories that fall down an energy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType
from archonnx.runtime.training.trainer import Trainer
from benchmarks.parity.analytic import Array

from ..facts import Measured, Row
from ..recurrence import numbers, outputs, spec
from ..sampling import differences, started, states
from ..training import train

ROW = Row(
    "5.6",
    "Restricted Boltzmann machines, deep belief nets, energy-based models, Hopfield nets",
    "003 12.2.1, 13.1, 13.5",
    ("digits_rbm", "tiny_rbm", "deep_belief", "energy_model", "hopfield"),
)
WEIGHTS = {"rbm.W": numbers(9, 4), "rbm.b": numbers(9, seed=1), "rbm.c": numbers(4, seed=2)}
ENTROPY = 2.0 * 2 / 16 * np.log(8) + 12 / 16 * np.log(16)
"""Of bars and stripes: 12 of the pictures come once in 16, the black and the white one twice."""


def values(trainer: Trainer) -> dict[str, Array]:
    """Its parameters and buffers."""
    return {path: trainer.parameters[path] for path in trainer.parameters}


def joint(weights: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """All states of the visible units, of the hidden ones, and p(v, h) by the energies of all pairs."""
    v, h = states(len(weights["rbm.b"])), states(len(weights["rbm.c"]))
    energy = -(v @ weights["rbm.b"])[:, None] - h @ weights["rbm.c"] - v @ weights["rbm.W"] @ h.T
    p = np.exp(-energy - (-energy).max())
    return v, h, p / p.sum()


@ROW.fact("P(h given v), P(v given h) and p(v) are those of the sum over all 8,192 pairs of states, to 1e-5")
def conditionals() -> Measured:
    """Of random weights, 9 visible units and 4 hidden ones."""
    v, h, p = joint(WEIGHTS)
    machine = started("tiny_rbm", WEIGHTS, hidden=4)
    found = machine.call("conditionals", v=v.astype(np.float32), h=h.astype(np.float32))
    of_h = (p / p.sum(1, keepdims=True)) @ h
    of_v = (p / p.sum(0)).T @ v
    marginal = machine.predict({"v": v.astype(np.float32)})
    places = (v @ 2.0 ** np.arange(9)).astype(int)
    gaps = (found["of_h"] - of_h, found["of_v"] - of_v, marginal["p"][places] - p.sum(1))
    worst = max(float(np.abs(gap).max()) for gap in gaps)
    return Measured(f"{worst:.0e}", worst < 1e-5)


@ROW.fact(
    "the gradient of the exact likelihood is <v h> of the model less <v h> of the data, by sums over all states: 1e-12"
)
def exact_gradient() -> Measured:
    """In f64: what is differentiated, what the notes derive, and what NumPy sums."""
    v, h, p = joint(WEIGHTS)
    data = np.random.default_rng(0).integers(0, 2, (20, 9)).astype(float)
    found = outputs(spec("tiny_rbm", DType.f64, hidden=4), {**WEIGHTS, "seed": 0, "step": 0}, v=data)
    at_data = data.T @ (1 / (1 + np.exp(-data @ WEIGHTS["rbm.W"] - WEIGHTS["rbm.c"]))) / len(data)
    expected = v.T @ p @ h - at_data
    gap = max(float(np.abs(found[name] - expected).max()) for name in ("slope", "moments"))
    return Measured(f"{gap:.0e}", gap < 1e-12)


def _nll(rule: str, k: int, **options: Any) -> float:
    return float(train("tiny_rbm", rule=rule, k=k, **options)[-1].metrics["train"]["nll"])


@ROW.fact(
    "contrastive divergence raises the exact log-likelihood of bars and stripes: above -5.8 after 15 epochs, from -6.24"
)
def rises() -> Measured:
    """By the sum over all states; log 512 = 6.24 before training."""
    reached = _nll("cd", 1, settings={"epochs": 15})
    return Measured(f"{-reached:.2f}", -reached > -5.8)


@ROW.fact(
    "after 60 epochs it is within 0.25 of the best possible, -2.60, by the exact gradient and by CD-10; within 0.45 by "
    "persistent chains (5 sweeps); CD-1 stays behind CD-10",
    slow=True,
)
def likelihoods() -> Measured:
    """Mean of two seeds."""
    rules = {"exact": ("exact", 1), "CD-1": ("cd", 1), "CD-10": ("cd", 10), "PCD-5": ("pcd", 5)}
    found = {name: -np.mean([_nll(*rule, seed=seed) for seed in range(2)]) for name, rule in rules.items()}
    holds = min(found["exact"], found["CD-10"]) > -ENTROPY - 0.25 and found["PCD-5"] > -ENTROPY - 0.45
    return Measured(
        ", ".join(f"{name} {value:.2f}" for name, value in found.items()), holds and found["CD-1"] < found["CD-10"]
    )


@ROW.fact(
    "cosine with the exact gradient, half way through training, of 1,000 examples and chains: CD-1 above 0.2, "
    "CD-20 above CD-1, persistent chains above CD-1",
    slow=True,
)
def cosines() -> Measured:
    """At the same parameters and chains; the mean of ten draws."""
    half = values(train("tiny_rbm", rule="pcd", k=5, chains=1000, settings={"epochs": 30})[-1].trainer)
    rng = np.random.default_rng(0)
    lines = rng.integers(0, 2, (1000, 1, 3)).repeat(3, axis=1)
    across = rng.integers(0, 2, (1000, 1)) > 0
    data = np.where(across, lines.reshape(-1, 9), lines.transpose(0, 2, 1).reshape(-1, 9)).astype(np.float32)
    kinds = {"CD-1": (1, "cosine_cd"), "CD-20": (20, "cosine_cd"), "PCD-5": (5, "cosine_pcd")}
    found = {
        name: np.mean(
            [started("tiny_rbm", half, seed=i, k=k, chains=1000).evaluate({"v": data})[figure] for i in range(10)]
        )
        for name, (k, figure) in kinds.items()
    }
    holds = bool(found["CD-1"] > 0.2 and min(found["CD-20"], found["PCD-5"]) > found["CD-1"])
    return Measured(", ".join(f"{name} {value:.2f}" for name, value in found.items()), holds)


@cache
def digits() -> Array:
    """Black and white digits, ``[1797, 64]``."""
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().data > 7, np.float32)


@cache
def digits_machine(persistent: bool) -> Any:
    """A machine of digits, trained once for all facts."""
    k = 5 if persistent else 1
    return train("digits_rbm", persistent=persistent, k=k, settings={"epochs": 100 if persistent else 40})[-1]


@ROW.fact("digits are rebuilt through the hidden units: squared error at most half of that of their mean", slow=True)
def rebuilt() -> Measured:
    """CD-1 and persistent chains; the mean digit is what no machine knows better than by pixel."""
    mean = float(digits().var(axis=0).mean())
    errors = {
        name: digits_machine(persistent).metrics["train"]["reconstruction"]
        for name, persistent in (("CD-1", False), ("PCD-5", True))
    }
    shown = ", ".join(f"{name} {error:.3f}" for name, error in errors.items())
    return Measured(f"{shown}; mean digit {mean:.3f}", max(errors.values()) <= mean / 2)


def fantasies() -> Array:
    """Digits that persistent chains made, ``[60, 64]``: 500 sweeps from noise."""
    noise = np.random.default_rng(0).integers(0, 2, (60, 64)).astype(np.float32)
    return np.asarray(digits_machine(True).trainer.call("sample", v0=noise, sweeps=500, seed=0)["sample"])


@ROW.picture("digits_rbm", "Above: digits of the data. Below: what persistent chains make of noise in 500 sweeps.")
def digits_from_noise() -> Array:
    """Two rows of twelve each."""
    return np.concatenate([digits()[:24], fantasies()[:24]]).reshape(4, 12, 8, 8)


@ROW.fact(
    "500 Gibbs sweeps from noise end no farther from the nearest digit than digits are from each other, in mean pixels "
    "that differ",
    slow=True,
)
def dreams() -> Measured:
    """Of black and white states."""
    data, found = digits(), fantasies() > 0.5
    noise = np.random.default_rng(1).integers(0, 2, (60, 64))

    def nearest(points: Any) -> float:
        apart = (points[:, None] != data[None]).sum(-1)
        return float(np.where(apart == 0, 64, apart).min(1).mean())

    ours, theirs, others = nearest(found), nearest(data[:200]), nearest(noise)
    return Measured(f"{ours:.1f}; digits {theirs:.1f}, noise {others:.1f}", ours <= theirs)


@ROW.fact(
    "a deep belief net: its second layer, trained on the first alone, rebuilds digits through both with at most half "
    "of the mean digit's error; read as a net, accuracy on a stratified 20% at least 0.91, mean of three seeds",
    slow=True,
)
def deep() -> Measured:
    """Greedy first, then all of it."""
    runs = [train("deep_belief", seed=seed) for seed in range(3)]
    greedy = float(np.mean([run[1].metrics["test"]["rebuilt"] for run in runs]))
    accuracy = float(np.mean([run[2].metrics["test"]["accuracy"] for run in runs]))
    mean = float(digits().var(axis=0).mean())
    return Measured(f"{greedy:.3f} of {mean:.3f}; {accuracy:.3f}", greedy <= mean / 2 and accuracy >= 0.91)


@ROW.fact(
    "an energy-based net with Langevin chains: its density, normalised on a grid, is within 0.35 nat of that of its "
    "data (a standard normal one: 1.0); 95% of samples lie at the six places, each of which has its share to 0.06",
    slow=True,
)
def energies() -> Measured:
    """The divergence from the density that draws the data, by a sum over 90,601 cells."""
    net = train("energy_model")[-1].trainer
    line = np.linspace(-3, 3, 301)
    points = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    energy = np.asarray(net.predict({"x": points.astype(np.float32)})["energies"], float)
    angle = 2 * np.pi * np.arange(6) / 6
    places = np.stack([np.cos(angle), np.sin(angle)], -1)
    p = np.exp(-((points[:, None] - places) ** 2).sum(-1) / 0.08).mean(1) / (0.08 * np.pi)
    cell = (line[1] - line[0]) ** 2

    def divergence(energy: Array) -> float:
        return float(np.sum(p * (np.log(p + 1e-300) + energy + np.log(np.sum(np.exp(-energy)) * cell))) * cell)

    samples = net.call("sample", n=2000, sweeps=200, seed=1)["sample"]
    apart = np.sqrt(((samples[:, None] - places) ** 2).sum(-1))
    share, near = np.bincount(apart.argmin(1), minlength=6) / 2000, float((apart.min(1) < 0.6).mean())
    found, plain = divergence(energy), divergence((points**2).sum(-1) / 2)
    holds = found < 0.35 and near > 0.95 and abs(share - 1 / 6).max() < 0.06
    return Measured(
        f"{found:.2f} nat (normal {plain:.2f}); {near:.1%}, shares {share.min():.2f} to {share.max():.2f}", holds
    )


# ---------------------------------------------------------------- memories


@cache
def memory(count: int, units: int) -> tuple[Trainer, Array]:
    """A Hopfield net that has seen so many patterns, and those."""
    rng = np.random.default_rng(count)
    seen = np.where(rng.random((count, units)) < 0.5, 1, -1).astype(np.float32)
    net = started("hopfield", units=units, count=count)
    for pattern in seen:
        net.step({"x": pattern[None]})
    return net, seen


@ROW.fact("Hebb's rule by `update`: the weights are 1/n sum x x^T without the diagonal, to the bit of their sum")
def hebb() -> Measured:
    """After one pass over ten patterns, one at a time."""
    net, seen = memory(10, 128)
    gap = float(np.abs(np.asarray(net.parameters["W"], float) - seen.T @ seen / 128 * (1 - np.eye(128))).max())
    return Measured(f"{gap:.0e}", gap == 0)


@ROW.fact("recall: 15% of a pattern's units turned over come back, all of them; the energy never rises on the way")
def recalled() -> Measured:
    """Ten patterns in 200 units, two rounds of one unit after another."""
    net, seen = memory(10, 200)
    rng = np.random.default_rng(0)
    turned = np.where(rng.random(seen.shape) < 0.15, -seen, seen)
    found = net.call("recall", s=turned, steps=400)
    right = float((found["found"] == seen).mean())
    rise = float(np.diff(found["energies"], axis=0).max())
    fallen = found["energies"][-1].mean() - found["energies"][0].mean()
    return Measured(f"{right:.1%} right; rises by {rise:.0e}, falls by {-fallen:.0f}", right == 1 and rise < 1e-4)


@ROW.fact(
    "capacity about 0.138 n (n = 1,000): patterns stay where they were put at a load of 0.12 (overlap above 0.95), and "
    "are lost at 0.2 (below 0.6)",
    slow=True,
)
def capacity() -> Measured:
    """All units at once, up to 100 rounds, from the patterns themselves; the mean overlap with where they end."""
    found = {}
    for load in (0.10, 0.12, 0.14, 0.16, 0.2):
        net, seen = memory(int(load * 1000), 1000)
        ends = net.call("settle", s=seen, most=100)["found"]
        found[load] = float((ends * seen).mean())
    return Measured(", ".join(f"{load} {m:.2f}" for load, m in found.items()), found[0.12] > 0.95 and found[0.2] < 0.6)


@ROW.fact("sampling entries run in plain onnxruntime, with the seed as an input, as they are called, to the bit")
def exported() -> Measured:
    """As they start, a few sweeps."""
    wrong = differences(started("digits_rbm"), [("sample", {"v0": digits()[:5], "sweeps": 4})])
    wrong += differences(started("tiny_rbm"), [("sample", {"n": 5, "sweeps": 4})])
    wrong += differences(started("energy_model"), [("sample", {"n": 5, "sweeps": 4})])
    wrong += differences(started("deep_belief"), [("sample", {"v0": digits()[:5], "sweeps": 4})])
    return Measured("4 of 4" if not wrong else f"not {', '.join(wrong)}", not wrong)
