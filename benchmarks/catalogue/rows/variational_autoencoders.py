"""Variational autoencoders: the bound, what its parts are, and what the latents know."""

from __future__ import annotations

from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import Trained
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import outputs, outputs_of, spec
from ..sampling import differences
from ..training import SEEDS, train

ROW = Row(
    "5.2",
    "Variational autoencoders",
    "003 14.1, 14.3; 002 8.2, 8.3; 004 20",
    ("vae", "conditional_vae", "enumerable_vae", "vae_features", "vq_vae"),
)


def digits() -> Any:
    """All images, dark and light, ``[1797, 64]``."""
    from sklearn.datasets import load_digits

    return (load_digits().data > 7.5).astype(np.float32)


def labels() -> Any:
    """What they are."""
    from sklearn.datasets import load_digits

    return load_digits().target


@cache
def trained(seed: int = 0, beta: float = 1.0) -> Trained:
    """The autoencoder of digits."""
    return train("vae", seed=seed, beta=beta)[-1]


@cache
def by_class() -> Trained:
    """The one that is told the class."""
    return train("conditional_vae")[-1]


@cache
def quantising(by: str) -> Trained:
    """The one with a codebook."""
    return train("vq_vae", by=by)[-1]


# ---------------------------------------------------------------- the bound


@ROW.fact(
    "log p(x) = ELBO + KL(q, posterior) to 1e-6, with p(x) and the posterior by enumeration of z in NumPy; the sum "
    "of p(x) over all 512 x is 1"
)
def identity() -> Measured:
    """Of a decoder and an encoder as they are drawn, in f64."""
    rng, model = np.random.default_rng(0), spec("enumerable_vae", DType.f64)
    drawn = {path: rng.normal(size=tuple(map(int, p.shape))) for path, p in model.parameters.items()}
    x = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(np.float64)
    z = (np.arange(32)[:, None] >> np.arange(5) & 1).astype(np.float64)
    h = np.maximum(z @ drawn["decoder.dense.0.W"] + drawn["decoder.dense.0.b"], 0)
    lit = 1 / (1 + np.exp(-(h @ drawn["decoder.dense.1.W"] + drawn["decoder.dense.1.b"])))
    given_z = np.prod(np.where(x[:, None] > 0.5, lit, 1 - lit), axis=-1)
    joint = given_z * (np.exp(drawn["prior"]) / np.exp(drawn["prior"]).sum())
    posterior = joint / joint.sum(axis=1, keepdims=True)
    q = np.exp(outputs(model, drawn, x=x)["log_approximation"])
    divergence = (q * np.log(q / posterior)).sum(axis=1)
    told = interpret(model.evaluate, {**drawn, "x": x})
    gaps = [
        abs(told["log_likelihood"] - np.log(joint.sum(axis=1)).mean()),
        abs(told["gap"] - divergence.mean()),
        abs(np.log(joint.sum(axis=1)).mean() - told["elbo"] - divergence.mean()),
        abs(joint.sum() - 1),
    ]
    return Measured(f"{max(gaps):.0e} at most; mean KL {divergence.mean():.2f}", bool(max(gaps) < 1e-6))


@ROW.fact("the KL term is its closed form, and the integral of q log(q / p) over a grid (1e-9)")
def closed_form() -> Measured:
    """-(1 + log sigma^2 - mu^2 - sigma^2) / 2, summed."""
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=(20, 3)), rng.uniform(0.2, 2, (20, 3))
    told = outputs_of("output kl = kl_normal(x[:, :3], x[:, 3:], reduce=none)", "x: [B, 6]", x=np.hstack([mean, std]))
    formula = -0.5 * (1 + np.log(std**2) - mean**2 - std**2).sum(axis=1)
    at = np.linspace(-25, 25, 20_001)
    log_q = -0.5 * ((at - mean[..., None]) / std[..., None]) ** 2 - np.log(std)[..., None]
    q = np.exp(log_q) / np.sqrt(2 * np.pi)
    integral = (q * (log_q + 0.5 * at**2)).sum(axis=-1).sum(axis=1) * (at[1] - at[0])
    gap = max(float(np.abs(told["kl"] - other).max()) for other in (formula, integral))
    return Measured(f"{gap:.0e}", gap < 1e-9)


