"""``python -m benchmarks.clients.halves``: the zoo's outputs and entries in f16, beside the same in f32.

Both are run by onnxruntime, on the same numbers. docs/clients.md has the table. What this does not do: say what f16
costs in accuracy; it says how far outputs move.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from archonnx.compiler.opset import OPSET
from archonnx.compiler.pipeline import zoo
from archonnx.runtime.export.artifact import Kind
from benchmarks import page

from .__main__ import SMALL
from .graphs import Tried, distances, write_graphs
from .telling import HEADS, options

HELD: tuple[Kind, ...] = ("infer", "entry")
"""Graphs that hold their weights."""
BOUND = 0.02
"""So far an output may lie from that in f32: a part of its largest number, or of 1 if that is larger. f16 has eleven
binary digits, a rounding of 0.0005; that of some dozens of layers adds up."""
PACKAGES = ("onnx", "onnxruntime-gpu", "onnxruntime")


def apart(left: Tried, right: Tried) -> float:
    """How far the outputs of two files lie from each other; infinite where one has another shape or is no number."""
    worst = 0.0
    with (
        np.load(left.file.with_suffix(".onnxruntime.npz")) as ours,
        np.load(right.file.with_suffix(".onnxruntime.npz")) as theirs,
    ):
        for name in ours.files:
            if ours[name].shape != theirs[name].shape:
                return float("inf")
            finite = np.where(np.isfinite(ours[name]), ours[name], 0)
            far = distances(ours[name], theirs[name]).max(initial=0) / np.abs(finite).max(initial=1)
            worst = max(worst, float(np.nan_to_num(far, nan=np.inf)))
    return worst


def tried(spec: str, folder: Path) -> list[tuple[Tried, float, float]]:
    """The graphs of a spec: how far each moves in f16, and its size as a part of that in f32."""
    written = {}
    for precision in ("f32", "f16"):
        how = replace(options(OPSET), precision=precision)
        place = folder / precision
        place.mkdir()
        written[precision] = {one.file.name: one for one in write_graphs(spec, place, sizes=SMALL, how=how, kinds=HELD)}
    found = []
    for name, one in written["f32"].items():
        other = written["f16"].get(name)
        far = apart(one, other) if other else float("inf")
        size = other.file.stat().st_size / one.file.stat().st_size if other else 1.0
        found.append((one, far, size))
    return found


def main() -> int:
    """Try the zoo; what does not run, or moves further than the bound, makes it fail."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.halves", description=__doc__)
    parser.add_argument("--only", action="append", metavar="SPEC")
    asked = parser.parse_args()
    found: list[tuple[Tried, float, float]] = []
    for spec in asked.only or zoo():
        with tempfile.TemporaryDirectory() as folder:
            found += tried(spec, Path(folder))
            for one, far, size in [one for one in found if one[0].spec == Path(spec).stem]:
                print(f"{one.spec}.{one.graph}: {far:.2g} apart, {size:.2f} of the size", flush=True)
    rows = [row(kind, [(far, size) for one, far, size in found if one.kind == kind]) for kind in HELD]
    beyond = [f"`{one.spec}.{one.graph}` lies {far:.2g} apart." for one, far, _ in found if far > BOUND]
    text = "\n\n".join([page.table(HEADER, rows), *beyond, page.circumstances(PACKAGES)])
    print(text)
    if not asked.only:
        page.put("clients.md", "halves", text)
    return 1 if beyond else 0


HEADER = ("graphs in f16", f"within {BOUND:g}", "apart, the median", "apart, the most of those", "size, the median")


def row(kind: Kind, found: Sequence[tuple[float, float]]) -> list[str]:
    """What was seen of graphs of a kind."""
    within = [far for far, _ in found if far <= BOUND]
    middle = [f"{np.median([far for far, _ in found]):.1g}", f"{max(within, default=0):.1g}"] if found else ["", ""]
    sizes = f"{np.median([size for _, size in found]):.2f}" if found else ""
    return [HEADS[kind], f"{len(within)} of {len(found)}", *middle, sizes]


if __name__ == "__main__":
    sys.exit(main())
