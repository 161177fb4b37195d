"""Row 1.1: perceptron, linear and logistic regression."""

from __future__ import annotations

import tempfile
from pathlib import Path

import archonnx
from benchmarks.proof import excess_error

from .facts import Measured, Row

ROW = Row(
    "1.1",
    "Perceptron, linear and logistic regression as maximum likelihood",
    "003 1.2.3, 3.3.1, 3.3.2",
    ("diabetes_linear", "breast_cancer_logistic"),
)


@ROW.fact("gradient descent reaches least squares on standardised diabetes: relative gap of the error at most 1e-4")
def closed_form() -> Measured:
    """The gap to NumPy's ``lstsq``."""
    with tempfile.TemporaryDirectory() as folder:
        gap = excess_error(archonnx.train("diabetes_linear", Path(folder) / "run"))
    return Measured(f"{gap:.1e}", gap <= 1e-4)
