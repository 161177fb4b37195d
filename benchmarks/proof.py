"""What the zoo learns, over five seeds, and how 100,000 mutated specs are answered: ``python -m benchmarks.proof``
(``make proof``) writes docs/proof.md.

Each seed draws its own split, initial parameters, order of the examples and dropout. All five are reported; nothing
is chosen among them. A claim that does not hold makes the command fail, and so does a mutated spec.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import archonnx

from . import fuzz, page

SEEDS = range(5)
MUTATED, REACHED = 100_000, 0.3
"""Mutated specs, and the share of them that must reach the shape checker."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure that a spec of the zoo reaches.

    Attributes:
        spec: its name.
        figure: what is measured, for people.
        measure: the figure of a run.
        holds: whether the claim holds, given the figure of each seed.
        claim: the same in words.
        split: whether the spec splits its data, so that the split has a seed.
        style: format of the figure.
    """

    spec: str
    figure: str
    measure: Callable[[archonnx.Run], float]
    holds: Callable[[Sequence[float]], bool]
    claim: str
    split: bool = True
    style: str = ".4f"


def accuracy_on(part: str) -> Callable[[archonnx.Run], float]:
    """The accuracy of a run on a part of its data."""
    return figure(part, "accuracy")


def figure(part: str, metric: str) -> Callable[[archonnx.Run], float]:
    """A metric of a run on a part of its data."""
    return lambda run: run.metrics[part][metric]


def excess_error(run: archonnx.Run) -> float:
    """Relative excess of the mean squared error over that of the closed form, computed in float64 by lstsq."""
    import numpy as np
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()
    design = np.column_stack([x, np.ones(len(x))])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    best = np.mean((design @ weights - y) ** 2)
    learned = np.append(run.parameters["dense.W"].ravel(), run.parameters["dense.b"]).astype(np.float64)
    return float(np.mean((design @ learned - y) ** 2) / best - 1)


CLAIMS = (
    Claim("digits_cnn", "test accuracy", accuracy_on("test"), lambda a: fmean(a) >= 0.98, "mean at least 0.98"),
    Claim("digits_mlp", "test accuracy", accuracy_on("test"), lambda a: fmean(a) >= 0.965, "mean at least 0.965"),
    Claim("breast_cancer_logistic", "test accuracy", accuracy_on("test"), lambda a: fmean(a) >= 0.96,
          "mean at least 0.96"),
    Claim("xor", "accuracy", accuracy_on("train"), lambda a: min(a) == 1, "all four right with every seed", False),
    Claim("diabetes_linear", "excess error", excess_error, lambda gaps: max(gaps) <= 1e-4,
          "at most 1e-4 with every seed", False, ".1e"),
    Claim("wines", "test accuracy", accuracy_on("test"), lambda a: fmean(a) >= 0.58, "mean at least 0.58"),
    Claim("ratings", "test rmse, in stars", figure("test", "rmse"), lambda e: max(e) <= 0.5,
          "at most 0.5 with every seed", False),
    Claim("arrows", "test accuracy", accuracy_on("test"), lambda a: fmean(a) >= 0.95, "mean at least 0.95"),
    Claim("co2", "test error, in ppm", figure("test", "error"), lambda e: max(e) <= 0.42,
          "at most 0.42 with every seed", False),
)  # fmt: skip

METHOD = """\
Every row trains a spec of the zoo as it stands, five times. The seed sets the split, the initial parameters, the order
of the examples and all draws; the seeds are 0 to 4 and all are shown. Where there is a test part, it is a stratified
20% that takes no part in training or in early stopping, which looks at a further 10% (of the specs with
files of their own 10 to 20% each; of `ratings` and `co2` what is last in time). The excess error of linear regression
is that of its mean squared error over the least squares solution of NumPy in float64, relative to it."""


def figures(claim: Claim) -> list[float]:
    """The figure of each seed."""
    seen = []
    for seed in SEEDS:
        settings = {"split.seed": seed} if claim.split else {}
        with tempfile.TemporaryDirectory() as folder:
            run = archonnx.train(claim.spec, Path(folder) / "run", settings=settings, seed=seed)
            seen.append(claim.measure(run))
    return seen


def main() -> int:
    """Measure every claim, write the page, and say which claims fail."""
    argparse.ArgumentParser(prog="python -m benchmarks.proof", description=__doc__).parse_args()
    rows, failed = [], []
    for claim in CLAIMS:
        begin = time.perf_counter()
        seen = figures(claim)
        holds = claim.holds(seen)
        numbers = [format(number, claim.style) for number in (fmean(seen), *seen)]
        rows.append([f"`{claim.spec}`: {claim.figure}", *numbers, claim.claim, "yes" if holds else "**no**"])
        print(
            f"{claim.spec}: {numbers[0]} ({', '.join(numbers[1:])}), {claim.claim}: {'holds' if holds else 'FAILS'}, "
            f"{time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        if not holds:
            failed.append(claim.spec)
    header = ["", "mean", *(f"seed {seed}" for seed in SEEDS), "claim", "holds"]
    tally = fuzz.run(MUTATED, progress=fuzz.show)
    if tally.problems or tally.reached < REACHED:
        failed.append("mutated specs")
    packages = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "scikit-learn")
    written = page.write(
        "proof.md",
        [
            "# What the zoo learns",
            "Written by `make proof`.",
            METHOD,
            page.table(header, rows),
            *fuzz.section(tally),
            page.circumstances(packages),
        ],
    )
    for path in fuzz.save(tally):
        print(f"a mutated spec that fails: {path}")
    print(written)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
