"""Fewer kernels: the same values as before, by interpretation and in onnxruntime, and the kernels that were meant."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.ir.walk import walk
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.reduce import ReduceSum
from archonnx.compiler.ops.shape import Transpose
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.pipeline import train_steps
from archonnx.runtime.device.session import SessionOptions, call, open_exported
from tests.support.elaborated import initial, numbers, program


def step_graph(text: str, **sizes: int) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of the first statement of a spec, and numbers for it."""
    of = program(text)
    graph = optimise(bind(train_steps(of, of.programs[0], None, None)[0].graph, sizes))
    given = {**initial(of)}
    for name, value in graph.inputs.items():
        if name not in given:
            shape = value.type.static_shape
            assert shape is not None
            given[name] = numbers(*shape) if value.type.dtype.is_float else np.ones(shape, np.int64)
    return graph, {name: given[name] for name in graph.inputs}


def kinds(graph: Graph) -> Counter[str]:
    """How often each op is in a graph and its bodies."""
    return Counter(type(node.op).__name__ for node, _ in walk(graph))


def check(graph: Graph, given: dict[str, np.ndarray]) -> Graph:
    """The graph for kernels, which computes the same by interpretation and in onnxruntime."""
    fewer = for_kernels(graph)
    verify(fewer)
    expected, found = interpret(graph, given), interpret(fewer, given)
    run = call(open_exported(fewer, SessionOptions(device="cpu")), given)
    for name in graph.outputs:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(run[name], expected[name], rtol=2e-4, atol=1e-5)
    return fewer


def trained(optimizer: str, settings: str = "", loss: str = "mean(net(x) ** 2)") -> str:
    return (
        f"model M():\n    input x: [B, 3]\n    net = MLP([4, 2])\n    loss l = {loss}\n\n"
        f"train:\n    {settings}minimize l with {optimizer}\n"
    )


def test_plain_descent_is_one_product_for_each_matrix() -> None:
    graph, given = step_graph(trained("sgd(lr=0.5)"), B=5)
    fewer = check(graph, given)
    assert kinds(fewer)["ProductSum"] == 2
    assert kinds(fewer)["MatMul"] == kinds(graph)["MatMul"] - 2
    assert kinds(fewer)["Sub"] == kinds(graph)["Sub"] - 2


def test_momentum_adds_the_product_to_what_it_had() -> None:
    graph, given = step_graph(trained("sgd(lr=0.5, momentum=0.9)"), B=5)
    assert kinds(check(graph, given))["ProductSum"] <= 2


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [("adam(lr=0.1)", ""), ("sgd(lr=warmup_cosine(0.1, 2, 10))", ""), ("sgd(lr=0.5)", "clip_norm = 0.1\n    ")],
    ids=["gradients-read-twice", "a-rate-that-changes", "clipped"],
)
def test_what_is_no_weighted_sum_of_a_product_stays(optimizer: str, settings: str) -> None:
    graph, given = step_graph(trained(optimizer, settings), B=5)
    assert kinds(check(graph, given))["ProductSum"] == 0


SUMS = ["c - 2 * (a @ b)", "2 * (a @ b) - c", "3 * c - a @ b", "-(a @ b) - 2 * c", "0.5 * c + (a @ b) * 4"]


@pytest.mark.parametrize("expression", SUMS)
def test_signs_and_factors(expression: str) -> None:
    text = f"model M():\n    input a: [3, 4]\n    input b: [4, 2]\n    input c: [3, 2]\n    output y = {expression}\n"
    graph = optimise(program(text).infer)
    given = {"a": numbers(3, 4), "b": numbers(4, 2), "c": numbers(3, 2)}
    assert kinds(check(graph, given))["ProductSum"] == 1


def test_a_sum_as_it_stands_and_a_product_that_is_read_twice_stay() -> None:
    for expression in ("c + a @ b", "(c - 2 * p) * p"):
        text = (
            "model M():\n    input a: [3, 4]\n    input b: [4, 2]\n    input c: [3, 2]\n    p = a @ b\n"
            f"    output y = {expression}\n"
        )
        graph = optimise(program(text).infer)
        assert kinds(for_kernels(graph))["ProductSum"] == 0


def layered(layer: str, more: str = "") -> str:
    return (
        f"model M():\n    input x: [B, T, 3]\n    layer = {layer}\n    loss l = mean(layer(x).hs ** 2)\n\n"
        "train:\n    minimize l with sgd(lr=0.1)\n"
    )


