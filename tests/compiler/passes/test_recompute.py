"""What gradients compute again: values stay to the bit, memory falls, and what is not cheap or not large is kept."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.passes.recompute import recomputed
from archonnx.compiler.pipeline import train_steps
from archonnx.runtime.device.memory import peak_of
from archonnx.runtime.device.session import SessionOptions, call, left_of, open_exported
from tests.support.elaborated import initial, numbers, program

ROWS, WIDTH = 256, 256
TENSOR = 4 * ROWS * WIDTH
"""Bytes of an activation."""


def step(body: str, loss: str = "mean(sigmoid(h))") -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of a step of a net of layers that ``body`` gives, and numbers for it."""
    of = program(
        f"model M():\n    input x: [B, {WIDTH}]\n    target y: i64[B]\n    h = x\n{body}    loss l = {loss}\n\n"
        f"train:\n    minimize l with sgd(lr=0.1)\n"
    )
    graph = for_kernels(optimise(bind(train_steps(of, of.programs[0], None, None)[0].graph, {"B": ROWS})))
    given = {**initial(of), "x": numbers(ROWS, WIDTH), "y": np.arange(ROWS)}
    return graph, {name: given.get(name, np.zeros((), value.type.dtype.numpy)) for name, value in graph.inputs.items()}


def layers(activation: str, count: int = 3) -> str:
    return f"    h = h |> Dense({WIDTH}) |> {activation}\n" * count + f"    h = h |> Dense({WIDTH})\n"


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(node.op).__name__ for node in graph.nodes)


def alive(graph: Graph) -> int:
    """Bytes of results that are there at once at most."""
    return peak_of(graph, left_of(graph)).size


@pytest.mark.parametrize(
    ("activation", "again", "tensors"),
    [("gelu", {"Gelu": 3}, 3), ("silu", {"Mul": 3}, 1), ("relu6", {"Minimum": 3}, 1)],
)
def test_a_product_of_what_is_kept_is_not_kept(activation: str, again: dict[str, int], tensors: int) -> None:
    graph, given = step(layers(activation))
    found = recomputed(graph, ["l"])
    verify(found)
    assert kinds(found) - kinds(graph) == again, "one for each layer and tensor, and nothing else"
    assert not kinds(graph) - kinds(found)
    expected, values = interpret(graph, given), interpret(found, given)
    run = [call(open_exported(one, SessionOptions(device="cpu", threads=1)), given) for one in (graph, found)]
    for name in graph.outputs:
        np.testing.assert_array_equal(values[name], expected[name])
        np.testing.assert_array_equal(run[1][name], run[0][name])
    saved = 2 * tensors * TENSOR
    assert alive(found) <= alive(graph) - saved + 2**13, "the layers before the last one gain"


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "exp"])
def test_what_takes_a_function_or_is_kept_once_stays(activation: str) -> None:
    graph, _ = step(layers(activation))
    assert kinds(recomputed(graph, ["l"])) == kinds(graph)


def test_small_tensors_and_results_stay() -> None:
    of = program("model M():\n    input x: [B, 8]\n    h = x |> Dense(8) |> gelu\n    loss l = mean(h ** 2)\n\n"
                 "train:\n    minimize l with sgd(lr=0.1)\n")  # fmt: skip
    graph = optimise(bind(train_steps(of, of.programs[0], None, None)[0].graph, {"B": 8}))
    assert kinds(recomputed(graph, ["l"])) == kinds(graph)
    assert recomputed(graph, []) is graph, "where nothing is minimised, there is no gradient"


def test_a_view_of_a_tensor_is_computed_again_with_it() -> None:
    body = f"    h = reshape(h |> Dense({WIDTH}) |> gelu, [B * 2, {WIDTH} // 2])\n    h = h |> Dense({WIDTH})\n"
    graph, given = step(body)
    found = recomputed(graph, ["l"])
    verify(found)
    assert alive(found) < alive(graph)
    for name, value in interpret(graph, given).items():
        np.testing.assert_array_equal(interpret(found, given)[name], value)


def test_a_loss_comes_before_gradients_so_that_what_only_it_reads_is_let_go() -> None:
    """Of logits a loss makes logarithms, and a gradient probabilities: neither needs the other."""
    graph, given = step("    h = h |> MLP([256, 1024])\n", "cross_entropy(h, y)")
    found = recomputed(graph, ["l"])
    verify(found)
    assert found.nodes[-1].outputs[0] is found.outputs["l"], "onnxruntime begins with what its last node needs"
    assert alive(found) < alive(graph)
    for name, value in interpret(graph, given).items():
        np.testing.assert_array_equal(interpret(found, given)[name], value)
