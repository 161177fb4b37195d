"""Autoencoders, of all kinds: what each learns, its penalty, and what the code is good for."""

from __future__ import annotations

from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

import archonnx
from archonnx.compiler.ir.types import DType
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import Trained
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import spec
from ..training import SEEDS, train

ROW = Row(
    "5.1",
    "Autoencoders",
    "003 11; 001, autoencoders; 002 8.1, 8.3",
    (
        "linear_autoencoder", "solid_colours", "deep_autoencoder", "sparse_autoencoder", "denoising_autoencoder",
        "contractive_autoencoder", "convolutional_autoencoder", "autoencoder_pretraining",
    ),
)  # fmt: skip
ODD = (1, 3, 5, 8, 9)
"""Digits that are left out of a training, one at a time."""


def digits() -> Any:
    """All images, ``[1797, 64]``, from 0 to 1."""
    from sklearn.datasets import load_digits

    return load_digits().data / 16


def components(images: Any, count: int) -> Any:
    """What principal component analysis rebuilds from so many numbers: a function of images."""
    from sklearn.decomposition import PCA

    pca = PCA(count, svd_solver="full").fit(images)
    return lambda given: pca.inverse_transform(pca.transform(given))


def squares(off: Any) -> Any:
    """Squared lengths of rows."""
    return (off**2).sum(axis=1)


# ---------------------------------------------------------------- undercomplete


@ROW.fact(
    "linear units: the decoder spans the subspace of scikit-learn's PCA (largest angle below 1e-2), and leaves the sum "
    "of the other eigenvalues; its rows are not the components (cosine with the nearest below 0.99)"
)
def principal_subspace() -> Measured:
    """A code of 5; 003 11.1 says that the weights are the components."""
    from scipy.linalg import subspace_angles
    from sklearn.decomposition import PCA

    done = train("linear_autoencoder")[-1]
    rows = done.trainer.parameters["decoder.W"].astype(np.float64)
    pca = PCA(svd_solver="full").fit(digits())
    angle = float(subspace_angles(rows.T, pca.components_[:5].T).max())
    left = float(pca.explained_variance_[5:].sum() * (len(digits()) - 1) / len(digits()))
    gap = abs(done.metrics["train"]["objective"] / left - 1)
    nearest = np.abs(rows @ pca.components_[:5].T).max(axis=1) / np.linalg.norm(rows, axis=1)
    shown = f"angle {angle:.0e}, error off by {gap:.0e}, cosines {nearest.min():.2f} to {nearest.max():.2f}"
    return Measured(shown, bool(angle < 1e-2 and gap < 1e-4 and nearest.max() < 0.99))


@ROW.fact("solid colours: a code of 3 leaves nothing (below 1e-6), one of 2 the third eigenvalue (to 1e-4)")
def three_numbers() -> Measured:
    """Blue has 8 levels between 0 and 0.6, in 16 pixels: its variance is known."""
    three, two = (train("solid_colours", code=code)[-1].metrics["train"]["objective"] for code in (3, 2))
    eigenvalue = 16 * 0.6**2 * float(np.var(np.arange(8) / 7))
    shown = f"3: {three:.0e}; 2: {two:.6f}, the eigenvalue {eigenvalue:.6f}"
    return Measured(shown, three < 1e-6 and abs(two / eigenvalue - 1) < 1e-4)


@ROW.fact(
    "deep: from a code of 8, held-out digits are rebuilt with at most 0.7 of the error of PCA (3 seeds)", slow=True
)
def deep() -> Measured:
    """Components of the training part."""
    runs = [train("deep_autoencoder", seed=seed)[-1] for seed in SEEDS]
    error, parts = fmean(run.metrics["test"]["objective"] for run in runs), runs[0].parts
    assert parts is not None
    held_out = digits()[parts.test]
    linear = squares(held_out - components(digits()[parts.train], 8)(held_out)).mean()
    return Measured(f"{error:.3f}, PCA {linear:.3f}", bool(error <= 0.7 * linear))


# ---------------------------------------------------------------- penalties


