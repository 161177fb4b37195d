"""Random graphs keep their value through every pass, and through export to onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import ONE
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import Pass, optimise, standard_passes
from tests.support.onnx_run import run_onnx
from tests.support.random_graphs import feeds, graphs

SIZES = ({"B": 3, "T": 2}, {"B": 1, "T": 5})
relaxed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def assert_same(actual: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=tolerance, atol=tolerance * 1e3, err_msg=name)
        assert actual[name].dtype == array.dtype


def arithmetic(graph: Graph) -> int:
    """The number of nodes that compute something, on more than one number."""
    return sum(
        Trait.VIEW not in node.op.traits and node.op.name != "constant" and node.outputs[0].type.size != ONE
        for node in graph.nodes
    )


@pytest.mark.parametrize("step", standard_passes()[1:], ids=lambda step: step.name)
@relaxed
@given(graph=graphs(DType.f64))
def test_passes_keep_values_and_types(step: Pass, graph: Graph) -> None:
    changed = step.run(graph)
    verify(changed)
    assert {n: v.type for n, v in changed.outputs.items()} == {n: v.type for n, v in graph.outputs.items()}
    for sizes in SIZES:
        given_ = feeds(graph, sizes)
        assert_same(interpret(changed, given_), interpret(graph, given_), 1e-12)


@relaxed
@given(graph=graphs(DType.f64))
def test_standard_passes_never_add_work(graph: Graph) -> None:
    once = optimise(graph, verify=True)
    assert arithmetic(once) <= arithmetic(graph)
    assert arithmetic(optimise(once)) <= arithmetic(once)


@pytest.mark.parametrize("optimised", [False, True])
@relaxed
@given(graph=graphs(DType.f32))
def test_export_keeps_values(optimised: bool, graph: Graph) -> None:
    model = export(optimise(graph) if optimised else graph, target="ort")
    for sizes in SIZES:
        given_ = feeds(graph, sizes)
        assert_same(run_onnx(model, given_), interpret(graph, given_), 1e-5)


@relaxed
@given(graph=graphs())
def test_text_reads_back(graph: Graph) -> None:
    text = print_graph(graph)
    read = parse_graph(text)
    verify(read)
    assert print_graph(read) == text
