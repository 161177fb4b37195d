"""What other devices' tables of kernels say of the zoo: ``python -m benchmarks.device_tables [SPEC ...]``.

``device_tables.json`` has the operators of onnxruntime's DirectML, CoreML and WebGPU, as its repository lists them,
with file, commit and day. Every graph of the zoo is written as `archonnx export` writes it, and the operators that a
device lacks are counted. A table says of most operators neither for which dtypes nor for which attributes they are
there, so a graph that runs whole by it need not. What this does not do: run anything on such a device.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate, load, zoo
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graphs_of
from archonnx.runtime.training.initial import initial_values

from .corpus import DEEP

if TYPE_CHECKING:
    import onnx

TABLES = Path(__file__).with_suffix(".json")
Kind = Literal["infer", "train_step"]
KINDS: Mapping[Kind, str] = {"infer": "inference", "train_step": "training steps"}
STEPS = 1_000
"""Of a training, for schedules."""
SHOWN = 8
"""Operators that are lacking, of each device."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a device has.

    Attributes:
        operators: by name.
        without: by the name of a dtype of ONNX those of them that it has not for this one.
        constants: by operator the inputs that must be constants.
    """

    operators: frozenset[str]
    without: Mapping[str, frozenset[str]] = field(default_factory=dict)
    constants: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def lacks(self, node: onnx.NodeProto, dtype: str, fixed: set[str]) -> bool:
        """Whether a node is left to the CPU, of which ``dtype`` is that of its first input, "" if it is not known."""
        given = [node.input[place] for place in self.constants.get(node.op_type, ()) if place < len(node.input)]
        return (
            node.op_type not in self.operators
            or node.op_type in self.without.get(dtype, ())
            or any(name and name not in fixed for name in given)
        )


def tables() -> dict[str, Table]:
    """What each device has, by its name."""
    said: dict[str, Any] = json.loads(TABLES.read_text("utf-8"))
    return {
        name: Table(
            frozenset(one["operators"].split()),
            {dtype: frozenset(operators.split()) for dtype, operators in one.get("without", {}).items()},
            one.get("constants", {}),
        )
        for name, one in said["devices"].items()
    }


def lacking(model: onnx.ModelProto, table: Table) -> Counter[str]:
    """The operators of a model that a device lacks, with how many nodes there are of each, bodies included."""
    import onnx

    found = Counter[str]()
    dtypes: dict[str, str] = {}
    fixed: set[str] = set()

    def look(graph: onnx.GraphProto) -> None:
        fixed.update(tensor.name for tensor in graph.initializer)
        dtypes.update((one.name, onnx.TensorProto.DataType.Name(one.data_type)) for one in graph.initializer)
        for value in (*graph.input, *graph.value_info, *graph.output):
            dtypes[value.name] = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        for node in graph.node:
            found[node.op_type] += table.lacks(node, dtypes.get(node.input[0], "") if node.input else "", fixed)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    look(attribute.g)

    look(model.graph)
    return +found


def models_of(spec: str, kind: Kind) -> Iterator[onnx.ModelProto]:
    """The graphs of this kind of the models of a spec, every value with its type; none where data must decide first."""
    from onnx.shape_inference import infer_shapes

    how = GraphOptions(steps=STEPS, steps_per_epoch=STEPS)
    try:
        for one in specs_of_models(load(spec)):
            model = elaborate(one)
            for artifact in graphs_of(model, how, (kind,)):
                weights = initial_values(model.parameters, 0) if artifact.holds_weights else None
                yield infer_shapes(as_onnx(artifact, model, how, weights))
    except SpecError:
        return


def main() -> int:
    """Print a table of how many graphs would run whole, and of what is lacking."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device_tables", description=__doc__)
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="of the zoo; all but deep ones unless given")
    specs, known = parser.parse_args().specs or [name for name in zoo() if name not in DEEP], tables()
    if unknown := [name for name in specs if name not in zoo()]:
        parser.error(f"the zoo has no {unknown[0]}")
    print("| device | graphs | run whole | lack most often (graphs) |\n| --- | --- | ---: | --- |")
    rows: dict[tuple[str, str], tuple[list[int], Counter[str]]] = {}
    for kind in KINDS:
        for spec in specs:
            for model in models_of(spec, kind):
                for device, table in known.items():
                    found = lacking(model, table)
                    whole, operators = rows.setdefault((device, kind), ([], Counter()))
                    whole.append(not found)
                    operators.update(found.keys())
    for device in known:
        for kind, name in KINDS.items():
            whole, operators = rows.get((device, kind), ([], Counter()))
            most = ", ".join(f"{operator} {count}" for operator, count in operators.most_common(SHOWN))
            print(f"| {device} | {name} | {sum(whole)} of {len(whole)} | {most} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