@ROW.fact(
    "the penalties: gradients of L1, KL and contraction as central differences (relative error at most 1e-6); the "
    "contraction is that of the differences of the code, and h (1 - h) W squared and summed (1e-6)"
)
def penalties() -> Measured:
    """In f64. The Jacobian is `grad` of the code."""
    worst = 0.0
    for name, arguments in (
        ("sparse_autoencoder", {"penalty": "l1", "hidden": 12}),
        ("sparse_autoencoder", {"penalty": "kl", "hidden": 12}),
        ("contractive_autoencoder", {"hidden": 6}),
    ):
        check = archonnx.gradcheck(archonnx.load(name, **arguments))
        worst = max(worst, *(one.error for group in check.checked.values() for one in group))
    model = spec("contractive_autoencoder", DType.f64, hidden=6)
    trainer = Trainer(model, options=SessionOptions("cpu"), batch_size=8, total=1)
    x, step = digits()[:8], 1e-5
    told = trainer.evaluate({"image": x})["contraction"]

    def code(image: Any) -> Any:
        return trainer.predict({"image": image})["code"]

    slopes = [(code(x + off) - code(x - off)) / (2 * step) for off in step * np.eye(64)]
    numeric = sum(squares(slope).mean() for slope in slopes)
    h, lengths = code(x), squares(trainer.parameters["W"].T)
    closed = ((h * (1 - h)) ** 2 @ lengths).mean()
    gaps = [abs(told / other - 1) for other in (numeric, closed)]
    shown = f"gradients {worst:.0e}, contraction {gaps[0]:.0e} and {gaps[1]:.0e}"
    return Measured(shown, bool(max(worst, *gaps) <= 1e-6))


def active(done: Trained) -> float:
    """The share of the units of a code that are not silent, over all digits."""
    code: Any = done.trainer.predict({"image": digits().astype(np.float32)})["code"]
    return float((code > 0.01).mean())


@ROW.fact(
    "sparse: with L1 less than a fifth of the 128 units speak, without over a half; KL brings the mean activity, 0.5 "
    "without, within 0.02 of 0.05",
    slow=True,
)
def sparse() -> Measured:
    """Held-out errors beside; the digits' variance is 4.7."""
    with_l1, without_l1 = (train("sparse_autoencoder", strength=strength)[-1] for strength in (0.2, 0.0))
    told = {
        name: train("sparse_autoencoder", penalty=name, strength=0.5)[-1].metrics["test"] for name in ("kl", "none")
    }
    shares, means = [active(one) for one in (with_l1, without_l1)], [told[name]["active"] for name in told]
    errors = [with_l1.metrics["test"]["error"], told["kl"]["error"]]
    shown = f"L1 {shares[0]:.2f}, without {shares[1]:.2f}; KL {means[0]:.3f}, without {means[1]:.3f}; "
    holds = shares[0] < 0.2 and shares[1] > 0.5 and abs(means[0] - 0.05) < 0.02 and means[1] > 0.4
    return Measured(shown + f"errors {errors[0]:.2f}, {errors[1]:.2f}", holds)


@ROW.fact(
    "contractive: the squared norm of dh/dx falls to less than a half, and the error stays below a fifth of the "
    "variance; a decoder with weights of its own cheats: it grows by a tenth at least, while the encoder shrinks "
    "to less than 0.4",
    slow=True,
)
def contractive() -> Measured:
    """Held out, at strength 0.3."""
    runs = {
        (tied, strength): train("contractive_autoencoder", tied=tied, strength=strength)[-1]
        for tied in (True, False)
        for strength in (0.0, 0.3)
    }
    before, after = (runs[True, strength].metrics["test"] for strength in (0.0, 0.3))
    sizes = {
        name: [float(np.linalg.norm(runs[False, strength].trainer.parameters[name])) for strength in (0.0, 0.3)]
        for name in ("W", "V")
    }
    variance = digits().var(axis=0).sum()
    falls, errors = ([one[name] for one in (before, after)] for name in ("contraction", "error"))
    shown = f"{falls[0]:.2f} to {falls[1]:.2f}, error {errors[0]:.2f} to {errors[1]:.2f} of {variance:.1f}; "
    untied = ", ".join(f"{name} {first:.1f} to {last:.1f}" for name, (first, last) in sizes.items())
    calm = falls[1] < falls[0] / 2 and errors[1] < variance / 5
    cheated = sizes["W"][1] < 0.4 * sizes["W"][0] and sizes["V"][1] > 1.1 * sizes["V"][0]
    return Measured(f"{shown}untied {untied}", bool(calm and cheated))


