"""Random scans beside the same steps written out by a static ``for``: values, and gradients of first and second order."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.types import DType
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import optimise
from tests.support.elaborated import initial, model, program
from tests.support.onnx_run import run_onnx

STEPS, BATCH = 5, 2
ROWS = [
    "tanh({a})", "sigmoid({a}) * {b}", "{a} + {b}", "{a} - 0.5 * {b}", "{a} * {b}", "({a}) @ W", "({a}) @ transpose(W)",
    "({a}) @ V + {b}", "concat([{a}, {b}], axis=-1) @ U", "concat([({a})[:, :1], ({b})[:, 1:]], axis=-1)",
    "{a} * v", "{a} + v", "softmax({a}, axis=-1)", "where({a} > 0, {a}, {b})", "{a} * {s}", "max({a}, {b})",
    "({a})[:, tensor([2, 0, 1])]", "rearrange(rearrange({a}, \"b k -> k b\") + 0.1, \"k b -> b k\")", "stop_gradient({a}) + {b}",
    "sum({a}, axis=-1, keep=true) * {b}", "cumsum({a}, axis=-1) / 3", "exp(-({a}) ** 2)", "{a} / (1 + {b} ** 2)",
    "split({a}, [1, 2], axis=-1) |> reversed |> concat(axis=-1)", "broadcast(v, [BATCH, 3]) * {a}",
]  # fmt: skip
"""Of a batch of rows: from two of them, and a number."""
NUMBERS = ["mean({a} * {b})", "0.5 * {s} + sum(v * v)", "tanh(sum(({a}) @ W))", "{s} * cos({s})", "sum({b}[0] * v) / 3"]
WEIGHTS = "param W: [3, 3] ~ normal(0, 0.4)\nparam V: [3, 3] ~ normal(0, 0.4)\nparam U: [6, 3] ~ normal(0, 0.4)\nparam v: [3] ~ normal(0, 0.5)\n"
INPUTS = f"x: [{BATCH}, {STEPS}, 3]; y: [{STEPS}, {BATCH}, 3]"


def step(rng: random.Random) -> list[str]:
    """Statements of one step: of ``x_t``, ``y_t``, states ``h``, ``g`` and ``s``; ``e`` and ``n`` are emitted."""
    rows, numbers, lines = ["x_t", "y_t", "h", "g", "x_t + h"], ["s", "0.7"], []
    for k in range(rng.randint(2, 6)):
        a, b, s = rng.choice(rows), rng.choice(rows), rng.choice(numbers)
        if rng.random() < 0.75:
            lines.append(f"r{k} = {rng.choice(ROWS).format(a=a, b=b, s=s).replace('BATCH', str(BATCH))}")
            rows += [f"r{k}"] * 2
        else:
            lines.append(f"m{k} = {rng.choice(NUMBERS).format(a=a, b=b, s=s)}")
            numbers += [f"m{k}"] * 2
    lines.append(f"e = {rng.choice(rows)} * {rng.choice(numbers)}")
    lines.append(f"n = {rng.choice(numbers)} * 1.0")
    if rng.random() < 0.9:
        lines.append(f"h, g, s = {rng.choice(rows)}, {rng.choice([*rows, 'h'])}, {rng.choice(numbers)} * 1.0")
    return lines


def both(seed: int) -> tuple[str, str]:
    """The model by ``scan``, and by ``for``."""
    rng = random.Random(seed)
    lines, backwards, order = step(rng), rng.random() < 0.4, rng.random() < 0.5
    states = ["h = zeros([2, 3])", "g = x[:, 0]", "s = 0.5"]
    header = f"scan{' reversed' * backwards} x_t in x along 1, y_t in y along 0, {', '.join(states)} -> es along 1, ns along 0:\n"
    end = "value = mean(es * es * es) + sum(ns * ns) + sum(h * g) + s * s + 0.1 * (sum(W * W * W) + sum(exp(v)))\n"
    if order:
        end += "slope = grad(value, [W, v])\nvalue = value + sum(slope[0] * slope[0]) + mean(slope[1] ** 3)\n"
    end += "loss objective = value + 0 * (sum(W) + sum(V) + sum(U) + sum(v) + sum(x) + sum(y))\noutput all = es\noutput last = h + g + s"
    scan = header + "".join(f"    {line}\n" for line in lines) + "    emit e, n\n"
    written = "".join(f"{line.replace('s = 0.5', 's = tensor(0.5)')}\n" for line in states)
    written += f"es = [0 for _ in range({STEPS})]\nns = [0 for _ in range({STEPS})]\n"
    written += f"for t in {'reversed' if backwards else ''}(range({STEPS})):\n    x_t, y_t = x[:, t], y[t]\n"
    written += "".join(f"    {line}\n" for line in lines) + "    es[t] = e\n    ns[t] = n\n"
    written += "es = stack(es, axis=1)\nns = stack(ns, axis=0)\n"
    return tuple(model(WEIGHTS + body + end, INPUTS) for body in (scan, written))  # type: ignore[return-value]


def check(seed: int) -> None:
    """Compare all that both give."""
    texts = both(seed)
    looped, written = (program(text, float_type=DType.f64) for text in texts)
    generator = np.random.default_rng(seed)
    given: dict[str, Any] = {
        **initial(looped), "x": generator.normal(size=(BATCH, STEPS, 3)), "y": generator.normal(size=(STEPS, BATCH, 3)),
    }  # fmt: skip
    for pair in ((looped.infer, written.infer), tuple(gradient_graph(of, "objective") for of in (looped, written))):
        graph, other = pair
        expected = interpret(other, {name: given[name] for name in other.inputs})
        fed = {name: given[name] for name in graph.inputs}
        small = optimise(bind(graph, {}), verify=True)
        found = [interpret(graph, fed), interpret(small, fed), run_onnx(export(small, target="ort"), fed)]
        for name, value in expected.items():
            for array in found:
                np.testing.assert_allclose(array[name], value, rtol=1e-7, atol=1e-9, err_msg=texts[0])


@pytest.mark.parametrize("seed", range(25))
def test_a_scan_is_its_steps(seed: int) -> None:
    check(seed)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(25, 525))
def test_more_scans_are_their_steps(seed: int) -> None:
    check(seed)
