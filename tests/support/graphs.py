"""Small graphs for the tests of ops: built from a function of values, run in NumPy and in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value


def graph_of(build: Callable[..., Any], **types: TensorType) -> Graph:
    """A graph whose inputs have these types, and whose outputs ``0``, ``1``, ... are what ``build`` makes of them."""
    inputs = {name: Value(type_, name) for name, type_ in types.items()}
    builder = Builder()
    with builder.active():
        made = build(**inputs)
    results = made if isinstance(made, tuple) else (made,)
    return builder.graph("test", inputs, {str(i): value for i, value in enumerate(results)})


def in_numpy(graph: Graph, inputs: Mapping[str, Any]) -> list[Any]:
    """The graph's results by ``evaluate``."""
    return list(interpret(graph, inputs).values())


def in_onnx(graph: Graph, inputs: Mapping[str, Any], target: Any = "portable") -> list[Any]:
    """The graph's results by ONNX Runtime's CPU provider."""
    import onnxruntime

    from archonnx.compiler.onnx_export import export

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        export(graph, target=target).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(list(graph.outputs), {name: np.asarray(inputs[name]) for name in graph.inputs}))


def slope(function: Callable[..., Any], inputs: list[Any], direction: list[Any], step: float = 1e-6) -> Any:
    """The derivative of a NumPy function along a direction, by central differences. For float64."""
    ahead = function(*(x + step * d for x, d in zip(inputs, direction, strict=True)))
    behind = function(*(x - step * d for x, d in zip(inputs, direction, strict=True)))
    return (ahead - behind) / (2 * step)