@pytest.mark.parametrize("layer", ["LSTM(4)", "GRU(4)", "GRU(4, reset=before)", "LSTM(4, peepholes=true)", "RNN(4)"])
def test_layers_learn_the_same(layer: str) -> None:
    check(*step_graph(layered(layer), B=2, T=7))


def test_gates_of_an_lstm_are_two_products_without_a_split_of_their_sum() -> None:
    graph, given = step_graph(layered("LSTM(4)"), B=2, T=7)
    loops = [node.op.bodies()[0] for node in check(graph, given).nodes if node.op.bodies()]
    before = [node.op.bodies()[0] for node in graph.nodes if node.op.bodies()]
    forward, backward = (kinds(body) for body in loops)
    assert (forward["MatMul"], forward["Split"]) == (2, 1)  # one split is left: of the sigmoid
    assert (kinds(before[0])["MatMul"], kinds(before[0])["Split"]) == (1, 2)
    assert backward == kinds(before[1])


def test_gates_in_another_order_and_with_other_functions() -> None:
    text = (
        "model M(n: int = 4):\n    input x: [B, T, 3]\n    param W: [3, 3 * n] ~ normal(0, 1)\n"
        "    param U: [n, 3 * n] ~ normal(0, 1)\n    h0 = zeros([B, n])\n"
        "    scan x_t in x along 1, h = h0 -> hs along 1:\n"
        "        a, b, c = split(x_t @ W + h @ U, 3, axis=-1)\n"
        "        h = tanh(a) * sigmoid(b) + 0.5 * relu(c) * tanh(h)\n        emit h\n"
        "    loss l = mean(hs ** 2)\n\ntrain:\n    minimize l with sgd(lr=0.1)\n"
    )
    check(*step_graph(text, B=2, T=9))


def summed(shape: str, expression: str) -> tuple[Graph, dict[str, np.ndarray]]:
    graph = optimise(program(f"model M():\n    input x: {shape}\n    output y = {expression}\n").infer)
    sizes = graph.inputs["x"].type.static_shape
    assert sizes is not None
    return graph, {"x": numbers(*sizes).astype(graph.inputs["x"].type.dtype.numpy)}


@pytest.mark.parametrize(
    ("images", "repeated"), [("8, 3, 2, 2", 1), ("8, 3, 4", 1), ("2, 3, 4, 4", 1), ("8, 3, 5, 5", 0), ("4, 3, 1, 1", 0)]
)
def test_numbers_of_channels_are_repeated_for_few_places(images: str, repeated: int) -> None:
    places = ", 1" * (images.count(",") - 1)
    text = f"model M():\n    input x: [{images}]\n    input s: [3{places}]\n    output y = exp(x * s) + s\n"
    graph = optimise(program(text).infer)
    given = {"x": numbers(*map(int, images.split(","))), "s": numbers(3, *[1] * (images.count(",") - 1))}
    assert kinds(check(graph, given))["MatMul"] == repeated


def test_numbers_of_channels_stay_where_images_were_transposed() -> None:
    text = "model M():\n    input x: [3, 8, 2, 2]\n    input s: [3, 1, 1]\n"
    graph = optimise(program(text + "    output y = tanh(transpose(x, [1, 0, 2, 3])) * s\n").infer)
    assert kinds(check(graph, {"x": numbers(3, 8, 2, 2), "s": numbers(3, 1, 1)}))["MatMul"] == 0


