"""``python -m benchmarks.inference``: exported models in onnxruntime, ours beside PyTorch's; writes docs/inference.md.

PyTorch's exporter needs onnxscript beside torch. ``benchmarks.paired`` says how the files are made and measured. What
this module does not do: compare PyTorch's own inference.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from . import page, paired
from .cases import CASES, Case, argument
from .measure import geomean
from .paired import Pairs, examples, measure, spread

BATCHES = (1, 32)
HOW = (6, 6, 0.08)
"""Openings, rounds, and seconds of a turn."""
NAMES = ("mlp_small", "mlp_large", "mlp_norm", "cnn", "autoencoder", "separable", "unet", "resnet18", "resnet50",
         "mobilenet_v2", "convnext_tiny", "lstm_small", "gru_small", "transformer", "gpt_small")  # fmt: skip
PACKAGES = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch", "onnxscript")
METHOD = f"""\
The nets of the training steps, exported for inference with symbolic batch by `archonnx export` and by
`torch.onnx.export`, with the same parameters (after a step of training) and, in float32, the same outputs (within
{paired.TOLERANCE:g} of the largest). Nodes are of the file as it was exported, and as onnxruntime's own optimiser
writes it; MB are of the latter.

{paired.method(*HOW)}"""


@dataclass(frozen=True, slots=True)
class Model:
    """Both exported files of a net.

    Attributes:
        name: of the net.
        nodes: of ours and theirs, as exported.
        optimised: likewise, as onnxruntime's optimiser leaves them.
        size: bytes of what it writes.
        openings: seconds by batch size, as ``Pairs`` has them.
    """

    name: str
    nodes: Mapping[str, int]
    optimised: Mapping[str, int]
    size: Mapping[str, int]
    openings: Mapping[int, Sequence[Sequence[Sequence[float]]]]

    def pairs(self, batch: int) -> Pairs:
        """What was measured with so many examples."""
        return Pairs(self.openings[batch])


def measured(case: Case, how: tuple[int, int, float] = HOW, *, peer: bool = True) -> Model:
    """Our file beside PyTorch's, or beside itself.

    Raises:
        ValueError: they give other outputs.
    """
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        field = paired.write(case, folder, peer=peer)
        written = {key: _optimised(folder / f"{key}.onnx") for key in ("ours", "theirs")}
        optimised = {key: len(onnx.load(path).graph.node) for key, path in written.items()}
        size = {key: path.stat().st_size for key, path in written.items()}
        openings = {batch: measure(folder, examples(case, field, batch), how=how).openings for batch in BATCHES}
        return Model(case.name, paired.nodes(folder), optimised, size, openings)


def _optimised(path: Path) -> Path:
    """The file that onnxruntime makes of one."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path.with_suffix(".optimised.onnx"))
    onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return path.with_suffix(".optimised.onnx")


def cells(found: Model) -> list[str]:
    """A row of the table."""
    row = [CASES[found.name].title.partition(", batch")[0]]
    row += [f"{count['ours']} / {count['theirs']}" for count in (found.nodes, found.optimised)]
    row.append(f"{found.size['ours'] / 1e6:.2f} / {found.size['theirs'] / 1e6:.2f}")
    for batch in BATCHES:
        pairs = found.pairs(batch)
        row += [pairs.milliseconds, f"{pairs.ratio:.2f}", spread(pairs.alike)]
    return row


def table(rows: Sequence[Model]) -> str:
    """All rows, and the geometric means of their ratios."""
    header = ["archonnx / PyTorch", "nodes", "after onnxruntime", "MB"]
    header += [cell for batch in BATCHES for cell in (f"batch {batch}, ms", "ratio", "PyTorch's file twice")]
    means = [geomean([found.pairs(batch).ratio for found in rows]) for batch in BATCHES]
    last = ["geometric mean", "", "", "", *(cell for mean in means for cell in ("", f"{mean:.2f}", ""))]
    return page.table(header, [*(cells(found) for found in rows), last])


def model_of(stored: dict[str, Any]) -> Model:
    """A model as ``--json`` wrote it."""
    return Model(**{**stored, "openings": {int(batch): one for batch, one in stored["openings"].items()}})


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--only", metavar="NAME", type=argument, action="append", default=[],
                        help="measure this net, and write no page; may be given several times")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all rounds there, after each net")
    parser.add_argument("--from", metavar="FILE", type=Path, dest="stored", action="append", default=[],
                        help="take what --json wrote there; may be given several times")  # fmt: skip
    given = parser.parse_args()
    stored = {one["name"]: model_of(one) for path in given.stored for one in json.loads(path.read_text())}
    rows: list[Model] = []
    for case in given.only or [CASES[name] for name in NAMES]:
        rows.append(stored.get(case.name) or measured(case))
        print(*cells(rows[-1]), sep=" | ", flush=True)
        if given.json:
            given.json.write_text(json.dumps([asdict(one) for one in rows]))
    print(table(rows))
    if not given.only:
        intro = "Written by `python -m benchmarks.inference`."
        print(page.write("inference.md", ["# Inference", intro, METHOD, table(rows), page.circumstances(PACKAGES)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
