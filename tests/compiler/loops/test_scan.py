"""Scans: what they compute, their gradients of first and second order, and what passes make of them.

The oracles are a loop in NumPy, central differences in float64, and onnxruntime; every graph is verified, bodies too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.counting import count
from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.program import ModelProgram
from tests.support.elaborated import SEED, codes, findings, initial, model, output, program, train_step
from tests.support.onnx_run import run_onnx

SIZES = {"B": 2, "T": 4, "N": 3}

LSTM = """\
param W: [7, 16] ~ glorot_uniform()
param b: [16] = 0.1
scan x_t in x along 1, h = zeros([B, 4]), c = zeros([B, 4]) -> hs along 1:
    f, i, g, o = split(concat([x_t, h], axis=-1) @ W + b, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    emit h
"""
CASES = {
    "lstm": (LSTM + "loss objective = mean(hs * hs) + sum(c * c)", "x: [B, T, 3]"),
    "reversed, two inputs, two states, a number": (
        """\
param W: [3, 3] ~ normal(0, 0.5)
scan reversed x_t in x along 1, u_t in u along 0, i in range(T), h = zeros([B, 3]), s = 0.0 -> hs along 1, ss along 0:
    h = tanh(h @ W + x_t * u_t[:, none]) * (1 + 0.1 * float(i))
    s = s * 0.9 + sum(h * h)
    emit h, s
loss objective = sum(hs * hs) + sum(ss) + s""",
        "x: [B, T, 3]; u: [T, B]",
    ),
    "nested": (
        """\
param W: [3, 3] ~ normal(0, 0.5)
param a: [] = 0.3
scan x_t in x along 1, k = zeros([B, 3]) -> ks along -1:
    scan r in range(3), k = k:
        k = sin(k @ W + x_t) + a
    emit k
loss objective = sum(ks * ks)""",
        "x: [B, T, 3]",
    ),
    "gradient of a gradient": (
        """\
param W: [3, 3] ~ normal(0, 0.5)
scan x_t in x along 1, h = zeros([B, 3]) -> hs along 1:
    h = tanh(h @ W + x_t)
    emit h
y = sum(hs * hs)
g = grad(y, W)
loss objective = sum(g * g) + y""",
        "x: [B, T, 3]",
    ),
    "a gradient in the body": (
        """\
net = Dense(2)
warm = net(x)
scan i in range(3), fast = net -> losses along 0:
    l = mean((fast(x) - t) ** 2)
    fast = fast - 0.1 * grad(l, fast)
    emit l
loss objective = mean((fast(x) - t) ** 2) + sum(losses) + 0 * sum(warm)""",
        "x: [N, 3]; t: [N, 2]",
    ),
    "draws, a list": (
        """\
param W: [3, 3] ~ normal(0, 0.5)
scan x_t in x along 1, h = zeros([B, 3]), past = [zeros([B, 3]), zeros([B, 3])] -> hs along 1:
    z: [B, 3] ~ normal(0, 1)
    past[1] = past[0]
    past[0] = h
    h = tanh((h + past[1]) @ W + x_t) + 0.1 * z
    emit h
loss objective = sum(hs * hs)""",
        "x: [B, T, 3]",
    ),
    "what is emitted needs no state, a state needs no input": (
        """\
param w: [3] = 0.5
scan x_t in x along 1, k = ones([3]), unused = zeros([B]) -> ys along 1, zs along 0:
    k = k * w + 0.1
    unused = unused + 1
    emit tanh(x_t * w), sum(x_t * k)
loss objective = sum(ys * ys) + sum(zs) + sum(k)""",
        "x: [B, T, 3]",
    ),
    "gates by their products, and gates that are not": (
        """\
param W: [3, 12] ~ normal(0, 1)
scan x_t in x along 1, h = zeros([B, 3]), c = ones([B, 3]) -> hs along 1:
    i, f, o, u = split(sigmoid((x_t + h) @ W), 4, axis=-1)
    z = sigmoid(h + x_t)
    c = f * c + i * x_t * tanh(z * h) + i * u
    h = o * c + 0.1 * z
    emit h * z
loss objective = sum(hs * hs) + sum(c)""",
        "x: [B, T, 3]",
    ),
    "a state that is an input later, rows of a table": (
        """\
param E: [5, 3] ~ normal(0, 1)
scan x_t in x along 1, before = zeros([B, 3]), fixed = E -> ys along 1:
    y = before * E[argmax(x_t, axis=-1)] + fixed[0]
    before = x_t
    emit softmax(y, axis=-1)
loss objective = sum(ys * ys * ys)""",
        "x: [B, T, 3]",
    ),
}


def values(of: ModelProgram, graph: Graph, sizes: dict[str, int], seed: int = 3) -> dict[str, Any]:
    """Inputs of a graph: drawn, but parameters as they start."""
    generator = np.random.default_rng(seed)
    known = {name: Dim.of(size) for name, size in sizes.items()}
    given: dict[str, Any] = {"seed": np.int64(SEED), "step": np.int64(5), **initial(of)}
    for name, value in graph.inputs.items():
        shape = value.type.substitute(known).static_shape
        if name not in given:
            given[name] = generator.normal(size=shape)
    return {name: np.asarray(given[name], graph.inputs[name].type.dtype.numpy) for name in graph.inputs}


def slope(of: ModelProgram, given: dict[str, Any], path: str, direction: Array) -> float:
    """The derivative of the loss along a direction, by central differences."""
    graph = of.training.graph
    full = {**values(of, graph, SIZES), **given}

    def at(shift: float) -> float:
        moved = {**full, path: full[path] + shift * direction}
        return float(interpret(graph, {name: moved[name] for name in graph.inputs})["objective"])

    return (at(1e-6) - at(-1e-6)) / 2e-6


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_slope_before_and_after_passes_and_in_onnxruntime(name: str) -> None:
    body, inputs = CASES[name]
    of = program(model(body + "\noutput o = sum(x)", inputs), float_type=DType.f64)
    plain = gradient_graph(of, "objective")
    verify(plain)
    small = optimise(plain, verify=True)
    given = values(of, plain, SIZES)
    expected = interpret(plain, given)
    for path, gradient in expected.items():
        path = path.removeprefix("grad/")
        direction = np.random.default_rng(1).normal(size=gradient.shape)
        np.testing.assert_allclose(
            (gradient * direction).sum(), slope(of, given, path, direction), rtol=1e-6, atol=1e-7
        )
    for graph, run in ((small, None), (plain, "ort"), (small, "ort"), (small, "portable")):
        found = interpret(graph, given) if run is None else run_onnx(export(graph, target=run), given)
        for path, gradient in expected.items():
            np.testing.assert_allclose(found[path], gradient, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_text_reads_back_and_dims_bind(name: str) -> None:
    body, inputs = CASES[name]
    graph = optimise(program(model(body + "\noutput o = sum(x)", inputs), float_type=DType.f64).training.graph)
    again = parse_graph(print_graph(graph, origins=False))
    verify(again)
    assert print_graph(again, origins=False) == print_graph(graph, origins=False)
    fixed = bind(graph, SIZES)
    verify(fixed)
    assert not fixed.all_symbols()


@pytest.mark.parametrize("length", [1, 2, 7])
def test_lstm_is_a_loop_in_numpy(length: int) -> None:
    of = program(model(LSTM + "output o = hs", "x: [B, T, 3]"), float_type=DType.f64)
    x, W, b = np.random.default_rng(0).normal(size=(2, length, 3)), *initial(of).values()
    h = c = np.zeros((2, 4))

    def sigmoid(z: Array) -> Any:
        return 1 / (1 + np.exp(-z))

    for t in range(length):
        f, i, g, o = np.split(np.concatenate([x[:, t], h], -1) @ W + b, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(output(of, x=x)[:, t], h, rtol=1e-12)


def test_reversed_outputs_stay_with_their_inputs() -> None:
    text = model(
        "scan reversed v in x along 1, s = zeros([B]) -> ss along 1:\n    s = s + v\n    emit s\noutput o = ss"
    )
    x = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(output(text, x=x), np.cumsum(x[:, ::-1], 1)[:, ::-1])


def test_a_long_scan_is_as_large_as_a_short_one() -> None:
    graphs = []
    for length in (10, 1000):
        of = program(model(LSTM + "output o = hs\nloss objective = mean(hs)", f"x: [B, {length}, 3]"))
        graphs.append(optimise(gradient_graph(of, "objective")))
    short, long = (export(graph).graph for graph in graphs)
    assert len(short.node) == len(long.node)
    assert [n.op_type for n in short.node] == [n.op_type for n in long.node]


def test_work_that_needs_no_state_is_outside() -> None:
    """One product with the input's weights before the loop, one for all gradients after it; none with them inside."""
    of = program(model(LSTM + "output o = hs\nloss objective = mean(hs)", "x: [B, T, 3]"))
    graph = optimise(gradient_graph(of, "objective"))
    inside = [body for node in graph.nodes for body in node.op.bodies()]
    assert [sum(node.op.name == "mat_mul" for node in body.nodes) for body in inside] == [1, 1]
    forward, backward = inside
    assert not any(node.op.name in ("concat", "transpose") for node in forward.nodes)
    assert len(backward.nodes) <= 16


def test_gates_are_differentiated_by_their_products() -> None:
    """An LSTM keeps three gates, two functions and two products; the cells before each step are not made."""
    of = program(model("layer = LSTM(4)\nloss objective = sum(layer(x).hs ** 2)", "x: [B, T, 3]"))
    graph = optimise(gradient_graph(of, "objective"))
    forward, backward = (node for node in graph.nodes if isinstance(node.op, Scan))
    assert isinstance(forward.op, Scan) and isinstance(backward.op, Scan)
    assert len(forward.op.body.outputs) - forward.op.states == 7
    made = [type(node.op).__name__ for node in graph.nodes]
    assert made.count("Slice") == 1  # the states before each step, for the gradient of the weights


def test_each_step_draws_anew_and_the_same_again() -> None:
    text = model(
        "scan i in range(50), s = 0.0 -> zs along 0:\n    z: [B] ~ normal(0, 1)\n    emit z\noutput o = zs", "x: [B]"
    )
    first, again = (output(text, x=np.zeros(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == first.size
    assert abs(first.mean()) < 0.4 and 0.8 < first.std() < 1.2


def test_a_scan_counts_each_step() -> None:
    of = program(
        model(
            "W = Dense(3, bias=false)\nscan v in x along 1, h = zeros([B, 3]):\n    h = W(h) + v\noutput o = h",
            "x: [B, T, 3]",
        )
    )

    found = count(of, "infer", {"T": 5})
    assert found.total.multiplications.constant == 9 * 5
    assert {row.path: row.uses for row in found.rows if row.block}["W"] == 1


WRONG = {
    "a state of another shape": ("scan v in x along 1, h = 0.0:\n    h = h + v\noutput o = h", "AX0331"),
    "a state of another dtype": ("scan v in x along 1, h = zeros([B]):\n    h = i64(h)\noutput o = h", "AX0331"),
    "a state that becomes a list": ("scan v in x along 1, h = zeros([B]):\n    h = [h, h]\noutput o = h", "AX0331"),
    "nothing emitted": ("scan v in x along 1, h = zeros([B]) -> hs along 0:\n    h = h + v\noutput o = hs", "AX0228"),
    "emitted twice": (
        "scan v in x along 1, h = zeros([B]) -> hs along 0:\n    emit h\n    emit h\noutput o = hs", "AX0228"
    ),
    "two for one": ("scan v in x along 1 -> hs along 0:\n    emit v, v\noutput o = hs", "AX0228"),
    "emitted without a name": ("scan v in x along 1, h = zeros([B]):\n    emit h\noutput o = h", "AX0228"),
    "emit outside": ("emit x\noutput o = x", "AX0228"),
    "a return": ("scan v in x along 1, h = zeros([B]):\n    return h\noutput o = h", "AX0"),
    "no axis": ("scan v in x, h = zeros([B]):\n    h = h + v\noutput o = h", "AX0333"),
    "no such axis": ("scan v in x along 2, h = zeros([B]):\n    h = h + v\noutput o = h", "AX0333"),
    "an axis that is no int": ("scan v in x along 0.5, h = zeros([B]):\n    h = h + v\noutput o = h", "AX0333"),
    "no axis of what is emitted": ("scan v in x along 1 -> hs:\n    emit v\noutput o = hs", "AX0333"),
    "another axis of what is emitted": ("scan v in x along 1 -> hs along 3:\n    emit v\noutput o = hs", "AX0333"),
    "unequal lengths": ("scan v in x along 1, i in range(5), h = zeros([B]):\n    h = h + v\noutput o = h", "AX0332"),
    "unknown lengths": ("scan v in x along 1, i in range(B), h = zeros([B]):\n    h = h + v\noutput o = h", "AX0305"),
    "nothing to run over": ("scan h = zeros([B]):\n    h = h + 1\noutput o = h + x[:, 0]", "AX0332"),
    "no step": ("scan i in range(0), h = x:\n    h = h + 1\noutput o = h", "AX0332"),
    "a list": ("scan v in [1, 2], h = x:\n    h = h + v\noutput o = h", "AX0332"),
    "a scalar": ("scan v in sum(x), h = x:\n    h = h + v\noutput o = h", "AX0332"),
    "a range of a tensor": ("scan i in range(sum(i64(x))), h = x:\n    h = h + 1\noutput o = h", "AX0332"),
    "an outer name": ("t = sum(x)\nscan v in x along 1, h = zeros([B]):\n    t = t + sum(v)\n    h = v\noutput o = h", "AX0227"),
    "a name twice": ("scan v in x along 1, v = zeros([B]):\n    v = v + 1\noutput o = v", "AX0205"),
    "a step's name afterwards": (
        "scan v in x along 1, h = zeros([B]):\n    twice = 2 * v\n    h = h + twice\noutput o = h + twice", "AX0201"
    ),
    "a buffer": (
        "buffer n: [] = 0\nscan v in x along 1, h = zeros([B]):\n    update n = n + 1\n    h = v\noutput o = h + n\n"
        "loss l = mean(h)", "AX0221",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_said_once(name: str) -> None:
    body, code = WRONG[name]
    found = findings(model(body))
    assert len(found) == 1 and found[0].code.startswith(code), [d.headline for d in found]


@pytest.mark.parametrize("over", ["range(T)", "range(1, T)", "x"])
def test_a_static_for_over_what_is_not_static_names_scan(over: str) -> None:
    (found,) = findings(model(f"h = x[:, 0]\nfor i in {over}:\n    h = h + 1\noutput o = h", "x: [B, T, 3]"))
    assert found.code == "AX0309" and "scan" in str(found.help)


def test_a_buffer_of_the_library_is_said_at_the_loop() -> None:
    text = "scan v in x along 1, h = zeros([B, 3]):\n    h = h + BatchNorm()(v)\noutput o = h\nloss l = mean(h)"
    (found,) = findings(model(text, "x: [B, T, 3]"))
    assert found.code == "AX0221" and found.span is not None and found.span.text.startswith("scan v in x")


def test_a_mistake_inside_is_said_without_others() -> None:
    assert codes(
        model("scan v in x along 1, h = zeros([B]) -> hs along 1:\n    h = h + nothing\n    emit h\noutput o = hs")
    ) == ["AX0201"]


def test_a_symbolic_length_is_checked_when_it_runs() -> None:
    of = program(model("scan v in x along 1, h = zeros([B]):\n    h = h + v\noutput o = h", "x: [B, T]"))
    assert [assumption.message for assumption in of.assumptions] == ["a scan has at least one step: T is 0"]


@pytest.mark.parametrize("name", CASES)
def test_short_scans_are_written_out(name: str) -> None:
    """Of three steps nothing of a loop is left, and the gradients are those of the loop."""
    body, inputs = CASES[name]
    of = program(model(body + "\noutput o = sum(x)", inputs), float_type=DType.f64)
    sizes = {"B": 2, "T": 3, "N": 3}
    plain = bind(gradient_graph(of, "objective"), sizes)
    small = optimise(plain, verify=True)
    assert not any(node.op.bodies() for node in small.nodes)
    given = values(of, plain, sizes)
    expected = interpret(plain, given)
    for found in (interpret(small, given), run_onnx(export(small), given)):
        for path, gradient in expected.items():
            np.testing.assert_allclose(found[path], gradient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_recomputed_steps_have_the_same_gradients_and_keep_states_alone(name: str) -> None:
    body, inputs = CASES[name]
    text = model(body + "\noutput o = sum(x)", inputs, after="train:\n    minimize objective with sgd(lr=1.0)\n")
    steps = [train_step(program(text + setting, float_type=DType.f64)) for setting in ("", "    recompute = true\n")]
    of, sizes = program(text, float_type=DType.f64), {"B": 2, "T": 6, "N": 3}
    graphs = [optimise(bind(step.graph, sizes), verify=True) for step in steps]
    given = {**values(of, graphs[0], sizes), **{k: np.int64(0) for k in graphs[0].inputs if k.endswith("/t")}}
    kept, again = (interpret(graph, given) for graph in graphs)
    for key, value in kept.items():
        np.testing.assert_allclose(again[key], value, rtol=1e-9, atol=1e-10)
    if name == "lstm":
        emitted = [len(node.outputs) - node.op.states for node in graphs[1].nodes if isinstance(node.op, Scan)]
        assert emitted[0] == 2
