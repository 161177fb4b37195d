"""What a model needs of whoever reads it: an opset, and kernels for its dtypes.

The tables were measured with onnxruntime 1.31 on every case of tests/support/op_cases.py, and a test measures them
again. They say what stock onnxruntime lacks on the CPU, so that a diagnostic can show the line of the spec before a
session fails without one, and what CUDA leaves to the CPU, for the reference pages. What this module does not do:
refuse a node that CUDA lacks, since it runs on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archonnx.grammar.diagnostics import Diagnostic, Label, Report, did_you_mean, fail

from .ir.graph import Graph
from .ir.types import DType
from .lowering import Lowered, OnnxNode, all_nodes, lower
from .opset import OPSET

OPSETS = range(13, 27)
"""The opsets that are written. Before 13, Squeeze and ReduceSum took axes otherwise, and CumSum was new."""
WITHOUT_F64 = frozenset(
    {
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "AveragePool",
        "Conv",
        "ConvTranspose",
        "Cosh",
        "Erf",
        "Gelu",
        "Resize",
        "Sinh",
        "Softplus",
        "Tan",
    }
)
"""Operators that the CPU has for f32 and f16 alone."""
WITHOUT_CUDA = {
    "Acos": "f32",
    "Acosh": "f32",
    "Asin": "f32",
    "Asinh": "f32",
    "Atan": "f32",
    "Atanh": "f32",
    "Cosh": "f32",
    "Einsum": "i32",
    "MatMul": "i32 i64",
    "Pad": "i64",
    "ReduceProd": "i64",
    "Sinh": "f32",
    "Tan": "f32",
}
"""Operators that CUDA leaves to the CPU, with the dtypes of the cases in which it does. On a GPU such a node runs on
the CPU, and its tensors are copied there and back. ``python -m benchmarks.cuda_kernels`` measures the table."""
_RESULTS = {
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN"), DType.bool),
    **dict.fromkeys(("ArgMax", "ArgMin", "Shape"), DType.i64),
}
"""What operators give whatever they are given; the others give what they compute with."""
TARGETS = {
    "portable": "ai.onnx operators in forms that any client computes",
    "onnx": "ai.onnx operators as onnxruntime computes them fastest",
    "ort": "also onnxruntime's own",
    "exact": "the nodes that a training on this machine runs",
}


def check_target(target: str) -> None:
    """SpecError unless there is such a target."""
    if target not in TARGETS:
        fail(
            "AX0510",
            f"there is no target `{target}`",
            None,
            help=did_you_mean(target, TARGETS) or "; ".join(f"`{name}`: {means}" for name, means in TARGETS.items()),
        )


def check_opset(opset: int) -> None:
    """SpecError unless graphs can be written in this opset."""
    if opset not in OPSETS:
        fail(
            "AX0502",
            f"archonnx does not write opset {opset}",
            None,
            help=f"choose one from {OPSETS[0]} to {OPSETS[-1]}; {OPSET} is read by most runtimes and devices",
        )


def missing_kernels(graph: Graph, *, portable: bool = False, severity: str = "error") -> Report:
    """What the CPU cannot run of a graph, at the lines of the spec."""
    report = Report()
    if _dtypes(graph).isdisjoint((DType.f64, DType.bf16)):
        return report
    for node, dtype in typed(lower(graph, portable=portable), graph):
        if dtype is DType.bf16 and not report.diagnostics:
            report.add(
                _at(
                    node,
                    "AX0504",
                    "onnxruntime cannot compute with bf16 on the CPU",
                    "declare f32, or run on a GPU: `--device cuda`",
                    severity,
                )
            )
        elif dtype is DType.f64 and lacks_f64(node):
            report.add(
                _at(
                    node,
                    "AX0503",
                    f"onnxruntime has no `{node.op_type}` of f64 on the CPU",
                    "compute it in f32, the float type unless told otherwise, or run on a GPU: `--device cuda`",
                    severity,
                )
            )
    return report


def lacks_f64(node: OnnxNode) -> bool:
    """Gelu has no kernel of its own, and only its exact form unfolds to an operator that lacks f64."""
    return node.op_type in WITHOUT_F64 and node.attributes.get("approximate") != "tanh"


def _dtypes(graph: Graph) -> set[DType]:
    values = (*graph.inputs.values(), *(value for node in graph.nodes for value in node.outputs))
    return {value.type.dtype for value in values}


def typed(lowered: Lowered, graph: Graph) -> Iterator[tuple[OnnxNode, DType]]:
    """Nodes with the dtype of what they compute with. Names without a type of their own have that of their source."""
    known = {name: value.type.dtype for name, value in graph.inputs.items()}
    known |= {name: tensor.dtype for name, tensor in lowered.constants.items()}
    known |= {name: type_.dtype for name, type_ in lowered.types.items()}
    for body in (body for node in all_nodes(lowered.nodes) for body in node.bodies()):
        known |= {name: type_.dtype for name, type_ in (*body.inputs.items(), *body.types.items())}
    for node in all_nodes(lowered.nodes):
        dtype = _first(known, node.inputs)
        if dtype is None:
            continue
        yield node, dtype
        result = node.attributes.get("to", _RESULTS.get(node.op_type, dtype))
        for name in node.outputs:
            known.setdefault(name, result if isinstance(result, DType) else dtype)


def _first(known: dict[str, DType], names: Sequence[str]) -> DType | None:
    """The dtype of the first input, or of the second where the first is a condition."""
    dtypes = [known[name] for name in names if name in known]
    return dtypes[1] if len(dtypes) > 2 and dtypes[0] is DType.bool else dtypes[0] if dtypes else None


def _at(node: OnnxNode, code: str, headline: str, help_text: str, severity: str = "error") -> Diagnostic:
    place = node.origin.place
    role = f"in the {node.origin.role} {node.origin.what}" if node.origin.role else ""
    labels = (Label(place, role, primary=True),) if place is not None else ()
    return Diagnostic(code, headline, labels, (), help_text, severity)
