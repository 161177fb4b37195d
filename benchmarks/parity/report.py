"""The page docs/parity.md: what each family found, what differs on purpose, and ten steps beside PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import page

from . import lengths, steps
from .conventions import ABSOLUTE, CONVENTIONS
from .suite import Found

PACKAGES = ("numpy", "scipy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch")
INTRODUCTION = """\
Every function of the library (`specs/std/*.arch`), and the functions of the language that it is made of, with random
arguments from seeds: run as everybody runs them, on the stock onnxruntime, in float32 and in float64 where it has the
kernels, beside oracles in NumPy in float64 (with LAPACK for matrices and SciPy for erf), each stated by itself in
`benchmarks/parity/families/`. Gradients come from the same oracles by complex steps, f'(x) = Im f(x + ih) / h, which do
not cancel; gradients of gradients by differences of those.

An error is counted in units of rounding: half the last digit of the number, or what the result changes by as the inputs
are moved by that much. So an error of a few units is what any order of computing gives, and an error of thousands is a
wrong formula, or one that cancels. The worst is over all values and gradients of a family; what is beyond a family's
bound (16 units for most) is a failure, unless [numbers.md](numbers.md) states it."""
REPRODUCE = """\
A setting is reproduced by its family and seed: `python -m benchmarks.parity --family NAME --seed N`."""


def write(
    found: Mapping[str, Found], rows: Sequence[steps.Row] | None, modules: Sequence[lengths.Row] | None, seconds: float
) -> Path:
    """Write the page. Without PyTorch (``rows`` and ``modules`` None) its tables are left as a sentence."""
    parts = ["# Parity with oracles", "Written by `make proof` (`python -m benchmarks.parity`).", INTRODUCTION]
    parts += [_summary(found, seconds), "## Families", _table(found), REPRODUCE]
    if failures := [failure for one in found.values() for failure in one.unstated]:
        parts += ["## Beyond rounding", "\n".join(f"- {failure}" for failure in failures)]
    parts += ["## Different on purpose", _conventions(found)]
    parts += ["## Training steps beside PyTorch's"]
    if rows is None or modules is None:
        parts += ["PyTorch was not installed when this page was written."]
    else:
        header = ["layer or optimizer", "loss", "parameters", "outputs", "equal"]
        parts += [steps.METHOD, page.table(header, [row.cells() for row in rows])]
        header = ["block", "values", "gradients", "equal"]
        parts += ["## Layers for sequences beside PyTorch's modules"]
        parts += [lengths.METHOD, page.table(header, [row.cells() for row in modules])]
    return page.write("parity.md", [*parts, page.circumstances(PACKAGES)])


def _summary(found: Mapping[str, Found], seconds: float) -> str:
    settings, checks = (sum(getattr(one, name) for one in found.values()) for name in ("settings", "checks"))
    beyond = sum(len(one.unstated) for one in found.values())
    return (f"{settings:,} settings in {len(found)} families, {checks:,} values and gradients, in {seconds / 60:.0f} "
            f"minutes: {beyond or 'none'} beyond rounding that is not stated.")  # fmt: skip


def _table(found: Mapping[str, Found]) -> str:
    rows = [[one.family, f"{one.settings:,}", f"{one.checks:,}", f"{one.worst:.1f}", one.where.replace("|", "\\|"),
             str(len(one.failures) - len(one.unstated)), str(len(one.unstated))] for one in found.values()]  # fmt: skip
    header = ["family", "settings", "comparisons", "worst, in units", "of", "stated", "beyond"]
    return page.table(header, rows)


def _conventions(found: Mapping[str, Found]) -> str:
    used = [failure.convention for one in found.values() for failure in one.failures if failure.convention is not None]
    rows = [[c.family, f"`{c.text}`".replace("|", "\\|"), c.why, f"[{c.anchor}](numbers.md#{c.anchor})",
             str(used.count(c)) if c in CONVENTIONS else ""] for c in (*CONVENTIONS, *ABSOLUTE)]  # fmt: skip
    return page.table(["family", "expression", "what", "stated", "times"], rows)
