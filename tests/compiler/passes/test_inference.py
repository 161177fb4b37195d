"""What is written with its weights: scales and shifts go into them, and the values stay.

The oracle is the graph as it was elaborated, in NumPy; nets are random, and so are all parameters and statistics.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.compiler.passes.inference import folded
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.export.models import inference_model
from tests.support.onnx_run import run_onnx

IMAGES = (
    "Conv(4, kernel=[shape_of(x)[2], shape_of(x)[3]])",     "Conv(4, kernel=3, padding=same)", "Conv(6, kernel=3, stride=2, bias=false)", "Conv(4, kernel=1, padding=1)",
    "Conv(shape_of(x)[1], kernel=3, padding=same, groups=shape_of(x)[1], bias=false)",
    "Conv(6, kernel=2, groups=2 - shape_of(x)[1] % 2)", "ConvTranspose(4, kernel=2, stride=2)",
    "ConvTranspose(3, kernel=3, bias=false)", "BatchNorm", "BatchNorm", "relu", "relu6", "tanh", "AveragePool(2)",
    "MaxPool(2)", "ChannelNorm", "ConvNeXtBlock", "GroupNorm(1)",
)  # fmt: skip
ROWS = ("Dense(5)", "Dense(6, bias=false)", "BatchNorm", "LayerNorm", "relu", "relu6", "Dense(4, init=normal(0, 1))")
STEPS = ("x = x * 0.5", "x = 2 - x", "x = x / 3 + 1", "x = x + s * x", "y = x\n    x = y + relu(y)", "x = x - 0.25")
LINES = (*(f"x = x |> {layer}" for layer in IMAGES), *STEPS)
FLAT = (*(f"x = x |> {layer}" for layer in ROWS), *STEPS)


def net(images: list[str], rows: list[str]) -> str:
    lines = [*images, "x = x |> flatten", *rows]
    return (
        "model Net():\n    input image: [B, 3, 13, 13]\n    input s: []\n    x = image\n"
        + "".join(f"    {line}\n" for line in lines)
        + "    output y: [B, n] = x\n"
    ).replace("output y: [B, n] = x", "output y = x")


def program(text: str, dtype: DType = DType.f32) -> ModelProgram:
    return elaborate(parse_spec(Source("net.arch", text)), float_type=dtype)


def weights_of(model: ModelProgram, seed: int = 0) -> dict[str, Any]:
    """Random ones; variances are positive."""
    generator = np.random.default_rng(seed)
    drawn = {}
    for path, parameter in model.parameters.items():
        type_ = parameter.type
        array = generator.normal(size=type_.static_shape).astype(type_.dtype.numpy)
        drawn[path] = np.abs(array) + array.dtype.type(0.1) if "variance" in path else array
    return drawn


def inputs_of(dtype: Any) -> dict[str, Any]:
    generator = np.random.default_rng(1)
    return {"image": generator.normal(size=(2, 3, 13, 13)).astype(dtype), "s": np.array(0.7, dtype)}


def near(got: Any, wanted: Any, tolerance: float) -> None:
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1e-3, np.abs(wanted).max()))


@settings(max_examples=12, deadline=None)
@given(
    images=st.lists(st.sampled_from(LINES), min_size=1, max_size=6), rows=st.lists(st.sampled_from(FLAT), max_size=4)
)
def test_a_folded_net_has_the_values_of_the_net(images: list[str], rows: list[str]) -> None:
    try:
        model = program(net(images, rows), DType.f64)
    except SpecError:  # an image that has become too small, or groups that do not come out even
        reject()
    graph, weights, inputs = optimise(model.infer), weights_of(model), inputs_of(np.float64)
    own = {name: array for name, array in weights.items() if name in graph.inputs}
    changed, arrays = folded(graph, weights)
    given = {name: array for name, array in inputs.items() if name in graph.inputs}
    wanted = interpret(graph, {**given, **own})["y"]
    near(interpret(changed, {**given, **arrays})["y"], wanted, 1e-9)
    assert sum(array.size for array in arrays.values()) <= sum(array.size for array in weights.values()) + 4096
    single = program(net(images, rows))
    written = inference_model(single, weights_of(single))
    onnx.checker.check_model(written, full_check=True)
    single_wanted = interpret(single.infer, {**{k: v.astype(np.float32) for k, v in given.items()}, **{
        name: array for name, array in weights_of(single).items() if name in single.infer.inputs}})["y"]  # fmt: skip
    near(run_onnx(written, {name: array.astype(np.float32) for name, array in given.items()})["y"], single_wanted, 2e-4)


def operators(text: str) -> Counter[str]:
    model = program(text)
    return Counter(node.op_type for node in inference_model(model, weights_of(model)).graph.node)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (["Conv(4, kernel=3)", "BatchNorm", "relu"], {"Conv": 1, "Relu": 1}),
        (["Conv(4, kernel=3, bias=false)", "BatchNorm", "relu6"], {"Conv": 1, "Clip": 1}),
        (["ConvTranspose(4, kernel=3, stride=2)", "BatchNorm"], {"ConvTranspose": 1}),
        (["BatchNorm", "Conv(4, kernel=3)"], {"Conv": 1}),
        (["Conv(4, kernel=13)", "BatchNorm", "relu6", "Conv(4, kernel=1)"], {"Conv": 2, "Clip": 1}),  # of one place
        (["Conv(1, kernel=3)", "tanh"], {"Conv": 1, "Tanh": 1}),
        (["DepthwiseConv(kernel=3)", "BatchNorm", "relu"], {"Conv": 1, "Relu": 1}),
    ],
)
def test_statistics_and_biases_leave_no_node(images: list[str], expected: dict[str, int]) -> None:
    assert operators(net([f"x = x |> {layer}" for layer in images], [])) == {**expected, "Reshape": 1}


@pytest.mark.parametrize("layer", ["Conv(4, kernel=3)", "Conv(4, kernel=3, bias=false) |> BatchNorm",
                                   "ConvTranspose(4, kernel=3)"])  # fmt: skip
@pytest.mark.parametrize("one", [0.0, 0.5])
def test_a_bias_of_zeros_is_left_out_and_one_with_a_number_stays(layer: str, one: float) -> None:
    """As in a net that has not been trained, whose statistics are those it begins with."""
    model = program(net([f"x = x |> {layer} |> relu"], []))
    weights = weights_of(model)
    for name, array in weights.items():
        if array.ndim == 1:
            array[:] = 1 if "variance" in name or "scale" in name else 0
            array[2] += one if "shift" in name or name.endswith(".b") else 0
    written = inference_model(model, weights)
    product = written.graph.node[0]
    assert [node.op_type for node in written.graph.node] == [product.op_type, "Relu", "Reshape"]
    assert len(product.input) == len(written.graph.initializer) == (3 if one else 2)
    inputs = {"image": inputs_of(np.float32)["image"]}
    own = {name: array for name, array in weights.items() if name in model.infer.inputs}
    near(run_onnx(written, inputs)["y"], interpret(model.infer, {**inputs, **own})["y"], 2e-4)


def test_dense_layers_with_their_norms_are_one_node() -> None:
    text = net([], ["x = x |> Dense(5) |> BatchNorm |> relu", "x = x |> BatchNorm |> Dense(2)"])
    assert operators(text) == {"Reshape": 1, "Gemm": 2, "Relu": 1}


def test_a_scale_before_padding_is_moved_and_a_shift_is_not() -> None:
    """Zeros around an image stay zeros if it is scaled, and do not if something is added to it."""
    padded = "Conv(4, kernel=3, padding=1)"
    assert operators(net([f"x = x * 0.3 |> {padded}"], [])) == {"Conv": 1, "Reshape": 1}
    assert operators(net([f"x = x + 0.3 |> {padded}"], [])) == {"Add": 1, "Conv": 1, "Reshape": 1}
    assert operators(net(["x = x + 0.3 |> Conv(4, kernel=3)"], [])) == {"Conv": 1, "Reshape": 1}


def test_a_bias_stays_with_its_convolution_before_another() -> None:
    """What lies between two layers keeps its values, whose ranges decide how well it is quantised."""
    model = program(net(["x = x |> Conv(4, kernel=3) |> BatchNorm |> Conv(5, kernel=1)"], []))
    first, second, _ = inference_model(model, weights_of(model)).graph.node
    assert [len(first.input), len(second.input)] == [3, 3]


def test_a_product_that_something_else_reads_is_left() -> None:
    text = net(["x = x |> Conv(4, kernel=3)", "y = x", "x = (y |> BatchNorm) + relu(y)"], [])
    assert operators(text) == {"Conv": 1, "Mul": 1, "Add": 2, "Relu": 1, "Reshape": 1}


def test_a_rectifier_is_done_by_the_convolution_before_a_pool() -> None:
    model = program(net(["x = x |> Conv(4, kernel=3) |> relu |> MaxPool(2)"], []))
    written = inference_model(model, weights_of(model))
    assert [node.op_type for node in written.graph.node] == ["Conv", "Relu", "MaxPool", "Reshape"]


def test_a_block_of_convnext_has_a_norm_in_one_operator_and_no_scales() -> None:
    text = net(["x = x |> ConvNeXtBlock"], [])
    layers = {"Conv": 3, "Gelu": 1, "Transpose": 2, "LayerNormalization": 1}
    assert operators(text) == {**layers, "Add": 1, "Reshape": 1}


def test_large_weights_beside_small_ones_are_scaled() -> None:
    """What small results take is no part of what large ones may take."""
    text = net(
        ["x = x |> Conv(80, kernel=3) |> BatchNorm |> BatchNorm", "x = x |> BatchNorm |> Conv(80, kernel=3)"], []
    )
    assert operators(text) == {"Conv": 2, "Reshape": 1}


@pytest.mark.parametrize("kernel", [3, 13])
def test_biases_keep_their_names(kernel: int) -> None:
    model = program(net([f"x = x |> Conv(4, kernel={kernel})"], ["x = x |> Dense(2)"]))
    written = inference_model(model, weights_of(model))
    assert sorted(tensor.name for tensor in written.graph.initializer if "constant" not in tensor.name) == [
        "conv.W", "conv.b", "dense.W", "dense.b",
    ]  # fmt: skip


def test_a_weight_that_is_read_twice_is_not_written_twice() -> None:
    """Of a tied embedding the transposed matrix could be computed, and the file would be twice as large."""
    text = (
        "model Tied():\n    input ids: i64[B]\n    table = Embedding(500, 20)\n    x = table(ids) |> Dense(20)\n"
        "    output y = x @ transpose(table.W * 2)\n    output rows = table(ids)\n"
    )
    model = program(text)
    weights = weights_of(model)
    written = inference_model(model, weights)
    total = sum(int(np.prod(tensor.dims)) for tensor in written.graph.initializer)
    assert total <= sum(array.size for array in weights.values()) + 4096
