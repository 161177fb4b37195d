"""``python -m benchmarks.clients.latency``: exported nets beside PyTorch's exports of them, in clients.

docs/clients.md has the table; ``benchmarks.paired`` says how it is measured. PyTorch's exporter needs onnxscript beside
torch. What this does not do: say how fast a client is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.cases import CASES
from benchmarks.paired import Pairs, examples, measure, nodes, spread, write

NETS, BATCHES = ("resnet18", "resnet50"), (1, 32)
HEADER = ("archonnx / PyTorch", "nodes", "client", "batch", "ms", "ratio", "its openings", "PyTorch's file twice")
PACKAGES = ("onnx", "onnxruntime-gpu", "onnxruntime", "openvino", "torch", "onnxscript")


def row(
    name: str, nodes: Mapping[str, int], client: str, batch: int, openings: Sequence[Sequence[Sequence[float]]]
) -> list[str]:
    """What was measured, as cells."""
    found = Pairs(openings)
    counts, spreads = f"{nodes['ours']} / {nodes['theirs']}", [spread(found.ratios), spread(found.alike)]
    return [name, counts, client, str(batch), found.milliseconds, f"{found.ratio:.3f}", *spreads]


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
                write(CASES[name], folder)
            for batch in asked.batch or BATCHES:
                x = examples(CASES[name], "image", batch)
                for client, python in clients:
                    openings = measure(folder, x, client, python).openings
                    about = {"name": name, "nodes": nodes(folder), "client": client, "batch": batch}
                    rows.append({**about, "openings": openings})
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
