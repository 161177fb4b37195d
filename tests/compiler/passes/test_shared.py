"""Gelu and its derivative share the distribution function where a graph has both."""

from __future__ import annotations

from collections import Counter

import numpy as np

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.passes.manager import optimise
from tests.support.elaborated import initial, model, numbers, program


def ops(graph: Graph) -> Counter[str]:
    """How often each op stands in a graph after the standard passes, which are verified."""
    return Counter(type(node.op).__name__ for node in optimise(graph, verify=True).nodes)


def spec(call: str) -> str:
    return model(f"y = x |> Dense(3) |> {call}\noutput result = y\nloss l = sum(y * y)")


def test_a_graph_with_both_makes_it_once_and_one_that_uses_the_net_keeps_the_operator() -> None:
    of = program(spec("gelu"))
    used, trained = ops(of.infer), ops(gradient_graph(of, "l"))
    assert used["Gelu"] == 1 and used["Erf"] == 0
    assert trained["Gelu"] == 0 and trained["Erf"] == 1


def test_two_of_one_input_share_it_and_others_have_their_own() -> None:
    body = "h = x |> Dense(3)\ny = gelu(h) + gelu(h) * gelu(2 * h)\noutput result = y\nloss l = sum(y * y)"
    assert ops(gradient_graph(program(model(body)), "l"))["Erf"] == 2


def test_the_approximation_has_a_derivative_of_its_own() -> None:
    trained = ops(gradient_graph(program(spec("gelu(approximate=true)")), "l"))
    assert trained["Gelu"] == 1 and trained["Erf"] == 0


def test_an_error_function_of_something_else_changes_nothing() -> None:
    found = ops(program(model("output y = gelu(x) + erf(x) + erf(2 * x)")).infer)
    assert found["Gelu"] == 1 and found["Erf"] == 2


def test_values_and_gradients_stay() -> None:
    of = program(model("h = x |> Dense(3)\ny = gelu(h)\noutput result = grad(sum(y * y), h) + y\nloss l = sum(y * y)"))
    given = {**initial(of), "x": numbers(5, 4, low=-9, high=9)}
    for graph in (of.infer, gradient_graph(of, "l")):
        fed = {name: given[name] for name in graph.inputs}
        expected, found = interpret(graph, fed), interpret(optimise(graph), fed)
        for name in graph.outputs:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)
