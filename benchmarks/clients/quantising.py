"""``python -m benchmarks.clients.quantising``: what static quantisation costs MobileNetV2, without preprocessing.

The net is trained on enlarged digits, exported, and quantised by the tool of onnxruntime as the file stands (QDQ, with
scales of channels, calibrated on 128 rows of the training part). What this does not do: quantise for anybody.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import archonnx
from benchmarks import page

CALIBRATED, ROWS = 128, 16


class Rows:
    """Batches of the training part, as onnxruntime's tool asks for them (a CalibrationDataReader)."""

    def __init__(self, images: Any) -> None:
        self._batches: Iterator[Any] = iter(np.split(images, range(ROWS, len(images), ROWS)))

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}


def accuracy(path: Path, fields: Any) -> float:
    """The part of the labels that a file finds."""
    session = onnxruntime.InferenceSession(str(path))
    (probs,) = session.run(["probs"], {"image": fields["image"]})
    return float((probs.argmax(axis=1) == fields["label"]).mean())


def main() -> int:
    """Train, quantise and compare; more than a point lost makes it fail."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.quantising", description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spec = archonnx.load("mobilenet_v2", size=32, width=asked.width, classes=10)
        run = archonnx.train(spec, Path(folder) / "run", settings={"epochs": asked.epochs}, device="cpu")
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        run.export(whole)
        parts = {name: run._data.part(name) for name in ("train", "test")}
        rows = {name: examples.take(indices) for name, (examples, indices) in parts.items()}
        quantize_static(
            str(whole),
            str(small),
            Rows(rows["train"]["image"][:CALIBRATED]),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        found = [accuracy(path, rows["test"]) for path in (whole, small)]
        sizes = [path.stat().st_size / 1e6 for path in (whole, small)]
    head = ["MobileNetV2, digits", "f32", "8 bits"]
    table = [["accuracy on the test part", *(f"{one:.4f}" for one in found)], ["MB", *(f"{one:.2f}" for one in sizes)]]
    print(page.table(head, table))
    return 0 if found[0] - found[1] <= 0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
