"""Layers for sequences beside PyTorch's modules, for the page; PyTorch must be installed to measure them."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 1e-5
LENGTHS = (1, 7, 33)
METHOD = f"""\
Each row is a block of the library beside the module of PyTorch that does the same, with copied weights, biases and
scales drawn at random: archonnx in float32 on the stock onnxruntime, from one spec whose length and batch are symbolic,
PyTorch in float64, at the lengths {", ".join(map(str, LENGTHS))}. Differences are the largest of all values, relative
to the largest of them, and of all gradients of a weighted sum by every parameter and every input, each relative to the
largest number of its tensor (or to a tenth of the largest of all). None may exceed {TOLERANCE:g}."""


@dataclass(frozen=True, slots=True)
class Row:
    """One block: the largest differences of values and of gradients."""

    name: str
    value: float
    slope: float

    @property
    def holds(self) -> bool:
        """Whether both are within the tolerance."""
        return max(self.value, self.slope) <= TOLERANCE

    def cells(self) -> list[str]:
        """As a row of the table."""
        return [self.name, f"{self.value:.1e}", f"{self.slope:.1e}", "yes" if self.holds else "**no**"]


def rows() -> list[Row]:
    """Compare every module, and print each as it is done."""
    from . import modules, recurrent_modules

    found = []
    for case in (*modules.CASES, *recurrent_modules.CASES):
        row = modules.compare(case)
        print(f"  {', '.join(row.cells())}", flush=True)
        found.append(row)
    return found
