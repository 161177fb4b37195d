"""The verifier finds each promise of the IR broken, and says that it is a bug."""

from __future__ import annotations

import pytest

import archonnx.compiler.ops  # noqa: F401 - the text is of ops, which are registered when they are imported
from archonnx.compiler.errors import InternalError
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.verify import verify

GOOD = """
graph good
input x: f32[B, 4]
input y: f32[B, 4]
%0: f32[B, 4] = add x, y
%1: f32[B] = reduce_sum(axes=[1]) %0
output z = %1
"""


def test_a_good_graph_passes() -> None:
    verify(parse_graph(GOOD))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("%0: f32[B, 4] = add", "%0: f32[B, 5] = add", r"`add`: has type f32\[B, 5\], but its inputs give f32\[B, 4\]"),
        ("%1: f32[B] =", "%1: f64[B] =", r"`reduce_sum`: has type f64\[B\], but its inputs give f32\[B\]"),
        ("input y: f32[B, 4]", "input y: f32[B, 5]", "`\\+` needs one shape"),
        ("[1]) %0", "[1]) %0, x", "`reduce_sum`: .*argument"),
        ("axes=[1]", "axes=[2]", "no axis 2"),
    ],
)
def test_types_are_inferred_again(old: str, new: str, what: str) -> None:
    assert old in GOOD
    with pytest.raises(InternalError, match=what) as caught:
        verify(parse_graph(GOOD.replace(old, new)))
    assert "bug in archonnx" in str(caught.value)


def test_values_are_defined_once_before_their_use() -> None:
    graph = parse_graph(GOOD)
    first, second = graph.nodes
    stranger = Value(TensorType.of("f32", "B"))
    x = graph.inputs["x"]
    broken = {
        "input 0 .* is not defined before it": Graph("g", graph.inputs, (second, first), graph.outputs),
        "defined twice": Graph("g", graph.inputs, (first, first, second), graph.outputs),
        "nothing defines output `z`": Graph("g", graph.inputs, graph.nodes, {"z": stranger}),
        "input `y` is the same value": Graph("g", {"x": x, "y": x}, (), {"z": x}),
        "input 1 .* is not defined": Graph("g", {"x": x}, graph.nodes, graph.outputs),
        r"its result <x: f32\[B, 4\]> is defined twice": Graph(
            "g", graph.inputs, (Node(first.op, first.inputs, (x,)),), {"z": x}
        ),
    }
    for what, wrong in broken.items():
        with pytest.raises(InternalError, match=what):
            verify(wrong)