@ROW.fact(
    "enumerable, after training: the posterior is approximated to 0.02 nats on held-out pictures, and log p is within "
    "0.1 of that of the distribution they were drawn from",
    slow=True,
)
def enumerated() -> Measured:
    """Independent pixels beside."""
    told = train("enumerable_vae")[-1].metrics["test"]
    bars = [np.broadcast_to(row, (3, 3)) for row in (np.arange(8)[:, None] >> np.arange(3) & 1)]
    pictures = np.array([*bars, *(one.T for one in bars)]).reshape(16, 9)
    x = np.arange(512)[:, None] >> np.arange(9) & 1
    wrong = (x[:, None] != pictures).sum(axis=-1)
    p = (0.05**wrong * 0.95 ** (9 - wrong)).mean(axis=1)
    truth, apart = float((p * np.log(p)).sum()), 9 * np.log(0.5)
    shown = f"gap {told['gap']:.4f}; log p {told['log_likelihood']:.2f}, the truth {truth:.2f}, pixels {apart:.2f}"
    return Measured(shown, bool(told["gap"] < 0.02 and abs(told["log_likelihood"] - truth) < 0.1))


# ---------------------------------------------------------------- digits


def of_pixels(by_class: bool) -> float:
    """The log-likelihood of held-out digits if pixels were independent, of all digits or of those of each class."""
    parts = trained().parts
    assert parts is not None
    known, new = digits()[parts.train], digits()[parts.test]
    groups = labels() if by_class else np.zeros_like(labels())
    lit = [
        (known[groups[parts.train] == k].sum(axis=0) + 1) / ((groups[parts.train] == k).sum() + 2) for k in range(10)
    ]
    p = np.array(lit)[groups[parts.test]]
    return float((new * np.log(p) + (1 - new) * np.log(1 - p)).sum(axis=1).mean())


@ROW.fact(
    "the ELBO rises: in each of five stretches of 20 epochs; held out it ends 5 nats above the log-likelihood of "
    "independent pixels (3 seeds)",
    slow=True,
)
def rises() -> Measured:
    """In nats per image."""
    runs = [trained(seed) for seed in SEEDS]
    curves = np.array([[epoch.train["objective"] for epoch in run.outcome.history] for run in runs])
    rising = bool((np.diff(curves.reshape(len(runs), 5, 20).mean(axis=2)) < 0).all())
    elbo, pixels = fmean(run.metrics["test"]["elbo"] for run in runs), of_pixels(False)
    return Measured(f"{elbo:.2f}, pixels {pixels:.2f}", rising and elbo > pixels + 5)


@ROW.fact(
    "the bound grows with 1, 10, 100 and 1,000 samples of importance, from the ELBO towards log p, which is above that "
    "of independent pixels that know the class",
    slow=True,
)
def tighter() -> Measured:
    """Held-out images; Burda et al. 2016, theorem 1."""
    run = trained()
    assert run.parts is not None
    image = digits()[run.parts.test]
    bounds = [
        float(run.trainer.call("log_likelihood", image=image, samples=count, seed=3)["log_likelihood"].mean())
        for count in (1, 10, 100, 1000)
    ]
    elbo, by_class = run.metrics["test"]["elbo"], of_pixels(True)
    shown = f"ELBO {elbo:.2f}; {', '.join(f'{bound:.2f}' for bound in bounds)}; by class {by_class:.2f}"
    grows = bool(np.all(np.diff(bounds) > 0)) and abs(bounds[0] - elbo) < 0.5
    return Measured(shown, grows and bounds[-1] > by_class)


@ROW.fact(
    "the posterior has not collapsed: at least 6 of 8 latents are active, and have a KL of 0.1 nats or more; with "
    "beta = 30 it collapses, and none is",
    slow=True,
)
def not_collapsed() -> Measured:
    """Active: the variance of its mean over images is above 0.01."""
    run, crushed = trained(), trained(beta=30.0)
    found = run.trainer.predict({"image": digits()})
    mean, std = (np.asarray(found[name], np.float64) for name in ("mean", "deviation"))
    each = (0.5 * (mean**2 + std**2 - 1) - np.log(std)).mean(axis=0)
    active, gone = run.metrics["test"]["active"], crushed.metrics["test"]["active"]
    shown = (
        f"active {active:.0f}, KL {', '.join(f'{one:.2f}' for one in sorted(each))}; with beta = 30 active {gone:.0f}"
    )
    return Measured(shown, bool(active >= 6 and (each >= 0.1).sum() >= 6 and gone == 0))


