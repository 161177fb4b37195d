"""``python -m benchmarks.clients.latency``: exported nets beside PyTorch's exports of them, in clients.

PyTorch's exporter needs onnxscript beside torch. Both files have the same parameters, a symbolic batch, and the same
outputs within a thousandth. What this does not do: say how fast a client is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import onnx

from benchmarks import page
from benchmarks.cases import CASES
from benchmarks.inference import examples
from benchmarks.ours import make_trainer

NETS, BATCHES = ("resnet18", "resnet50"), (1, 32)
WORKERS = Path(__file__).parent


def write(name: str, folder: Path) -> tuple[int, int]:
    """Both files of a net; how many nodes they have."""
    from benchmarks.peers.exported import export

    trainer = make_trainer(CASES[name], CASES[name].plain)
    trainer.export(folder / "ours.onnx", target="portable")
    ours = onnx.load(folder / "ours.onnx")
    field = ours.graph.input[0].name
    export(CASES[name], dict(trainer.parameters), field, folder / "theirs.onnx")
    theirs = onnx.load(folder / "theirs.onnx")
    ends = {"ours": [field, ours.graph.output[0].name], "theirs": ["x", theirs.graph.output[0].name]}
    (folder / "ends.json").write_text(json.dumps(ends))
    return len(ours.graph.node), len(theirs.graph.node)


def main() -> int:
    """Measure the nets in the clients that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.latency", description=__doc__)
    parser.add_argument("--client", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--only", action="append", metavar="NET")
    parser.add_argument("--batch", action="append", type=int)
    asked = parser.parse_args()
    clients = [("onnxruntime", sys.executable), *((n, p) for n, _, p in (c.partition("=") for c in asked.client))]
    rows = []
    for name in asked.only or NETS:
        with tempfile.TemporaryDirectory() as folder:
            nodes = write(name, Path(folder))
            for batch in asked.batch or BATCHES:
                np.save(Path(folder) / "x.npy", examples(CASES[name], "image", batch))
                for client, python in clients:
                    command = [python, str(WORKERS / "timing.py"), client, folder]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    rounds = json.loads(done.stdout.splitlines()[-1])
                    best = [min(each) * 1e3 for each in zip(*rounds, strict=True)]
                    paired = median(ours / theirs for ours, theirs in rounds)
                    cells = [f"{nodes[0]} / {nodes[1]}", client, str(batch), f"{best[0]:.3g} / {best[1]:.3g}"]
                    rows.append([name, *cells, f"{best[0] / best[1]:.2f} ({paired:.2f})"])
                    print(" | ".join(rows[-1]), flush=True)
    print(page.table(["archonnx / PyTorch", "nodes", "client", "batch", "ms", "ratio (of rounds)"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
