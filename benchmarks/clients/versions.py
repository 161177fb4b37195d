"""``python -m benchmarks.clients.versions``: exports in the versions of onnxruntime since 1.15, each in an environment
of its own, which pip makes where it is not there. Writes a table of docs/clients.md; what is not equal makes it fail.

Graphs are written for the oldest opset, for one of 2021, and for the newest of the time of each version; what they are
compared with is what onnxruntime of today gives. What this module does not do: try other clients (``__main__`` does).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page

from .comparing import Client, Found, compare, run
from .graphs import KINDS, Tried, write_graphs
from .telling import HEADS, options, rows_of, tell

SPECS = ("digits_mlp", "adding", "vae", "dropout", "citations", "tones", "energy_model")
"""Layers, losses, draws and loops of all kinds, in small nets."""
VERSIONS = ("1.15.1", "1.16.3", "1.17.3", "1.18.1", "1.19.2", "1.20.1", "1.21.1", "1.22.1", "1.23.2", "1.24.4",
            "1.25.1", "1.26.0", "1.27.0", "1.28.0", "1.29.0", "1.30.0", "1.31.1", "1.32.0")  # fmt: skip
NEWEST = {15: 18, 16: 19, 17: 20, 18: 21, 19: 21, 20: 21, 21: 22, 22: 22, 23: 23}
"""The newest opset that onnxruntime 1.N has, but for 1.15, which lacks kernels of 19; of later ones ``LATEST``."""
OLDEST, MIDDLE, LATEST = 13, 17, 24
NUMPY_1 = 18
"""onnxruntime up to 1.N was built for NumPy 1."""


def opsets(version: str) -> tuple[int, ...]:
    """The opsets that a version is tried with."""
    return OLDEST, MIDDLE, NEWEST.get(_minor(version), LATEST)


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def environment(version: str, folder: Path) -> str:
    """The interpreter of an environment with a version of onnxruntime; "" where pip finds none for this Python."""
    python = folder / version / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / version)], check=True)
    if subprocess.run([str(python), "-c", "import onnxruntime"], check=False, capture_output=True).returncode == 0:
        return str(python)
    wanted = [f"onnxruntime=={version}", "numpy<2" if _minor(version) <= NUMPY_1 else "numpy"]
    done = subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=False, capture_output=True)
    return str(python) if done.returncode == 0 else ""


def main() -> int:
    """Try the versions that are asked for; all unless some are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.versions", description=__doc__)
    parser.add_argument("--at", type=Path, default=Path(tempfile.gettempdir()) / "onnxruntimes", metavar="FOLDER")
    parser.add_argument("--version", action="append", metavar="1.N.M")
    parser.add_argument("--only", action="append", metavar="SPEC")
    asked = parser.parse_args()
    versions = asked.version or VERSIONS
    pythons = {one: python for one in versions if (python := environment(one, asked.at))}
    absent = [one for one in versions if one not in pythons]
    table = {one: {kind: Found() for kind in KINDS} for one in pythons}
    for opset in sorted({opset for one in pythons for opset in opsets(one)}):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tried = written(asked.only or SPECS, Path(folder), opset)
            for one in (one for one in pythons if opset in opsets(one)):
                client = Client("onnxruntime", pythons[one], one)
                run(client, Path(folder))
                for graph in tried:
                    compare(client, graph, table[one][graph.kind], f" at opset {opset}")
        print(f"opset {opset}: {len(tried)} graphs, {time.perf_counter() - begun:.0f} s", flush=True)
    rows = [
        [one, ", ".join(map(str, opsets(one))), *cells] for one, (_, *cells) in zip(table, rows_of(table), strict=True)
    ]
    others = [
        f"onnxruntime {one}: {graph}: {said[:160]}"
        for one, kinds in table.items()
        for found in kinds.values()
        for graph, said in found.others.items()
    ]
    missing = [f"Not to be had for this Python: {', '.join(absent)}."] if absent else []
    texts = [page.table(["onnxruntime", "opsets", *HEADS.values()], rows), *missing, *others]
    tell("old", texts, whole=not (asked.only or asked.version))
    return 1 if others else 0


def written(specs: Sequence[str], folder: Path, opset: int) -> list[Tried]:
    """The graphs of all specs in one folder, written for an opset."""
    return [one for spec in specs for one in write_graphs(spec, folder, how=options(opset))]


if __name__ == "__main__":
    sys.exit(main())
