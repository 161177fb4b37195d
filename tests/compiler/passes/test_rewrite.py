"""The rewriting engine, apart from the rules it is given."""

from __future__ import annotations

import pytest

from archonnx.compiler.errors import InternalError
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Abs, Neg, Sign, absolute, cast, neg, sign
from archonnx.compiler.ops.random import random_uniform
from archonnx.compiler.ops.shape import constant
from archonnx.compiler.passes.cse import CommonSubexpressions
from archonnx.compiler.passes.manager import Pipeline, optimise
from archonnx.compiler.passes.rewrite import Rewrite, Rule, Site, rule

GRAPH = """
graph g
input x: f32[B]
%0: f32[B] = abs x  # `abs` at net.arch:1:1
%1: f32[B] = tanh %0
output y = %1
output z = %0
"""


@rule(Abs)
def abs_to_neg(site: Site) -> Value | None:
    return neg(neg(site.inputs[0]))


@rule(Neg)
def neg_to_sign(site: Site) -> Value | None:
    return sign(site.inputs[0])


def test_a_replacement_is_offered_to_the_rules_and_keeps_the_origin() -> None:
    step = Rewrite((abs_to_neg, neg_to_sign))
    text = print_graph(step.run(parse_graph(GRAPH)))
    assert (
        text
        == """\
graph g
input x: f32[B]
%0: f32[B] = sign x  # `abs` at net.arch:1:1
%1: f32[B] = sign %0  # `abs` at net.arch:1:1
%2: f32[B] = tanh %1
output y = %2
output z = %1
"""
    )
    assert step.fired == {"abs_to_neg": 1, "neg_to_sign": 2}


def test_names_of_values_survive() -> None:
    builder, x = Builder(), Value(TensorType.of("f32", 2), "x")
    y = builder.add(Abs(), x, name="size")
    graph = Rewrite((abs_to_neg,)).run(builder.graph("g", {"x": x}, {"y": y}))
    assert [node.outputs[0].name for node in graph.nodes] == ["", "size"]


def test_a_graph_without_a_match_is_the_same_nodes() -> None:
    graph = parse_graph(GRAPH)
    assert Rewrite((neg_to_sign,)).run(graph).nodes == graph.nodes


def test_a_replacement_of_another_type_is_refused() -> None:
    def to_double(site: Site) -> Value | None:
        return cast(site.inputs[0], type(site.inputs[0].type.dtype).f64)

    with pytest.raises(InternalError, match=r"`to_double` replaces f32\[B\] by f64\[B\]"):
        Rewrite((Rule("to_double", (Abs,), to_double),)).run(parse_graph(GRAPH))


def test_rules_that_undo_each_other_are_caught() -> None:
    @rule(Sign)
    def back(site: Site) -> Value | None:
        return absolute(site.inputs[0])

    @rule(Abs)
    def forth(site: Site) -> Value | None:
        return sign(site.inputs[0])

    with pytest.raises(InternalError, match="in circles"):
        Rewrite((back, forth)).run(parse_graph(GRAPH))


def test_the_manager_verifies_and_shows_every_step() -> None:
    class Breaks:
        name = "breaks"

        def run(self, graph: Graph) -> Graph:
            return Graph(graph.name, graph.inputs, graph.nodes[1:], graph.outputs)

    seen: list[str] = []
    optimise(parse_graph(GRAPH), verify=True, observer=lambda step, _: seen.append(step.name))
    assert seen == ["common-subexpressions", "shared-gelu", "simplify", "common-subexpressions", "dead-code"]
    with pytest.raises(InternalError, match="not defined"):
        Pipeline((Breaks(),), verify=True).run(parse_graph(GRAPH))


def test_equal_draws_are_merged_and_never_folded() -> None:
    builder = Builder(Origin("draw"))
    with builder.active():
        seed, step = constant(1), constant(2)
        a, b, other = (random_uniform((3,), seed, step, site) for site in (0, 0, 1))
    graph = optimise(builder.graph("g", {}, {"a": a, "b": b, "other": other}), verify=True)
    assert graph.outputs["a"] is graph.outputs["b"]
    assert sum(node.op.name == "random_uniform" for node in graph.nodes) == 2
    assert CommonSubexpressions().run(graph).nodes == graph.nodes
