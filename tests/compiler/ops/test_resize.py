"""Resizing against the evaluator that ONNX brings along."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.resize import COORDINATES, resize_linear, resize_nearest


def reference(x: Array, size: tuple[int, ...], mode: str, coordinates: str) -> Array:
    """ONNX's Resize."""
    rounding = {"nearest_mode": "floor" if coordinates == "asymmetric" else "round_prefer_floor"}
    node = helper.make_node(
        "Resize", ["x", "", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=coordinates, **rounding
    )
    info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    info.append(helper.make_tensor_value_info("s", TensorProto.INT64, [x.ndim]))
    graph = helper.make_graph([node], "g", info, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    result: Array = ReferenceEvaluator(model).run(None, {"x": x, "s": np.array([*x.shape[:2], *size])})[0]
    return result


def resized(x: Array, size: tuple[int, ...], mode: str, coordinates: str, symbolic: bool) -> Array:
    """Ours, with static or symbolic sizes."""
    builder = Builder()
    dims = [f"n{i}" if symbolic else n for i, n in enumerate(x.shape[2:])]
    value = Value(TensorType.of("f32", *x.shape[:2], *dims), "x")
    with builder.active():
        function = resize_linear if mode == "linear" else resize_nearest
        y = function(value, [Dim.of(n) for n in size], coordinates)
    result: Array = interpret(builder.graph("g", {"x": value}, {"y": y}), {"x": x})["y"]
    return result


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_resize_is_that_of_onnx(mode: str, coordinates: str, symbolic: bool) -> None:
    generator = np.random.default_rng(7)
    for _ in range(12):
        old, new = generator.integers(1, 7, 2), generator.integers(1, 10, 2)
        if mode == "nearest" and coordinates == "align_corners" and 1 in new:
            continue  # the evaluator divides by zero
        x = generator.standard_normal((1, 2, *old)).astype(np.float32)
        size = (int(new[0]), int(new[1]))
        actual = resized(x, size, mode, coordinates, symbolic)
        np.testing.assert_allclose(actual, reference(x, size, mode, coordinates), rtol=1e-4, atol=1e-5)
