"""Ten training steps of each kind of layer beside PyTorch's, for the page; PyTorch must be installed."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 1e-4
METHOD = f"""\
Each row trains a small net with one kind of layer in it, followed by a linear classifier, for ten steps on random
batches: by archonnx in float32 on the stock onnxruntime, and by PyTorch in float64 as an oracle, from the same initial
parameters, in the same layout. Layers are trained by SGD with momentum; optimizers train a net of dense layers.
Differences are the largest of all steps (relative, of the loss), of all parameters and buffers after the last step
(relative to the largest number of the tensor, or to 0.01 where all are smaller), and of all probabilities of the
trained net in use, where some layers do something else. None may exceed {TOLERANCE:g}."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of layer: the three differences, and whether they hold."""

    name: str
    loss: float
    parameters: float
    outputs: float

    @property
    def holds(self) -> bool:
        """Whether all are within the tolerance."""
        return max(self.loss, self.parameters, self.outputs) <= TOLERANCE

    def cells(self) -> list[str]:
        """As a row of the table."""
        numbers = [f"{number:.1e}" for number in (self.loss, self.parameters, self.outputs)]
        return [self.name, *numbers, "yes" if self.holds else "**no**"]


def rows() -> list[Row]:
    """Compare every layer and every optimizer, and print each as it is done."""
    from .cases import CASES, optimized
    from .peer import OPTIMIZERS, compare

    found = []
    for case in (*CASES, *map(optimized, OPTIMIZERS)):
        apart = compare(case)
        row = Row(case.name, apart.loss, apart.parameters, apart.outputs)
        print(f"  {', '.join(row.cells())}", flush=True)
        found.append(row)
    return found
