"""Regularisation, a fact each."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archonnx.runtime.training.programs import Trained

from ..facts import Measured, Row
from ..training import SEEDS, diabetes, mean, train

ROW = Row(
    "1.8",
    "Regularisation",
    "003 5; 002 3.3",
    (
        "elastic_net", "dropout", "early_stopping", "noise_injection", "augmentation", "max_norm", "bagging",
        "boosting", "adversarial_training", "multitask", "masked_pretraining", "contrastive_pretraining",
    ),
)  # fmt: skip
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 0.6)
PENALTIES = {"L1": 1.0, "elastic net": 0.5, "L2": 0.0}
"""Shares of L1."""
MASKS = 20_000
Floats = NDArray[np.float64]


# ---------------------------------------------------------------- penalties


@cache
def weights(strength: float, ratio: float, proximal: bool = True) -> Floats:
    """What the penalised regression learns."""
    done = train("elastic_net", strength=strength, ratio=ratio, proximal=proximal)[-1]
    return done.trainer.parameters["w"][:, 0].astype(np.float64)


@ROW.fact("L1 with a proximal step gives weights that are exactly zero, and those of scikit-learn's Lasso to 1e-5")
def exact_zeros() -> Measured:
    """Diabetes, strength 0.1. (Its subgradient gives none that is zero.)"""
    from sklearn.linear_model import Lasso

    x, y = diabetes()
    solved = Lasso(alpha=0.1, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(x, y).coef_
    learned, by_subgradient = weights(0.1, 1.0), weights(0.1, 1.0, proximal=False)
    zeros, gap = learned == 0, float(np.abs(learned - solved).max())
    holds = bool(zeros.any() and np.array_equal(zeros, solved == 0) and gap < 1e-5 and np.all(by_subgradient != 0))
    shown = f"{zeros.sum()} of 10 are zero, gap {gap:.1e}; {(by_subgradient == 0).sum()} by the subgradient"
    return Measured(shown, holds)


@ROW.fact("the norm of the weights falls with every increase of lambda: L1, L2, elastic net", slow=True)
def norms_fall() -> Measured:
    """Each in its own norm."""
    falls, shown = True, []
    for name, ratio in PENALTIES.items():
        learned = [weights(strength, ratio) for strength in STRENGTHS]
        norms = [float(ratio * np.abs(w).sum() + (1 - ratio) / 2 * (w @ w)) for w in learned]
        falls = falls and all(after < before for before, after in pairwise(norms))
        shown.append(f"{name} {norms[0]:.3f} to {norms[-1]:.3f}")
    return Measured(", ".join(shown), falls)


@ROW.fact("L2 is ridge regression: gap to its closed form below 1e-5")
def ridge() -> Measured:
    """(X^T X / n + lambda I)^-1 X^T y / n."""
    x, y = diabetes()
    solved = np.linalg.solve(x.T @ x / len(x) + 0.1 * np.eye(10), x.T @ y / len(x))
    gap = float(np.abs(weights(0.1, 0.0) - solved).max())
    return Measured(f"{gap:.1e}", gap < 1e-5)


@ROW.fact("max-norm: no unit's weights are ever longer than the limit, after any of 200 steps; without it they are")
def max_norm() -> Measured:
    """Lengths of all columns, after every step."""
    import archonnx

    limits = {}
    for limit in (2.0, 1e9):
        trainer = archonnx.Trainer(archonnx.load("max_norm", limit=limit), device="cpu")
        x = np.random.default_rng(0).uniform(size=(32, 64)).astype(np.float32)
        label = np.arange(32) % 10
        longest = 0.0
        for _ in range(200):
            trainer.step({"image": x, "label": label})
            lengths = [np.linalg.norm(trainer.parameters[path], axis=0).max() for path in ("hidden.W", "head.W")]
            longest = max(longest, float(max(lengths)))
        limits[limit] = longest
    return Measured(f"{limits[2.0]:.6f}; without {limits[1e9]:.2f}", limits[2.0] <= 2 * (1 + 1e-6) and limits[1e9] > 2)


# ---------------------------------------------------------------- dropout


@cache
def dropped(form: str, factor: float | None = None) -> Trained:
    """The dropout net after training."""
    return train("dropout", settings={"epochs": 3}, scale=form, factor=factor)[-1]


def distance(form: str, factor: float | None = None) -> float:
    """By how many standard errors the mean over masks misses the output in use, over the ten logits at most."""
    from sklearn.datasets import load_digits

    trainer = dropped(form, factor).trainer
    image = (load_digits().data[:1] / 16).astype(np.float32)
    logits = trainer.call("thinned", image=np.tile(image, (MASKS, 1)), seed=5)["thinned"].astype(np.float64)
    error = logits.std(axis=0) / np.sqrt(MASKS)
    return float(np.max(np.abs(logits.mean(axis=0) - trainer.call("full", image=image)["full"][0]) / error))


@ROW.fact("dropout, inverted: the mean over 20,000 masks is the output in use, within 5 standard errors")
def inverted_dropout() -> Measured:
    """The layer above is affine, so it is exact in expectation."""
    off = distance("inverted")
    return Measured(f"{off:.1f} standard errors", off <= 5)


@ROW.fact("dropout scaled in use, by 1 - rate: the same; by the rate itself, as printed, it misses by over 50")
def dropout_at_test_time() -> Measured:
    """A rate of 0.2."""
    right, printed = distance("test_time"), distance("test_time", 0.2)
    return Measured(f"{right:.1f} and {printed:.0f} standard errors", right <= 5 and printed > 50)


# ---------------------------------------------------------------- early stopping, noise, augmentation


@ROW.fact("early stopping restores the best epoch: what it leaves has the validation loss of that epoch, to 1e-6")
def best_epoch() -> Measured:
    """The last epoch's was larger."""
    done = train("early_stopping")[-1]
    losses = [epoch.valid["objective"] for epoch in done.outcome.history]
    gap = abs(done.metrics["valid"]["objective"] - min(losses))
    shown = f"best {min(losses):.4f}, last {losses[-1]:.4f}, gap {gap:.0e}"
    return Measured(shown, gap < 1e-6 and losses[-1] > min(losses))


