"""Mixed precision: which nodes take bf16, what they compute, and what CUDA says of it."""

from __future__ import annotations

from collections import Counter

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.lowering import all_nodes, lower
from archonnx.compiler.mixed import CONVOLUTIONS, PRODUCTS, with_products
from archonnx.compiler.onnx_export import export
from archonnx.compiler.opset import OPSET
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.source import Source
from benchmarks import cuda_zoo
from benchmarks.cuda_kernels import on_cpu, opened, provider

TWICE = """
model Twice():
    input x: [4, 6]
    param w: [6, 6] = 0
    output y = (x @ w) @ w + x
"""
LOOP = """
model Loop():
    input x: [5, T, 6]
    param w: [6, 6] = 0
    scan a in x along 1, h = zeros([5, 6]) -> hs along 1:
        h = tanh(a + h @ w)
        emit h
    output y = hs
"""
IMAGES = """
model Images():
    input x: [2, 3, 8, 8]
    output y = x |> Conv(4, 3) |> relu{pool}
"""


def graph(text: str) -> Graph:
    return elaborate(parse_spec(Source("m.arch", text))).infer


def test_a_product_takes_rounded_factors_and_is_rounded() -> None:
    """Whole numbers, whose sums are exact in any order: the result is that of NumPy to the bit."""
    draw = np.random.default_rng(0)
    given = {"x": draw.integers(-300, 300, (4, 6)), "w": draw.integers(-300, 300, (6, 6))}
    given = {name: array.astype(np.float32) for name, array in given.items()}

    def rounded(array: np.ndarray) -> np.ndarray:
        return array.astype(ml_dtypes.bfloat16).astype(np.float32)

    w = rounded(given["w"])
    expected = rounded(rounded(rounded(given["x"]) @ w) @ w) + given["x"]
    model = export(graph(TWICE), target="ort", products="rounded").SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert (expected != (given["x"] @ given["w"]) @ given["w"] + given["x"]).any()
    np.testing.assert_array_equal(session.run(None, given)[0], expected)


def test_each_tensor_is_cast_once_and_a_product_of_a_product_reads_it_as_it_is() -> None:
    model = export(graph(TWICE), target="ort", products="bf16")
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert Counter(node.attribute[0].i for node in casts) == {onnx.TensorProto.BFLOAT16: 2, onnx.TensorProto.FLOAT: 2}
    assert [node.op_type for node in model.graph.node].count("MatMul") == 2
    assert model.opset_import[0].version == OPSET


def test_a_weight_that_a_loop_reads_is_cast_before_it() -> None:
    made = lower(graph(LOOP), portable=False)
    nodes = with_products(made, graph(LOOP), "bf16").nodes
    (loop,) = [node for node in nodes if node.bodies()]
    (body,) = loop.bodies()
    (product,) = [node for node in body.nodes if node.op_type in PRODUCTS]
    (weight,) = [node for node in nodes if node.op_type == "Cast" and node.inputs == ["w"]]
    assert product.inputs[1] == weight.outputs[0] and nodes.index(weight) < nodes.index(loop)
    assert product.inputs[0] in {name for node in body.nodes if node.op_type == "Cast" for name in node.outputs}


@pytest.mark.parametrize(("pool", "opset"), [("", CONVOLUTIONS), (" |> MaxPool(2)", OPSET)])
def test_convolutions_take_bf16_where_cuda_has_all_that_is_beside_them(pool: str, opset: int) -> None:
    images = graph(IMAGES.replace("{pool}", pool))
    assert export(images, target="ort", products="bf16").opset_import[0].version == opset
    narrow = {
        products: [
            any(name.endswith((":bf16", ":rounded")) for name in node.inputs)
            for node in all_nodes(with_products(lower(images, portable=False), images, products).nodes)
            if node.op_type == "Conv"
        ]
        for products in ("bf16", "rounded")
    }
    assert narrow == {"bf16": [not pool], "rounded": [not pool]}


def alone(operator: str, opset: int, dtype: int, *shapes: list[int], **attributes: object) -> bytes:
    """A node as a model of its own."""
    ends = [onnx.helper.make_tensor_value_info(f"x{n}", dtype, shape) for n, shape in enumerate(shapes)]
    result = onnx.helper.make_tensor_value_info("y", dtype, None)
    domain = "com.microsoft" if operator == "FusedMatMul" else ""
    node = onnx.helper.make_node(operator, [end.name for end in ends], ["y"], domain=domain, **attributes)
    made = onnx.helper.make_graph([node], "alone", ends, [result])
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(made, ir_version=10, opset_imports=opsets).SerializeToString()


def test_no_node_of_a_mixed_step_is_left_to_the_cpu_by_cuda() -> None:
    """Of steps with convolutions, pools, attention and scans; ``benchmarks.cuda_zoo`` asks of the whole zoo."""
    library = provider()
    if library is None:
        pytest.skip("needs gcc, nm and an onnxruntime with CUDA (but no GPU)")
    names = ("digits_cnn", "digits_ddpm", "char_gpt", "adding")
    steps = [cuda_zoo.written(step, "bf16") for name in names for _, step in cuda_zoo.steps_of(name)]
    narrow, wide, square = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT, [4, 4]
    images, kernel = [1, 2, 4, 4], [3, 2, 2, 2]
    products = [alone(operator, OPSET, narrow, square, square) for operator in sorted(PRODUCTS)]
    convolution = alone("Conv", CONVOLUTIONS, narrow, images, kernel)
    pool = alone("MaxPool", CONVOLUTIONS, wide, images, kernel_shape=[2, 2])
    models = [*steps, *products, convolution, pool]
    left = set(on_cpu(opened(library, models)))
    assert {number for number, _ in left} == {len(models) - 1}, left  # the pool is why convolutions beside one stay f32
