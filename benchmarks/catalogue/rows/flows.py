"""Normalizing flows: maps with an inverse and a determinant that are cheap, and densities by them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import archonnx
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import Trained
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import outputs, spec
from ..sampling import plain
from ..training import model_of, train

ROW = Row("5.5", "Normalizing flows", "004 18", ("realnvp", "planar_flow", "masked_flow"))
DIMS = {"realnvp": 2, "planar_flow": 2, "masked_flow": 4}
SMALL = {"realnvp": 3, "planar_flow": 5, "masked_flow": 2}
"""How many layers they have where they are not trained."""
SPREAD = 0.1
"""The deviation of the noise of the moons."""


# ---------------------------------------------------------------- as they are drawn


def drawn(parameters: Any) -> dict[str, Any]:
    """Normal numbers for parameters, of a size at which no map is near the identity."""
    rng = np.random.default_rng(0)
    return {path: rng.normal(0, 0.3, tuple(map(int, p.shape))) for path, p in parameters.items()}


def points(name: str, count: int = 200) -> Any:
    """Normal points."""
    return np.random.default_rng(1).normal(size=(count, DIMS[name]))


@ROW.fact(
    "inverse(f(x)) = x: affine couplings and masked nets to 1e-9 in f64, also as exported files in plain onnxruntime "
    "(f32, 1e-3); planar maps have no closed inverse: a search of 40 steps for each comes as near"
)
def inverses() -> Measured:
    """With normal parameters; f moves the points by over 0.3 on average."""
    gaps, exported, moved = [], [], []
    for name, layers in SMALL.items():
        model, x = spec(name, DType.f64, layers=layers), points(name)
        parameters = drawn(model.parameters)
        z = outputs(model, parameters, x=x)["latent"]
        gaps.append(np.abs(interpret(model.entries["inverse"], {**parameters, "z": z})["inverse"] - x).max())
        moved.append(np.abs(z - x).mean())
        narrow = {path: value.astype(np.float32) for path, value in parameters.items()}
        trainer = Trainer(spec(name, layers=layers), parameters=narrow, options=SessionOptions("cpu"), total=1)
        z = trainer.predict({"x": x.astype(np.float32)})["latent"]
        exported.append(np.abs(plain(trainer, "inverse", z=z)["inverse"] - x).max())
    worst, file, least = float(np.max(gaps)), float(np.max(exported)), float(np.min(moved))
    return Measured(
        f"{worst:.0e}, exported {file:.0e}; moved by {least:.2f}", worst < 1e-9 and file < 1e-3 and least > 0.3
    )


def slopes(name: str, layers: int) -> tuple[Any, Any]:
    """The Jacobians of a flow by `grad`, and its log-determinants."""
    text = Path(archonnx.load(name).path or "").read_text("utf-8")
    text = re.sub(r"(layers: int =) \d+", rf"\1 {layers}", text)
    text = text.replace("    output latent", "    output slope = jacobians(z, x)\n    output latent")
    model = model_of(text, DType.f64)
    found = outputs(model, drawn(model.parameters), x=points(name))
    return found["slope"], found["log_determinant"]


@ROW.fact(
    "the log-determinants are those of the Jacobian by `grad` (1e-9); that of one masked layer is triangular, with "
    "zeros above its diagonal to the bit"
)
def determinants() -> Measured:
    """NumPy's determinant."""
    found = [slopes(name, layers) for name, layers in SMALL.items()]
    worst = float(np.max([np.abs(np.linalg.slogdet(slope)[1] - told).max() for slope, told in found]))
    one = slopes("masked_flow", 1)[0]
    below = np.abs(one).mean(axis=0)[np.tril_indices(4)]
    return Measured(f"{worst:.0e}", bool(worst < 1e-9 and (np.triu(one, 1) == 0).all() and (below > 0).all()))


# ---------------------------------------------------------------- two moons


@cache
def trained(name: str) -> Trained:
    """A flow after its training."""
    return train(name)[-1]


def log_prob(name: str, x: Any) -> Any:
    """Of points, by a trained flow."""
    return trained(name).trainer.predict({"x": x.astype(np.float32)})["log_prob"].astype(np.float64)


def moons(count: int, seed: int) -> Any:
    """Points as the specs draw them."""
    rng = np.random.default_rng(seed)
    angle, sign = rng.uniform(0, np.pi, count), np.where(rng.uniform(size=count) < 0.5, 1, -1)
    middle = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], axis=1) * sign[:, None]
    return middle + SPREAD * rng.normal(size=(count, 2))


def of_moons(x: Any) -> Any:
    """Their log-density, as a mean over 2,000 places of each half circle."""
    angle = (np.arange(2000) + 0.5) / 2000 * np.pi
    upper = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], axis=1)
    distances = ((x[:, None] - np.concatenate([upper, -upper])) ** 2).sum(axis=-1)
    return np.log(np.exp(-distances / (2 * SPREAD**2)).mean(axis=1) / (2 * np.pi * SPREAD**2))


