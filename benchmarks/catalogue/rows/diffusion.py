"""Diffusion: noise that is added and taken away (denoising diffusion, score matching), and the diffusion equation."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import archonnx

from ..facts import Measured, Row
from ..images import digits, fid, measured, reader, trained
from ..training import train, trainer_of

ROW = Row(
    "5.4", "Diffusion models and the diffusion equation", "000, diffusion models; 004 22",
    ("ddpm", "digits_ddpm", "score_langevin", "heat"),
)  # fmt: skip
POINT = (1.5, -0.5)
CENTRES, SHARES = np.array([[2.0, 0.0], [-1.0, 2.0], [-1.5, -1.5]]), np.array([0.5, 0.3, 0.2])
"""Of the Gaussians of `score_langevin`, whose deviation is 0.3."""


def _moons(count: int, seed: int) -> Any:
    """What `ddpm` learns: two half circles of radius 2 with noise of 0.14, drawn by NumPy."""
    rng = np.random.default_rng(seed)
    angle, side = rng.uniform(0, np.pi, count), rng.choice([-1.0, 1.0], count)
    points = np.stack([2 * np.cos(angle) - side, side * (2 * np.sin(angle) - 0.5)], axis=1)
    return points + rng.normal(0, 0.14, points.shape)


@ROW.fact("q(x_t given x_0) is the chain of its steps: the product of their means and variances, to 1e-6")
def closed_form() -> Measured:
    """m <- sqrt(1 - beta) m, v <- (1 - beta) v + beta in float64, beside what the spec has for each t."""
    shown = "    output a = sqrt(alpha_bar)\n    output v = 1 - alpha_bar\n    output b = beta + 0 * x0[0, 0]\n"
    given = "    input x0: [B, 2]\n    beta = linspace(1e-4, 0.05, 100)\n    alpha_bar = cumprod(1 - beta)\n"
    text = f"model Forward():\n{given}"
    found = trainer_of(text + shown).predict({"x0": np.zeros((1, 2), np.float32)})
    m, v, off = 1.0, 0.0, 0.0
    for t, beta in enumerate(np.linspace(1e-4, 0.05, 100)):
        m, v = np.sqrt(1 - beta) * m, (1 - beta) * v + beta
        off = max(off, abs(m - found["a"][t]), abs(v - found["v"][t]), abs(beta - found["b"][t]))
    return Measured(f"off by {off:.1g} at most", off < 1e-6)


@ROW.fact("noise added in one step or in t has the same mean and deviation: 40,000 draws, within 4 standard errors")
def forward() -> Measured:
    """Both entries of the zoo's `ddpm`, after 1, 25 and 100 steps, and their closed form."""
    trainer = archonnx.Trainer("ddpm", device="cpu", steps=1)
    x = np.tile(np.array(POINT, np.float32), (20_000, 1))
    worst = 0.0
    for t in (0, 24, 99):
        kept = np.prod(1 - np.linspace(1e-4, 0.05, 100)[: t + 1])
        for entry in ("noised", "chain"):
            z = (trainer.call(entry, x=x, t=t, seed=1)[entry] - np.sqrt(kept) * x) / np.sqrt(1 - kept)
            errors = (np.abs(z.mean(axis=0)) * np.sqrt(len(z)), np.abs(z.std(axis=0) - 1) * np.sqrt(2 * len(z)))
            worst = max(worst, float(np.max(errors)))
    return Measured(f"{worst:.1f} standard errors at most", worst < 4)


@ROW.fact(
    "two moons: the MMD of samples to held-out points is below a tenth of that of a Gaussian with the moments of the "
    "data",
    slow=True,
)
def moons() -> Measured:
    """2,000 samples beside 2,000 points that NumPy drew; width of the kernel 1."""
    samples = trained("ddpm").call("sample", n=2000, seed=1)["sample"]
    held, fresh = _moons(2000, 0), _moons(2000, 1)
    gaussian = np.random.default_rng(2).multivariate_normal(held.mean(axis=0), np.cov(held.T), 2000)
    own, other, normal = (float(measured("mmd(x, y, 1.0)", x=x, y=held)) for x in (samples, fresh, gaussian))
    return Measured(f"{own:.5f}; fresh data {other:.5f}, a Gaussian {normal:.5f}", own < normal / 10)


