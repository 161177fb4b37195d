"""Traces: values and gradients of what a spec names, against NumPy, the trainer, and central differences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import DType
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.insight.inputs import examples_of
from archonnx.runtime.insight.trace import Trace, trace_model
from archonnx.runtime.insight.trace_rows import Layout, chosen_rows
from archonnx.runtime.insight.trace_text import summary
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import model, program

CPU = SessionOptions(device="cpu", threads=1)


def traced(of: ModelProgram | str, **inputs: Any) -> Trace:
    return trace_model(program(of) if isinstance(of, str) else of, inputs, options=CPU)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


NET = """param W: [3, 2] ~ normal(0, 1)
param b: [2] = 0.5
a = x @ W + b
h = tanh(a)
h = 2 * h
output y = sum(h, axis=1)
loss J = mean((y - t) ** 2)
metric mae_ = mae(y, t)"""


def test_values_and_gradients_are_those_of_the_chain_rule() -> None:
    x, t = np.random.default_rng(0).normal(size=(4, 3)), np.arange(4.0)
    of = program(model(NET, "x: [B, 3]; t: [B]"))
    trace = traced(of, x=x, t=t)
    W = trace["W"].value
    a = x @ W + 0.5
    h = 2 * np.tanh(a)
    y = h.sum(1)
    dy = 2 * (y - t) / 4
    dh = np.repeat(dy[:, None], 2, 1)
    da = dh * 2 * (1 - np.tanh(a) ** 2)
    for name, value, gradient in (
        ("a", a, da), ("h#1", h / 2, 2 * dh), ("h#2", h, dh), ("y", y, dy), ("J", ((y - t) ** 2).mean(), 1),
        ("x", x, da @ W.T), ("t", t, -dy), ("b", [0.5, 0.5], da.sum(0)), ("W", W, x.T @ da),
    ):  # fmt: skip
        close(trace[name].value, value)
        close(trace[name].gradient, gradient)
    close(trace["h"].value, h)  # the last of its values
    assert trace["mae_"].gradient is None
    assert list(trace) == ["x", "t", "W", "b", "a", "h#1", "h#2", "y", "J", "mae_"]
    kinds = {row.name: row.kind for row in trace.rows}
    assert kinds["x"] == "input" and kinds["W"] == "param" and kinds["y"] == "output" and kinds["J"] == "loss"


def test_names_change_nothing_of_what_is_compiled() -> None:
    named = program(model(NET, "x: [B, 3]; t: [B]"))
    inlined = NET.replace("a = x @ W + b\nh = tanh(a)\nh = 2 * h\n", "").replace("sum(h", "sum(2 * tanh(x @ W + b)")
    plain = program(model(inlined, "x: [B, 3]; t: [B]"))

    def shown(graph: Graph) -> list[str]:
        return print_graph(optimise(graph), origins=False).splitlines()

    assert shown(gradient_graph(named, "J")) == shown(gradient_graph(plain, "J"))
    assert shown(named.infer) == shown(plain.infer)


def test_gradients_are_those_of_the_trainer() -> None:
    of = elaborate(load("digits_mlp"))
    trainer = Trainer(of, options=CPU)
    found = examples_of(of, Path.cwd(), 8)
    assert found is not None
    given, _ = found
    trace = trace_model(of, given, options=CPU)
    gradients = trainer.gradients(given)
    for path, gradient in gradients.items():
        close(trace[path].gradient, gradient)
    assert not set(gradients) - set(trace)


BLOCKS = """fn squared(v: [...S]) -> [...S]:
    w = v * v
    return w

block Twice(n: int)(x: [B, m]) -> (first: [B, n], second: [B, n]):
    param W: [m, n] ~ normal(0, 1)
    u = x @ W
    return u, squared(u)

model M():
    input x: [B, 3]
    twice = Twice(3)
    a, b = twice(x)
    c, d = twice(b)
    parts = [a, c]
    loss J = mean(squared(d)) + mean(parts[0])