def mixtures(known: Any, new: Any, counts: tuple[int, ...]) -> dict[int, float]:
    """The log-likelihoods of new points under mixtures of normals, fitted to known points, by how many there are."""
    from sklearn.mixture import GaussianMixture

    return {k: float(GaussianMixture(k, random_state=0, n_init=2).fit(known).score(new)) for k in counts}


@ROW.fact(
    "the densities integrate to 1, on a grid of 400 x 400 points: both flows of two dimensions, to 0.005", slow=True
)
def integrals() -> Measured:
    """From -4 to 4."""
    side = np.linspace(-4, 4, 400)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    cell = (side[1] - side[0]) ** 2
    sums = [float(np.exp(log_prob(name, grid)).sum() * cell) for name in ("realnvp", "planar_flow")]
    return Measured(", ".join(f"{one:.4f}" for one in sums), max(abs(one - 1) for one in sums) < 0.005)


@ROW.fact(
    "two moons, held out: couplings and planar maps are above a normal and a mixture of two by over 0.5 nats; "
    "couplings are above a mixture of five, and within 0.05 of the truth",
    slow=True,
)
def likelihoods() -> Measured:
    """Mean log-densities of 2,000 points."""
    known, new = moons(8000, seed=1), moons(2000, seed=2)
    normals = mixtures(known, new, (1, 2, 5, 10, 15, 20))
    flows = [float(log_prob(name, new).mean()) for name in ("realnvp", "planar_flow")]
    truth, five, best = float(of_moons(new).mean()), normals[5], max(normals.values())
    shown = f"couplings {flows[0]:.3f}, planar {flows[1]:.3f}; normal {normals[1]:.3f}, two {normals[2]:.3f}, "
    holds = min(flows) > max(normals[1], normals[2]) + 0.5 and flows[0] > five and truth - flows[0] < 0.05
    return Measured(f"{shown}five {five:.3f}, best of up to 20 {best:.3f}; truth {truth:.3f}", bool(holds))


@ROW.fact("samples of the couplings are as likely under the truth as its own, to 0.1 nats", slow=True)
def samples() -> Measured:
    """10,000 of each. Samples of a fitted normal beside."""
    own, known = moons(10_000, seed=3), moons(10_000, seed=4)
    made = trained("realnvp").trainer.call("sample", n=10_000, seed=5)["sample"].astype(np.float64)
    normal = np.random.default_rng(0).multivariate_normal(known.mean(axis=0), np.cov(known.T), 10_000)
    truth, flow, plain = (float(np.maximum(of_moons(x), -50).mean()) for x in (own, made, normal))
    return Measured(f"{flow:.3f}, its own {truth:.3f}, a normal's {plain:.1f}", abs(flow - truth) < 0.1)


@ROW.picture(
    "moons",
    "Two moons, from -2 to 2: samples of the couplings, and the densities of couplings and of planar maps, lighter "
    "where they are greater.",
)
def densities() -> Any:
    """Samples by how many are in a square."""
    side = np.linspace(-2, 2, 80, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, -side), axis=-1).reshape(-1, 2)
    made = np.asarray(trained("realnvp").trainer.call("sample", n=20_000, seed=1)["sample"], np.float64)
    counts: Any
    counts, *_ = np.histogram2d(-made[:, 1], made[:, 0], bins=80, range=[[-2, 2]] * 2)
    shown = [counts, *(np.exp(log_prob(name, grid)).reshape(80, 80) for name in ("realnvp", "planar_flow"))]
    return np.stack([one / np.quantile(one, 0.99) for one in shown])[None]


# ---------------------------------------------------------------- four numbers


def chain(count: int, seed: int) -> Any:
    """Rows in which each number bends the next, as the spec draws them."""
    e = np.random.default_rng(seed).normal(size=(count, 4))
    x = [e[:, 0]]
    for i in range(1, 4):
        x.append(0.5 * x[i - 1] ** 2 - 0.5 + 0.5 * e[:, i])
    return np.stack(x, axis=1)


@ROW.fact("masked nets, four numbers, held out: within 0.15 nats of the truth; a normal and mixtures below", slow=True)
def autoregressive() -> Measured:
    """Mean log-densities of 2,000 rows."""
    known, new = chain(8000, seed=1), chain(2000, seed=2)
    e = np.concatenate([new[:, :1], (new[:, 1:] - 0.5 * new[:, :-1] ** 2 + 0.5) / 0.5], axis=1)
    truth = float((-0.5 * e**2 - 0.5 * np.log(2 * np.pi)).sum(axis=1).mean() - 3 * np.log(0.5))
    normals, flow = mixtures(known, new, (1, 2, 5, 10, 20)), float(log_prob("masked_flow", new).mean())
    best = max(normals.values())
    shown = f"{flow:.2f}, truth {truth:.2f}; normal {normals[1]:.1f}, best mixture {best:.1f}"
    return Measured(shown, truth - flow < 0.15 and flow > best)
