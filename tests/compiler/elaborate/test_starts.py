"""What equal parameters start from is elaborated once, and nothing but their origins and draws tells."""

from __future__ import annotations

import numpy as np

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.source import Source
from archonnx.runtime.training.initial import initial_values

SPEC = """
block Filled(value: float, init: fn)(x: [B, n]) -> [B, n]:
    param c: [n] = value * 2
    param W: [n] ~ init()
    return x * c + W

model Layers():
    input x: [B, 3]
    y = x
    for value in [1.0, 2.0, 1.0]:
        y = y |> Filled(value, ones)
    y = y |> Filled(1.0, normal(0, 1)) |> Filled(1.0, normal(0, 1)) |> Filled(1.0, normal(0, 1000)) |> Filled(0.0, ones)
    output z = y |> Filled(-0.0, ones)
"""


def test_equal_parameters_start_alike_and_others_do_not() -> None:
    parameters = elaborate(parse_spec(Source("layers.arch", SPEC))).parameters
    values = initial_values(parameters, 0)
    filled = [values[path] for path in parameters if path.endswith(".c")]
    assert [list(array) for array in filled] == [[2.0] * 3, [4.0] * 3, [2.0] * 3, *[[2.0] * 3] * 3, *[[0.0] * 3] * 2]
    assert [bool(np.signbit(array[0])) for array in filled[-2:]] == [False, True]
    drawn = [values[path] for path in parameters if path.endswith(".W")]
    assert [list(array) for array in (*drawn[:3], *drawn[6:])] == [[1.0] * 3] * 5
    assert not np.array_equal(drawn[3], drawn[4])
    assert np.abs(drawn[4]).max() < 10 < np.abs(drawn[5]).max()


def test_each_parameter_has_tensors_of_its_own_that_say_where_they_are() -> None:
    parameters = elaborate(parse_spec(Source("layers.arch", SPEC))).parameters
    made = [value for one in parameters.values() for node in one.initial.nodes for value in node.outputs]
    assert len(made) == len(set(made))
    for path, one in parameters.items():
        places = {node.origin.path for node in one.initial.nodes} - {""}  # a number that fills a shape has none
        assert places == ({path.rpartition(".")[0]} if path.endswith(".W") else set())