"""


def test_names_inside_blocks_and_fns_tell_the_way() -> None:
    trace = traced(BLOCKS, x=np.ones((2, 3)))
    inner = {row.name for row in trace.rows if row.inner}
    assert inner == {"twice.u#1", "twice.u#2", "twice.squared.w#1", "twice.squared.w#2", "squared.w"}
    results = {row.name for row in trace.rows if row.kind == "module"}
    assert results == {f"twice.{which}#{n}" for which in ("first", "second") for n in (1, 2)}
    assert {"parts[0]", "parts[1]", "twice.W"} <= set(trace)
    close(trace["parts[0]"].value, trace["a"].value)
    close(trace["twice.squared.w#2"].value, trace["twice.u#2"].value ** 2)
    lines = {row.name: row.place.source.line_column(row.place.start)[0] for row in trace.rows}
    assert lines["twice.W"] == lines["twice.u#1"] == 13 and lines["twice.u#2"] == 14


def test_a_parameter_bears_its_path_where_its_name_stands_for_something_else_before() -> None:
    block = (
        "block Scaled()(x: [B, n]) -> [B, n]:\n    scale = ones([n])\n    param scale: [n] = 2\n    return x * scale\n"
    )
    trace = traced(model("loss J = mean(x |> Scaled)", "x: [B, 3]", before=block), x=np.ones((1, 3)))
    close(trace["scaled.scale"].value, [2, 2, 2])
    close(trace["scaled.scale#1"].value, [1, 1, 1])
    assert "scaled.scale" in list(trace)


def test_what_is_discrete_for_an_input_is_told() -> None:
    text = model("param w: [] = 2\nz: bool[B] ~ bernoulli(p)\nloss J = mean(float(z) * w)", "p: [B]")
    trace = traced(text, p=[0.5, 0.5])
    row = next(row for row in trace.rows if row.name == "p")
    assert row.gradient is None and "a discrete draw" in row.why
    assert trace["w"].gradient is not None


def test_a_loss_without_any_gradient_is_refused_as_in_training() -> None:
    text = model("param p: [3] = 0.5\nz: bool[3] ~ bernoulli(p)\nloss J = mean(float(z) * x)", "x: [3]")
    with pytest.raises(SpecError, match="AX0401"):
        traced(text, x=[1.0, 1, 1])


def test_the_loss_is_traced_as_trained_and_the_outputs_as_used() -> None:
    of = program(model("h = x |> Dropout(0.5)\noutput y = sum(h, axis=1)\nloss J = mse(y, t)", "x: [B, 50]; t: [B]"))
    x = np.ones((2, 50))
    given = {"x": x, "t": [1.0, 2.0]}
    dropped = trace_model(of, given, options=CPU)["h"].value
    assert set(np.unique(dropped)) == {0, 2}
    used = trace_model(of, {"x": x}, graph="infer", options=CPU)
    assert (used["h"].value == 1).all() and used["h"].gradient is None and "J" not in used
    assert (trace_model(of, given, seed=1, options=CPU)["h"].value != dropped).any()


def test_an_entry_is_traced() -> None:
    entry = (
        "    entry ramp(n: dim, top: []) -> [n]:\n        steps = float(arange(n))\n        return steps * top / n\n"
    )
    of = program(model("param w: [] = 1\noutput y = x * w", "x: [B]", after=entry))
    trace = trace_model(of, {"n": 4, "top": 2.0}, graph="ramp", options=CPU)
    close(trace["steps"].value, [0, 1, 2, 3])
    close(trace["ramp"].value, Trainer(of, options=CPU).call("ramp", n=4, top=2.0)["ramp"])
    with pytest.raises(SpecError, match="did you mean `ramp`"):
        trace_model(of, {}, graph="rump", options=CPU)


def test_sizes_are_not_negative_even_where_no_output_has_them() -> None:
    entry = "    entry count(n: dim) -> []:\n        return sum(float(arange(n)))\n"
    of = program(model("output y = 2 * x", "x: [B]", after=entry))
    with pytest.raises(SpecError, match="`n` is a size; given: -2"):
        trace_model(of, {"n": -2}, graph="count", options=CPU)
    with pytest.raises(SpecError, match="`n` is a size; given: -2"):
        Trainer(of, options=CPU).call("count", n=-2)


def test_f64_without_kernels_runs_in_numpy() -> None:
    given = {"image": np.random.default_rng(0).random((2, 1, 8, 8)), "label": [3, 4]}
    double = trace_model(elaborate(load("digits_cnn", dtype="f64")), given, options=CPU)
    single = trace_model(elaborate(load("digits_cnn")), given, options=CPU)
    assert (double.engine, single.engine) == ("NumPy", "onnxruntime on cpu")
    for name in ("conv.0", "x", "dropout", "objective"):
        assert double[name].value.dtype == np.float64
        np.testing.assert_allclose(double[name].value, single[name].value, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(double[name].gradient, single[name].gradient, rtol=1e-3, atol=1e-5)
    plain = program(model(NET, "x: [B, 3]; t: [B]"), float_type=DType.f64)
    trace = traced(plain, x=np.ones((2, 3)), t=[1.0, 2.0])
    assert trace.engine == "onnxruntime on cpu" and trace["h"].gradient.dtype == np.float64


def test_parameters_are_given_by_path() -> None:
    of = program(model("loss J = mean(x |> Dense(2))", "x: [B, 3]"))
    given = {"dense.W": np.ones((3, 2)), "dense.b": np.zeros(2)}
    close(trace_model(of, {"x": [[1, 2, 3]]}, parameters=given, options=CPU)["dense"].value, [[6, 6]])
    with pytest.raises(SpecError, match=r"there is no parameter `dense\.w`"):
        trace_model(of, {"x": [[1, 2, 3]]}, parameters={"dense.w": 1, **given}, options=CPU)


def test_an_assumption_about_sizes_is_checked() -> None:
    text = model('assert B >= 2, "two at least"\nloss J = mean(x)', "x: [B]")
    with pytest.raises(SpecError, match="AX0617"):
        traced(text, x=[1.0])


def test_unknown_names_are_keys_that_are_not_there() -> None:
    trace = traced(model("hidden = 2 * x\nloss J = mean(hidden)", "x: [B]"), x=[1.0])
    assert "hiden" not in trace and trace.get("hiden") is None
    with pytest.raises(KeyError, match="did you mean `hidden`"):
        trace["hiden"]


# ---------------------------------------------------------------- printed


def test_large_tensors_are_summed_up() -> None:
    array = np.array([1.0, np.nan, -2.0, np.inf])
    assert summary(array) == "(4 numbers: min -2, max 1, mean -0.5, 2 not finite)"
    assert summary(np.array([True, False, True])) == "(3 values: 2 true)" and summary(np.zeros(0)) == "(no numbers)"
    text = traced(model("loss J = mean(x)", "x: [B, 7]"), x=np.ones((6, 7))).text(Layout(elements=41))
    assert "x: f32[6, 7] = (42 numbers: min 1, max 1, mean 1)" in text


def test_stacks_of_matrices_are_printed_as_lists_that_json_reads() -> None:
    array = np.round(np.random.default_rng(0).normal(size=(2, 3, 2)), 3)
    of = program(model("output y = 2 * x", "x: [2, 3, 2]"))
    text = trace_model(of, {"x": array}, graph="infer", options=CPU).text()
    lines = [line.partition("|   ")[2] for line in text.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("x: "))
    literal = " ".join([lines[first].partition("= ")[2], *lines[first + 1 : first + 6]])
    np.testing.assert_allclose(json.loads(literal), array, rtol=1e-6)


def test_json_has_no_numbers_that_json_does_not_have() -> None:
    trace = traced(model("h = log(x)\nloss J = mean(h)", "x: [B]"), x=[0.0, 1.0])
    text = json.dumps(trace.as_json(), allow_nan=False)
    values = {value["name"]: value for value in json.loads(text)["values"]}
    assert values["h"]["value"] == ["-inf", 0.0] and values["h"]["gradient"] == [0.5, 0.5]
    assert values["h"]["line"] == 4 and values["h"]["shape"] == [2] and values["x"]["kind"] == "input"


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_lines_keep_to_the_width(width: int) -> None:
    text = model("some_name = x |> Dense(8) |> tanh\nother = 3 * some_name\nloss J = mean(other)", "x: [B, 3]")
    shown = traced(text, x=np.ones((1, 3))).text(Layout(width=width))
    assert max(map(len, shown.splitlines())) <= width


def test_what_a_module_gave_is_left_out_where_the_line_names_it() -> None:
    trace = traced(model("h = x |> Dense(2)\nloss J = mean(h |> Dense(1))", "x: [B, 3]"), x=np.ones((1, 3)))
    shown = [row.name for row in chosen_rows(trace.rows, Layout(), trace.model)]
    assert shown == ["x", "dense.0.W", "dense.0.b", "h", "dense.1.W", "dense.1.b", "dense.1", "J"]
    assert next(row.name for row in chosen_rows(trace.rows, Layout(only=("dense.0*",)), trace.model)) == "dense.0.W"


@pytest.mark.parametrize("graph", ["infer", "same"])
def test_a_result_that_is_an_input_is_shown(graph: str) -> None:
    of = program(model("output y = x\nentry same(x: [k]) -> [k]:\n    return x", "x: [B]"))
    trace = trace_model(of, {"x": [1.0, 2.0]}, graph=graph, options=CPU)
    close(trace["x"].value, [1, 2])