@ROW.picture(
    "moons_ddpm",
    "Points of two moons, the same after 25 and 100 steps of noise, and what `ddpm` makes of noise in 100 steps back: "
    "the darker, the more of 8,000 points.",
)
def moons_drawn() -> Any:
    """A row of four densities over the square from -4 to 4."""
    trainer, x = trained("ddpm"), _moons(8000, 0).astype(np.float32)
    noised = [trainer.call("noised", x=x, t=t, seed=1)["noised"] for t in (24, 99)]
    clouds = [x, *noised, trainer.call("sample", n=8000, seed=1)["sample"]]
    edges = np.linspace(-4, 4, 49)
    counts = np.array([np.histogram2d(-cloud[:, 1], cloud[:, 0], bins=[edges, edges])[0] for cloud in clouds])
    return 1 - np.sqrt(counts / counts.max(axis=(1, 2), keepdims=True))[None]


@cache
def _drawn(entry: str, guidance: float) -> Any:
    """A thousand digits, a hundred of each class."""
    labels = np.arange(1000) % 10
    return trained("digits_ddpm").call(entry, label=labels, guidance=np.float32(guidance), seed=1)[entry]


@ROW.fact(
    "digits by a U-Net: the FID of samples, in 100 steps and in 20 by DDIM, is below a tenth of that of noise",
    slow=True,
)
def digit_samples() -> Measured:
    """On features of a digits net, beside one half of the digits and the other."""
    x, _ = digits()
    noise = np.random.default_rng(0).uniform(-1, 1, (1000, 1, 8, 8)).astype(np.float32)
    steps, ddim, bad = (fid(images, x) for images in (_drawn("sample", 0), _drawn("ddim", 0), noise))
    real = fid(x[:900], x[900:])
    shown = f"{steps:.1f}, DDIM {ddim:.1f}; one half of the digits {real:.1f}, noise {bad:.1f}"
    return Measured(shown, max(steps, ddim) < bad / 10)


@ROW.fact(
    "a digits net reads the class that was asked for in over 0.9 of the samples; with guidance in more", slow=True
)
def guidance() -> Measured:
    """Guidance 0 and 2, by DDIM."""
    labels = np.arange(1000) % 10
    plain, guided = (float(np.mean(reader().says(_drawn("ddim", g)) == labels)) for g in (0, 2))
    shown = f"{plain:.3f}, guided {guided:.3f}; the net reads digits it has not seen with {reader().accuracy:.3f}"
    return Measured(shown, plain > 0.9 and guided > plain)


@ROW.picture(
    "digits_ddpm",
    "Row by row: digits of the data; then what `digits_ddpm` draws of 0 to 9: two rows in 100 steps, two in 20 by "
    "DDIM, and two by DDIM with guidance 2.",
)
def digits_drawn() -> Any:
    """Seven rows of ten, ink is black."""
    x, _ = digits()
    parts = [x[:10], *(_drawn(entry, guidance)[:20] for entry, guidance in (("sample", 0), ("ddim", 0), ("ddim", 2)))]
    return (1 - np.concatenate(parts).reshape(7, 10, 8, 8)) / 2


def _score(y: Any, sigma: float) -> Any:
    """grad log of the density of the three Gaussians under noise."""
    apart, variance = CENTRES - y[:, None], 0.09 + sigma**2
    weights = SHARES * np.exp(-(apart**2).sum(axis=2) / (2 * variance))
    return (weights[:, :, None] * apart).sum(axis=1) / weights.sum(axis=1, keepdims=True) / variance


def _three(count: int, rng: np.random.Generator) -> Any:
    return CENTRES[rng.choice(3, count, p=SHARES)] + rng.normal(0, 0.3, (count, 2))


@ROW.fact(
    "denoising score matching finds grad log q: relative squared error below 0.05 at noise of 0.15 to 4", slow=True
)
def score() -> Measured:
    """Three Gaussians, whose score is known in closed form under noise, at points of q."""
    trainer, rng = trained("score_langevin"), np.random.default_rng(0)
    errors = []
    for level, sigma in list(enumerate(np.geomspace(0.1, 4, 10)))[1:]:
        y = (_three(2000, rng) + rng.normal(0, sigma, (2000, 2))).astype(np.float32)
        true = _score(y, sigma)
        errors.append(((trainer.call("slope", y=y, level=level)["slope"] - true) ** 2).mean() / (true**2).mean())
    return Measured(f"{min(errors):.4f} to {max(errors):.4f}", max(errors) < 0.05)