@pytest.mark.parametrize(
    ("shape", "expression"),
    [
        ("[80, 32]", "sum(x, axis=0)"),
        ("[80, 32]", "sum(x, axis=0, keep=true)"),
        ("[8, 10, 32]", "sum(x, axis=[0, 1])"),
        ("[32, 8, 9]", "mean(x, axis=0)"),
        ("[8, 10, 32]", "mean(x, axis=[0, 1], keep=true)"),
        ("[2, 1200]", "sum(x, axis=0)"),
    ],
)
def test_rows_are_added_by_a_product(shape: str, expression: str) -> None:
    graph, given = summed(shape, expression)
    found = kinds(check(graph, given))
    assert (found["MatMul"], found["ReduceSum"], found["ReduceMean"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("shape", "expression"),
    [
        ("[80, 32]", "sum(x)"),
        ("[80, 32]", "sum(x, axis=1)"),
        ("[80, 32]", "sum(x * x, axis=1)"),
        ("[80, 4]", "sum(x * tensor([1.0, 2.0, 3.0, 4.0]), axis=1)"),
        ("[8, 10, 32]", "sum(x, axis=[0, 2])"),
        ("[4, 10]", "sum(x, axis=0)"),
        ("[4096, 2]", "sum(x, axis=0)"),
        ("f64[80, 32]", "sum(x, axis=0)"),
        ("[1, 3000]", "sum(x, axis=0)"),
    ],
)
def test_other_sums_stay(shape: str, expression: str) -> None:
    graph, given = summed(shape, expression)
    assert kinds(check(graph, given))["MatMul"] == 0


@pytest.mark.parametrize("fold", ["sum", "mean"])
@pytest.mark.parametrize("settings", ["axis=1", "axis=-1, keep=true"])
def test_the_weighted_sum_of_a_row_is_a_product(fold: str, settings: str) -> None:
    graph, given = summed("[600, 4]", f"{fold}(x * tensor([1.0, 2.0, 3.0, 4.0]), {settings})")
    found = kinds(check(graph, given))
    assert (found["MatMul"], found["Mul"], found["ReduceSum"], found["ReduceMean"]) == (1, 0, 0, 0)


@pytest.mark.parametrize(("length", "fewer"), [(16, True), (8, False)])
def test_attention_sums_over_its_results_and_turns_the_narrower_factor(length: int, fewer: bool) -> None:
    """Heads of 4 are a quarter as wide as 16 weights, and half as wide as 8."""
    layer = "MultiHeadAttention(2, causal=true)"
    text = f"model M():\n    input x: [B, {length}, 8]\n    layer = {layer}\n    loss l = mean(layer(x) ** 2)\n\n"
    graph, given = step_graph(text + "train:\n    minimize l with sgd(lr=0.5)\n", B=2)
    found = check(graph, given)
    made = {value: node for node in found.nodes for value in node.outputs}
    summed_ = [node.inputs[0].shape[-1].constant for node in found.nodes if node.op == ReduceSum((3,), keep=True)]
    turned = [made[node.inputs[0]] for node in found.nodes if node.op == Transpose((0, 3, 1, 2))]
    assert summed_ == [4 if fewer else length]
    assert [node.op for node in turned] == [MatMul(transpose_a=True)] * (2 if fewer else 0)


def test_rows_are_added_by_sums_where_products_may_round() -> None:
    graph, _ = summed("[80, 32]", "sum(x, axis=0)")
    assert kinds(for_kernels(graph, cpu=False)) == kinds(graph)


def test_a_product_adds_rows_no_less_exactly_than_a_sum() -> None:
    graph, _ = summed("[1024, 4]", "sum(x, axis=0)")
    x = np.full((1024, 4), 0.1, np.float32)
    (found,) = call(open_exported(for_kernels(graph), SessionOptions(device="cpu")), {"x": x}).values()
    np.testing.assert_allclose(found, 1024 * np.float64(np.float32(0.1)), rtol=5e-6)


LONG_LAYERS = ["LSTM(4)", "LSTM(4, peepholes=true)", "GRU(4)", "GRU(4, reset=before, update=new)"]


@pytest.mark.parametrize("layer", LONG_LAYERS)
@pytest.mark.parametrize("backwards", ["false", "true"])
def test_small_layers_go_through_time_before_all_steps_are_computed_at_once(layer: str, backwards: str) -> None:
    text = layered(layer).replace("mean(layer(x).hs ** 2)", "sum(found.h) + mean(found.hs ** 2)")
    text = text.replace("    loss", f"    found = layer(x, backwards={backwards})\n    loss")
    graph, given = step_graph(text, B=2, T=50)
    fewer = check(graph, given)
    loops = [node.op.bodies()[0] for node in fewer.nodes if node.op.bodies()]
    assert kinds(fewer)["Recurrent"] == 1
    assert [kinds(body)["MatMul"] for body in loops[:-1]] == ([0] if "LSTM" in layer else [])


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_is_seen_in_the_loss(number: float) -> None:
    graph, given = step_graph(layered("LSTM(4)"), B=2, T=50)
    given["x"][1, 20, 2] = number
    run = call(open_exported(for_kernels(graph), SessionOptions(device="cpu")), given)
    assert np.isnan(run["l"]) == np.isnan(interpret(graph, given)["l"])


def test_layers_stay_scans_where_they_are_short_or_large() -> None:
    sizes_of = [("LSTM(4)", {"B": 2, "T": 40}), ("LSTM(100)", {"B": 1, "T": 50}), ("LSTM(4)", {"B": 80, "T": 50})]
    for layer, sizes in sizes_of:
        graph, _ = step_graph(layered(layer), **sizes)
        assert kinds(for_kernels(graph))["Recurrent"] == 0