@ROW.fact("conditional: samples of each class are read as that class by logistic regression, 90% at least", slow=True)
def conditional() -> Measured:
    """100 of each digit; the classifier has seen real digits alone. Its accuracy on those held out is beside."""
    from sklearn.linear_model import LogisticRegression

    run = by_class()
    assert run.parts is not None
    known, new = run.parts.train, run.parts.test
    reader = LogisticRegression(max_iter=2000).fit(digits()[known], labels()[known])
    asked = np.repeat(np.arange(10), 100)
    pixels: Any = run.trainer.call("sample", label=asked, seed=1)["sample"]
    drawn = np.random.default_rng(0).uniform(size=pixels.shape) < pixels
    read = float((reader.predict(drawn) == asked).mean())
    return Measured(f"{read:.3f}; real ones {reader.score(digits()[new], labels()[new]):.3f}", read >= 0.9)


@ROW.fact("`sample`, exported, is the same to the bit in plain onnxruntime, and another with another seed")
def alone() -> Measured:
    """Decoders as they are drawn: of all three that sample."""
    asked: dict[str, dict[str, Any]] = {"vae": {"n": 5}, "conditional_vae": {"label": np.arange(5)}, "vq_vae": {"n": 5}}
    wrong = [
        name
        for name, given in asked.items()
        if differences(Trainer(spec(name), options=SessionOptions("cpu"), total=1), [("sample", given)])
    ]
    return Measured(", ".join(wrong) or "all three", not wrong)


@ROW.fact(
    "M1: from 50 labels, a classifier of latents is more accurate than one of pixels (mean of 3 seeds)", slow=True
)
def features() -> Measured:
    """Test accuracy of linear classifiers."""
    latents, pixels = (
        fmean(train("vae_features", seed=seed, from_pixels=flag)[-1].metrics["test"]["accuracy"] for seed in SEEDS)
        for flag in (False, True)
    )
    return Measured(f"{latents:.3f}, pixels {pixels:.3f}", latents > pixels)


@ROW.picture("vae", "Samples of the variational autoencoder: how probable it is that each pixel is light.")
def imagined() -> Any:
    """Three rows."""
    made = trained().trainer.call("sample", n=48, seed=1)["sample"]
    return made.reshape(3, 16, 8, 8)


@ROW.picture(
    "conditional_vae", "Samples of the conditional one, of the class that was asked for: a row for each digit."
)
def asked_for() -> Any:
    """Ten rows."""
    made = by_class().trainer.call("sample", label=np.repeat(np.arange(10), 16), seed=1)["sample"]
    return made.reshape(10, 16, 8, 8)


# ---------------------------------------------------------------- codebooks


@ROW.fact(
    "VQ-VAE: with 32 vectors for 4 places it rebuilds with at most 0.75 of the error of 32 images by k-means; over 24 "
    "of the vectors are used, with running means and by gradients; codes given those before surprise less",
    slow=True,
)
def quantised() -> Measured:
    """Held-out digits; surprise of the four codes of an image, in nats, beside that of independent ones."""
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_digits

    runs = {by: quantising(by) for by in ("means", "gradient")}
    parts, image = runs["means"].parts, load_digits().data / 16
    assert parts is not None
    told = {by: run.metrics["test"] for by, run in runs.items()}
    centres = KMeans(32, n_init=3, random_state=0).fit(image[parts.train])
    whole = float(((image - centres.cluster_centers_[centres.predict(image)]) ** 2).sum(axis=1)[parts.test].mean())
    codes = runs["means"].trainer.predict({"image": image.astype(np.float32)})["codes"]
    apart = 0.0
    for place in codes.T:
        share = (np.bincount(place[parts.train], minlength=32) + 0.5) / (len(parts.train) + 16)
        apart -= float(np.log(share[place[parts.test]]).mean())
    errors, used = ([one[name] for one in told.values()] for name in ("error", "perplexity"))
    surprise = told["means"]["surprise"]
    shown = f"errors {errors[0]:.2f} and {errors[1]:.2f}, k-means {whole:.2f}; used {used[0]:.0f} and {used[1]:.0f}; "
    holds = max(errors) <= 0.75 * whole and min(used) > 24 and surprise < apart
    return Measured(f"{shown}surprise {surprise:.2f}, independent {apart:.2f}", bool(holds))


@ROW.picture("vq_vae", "The first digits of the data; the same, rebuilt from four codes each; below, samples of codes.")
def decoded() -> Any:
    """Two rows, and two of samples."""
    from sklearn.datasets import load_digits

    trainer, image = quantising("means").trainer, (load_digits().data[:16] / 16).astype(np.float32)
    rebuilt, made = trainer.predict({"image": image})["rebuilt"], trainer.call("sample", n=32, seed=1)["sample"]
    return np.concatenate([image, rebuilt, made]).reshape(4, 16, 8, 8)
