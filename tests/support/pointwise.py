"""What functions of one number give at chosen points, value and slopes, in NumPy and in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import optimise
from tests.support.elaborated import model, program

STD = SPECS / "std"
"""Where the library stands."""


def runtime(graph: Graph, feeds: dict[str, Any]) -> dict[str, Array]:
    """The results of a graph as a model runs it: optimised by the compiler, then by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        export(optimise(graph)).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = {name: np.asarray(feeds[name], value.type.dtype.numpy) for name, value in graph.inputs.items()}
    return dict(zip(graph.outputs, session.run(list(graph.outputs), given), strict=True))


def run(graph: Graph, feeds: dict[str, Any], where: str) -> dict[str, Array]:
    """The results of a graph in NumPy or in onnxruntime."""
    return runtime(graph, feeds) if where == "onnxruntime" else interpret(graph, feeds)


def at(
    call: str,
    points: Sequence[float] | Array,
    *,
    where: str = "numpy",
    dtype: DType = DType.f64,
    orders: int = 1,
    before: str = "",
    inputs: str = "",
    **fields: Any,
) -> list[Array]:
    """The value of an expression of ``x`` at each point, and its derivatives up to an order.

    The expression works element by element; it may use other fields, declared in ``inputs``.
    """
    lines = ["y = " + call, "output d0 = y", "s0 = sum(y)"]
    for order in range(1, orders + 1):
        lines += [f"g{order} = grad(s{order - 1}, x)", f"output d{order} = g{order}", f"s{order} = sum(g{order})"]
    declared = "; ".join(["x: [n]", inputs] if inputs else ["x: [n]"])
    graph = program(model("\n".join(lines), declared, before), float_type=dtype).infer
    found = run(graph, {"x": np.asarray(points), **fields}, where)
    return [found[f"d{order}"] for order in range(orders + 1)]