@ROW.fact(
    "Langevin's steps from much noise to little find three modes far apart with their shares, within 0.05", slow=True
)
def langevin() -> Measured:
    """2,000 samples; shares by the nearest mode. Beside it the MMD to fresh points, and that of fresh points."""
    samples = trained("score_langevin").call("sample", n=2000, seed=0)["sample"]
    nearest = ((samples[:, None] - CENTRES) ** 2).sum(axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=3) / len(samples)
    rng = np.random.default_rng(1)
    points = _three(2000, rng)
    own, fresh = (float(measured("mmd(x, y)", x=x, y=points)) for x in (samples, _three(2000, rng)))
    shown = f"{', '.join(f'{share:.3f}' for share in shares)}; MMD {own:.4f}, fresh points {fresh:.4f}"
    return Measured(shown, bool(np.abs(shares - SHARES).max() < 0.05))


def _heat(steps: int) -> archonnx.Trainer:
    """The zoo's `heat`, with D = 1."""
    return archonnx.Trainer(archonnx.load("heat", steps=steps), device="cpu", steps=1)


@ROW.fact("heat spreads from a point as its kernel, exp(-x^2 / 4Dt) / sqrt(4 pi D t), within 0.002 of the peak")
def kernel() -> Measured:
    """On a line of 121 cells, after times 20 and 50; the sum stays 1."""
    u = np.zeros(121, np.float32)
    u[60] = 1
    x = np.arange(121) - 60
    worst, kept = 0.0, 0.0
    for time in (20.0, 50.0):
        found = _heat(200).call("line", u=u, time=np.float32(time))["line"]
        closed = np.exp(-(x**2) / (4 * time)) / np.sqrt(4 * np.pi * time)
        worst, kept = max(worst, float(np.abs(found - closed).max() / closed.max())), max(kept, abs(found.sum() - 1))
    return Measured(f"off by {worst:.4f}; sum off by {kept:.1g}", worst < 0.002 and kept < 1e-5)


@ROW.fact("on a graph u' = -D L u is exp(-D t L) u, as SciPy has it: within 1e-5")
def on_a_graph() -> Measured:
    """A random graph of 12 nodes with weights."""
    from scipy.linalg import expm

    rng = np.random.default_rng(0)
    upper = np.triu((rng.random((12, 12)) < 0.3) * rng.random((12, 12)), 1).astype(np.float32)
    weights, u = upper + upper.T, rng.normal(size=12).astype(np.float32)
    found = _heat(200).call("graph", u=u, A=weights, time=np.float32(2))["graph"]
    off = float(np.abs(found - expm(-2.0 * (np.diag(weights.sum(axis=1)) - weights)) @ u).max())
    return Measured(f"off by {off:.1g}", off < 1e-5)


@ROW.fact("D is learned from pictures before and after: 0.6 within 0.001")
def learned() -> Measured:
    """Gaussian bumps that the heat kernel widens, in closed form."""
    found = float(train("heat")[-1].trainer.parameters["D"])
    return Measured(f"{found:.5f}", abs(found - 0.6) < 0.001)


@ROW.fact("a noisy photograph (china.jpg) is smoothed: PSNR goes up by over 3 dB, and the mean stays", slow=True)
def photograph() -> Measured:
    """Noise of deviation 0.1, time 0.3; pixels from 0 to 1."""
    from sklearn.datasets import load_sample_image

    clean = np.moveaxis(load_sample_image("china.jpg").astype(np.float32) / 255, 2, 0)[None]
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    smooth = _heat(20).call("picture", u=noisy, time=np.float32(0.3))["picture"]
    before, after = (-10 * np.log10(np.mean((x - clean) ** 2)) for x in (noisy, smooth))
    moved = abs(float(smooth.mean(dtype=np.float64) - noisy.mean(dtype=np.float64)))
    return Measured(f"{before:.2f} to {after:.2f} dB; mean moved by {moved:.1g}", after > before + 3 and moved < 1e-6)
