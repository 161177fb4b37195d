"""``python -m benchmarks.clients.quantising``: what static quantisation costs MobileNetV2, without preprocessing.

The net is trained on enlarged and moved digits until it knows them, exported, and quantised by the tool of onnxruntime
as the file stands (QDQ, scales of channels); beside it PyTorch's export with the same parameters (which needs torch and
onnxscript), quantised alike, and what PyTorch makes of the net itself. docs/clients.md has the table. What this does
not do: quantise for anybody.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from benchmarks import page
from benchmarks.cases import CASES, Case, images

CALIBRATED, ROWS = 512, 64
LOST = 0.01
"""How much of the accuracy may be lost."""
SIZE, WIDTH, EPOCHS, DROPOUT = 32, 16, 60, 0.1
MOVED = 4
"""Places that a picture is moved by, which is one of the 8 that a digit has."""
OPTIMIZER = "adamw(lr=warmup_cosine(4e-3, 200, steps), weight_decay=0.05)"
PACKAGES = ("onnx", "onnxruntime-gpu", "onnxruntime", "torch", "onnxscript")
HEADER = ("weights", "ranges by", "archonnx", "points lost", "PyTorch", "points lost")
WAYS: Mapping[str, Mapping[str, Any]] = {
    "u8": {"weight_type": "QUInt8"},
    "i8 of 7 bits": {"weight_type": "QInt8", "reduce_range": True},
    "i8": {"weight_type": "QInt8"},
}
"""Of the weights; what comes out of a layer is u8. A processor without VNNI adds two products of u8 by i8 in 16 bits,
which can overflow: this is no loss of the file, and the last way shows it."""
RANGES = ("MinMax", "Entropy", "Percentile")


class Rows:
    """Batches of the training part, as onnxruntime's tool asks for them (a CalibrationDataReader)."""

    def __init__(self, name: str, images: Any) -> None:
        self._name = name
        self._batches: Iterator[Any] = iter(np.split(images, range(ROWS, len(images), ROWS)))

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def moved(spec: Spec) -> Spec:
    """The spec of the zoo with digits that are moved while it trains, and with a rate that falls."""
    text = spec.source.text.replace("image |> ConvNorm", f"image |> RandomShift({MOVED}) |> ConvNorm")
    text = re.sub(r"(minimize \w+ with ).*", lambda found: found[1] + OPTIMIZER, text)
    return replace(parse_spec(Source(spec.source.name, text)), arguments=spec.arguments)


def case_of(width: int) -> Case:
    """The net for PyTorch."""
    arguments = {"size": SIZE, "classes": 10, "width": width, "dropout": DROPOUT}
    return replaced(CASES["mobilenet_v2"], arguments=arguments, batch_of=images(3, SIZE, SIZE))


def session(path: Path) -> onnxruntime.InferenceSession:
    """The file, opened."""
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def accuracy(path: Path, fields: Any) -> float:
    """The part of the labels that a file finds."""
    opened = session(path)
    (probs,) = opened.run(None, {opened.get_inputs()[0].name: fields["image"]})
    return float((probs.argmax(axis=1) == fields["label"]).mean())


def quantised(whole: Path, rows: Any, ranges: str, way: Mapping[str, Any]) -> Path:
    """A file in 8 bits, of a file as it stands."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    small = whole.with_suffix(".small.onnx")
    quantize_static(
        str(whole),
        str(small),
        Rows(session(whole).get_inputs()[0].name, rows["image"][:CALIBRATED]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        calibrate_method=CalibrationMethod[ranges],
        **{**way, "weight_type": QuantType[way["weight_type"]]},
    )
    return small


def measured(
    files: Mapping[str, Path], rows: Mapping[str, Any], by: Sequence[str]
) -> tuple[list[list[str]], dict[str, float]]:
    """A row for each way, and the most that a file lost in one that does not overflow."""
    before = {key: accuracy(path, rows["test"]) for key, path in files.items()}
    table = [["f32", "", *(cell for one in before.values() for cell in (f"{one:.4f}", ""))]]
    lost = dict.fromkeys(files, 0.0)
    for weights, way in WAYS.items():
        for ranges in by if weights != "i8" else by[:1]:
            cells = []
            for key, path in files.items():
                after = accuracy(quantised(path, rows["train"], ranges, way), rows["test"])
                cells += [f"{after:.4f}", f"{100 * (before[key] - after):.2f}"]
                lost[key] = max(lost[key], before[key] - after) if weights != "i8" else lost[key]
            table.append([weights, ranges, *cells])
            print(" | ".join(table[-1]), flush=True)
    return table, lost


def main() -> int:
    """Train, quantise and compare; more than a point lost makes it fail."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.quantising", description=__doc__)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--run", type=Path, help="leave the run there, or take the one that is there")
    parser.add_argument("--ranges", action="append", choices=RANGES, help="how ranges are chosen; in all ways")
    parser.add_argument("--alone", action="store_true", help="without PyTorch, and write no page")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    case = case_of(asked.width)
    with tempfile.TemporaryDirectory() as folder:
        place = asked.run or Path(folder) / "run"
        if not place.exists():
            spec = moved(archonnx.load("mobilenet_v2", **case.arguments))
            archonnx.train(spec, place, settings={"epochs": asked.epochs}, device="cpu")
        run = archonnx.Run(place)
        files = {"archonnx": Path(folder) / "ours.onnx"}
        run.export(files["archonnx"])
        if not asked.alone:
            from benchmarks.peers.exported import export

            files["torch"] = Path(folder) / "theirs.onnx"
            export(case, dict(run.parameters), "image", files["torch"])
        parts = {name: run._open.data.part(name) for name in ("train", "test")}
        rows = {name: examples.take(indices) for name, (examples, indices) in parts.items()}
        table, lost = measured(files, rows, asked.ranges or RANGES)
        if not asked.alone:
            from benchmarks.peers import quantised as peer

            own = peer.accuracy(case, dict(run.parameters), rows["train"]["image"][:CALIBRATED], rows["test"])
            before = float(table[0][-2])
            table.append(["i8, by PyTorch itself", "its own", "", "", f"{own:.4f}", f"{100 * (before - own):.2f}"])
    text = page.table(HEADER[: 2 + 2 * len(files)], table)
    print(text)
    if not asked.alone:
        page.put("clients.md", "quantising", f"{text}\n\n{page.circumstances(PACKAGES)}")
    return 0 if lost["archonnx"] <= LOST else 1


if __name__ == "__main__":
    sys.exit(main())
