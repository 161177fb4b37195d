"""Perceptron, linear and logistic regression."""

from __future__ import annotations

import tempfile
from pathlib import Path

import archonnx
from benchmarks.proof import excess_error

from ..facts import Measured, Row
from ..training import diabetes, each, final, train

ROW = Row(
    "1.1",
    "Perceptron, linear and logistic regression as maximum likelihood",
    "003 1.2.3, 3.1, 3.3.1, 3.3.2; 001, perceptron",
    ("perceptron", "diabetes_linear", "diabetes_logistic", "breast_cancer_logistic"),
)


@ROW.fact("the perceptron rule learns AND and OR with every seed")
def perceptron_rule() -> Measured:
    """A threshold unit, updated case by case."""
    shares = [share for gate in ("AND", "OR") for share in each("perceptron", "train", "accuracy", gate=gate)]
    return Measured(f"{min(shares):.0%} at least", min(shares) == 1)


@ROW.fact("a sigmoid unit learns AND and OR with every seed, by gradient descent on its likelihood")
def sigmoid_unit() -> Measured:
    """A logistic unit."""
    gates = [each("perceptron", "train", "accuracy", gate=gate, unit="logistic") for gate in ("AND", "OR")]
    shares = [share for seeds in gates for share in seeds]
    return Measured(f"{min(shares):.0%} at least", min(shares) == 1)


@ROW.fact("neither unit learns XOR: 3 of 4 at best, with ten seeds each")
def not_exclusive_or() -> Measured:
    """The best of twenty trainings."""
    best = max(
        final("perceptron", "train", "accuracy", gate="XOR", unit=unit, seed=seed)
        for unit in ("threshold", "logistic")
        for seed in range(10)
    )
    return Measured(f"{best:.0%} at best", best <= 0.75)


@ROW.fact("no line of 68,921 solves XOR, by all weights of a grid: 3 of 4 at best; AND and OR are solved")
def grid_of_lines() -> Measured:
    """w1, w2 and b from -2 to 2 in steps of 0.1.

    (That it holds for all lines: of b <= 0, w1 + w2 + b <= 0, w1 + b > 0 and w2 + b > 0 the first two sum to
    w1 + w2 + 2 b <= 0 and the others to w1 + w2 + 2 b > 0.)
    """
    import numpy as np

    axis = np.arange(-20, 21) / 10
    weights = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    cases = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    fires = weights @ cases.T > 1e-9
    tables = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}
    best = {gate: int((fires == np.array(table, bool)).sum(axis=1).max()) for gate, table in tables.items()}
    shown = ", ".join(f"{gate} {right} of 4" for gate, right in best.items())
    return Measured(shown, best == {"AND": 4, "OR": 4, "XOR": 3})


@ROW.fact("gradient descent reaches least squares on standardised diabetes: relative gap of the error at most 1e-4")
def closed_form() -> Measured:
    """The gap to NumPy's ``lstsq``."""
    with tempfile.TemporaryDirectory() as folder:
        gap = excess_error(archonnx.train("diabetes_linear", Path(folder) / "run"))
    return Measured(f"{gap:.1e}", gap <= 1e-4)


@ROW.fact("logistic regression reaches scikit-learn's optimum without a penalty: relative gap of the loss at most 1e-4")
def logistic_optimum() -> Measured:
    """The negative log-likelihood of the learned weights, in float64, beside that of scikit-learn's solver."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    x, y = diabetes()
    label = y > 0

    def loss(w: np.ndarray, b: float) -> float:
        z = x @ w + b
        return float(np.mean(np.logaddexp(0, z) - label * z))

    solved = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(x, label)
    learned = train("diabetes_logistic")[-1].trainer.parameters
    mine = loss(learned["dense.W"][:, 0].astype(np.float64), float(learned["dense.b"][0]))
    gap = mine / loss(solved.coef_[0], solved.intercept_[0]) - 1
    return Measured(f"{gap:.1e}", abs(gap) <= 1e-4)
