"""Try the zoo in clients, and write the tables of docs/clients.md. What is not equal makes it fail, where it should be.

python -m benchmarks.clients --client openvino=/opt/ov/bin/python --client node=/opt/node_modules
python -m benchmarks.clients --larger --client openvino=/opt/ov/bin/python
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from archonnx.compiler.opset import OPSET
from archonnx.compiler.pipeline import zoo
from archonnx.runtime.export.artifact import Kind
from archonnx.runtime.export.artifacts import GraphOptions
from benchmarks import page

from . import worker
from .comparing import Client, Found, compare, run
from .graphs import KINDS, Sizes, write_graphs
from .telling import HEADS, ROWS, options, rows_of, tell

SMALL = Sizes(-1, 2_000_000)
"""Of models that are tried with all their graphs, those without parameters as well; of larger ones the outputs are,
with one row."""


@dataclass(slots=True)
class Row:
    """What a client made of the zoo, as far as it was tried.

    Attributes:
        version: of the client.
        kinds: what it made of the graphs of each kind.
        specs: those that were tried.
    """

    version: str = ""
    kinds: dict[Kind, Found] = field(default_factory=lambda: {kind: Found() for kind in KINDS})
    specs: list[str] = field(default_factory=list)

    def join(self, other: Row) -> None:
        """Add what it made of other specs."""
        self.version = other.version or self.version
        self.specs += other.specs
        for kind, found in other.kinds.items():
            self.kinds[kind].join(found)


def try_zoo(
    specs: Sequence[str], clients: Sequence[Client], sizes: Sizes, kinds: Sequence[Kind], how: GraphOptions, kept: Path
) -> None:
    """Let each client run the specs, but for those that a file says were tried, and write there what they made."""
    rows = read(kept) if kept.exists() else {}
    rows = {client.label: rows.get(client.label, Row()) for client in clients} | rows
    for number, spec in enumerate(specs):
        begun, asked = time.perf_counter(), [client for client in clients if spec not in rows[client.label].specs]
        with tempfile.TemporaryDirectory() as folder:
            tried = list(write_graphs(spec, Path(folder), sizes=sizes, how=how, kinds=kinds)) if asked else []
            for client in asked:
                row = rows[client.label]
                row.specs.append(spec)
                row.version = (tried and run(client, Path(folder))) or row.version
                for one in tried:
                    compare(client, one, row.kinds[one.kind])
        kept.write_text(json.dumps({name: asdict(row) for name, row in rows.items()}, indent=1))
        print(f"{number + 1}/{len(specs)} {spec}: {len(tried)} graphs, {time.perf_counter() - begun:.0f} s", flush=True)


def read(kept: Path) -> dict[str, Row]:
    """What ``try_zoo`` wrote, by client."""
    stored = json.loads(kept.read_text())
    return {
        name: Row(row["version"], {kind: Found(**found) for kind, found in row["kinds"].items()}, row["specs"])
        for name, row in stored.items()
    }


def _remarks(label: str, row: Row) -> Iterator[str]:
    """In a paragraph each what rounding decides, and what is not equal."""
    for said, which in (("equal but for what rounding decides", "undecided"), ("not equal", "others")):
        graphs = {graph: text for found in row.kinds.values() for graph, text in getattr(found, which).items()}
        if graphs:
            shown = "; ".join(f"{graph} ({text[:120]})" for graph, text in list(graphs.items())[:SHOWN])
            yield f"{_called(label)}, {said}: {len(graphs)}: {shown}{'; ...' if len(graphs) > SHOWN else '.'}"


def _label(name: str, opset: int) -> str:
    """A client has a row for each opset that it was given."""
    return name if opset == OPSET else f"{name}-{opset}"


def _called(label: str, version: str = "") -> str:
    name, _, opset = label.partition("-")
    return " ".join(
        filter(None, [NAMES[name], version.lstrip("v").partition("-")[0], f"(`--opset {opset}`)" * bool(opset)])
    )


NAMES = {
    "onnxruntime": "onnxruntime",
    "reference": "onnx, reference evaluator",
    "openvino": "OpenVINO (CPU)",
    "node": "onnxruntime-node",
    "web": "onnxruntime-web, wasm",
    "tract": "tract",
    "mnn": "MNN",
    "ncnn": "ncnn",
    "onnx2torch": "onnx2torch",
    "onnxsim": "onnxsim, then onnxruntime",
    "onnxslim": "onnxslim, then onnxruntime",
}
SHOWN = 12
"""Graphs of a kind that are named."""
MUST = ("openvino", "node", "web")
"""Clients in which a difference makes the command fail."""


def main() -> int:
    """Try what is asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("--client", action="append", default=[], metavar="NAME=PYTHON", help=", ".join(NAMES))
    parser.add_argument("--only", action="append", metavar="SPEC")
    parser.add_argument("--larger", action="store_true", help="the outputs of the larger models, with one row")
    parser.add_argument("--rows", type=int, default=ROWS, help="in a batch")
    parser.add_argument("--opset", type=int, default=OPSET, help="of the ai.onnx operators")
    parser.add_argument("--kind", action="append", choices=KINDS, help="of graphs; all if none is given")
    parser.add_argument("--seconds", type=int, default=worker.SECONDS, help="for a graph in a client")
    parser.add_argument("--json", type=Path, metavar="FILE", help="go on with what is there, and write there")
    parser.add_argument("--from", type=Path, dest="stored", metavar="FILE", action="append", default=[],
                        help="put what --json wrote there into the table, of several files together")  # fmt: skip
    asked = parser.parse_args()
    clients = [
        Client(name, command, _label(name, asked.opset), asked.seconds)
        for name, _, command in (one.partition("=") for one in asked.client)
    ]
    sizes, kinds = (Sizes(SMALL.largest, sys.maxsize), KINDS[:1]) if asked.larger else (SMALL, KINDS)
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        kept = asked.json or Path(folder) / "rows.json"
        if clients:
            how = options(asked.opset, 1 if asked.larger else asked.rows)
            try_zoo(asked.only or list(zoo()), clients, sizes, asked.kind or kinds, how, kept)
        for path in [*asked.stored, *[kept] * bool(clients)]:
            for label, row in read(path).items():
                rows.setdefault(label, Row()).join(row)
    if not rows:
        return 0
    heads = ["client", *(HEADS[kind] for kind in kinds)]
    table = {label: rows[label].kinds for name in NAMES for label in sorted(rows) if label.partition("-")[0] == name}
    cells = [[_called(label, rows[label].version), *row[: len(kinds)]] for label, *row in rows_of(table)]
    every = len(list(zoo()))
    counts = {label: len(rows[label].specs) for label in table}
    remarks = [f"{_called(label)}: {count} of the {every} specs." for label, count in counts.items() if count < every]
    if asked.larger:
        remarks = [f"{_called(label)}: {', '.join(rows[label].specs)}." for label in table]
    remarks += [text for label in table for text in _remarks(label, rows[label])]
    tell("larger" if asked.larger else "zoo", [page.table(heads, cells), *remarks], whole=not asked.only)
    return int(any(found.others for name in MUST if name in rows for found in rows[name].kinds.values()))


if __name__ == "__main__":
    sys.exit(main())