@ROW.fact("early stopping leaves a smaller test loss than training to the end, mean of 3 seeds", slow=True)
def early_stopping() -> Measured:
    """100 epochs are the end."""
    stopped, through = (
        mean("early_stopping", "test", "objective", settings=settings) for settings in ({}, {"early_stopping": None})
    )
    return Measured(f"{stopped:.3f}, to the end {through:.3f}", stopped < through)


@ROW.fact("noise on inputs, activations, weights in training: more accurate under it, mean of 3 seeds", slow=True)
def noise() -> Measured:
    """Beside a net that was trained without noise."""
    shown, better = [], True
    without = [train("noise_injection", seed=seed, place="nowhere")[-1].metrics["test"] for seed in SEEDS]
    for place in ("inputs", "activations", "weights"):
        hardened = mean("noise_injection", "test", f"at_{place}", place=place)
        plain = fmean(metrics[f"at_{place}"] for metrics in without)
        shown.append(f"{place} {hardened:.3f} (without {plain:.3f})")
        better = better and hardened > plain
    return Measured(", ".join(shown), better)


@ROW.fact("augmentation by shifts: accuracy on moved digits at least 0.9, without it below 0.6 (3 seeds)", slow=True)
def augmentation() -> Measured:
    """Moves by up to one pixel."""
    with_it, without = (mean("augmentation", "test", "accuracy_moved", augment=flag) for flag in (True, False))
    return Measured(f"{with_it:.3f}, without {without:.3f}", with_it >= 0.9 and without < 0.6)


# ---------------------------------------------------------------- several models


@ROW.fact("bagging: the variance of the mean prediction over 6 data sets falls with 1, 2, 4, 8 members", slow=True)
def bagging() -> Measured:
    """Variance over data sets, averaged over inputs."""
    x = np.linspace(-0.9, 0.9, 31, dtype=np.float32)[:, None]
    runs = [train("bagging", seed=seed)[-1].trainer for seed in range(6)]
    told = np.stack([trainer.predict({"x": x})["each"].astype(np.float64) for trainer in runs])
    variances = [float(told[:, :, :members].mean(axis=2).var(axis=0).mean()) for members in (1, 2, 4, 8)]
    falls = all(after < before for before, after in pairwise(variances))
    return Measured(", ".join(f"{variance:.4f}" for variance in variances), falls)


@ROW.fact("boosting: the training error falls in each of six rounds, with every one of 3 seeds", slow=True)
def boosting() -> Measured:
    """Share of examples on the wrong side after each round."""
    errors = [[done.metrics["train"]["error"] for done in train("boosting", seed=seed)] for seed in SEEDS]
    falls = all(after < before for one in errors for before, after in pairwise(one))
    return Measured(" ".join(f"{fmean(error):.3f}" for error in zip(*errors, strict=True)), falls)


# ---------------------------------------------------------------- other tasks


@ROW.fact("adversarial training: accuracy under FGSM at 0.1 above 0.7, without it below 0.4 (3 seeds)", slow=True)
def adversarial() -> Measured:
    """And on clean images, above 0.95 both."""
    figures: dict[bool, Any] = {}
    for harden in (True, False):
        runs = [train("adversarial_training", seed=seed, harden=harden)[-1].metrics["test"] for seed in SEEDS]
        figures[harden] = [fmean(run[name] for run in runs) for name in ("robustness", "accuracy")]
    (robust, clean), (fooled, plain) = figures[True], figures[False]
    holds = robust > 0.7 and fooled < 0.4 and min(clean, plain) > 0.95
    return Measured(f"{robust:.3f} (clean {clean:.3f}), without {fooled:.3f} (clean {plain:.3f})", holds)


@ROW.fact("multi-task: from 100 labels, a trunk shared with an easier task does better, mean of 3 seeds", slow=True)
def multitask() -> Measured:
    """100 labels; whether a digit is odd is known for all."""
    shared, alone = (mean("multitask", "test", "accuracy", shared=flag) for flag in (True, False))
    return Measured(f"{shared:.3f}, alone {alone:.3f}", shared > alone)


@ROW.fact("masked pre-training, then tuning on 50 labels, beats tuning from nothing, mean of 3 seeds", slow=True)
def masked() -> Measured:
    """Test accuracy of the second and the third program."""
    runs = [train("masked_pretraining", seed=seed) for seed in SEEDS]
    tuned, fresh = (fmean(run[k].metrics["test"]["accuracy"] for run in runs) for k in (1, 2))
    return Measured(f"{tuned:.3f}, from nothing {fresh:.3f}", tuned > fresh)


@ROW.fact("contrastive pre-training: a probe of 50 labels beats one on an encoder as drawn, mean of 3 seeds", slow=True)
def contrastive() -> Measured:
    """Test accuracy of the two probes."""
    runs = [train("contrastive_pretraining", seed=seed) for seed in SEEDS]
    probe, drawn = (fmean(run[k].metrics["test"]["accuracy"] for run in runs) for k in (1, 2))
    return Measured(f"{probe:.3f}, as drawn {drawn:.3f}", probe > drawn)
