"""What the page of ops says of each: facts that follow from its cases and the tables of kernels.

A case is an op with the types of its inputs (``tests/support/op_cases_*.py``); the tests hold each to what it says.
What this module does not do: run an op.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from archonnx.compiler.autodiff import reaching_gradient
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.lowering import lower
from archonnx.compiler.ops.reduce import reduce_sum
from archonnx.compiler.portability import WITHOUT_CUDA, lacks_f64, typed
from tests.support.op_cases import Case

COLUMNS = ("ONNX", "value", "gradient", "second order", "symbolic dims", "CPU", "CUDA")


def facts(cases: Sequence[Case]) -> tuple[str, ...]:
    """A cell for each column, of the cases of one op."""
    gradient = gradient_of(cases)
    return (
        onnx_form(cases[0]),
        "yes" if all(case.runtime for case in cases) else "partly" if any(case.runtime for case in cases) else "no",
        gradient,
        "" if gradient != "yes" else "yes" if any(map(has_second_order, cases)) else "zero",
        "yes" if any(is_symbolic(case) for case in cases) else "no",
        on_cpu(cases),
        on_cuda(cases),
    )


def apply(case: Case, double: bool = False) -> tuple[Builder, list[Value], tuple[Value, ...]]:
    """The op of a case on inputs of its types (f64 in place of f32), in a graph under construction."""
    types = [a.type.with_dtype(DType.f64) if double and a.type.dtype.is_float else a.type for a in case.inputs]
    builder, inputs = Builder(), [Value(type_, f"x{i}") for i, type_ in enumerate(types)]
    return builder, inputs, builder.add_many(case.op, *inputs)


def graph_of(case: Case, double: bool = False) -> Graph:
    """The op of a case alone, with a known size."""
    builder, inputs, outputs = apply(case, double)
    named = {value.name: value for value in inputs}
    graph = builder.graph("case", named, {f"y{i}": value for i, value in enumerate(outputs)})
    return bind(graph, {"B": case.sizes[0]})


def onnx_form(case: Case) -> str:
    """The operators that an op becomes, in order, each once."""
    kinds = dict.fromkeys(node.op_type for node in lower(graph_of(case), portable=True).nodes)
    return ", ".join(f"`{kind}`" for kind in kinds if kind != "Identity") or "nothing of its own"


# ---------------------------------------------------------------- gradients


def gradient_of(cases: Sequence[Case]) -> str:
    """Whether a gradient passes: yes, zero, or refused and why."""
    if cases[0].op.not_differentiable is not None:
        return f"refused, since {cases[0].op.not_differentiable}"
    return "yes" if any(gradients(case, 1) for case in cases) else "zero"


def has_second_order(case: Case) -> bool:
    """Whether the gradient has a gradient that is not zero everywhere."""
    return gradients(case, 2)


def gradients(case: Case, order: int) -> bool:
    """Whether the derivative of this order of the results, with respect to the inputs, is computed at all."""
    builder, inputs, outputs = apply(case)
    moving = [value for value in inputs if value.type.dtype.is_float]
    found: list[Value] = [value for value in outputs if value.type.dtype.is_float]
    for _ in range(order):
        if not moving or not found or case.op.stops_gradient:
            return False
        with builder.active():
            terms = [reduce_sum(value * Value(value.type, "weight")) for value in found]
            total = reduce(lambda a, b: a + b, terms)
        found = [g for g in reaching_gradient(builder, total, moving) if g is not None]
    return bool(found)


# ---------------------------------------------------------------- sizes and kernels


def is_symbolic(case: Case) -> bool:
    """Whether a dim of the inputs, or of the attributes, is a name."""
    return bool(case.op.symbols().union(*(dim.symbols() for a in case.inputs for dim in a.type.shape)))


def on_cpu(cases: Sequence[Case]) -> str:
    """The float types with kernels on the CPU, and what lacks one; ops without floats run there, too."""
    missing: dict[str, None] = {}
    double = False
    for case in cases:
        try:
            graph = graph_of(case, double=True)
        except TypeProblem:  # an op of f32 alone
            continue
        for node, dtype in typed(lower(graph, portable=True), graph):
            double = double or dtype is DType.f64
            if dtype is DType.f64 and lacks_f64(node):
                missing[f"`{node.op_type}`"] = None
    if missing:
        return f"f32; f64 without {', '.join(missing)}"
    return "f32, f64" if double else "yes"


def on_cuda(cases: Sequence[Case]) -> str:
    """Whether every node of every case has a kernel on CUDA; else the nodes, and the dtypes, that have none."""
    missing = {node: None for case in cases for node in without_cuda(case)}
    if not missing:
        return "yes"
    kernels = ", ".join(f"`{operator}` of {dtype}" for operator, dtype in missing)
    return f"{'no' if any(dtype == 'f32' for _, dtype in missing) else 'yes'}; without {kernels}"


def without_cuda(case: Case) -> Iterator[tuple[str, str]]:
    """The nodes of a case, by operator and dtype, that CUDA leaves to the CPU."""
    graph = graph_of(case)
    for node, dtype in typed(lower(graph, portable=True), graph):
        if str(dtype) in WITHOUT_CUDA.get(node.op_type, "").split():
            yield node.op_type, str(dtype)
