"""What functions of one number give at chosen points, value and slopes, in NumPy and in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, DType
from archonnx.runtime.device.session import SessionOptions, call, open_graph
from tests.support.elaborated import model, program

STD = SPECS / "std"
"""Where the library stands."""


def runtime(graph: Graph, feeds: dict[str, Any]) -> dict[str, Array]:
    """The results of a graph as models run it, on one CPU thread."""
    session = open_graph(graph, {}, SessionOptions(device="cpu", threads=1))
    given = {name: np.asarray(feeds[name], value.type.dtype.numpy) for name, value in graph.inputs.items()}
    return {name: np.asarray(value) for name, value in call(session, given).items()}


def run(graph: Graph, feeds: dict[str, Any], where: str) -> dict[str, Array]:
    """The results of a graph in NumPy or in onnxruntime."""
    return runtime(graph, feeds) if where == "onnxruntime" else interpret(graph, feeds)


def at(
    expression: str,
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
    lines = ["y = " + expression, "output d0 = y", "s0 = sum(y)"]
    for order in range(1, orders + 1):
        lines += [f"g{order} = grad(s{order - 1}, x)", f"output d{order} = g{order}", f"s{order} = sum(g{order})"]
    declared = "; ".join(["x: [n]", inputs] if inputs else ["x: [n]"])
    graph = program(model("\n".join(lines), declared, before), float_type=dtype).infer
    found = run(graph, {"x": np.asarray(points), **fields}, where)
    return [found[f"d{order}"] for order in range(orders + 1)]
