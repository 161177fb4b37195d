"""Try the zoo in clients, and write the tables of docs/clients.md. What is not equal makes it fail, where it should be.

python -m benchmarks.clients --client openvino=/opt/ov/bin/python --client node=/opt/node_modules
python -m benchmarks.clients --old /opt/ort_1.15/bin/python
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import onnxruntime

from archonnx.compiler.pipeline import zoo
from archonnx.compiler.program import OPSET
from archonnx.runtime.export.artifacts import GraphOptions
from benchmarks import page

from .comparing import EQUAL, Client, Found, compare, run, version_of
from .graphs import KINDS, STEPS, write_graphs

LARGEST = 2_000_000
"""Numbers in the parameters of the models that are tried; the larger ones consist of the same layers."""
ROWS = 4
ENOUGH = 100
"""Specs of which the page may tell."""
OLD = ("digits_mlp", "lenet5", "hospital", "adding", "vae", "dropout", "citations", "co2_transformer", "ratings",
       "score_langevin")  # fmt: skip
"""Specs that are tried in old versions of onnxruntime: layers, losses, draws and loops of all kinds."""
OPSETS = {14: 18, 15: 18, 16: 19, 17: 20, 18: 21, 19: 21, 20: 21, 21: 22, 22: 23, 23: 23, 24: 24}
"""The newest opset that was official when onnxruntime 1.N came out; of later ones 24."""
HEADS = {"infer": "inference", "entry": "entries", "evaluate": "`evaluate`", "train_step": f"{STEPS} steps of training"}
Table = dict[str, dict[str, Found]]


def try_zoo(
    specs: Sequence[str], clients: Sequence[Client], how: GraphOptions, largest: int
) -> tuple[Table, dict[str, str]]:
    """What each client makes of the specs, by label and kind; and the version of each."""
    table: Table = {client.label: {kind: Found() for kind in KINDS} for client in clients}
    versions: dict[str, str] = {}
    for number, spec in enumerate(specs):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tried = list(write_graphs(spec, Path(folder), largest=largest, how=how))
            for client in clients if tried else ():
                versions[client.label] = run(client, Path(folder)) or versions.get(client.label, "")
                for one in tried:
                    compare(client, one, table[client.label][one.kind])
        print(f"{number + 1}/{len(specs)} {spec}: {len(tried)} graphs, {time.perf_counter() - begun:.0f} s", flush=True)
    return table, versions


def _rows(table: Table, versions: dict[str, str], names: dict[str, str]) -> Iterator[list[str]]:
    for label, kinds in table.items():
        cells = [f"{f.equal} of {f.tried}, {f.worst:.0e}" if f.tried else "" for f in kinds.values()]
        yield [f"{names[label]} {versions.get(label, '')}".strip(), *cells]


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


def main() -> int:
    """Try what is asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("--client", action="append", default=[], metavar="NAME=PYTHON", help=", ".join(NAMES))
    parser.add_argument("--old", action="append", default=[], metavar="PYTHON", help="has another onnxruntime")
    parser.add_argument("--only", action="append", metavar="SPEC")
    parser.add_argument("--largest", type=int, default=LARGEST)
    asked = parser.parse_args()
    wrong = 0
    if asked.client:
        clients = [Client(name, command, name) for name, _, command in (one.partition("=") for one in asked.client)]
        specs = asked.only or list(zoo())
        table, versions = try_zoo(specs, clients, _options(OPSET), asked.largest)
        told = [*_rows(table, versions, NAMES)]
        head = ["client", *HEADS.values()]
        _tell("zoo", [page.table(head, told), *_not_equal(table, NAMES)], len(specs))
        wrong += sum(len(f.others) for c in clients if c.name in ("openvino", "node") for f in table[c.label].values())
    if asked.old:
        rows: list[list[str]] = []
        specs = asked.only or list(OLD)
        others: list[str] = []
        for command in asked.old:
            client = Client("onnxruntime", command, "old")
            rows_of, failed = _old(client, specs, asked.largest)
            rows += rows_of
            others += failed
        head = ["onnxruntime", "opset", *HEADS.values()]
        _tell("old", [page.table(head, rows), *others], len(specs) + ENOUGH)
        wrong += len(others)
    return 1 if wrong else 0


def _old(client: Client, specs: Sequence[str], largest: int) -> tuple[list[list[str]], list[str]]:
    """What an old onnxruntime makes of the oldest opset, and of the newest of its time."""
    version = version_of(client)
    newest = OPSETS.get(int(version.split(".")[1]), 24)
    rows: list[list[str]] = []
    others: list[str] = []
    for opset in sorted({13, newest}):
        table, versions = try_zoo(specs, [client], _options(opset), largest)
        (row,) = _rows(table, versions, {client.label: ""})
        rows.append([version, str(opset), *row[1:]])
        others += _not_equal(table, {client.label: f"onnxruntime {version}, opset {opset}"})
    return rows, others


def _options(opset: int) -> GraphOptions:
    return GraphOptions("portable", opset, batch=ROWS, steps=100, steps_per_epoch=10)


def _tell(part: str, texts: Sequence[str], count: int) -> None:
    """Print what was found, and put it in its part of docs/clients.md if it is of enough."""
    today = datetime.now(UTC).date().isoformat()
    text = "\n\n".join([*texts, f"Beside onnxruntime {onnxruntime.__version__}, {today}; equal is within {EQUAL:g}."])
    print(text)
    if count >= ENOUGH:
        page.put("clients.md", part, text)


if __name__ == "__main__":
    sys.exit(main())
