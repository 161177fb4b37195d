"""The order of nodes: less is alive at once, and the nodes are the same."""

from __future__ import annotations

from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.passes.order import in_order
from archonnx.compiler.pipeline import train_steps
from archonnx.runtime.device.memory import peak_of
from archonnx.runtime.device.session import left_of
from tests.support.elaborated import program

ROWS, WIDTH, IMAGES = 32, 256, 2048
WEIGHT, ACTIVATION = 4 * WIDTH * WIDTH, 4 * ROWS * IMAGES
"""Bytes of a gradient of the later layers, and of an activation of the first ones: as many."""
NET = f"""model M():
    input x: [B, {IMAGES}]
    param s: [{IMAGES}] = 1
    wide = x * s |> sin |> sin |> sin |> sin |> Dense(8)
    loss l = mean(wide |> MLP([{WIDTH}, {WIDTH}, {WIDTH}, {WIDTH}]))

train:
    minimize l with sgd(lr=0.1)
"""


def step(text: str) -> Graph:
    of = program(text)
    return for_kernels(optimise(bind(train_steps(of, of.programs[0], None, None)[0].graph, {"B": ROWS})))


def others(graph: Graph) -> list[str]:
    return [name for name in graph.outputs if name != "l"]


def alive(graph: Graph) -> int:
    """Bytes of results that are there at once at most, those that are handed over as well."""
    return peak_of(graph, left_of(graph), others(graph)).size


def test_large_gradients_wait_until_activations_are_gone() -> None:
    graph = step(NET)
    found = in_order(graph, [graph.outputs["l"]], [graph.outputs[name] for name in others(graph)])
    verify(found)
    assert set(found.nodes) == set(graph.nodes) and len(found.nodes) == len(graph.nodes)
    assert found.nodes[-1].outputs[0] is graph.outputs["l"]
    assert alive(found) <= alive(graph) - WEIGHT
