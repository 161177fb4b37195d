"""``python -m benchmarks.clients.latency``: exported nets beside PyTorch's exports of them, in clients.

docs/clients.md has the table. PyTorch's exporter needs onnxscript beside torch. Both files have the same parameters,
after a step of training, so that no statistic is one that a net begins with; a symbolic batch; and the same outputs
within a thousandth. What this does not do: say how fast a client is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime

from benchmarks import page
from benchmarks.cases import CASES
from benchmarks.inference import TOLERANCE, examples
from benchmarks.ours import make_trainer

NETS, BATCHES = ("resnet18", "resnet50"), (1, 32)
WORKERS = Path(__file__).parent
HEADER = ("archonnx / PyTorch", "nodes", "client", "batch", "ms", "ratio", "its openings", "PyTorch's file twice")
PACKAGES = ("onnx", "onnxruntime-gpu", "onnxruntime", "openvino", "torch", "onnxscript")
Openings = Sequence[Sequence[Sequence[float]]]


def write(name: str, folder: Path) -> None:
    """Both files of a net, and what their ends are called.

    Raises:
        ValueError: they give other outputs.
    """
    from benchmarks.peers.exported import export

    case = CASES[name]
    trainer = make_trainer(case, case.plain)
    trainer.step(case.batch())
    trainer.export(folder / "ours.onnx", target="portable")
    field = onnx.load(folder / "ours.onnx").graph.input[0].name
    export(case, dict(trainer.parameters), field, folder / "theirs.onnx")
    x, outputs, ends = examples(case, field, 2), [], {}
    for key in ("ours", "theirs"):
        session = onnxruntime.InferenceSession(folder / f"{key}.onnx", providers=["CPUExecutionProvider"])
        ends[key] = [session.get_inputs()[0].name, session.get_outputs()[0].name]
        outputs.append(session.run(None, {ends[key][0]: x})[0])
    if np.abs(outputs[0] - outputs[1]).max() > TOLERANCE * np.abs(outputs[1]).max():
        raise ValueError(f"{name}: the outputs are not those of PyTorch's model")
    (folder / "ends.json").write_text(json.dumps(ends))


def measure(client: str, python: str, folder: Path) -> Openings:
    """Seconds a run of ours, of theirs and of theirs again, by openings and rounds."""
    command = [python, str(WORKERS / "timing.py"), client, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: Openings = json.loads(done.stdout.splitlines()[-1])
    return measured


def row(name: str, nodes: Mapping[str, int], client: str, batch: int, openings: Openings) -> list[str]:
    """What was measured, as cells: ratios of each opening are medians over its rounds, of times within a round."""
    ratios = [median(2 * ours / (theirs + again) for ours, theirs, again in rounds) for rounds in openings]
    alike = [median(again / theirs for _, theirs, again in rounds) for rounds in openings]
    sides = zip(*((ours, min(theirs, again)) for rounds in openings for ours, theirs, again in rounds), strict=True)
    best = " / ".join(f"{min(side) * 1e3:.3g}" for side in sides)
    spreads = [f"{min(each):.2f} to {max(each):.2f}" for each in (ratios, alike)]
    return [name, f"{nodes['ours']} / {nodes['theirs']}", client, str(batch), best, f"{median(ratios):.3f}", *spreads]


def main() -> int:
    """Measure the nets in the clients that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.latency", description=__doc__)
    parser.add_argument("--client", action="append", default=[], metavar="NAME=PYTHON",
                        help="onnxruntime here, unless clients are named")  # fmt: skip
    parser.add_argument("--only", action="append", metavar="NET")
    parser.add_argument("--batch", action="append", type=int)
    parser.add_argument("--folder", type=Path, help="keep the files of the nets there, and take those that are there")
    parser.add_argument("--json", metavar="FILE", type=Path, help="add what is measured there")
    parser.add_argument("--from", metavar="FILE", type=Path, dest="stored", help="measure nothing, and show that")
    asked = parser.parse_args()
    named = asked.client or [f"onnxruntime={sys.executable}"]
    clients = [(name, python) for name, _, python in (one.partition("=") for one in named)]
    rows: list[dict[str, Any]] = json.loads(asked.stored.read_text()) if asked.stored else []
    for name in asked.only or NETS if not asked.stored else ():
        with nullcontext(asked.folder) if asked.folder else tempfile.TemporaryDirectory() as kept:
            folder = Path(kept) / name
            if not (folder / "ends.json").exists():
                folder.mkdir(parents=True, exist_ok=True)
                write(name, folder)
            nodes = {key: len(onnx.load(folder / f"{key}.onnx").graph.node) for key in ("ours", "theirs")}
            for batch in asked.batch or BATCHES:
                np.save(folder / "x.npy", examples(CASES[name], "image", batch))
                for client, python in clients:
                    openings = measure(client, python, folder)
                    rows.append({"name": name, "nodes": nodes, "client": client, "batch": batch, "openings": openings})
                    print(" | ".join(row(**rows[-1])), flush=True)
    if asked.json:
        before = json.loads(asked.json.read_text()) if asked.json.exists() else []
        asked.json.write_text(json.dumps([*before, *rows]))
    table = page.table(HEADER, [row(**one) for one in rows])
    print(table)
    if not asked.only and not asked.batch:
        page.put("clients.md", "latency", f"{table}\n\n{page.circumstances(PACKAGES)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