# ---------------------------------------------------------------- other inputs, other layers


@cache
def denoiser() -> Trained:
    """The denoising autoencoder."""
    return train("denoising_autoencoder")[-1]


@ROW.fact("denoising: noisy digits gain 6 dB at least; a plain one and PCA of any length gain less than 5", slow=True)
def denoising() -> Measured:
    """Normal noise of deviation 0.3, on held-out images."""
    done, plain = denoiser(), train("denoising_autoencoder", corrupt=False)[-1]
    assert done.parts is not None
    clean = digits()[done.parts.test]
    noisy = clean + 0.3 * np.random.default_rng(0).normal(size=clean.shape)
    best = max(
        10
        * np.log10(
            squares(noisy - clean).sum() / squares(components(digits()[done.parts.train], k)(noisy) - clean).sum()
        )
        for k in range(1, 40)
    )
    gained, without = (one.metrics["test"]["gained"] for one in (done, plain))
    return Measured(f"{gained:.1f} dB, plain {without:.1f}, PCA {best:.1f}", gained >= 6 and max(without, best) < 5)


@ROW.picture("denoising_autoencoder", "The first digits; the same with noise; and what the autoencoder makes of those.")
def restored() -> Any:
    """Three rows."""
    image = digits()[:16]
    noisy = (image + 0.3 * np.random.default_rng(0).normal(size=image.shape)).astype(np.float32)
    rebuilt = denoiser().trainer.predict({"image": noisy})["rebuilt"]
    return np.concatenate([image, noisy, rebuilt]).reshape(3, 16, 8, 8)


@ROW.fact("convolutional: digits moved by 3 places have half the error that dense layers have, or less", slow=True)
def convolutional() -> Measured:
    """Trained on digits in the middle; both codes have 64 numbers."""
    runs = [train("convolutional_autoencoder", convolutional=flag)[-1] for flag in (True, False)]
    errors = [run.metrics["test"] for run in runs]
    counts = [sum(array.size for array in run.trainer.parameters.values()) for run in runs]
    moved, still = ([one[name] for one in errors] for name in ("error_of_moved", "objective"))
    shown = f"{moved[0]:.1f}, dense {moved[1]:.1f}; unmoved {still[0]:.2f}, {still[1]:.2f}; parameters {counts}"
    return Measured(shown, moved[0] <= moved[1] / 2)


# ---------------------------------------------------------------- what it is good for


@ROW.fact(
    "anomalies: a digit never seen is found by its error: AUC at least 0.9, mean of 5 digits; PCA less", slow=True
)
def anomalies() -> Measured:
    """Held-out images; both have a code of 8, and PCA any other of 4, 16 and 32 beside."""
    from sklearn.datasets import load_digits
    from sklearn.metrics import roc_auc_score

    told, linear = [], []
    for odd in ODD:
        done = train("deep_autoencoder", odd=odd)[-1]
        told.append(done.metrics["test"]["auc"])
        assert done.parts is not None
        seen = done.parts.train[load_digits().target[done.parts.train] != odd]
        held_out, strange = digits()[done.parts.test], load_digits().target[done.parts.test] == odd
        rebuilt = [components(digits()[seen], code)(held_out) for code in (4, 8, 16, 32)]
        linear.append([roc_auc_score(strange, squares(held_out - one)) for one in rebuilt])
    best = np.mean(linear, axis=0).max()
    shown = f"{fmean(told):.3f} ({min(told):.3f} to {max(told):.3f}), PCA {best:.3f} with its best code"
    return Measured(shown, bool(fmean(told) >= 0.9 and fmean(told) > best))


@ROW.fact(
    "pre-training: tuned on 50 labels it is more accurate than from nothing, by 0.01 at least (3 seeds)", slow=True
)
def pretraining() -> Measured:
    """Test accuracy of the second and the third program."""
    runs = [train("autoencoder_pretraining", seed=seed) for seed in SEEDS]
    tuned, fresh = (fmean(run[k].metrics["test"]["accuracy"] for run in runs) for k in (1, 2))
    return Measured(f"{tuned:.3f}, from nothing {fresh:.3f}", tuned >= fresh + 0.01)
