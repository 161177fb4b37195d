"""Models in f64 are computed in f64: layers, losses and functions in onnxruntime against NumPy, values and gradients.

A result that passed through f32 on its way differs by 1e-8; what onnxruntime lacks in f64 is refused (AX0503)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.portability import missing_kernels
from tests.support.elaborated import initial, model, program
from tests.support.oracles.activations import ACTIVATIONS
from tests.support.oracles.losses import FIELDS, LOSSES, K, X
from tests.support.pointwise import runtime

LAYERS = {
    "Dense(3)": "[4, 6]",
    "MLP([5, 3], tanh)": "[4, 6]",
    "LayerNorm": "[4, 6]",
    "RMSNorm": "[4, 6]",
    "BatchNorm": "[4, 6, 5]",
    "GroupNorm(2)": "[4, 6, 5]",
    "InstanceNorm(affine=true)": "[4, 6, 5]",
    "ChannelNorm": "[4, 6, 5]",
    "MaxPool(2)": "[2, 3, 6, 6]",
    "GlobalAveragePool": "[2, 3, 6, 6]",
    "GlobalMaxPool": "[2, 3, 6, 6]",
    "AdaptiveAveragePool(2)": "[2, 3, 5, 5]",
    "PRelu(0.2, units=6, axis=1)": "[4, 6]",
    "Maxout(3)": "[4, 6]",
}
CALLS = {
    "softmax(x, axis=-1)": "[4, 6]",
    "log_softmax(x, axis=-1)": "[4, 6]",
    "logsumexp(x, axis=1)": "[4, 6]",
    "normalised(x, [0, 2])": "[4, 6, 5]",
    "batch_norm(x, ones([6]), zeros([6]))": "[4, 6, 5]",
    "std(x, axis=0)": "[4, 6]",
    "var(x, axis=0, ddof=1)": "[4, 6]",
    "norm(x, axis=1)": "[4, 6]",
    "norm(x, 3, axis=1)": "[4, 6]",
    "cosine_similarity(x, sin(x))": "[4, 6]",
    "pairwise_distances(x, cos(x))": "[4, 6]",
    "attend(x, x, x, causal=true)": "[4, 6]",
    "erf(x)": "[4, 6]",
    "x ** 3": "[4, 6]",
    "abs(x) ** 1.7": "[4, 6]",
    "expm1(x)": "[4, 6]",
    "log1p(abs(x))": "[4, 6]",
    "resize(x, [7], mode=linear)": "[2, 3, 5]",
    "median(x)": "[4, 6]",
    "cumsum(x, axis=1)": "[4, 6]",
    "cumprod(x, axis=1)": "[4, 6]",
    "one_hot(argmax(x, axis=1), 6) * x": "[4, 6]",
}
EVERY = {f"x |> {layer}": shape for layer, shape in LAYERS.items()} | CALLS
EVERY |= {call: "[5, 4]" for call in ACTIVATIONS if "tensor(" not in call and not call.startswith("step")}


def compared(body: str, inputs: str, fields: dict[str, Any]) -> None:
    of = program(model(body, inputs), float_type=DType.f64)
    graph = of.infer
    values = {**initial(of), **fields}
    rng = np.random.default_rng(3)
    for path in of.parameters:
        values[path] = values[path] + 0.1 * rng.normal(size=values[path].shape)
    given = {name: np.asarray(values[name]) for name in graph.inputs}
    lacking = missing_kernels(optimise(graph)).diagnostics
    if lacking:
        operators = sorted({re.search(r"`(\w+)`", d.headline)[1] for d in lacking})  # type: ignore[index]
        pytest.skip(f"onnxruntime has no {', '.join(operators)} of f64 on the CPU")
    expected = interpret(graph, given)
    for name, actual in runtime(graph, given).items():
        scale = 1 + np.abs(expected[name]).max()
        np.testing.assert_allclose(actual / scale, expected[name] / scale, rtol=0, atol=1e-14)


@pytest.mark.parametrize("call", EVERY)
def test_layers_and_functions_in_f64(call: str) -> None:
    shape = EVERY[call]
    x = np.random.default_rng(1).uniform(-2, 2, [int(n) for n in re.findall(r"\d+", shape)])
    body = f"y = {call}\ns = sum(y * sin(y))\noutput y = y\ng = grad(s, x)\noutput slope = g"
    body += "\noutput curvature = grad(sum(g * g), x)" if not call.startswith("x |> MaxPool") else ""
    compared(body, f"x: {shape}", {"x": x})


@pytest.mark.parametrize("call", LOSSES)
def test_losses_in_f64(call: str) -> None:
    fields = {"x": X, **LOSSES[call].fields()}
    body = f"y = {call})\noutput y = y\noutput slope = grad(y, x)\noutput used = sum(t) + sum(u) + float(sum(k))"
    compared(body, FIELDS, {**fields, "k": K})
