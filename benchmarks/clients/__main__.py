"""Try the zoo in clients, and write the tables of docs/clients.md. What is not equal makes it fail, where it should be.

python -m benchmarks.clients --client openvino=/opt/ov/bin/python --client node=/opt/node_modules
python -m benchmarks.clients --larger --client openvino=/opt/ov/bin/python
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from archonnx.compiler.pipeline import zoo
from archonnx.compiler.program import OPSET
from archonnx.runtime.export.artifact import Kind
from archonnx.runtime.export.artifacts import GraphOptions
from benchmarks import page

from .comparing import Client, Found, compare, run
from .graphs import KINDS, Sizes, write_graphs
from .telling import HEADS, Table, options, rows_of, tell

SMALL = Sizes(0, 2_000_000)
"""Of models that are tried with all their graphs; of larger ones the outputs are, with one row."""


def try_zoo(
    specs: Sequence[str], clients: Sequence[Client], how: GraphOptions, sizes: Sizes, kinds: Sequence[Kind]
) -> tuple[Table, dict[str, str]]:
    """What each client makes of the specs, by label and kind; and the version of each."""
    table = {client.label: {kind: Found() for kind in KINDS} for client in clients}
    versions: dict[str, str] = {}
    for number, spec in enumerate(specs):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tried = list(write_graphs(spec, Path(folder), sizes=sizes, how=how, kinds=kinds))
            for client in clients if tried else ():
                versions[client.label] = run(client, Path(folder)) or versions.get(client.label, "")
                for one in tried:
                    compare(client, one, table[client.label][one.kind])
        print(f"{number + 1}/{len(specs)} {spec}: {len(tried)} graphs, {time.perf_counter() - begun:.0f} s", flush=True)
    return table, versions


def _not_equal(table: Table, names: dict[str, str]) -> Iterator[str]:
    """In a line for each client what is not equal, by what it says."""
    for label, kinds in table.items():
        others = {graph: said for found in kinds.values() for graph, said in found.others.items()}
        if others:
            counted = Counter(said[:160] for said in others.values())
            shown = "; ".join(f"{graph}: {said[:160]}" for graph, said in list(others.items())[:12])
            yield f"{names[label]}: {len(others)} in {len(counted)} kinds: {shown}"


NAMES = {"onnxruntime": "onnxruntime", "reference": "onnx, reference evaluator", "openvino": "OpenVINO, CPU, version",
         "node": "onnxruntime-node", "web": "onnxruntime-web, wasm", "tract": "tract", "mnn": "MNN"}  # fmt: skip

MUST = ("openvino", "node", "web")
"""Clients in which a difference makes the command fail."""


def main() -> int:
    """Try what is asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("--client", action="append", default=[], metavar="NAME=PYTHON", help=", ".join(NAMES))
    parser.add_argument("--only", action="append", metavar="SPEC")
    parser.add_argument("--larger", action="store_true", help="the outputs of the larger models, with one row")
    asked = parser.parse_args()
    clients = [Client(name, command, name) for name, _, command in (one.partition("=") for one in asked.client)]
    if not clients:
        return 0
    specs = asked.only or list(zoo())
    sizes, kinds = (Sizes(SMALL.largest, sys.maxsize), KINDS[:1]) if asked.larger else (SMALL, KINDS)
    table, versions = try_zoo(specs, clients, options(OPSET, *[1] * asked.larger), sizes, kinds)
    heads = ["client", *(HEADS[kind] for kind in kinds)]
    rows = [
        [f"{NAMES[label]} {versions.get(label, '')}".strip(), *cells[: len(kinds)]] for label, *cells in rows_of(table)
    ]
    part = "larger" if asked.larger else "zoo"
    tell(part, [page.table(heads, rows), *_not_equal(table, NAMES)], whole=not asked.only)
    wrong = sum(len(f.others) for c in clients if c.name in MUST for f in table[c.label].values())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
