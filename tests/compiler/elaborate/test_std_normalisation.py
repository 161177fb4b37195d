"""The library's normalisations against NumPy: values, running statistics, gradients of first and second order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.steps import initial_state
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import (
    codes,
    expression,
    initial,
    loss_and_gradients,
    model,
    numbers,
    output,
    program,
    train_step,
)

TRAIN = "\ntrain:\n    minimize l with sgd(lr=0.1)\n"
SHAPES = {0: (6, 4), 1: (5, 4, 3), 2: (3, 4, 2, 3), 3: (2, 4, 2, 1, 3)}
"""By the number of spatial axes: a batch with four channels."""


def channelwise(v: Array, rank: int) -> Array:
    """A number for each channel of a tensor of so many axes."""
    return v.reshape(1, -1, *[1] * (rank - 2))


def standardised(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def declared(shape: tuple[int, ...]) -> str:
    return f"x: [B, {', '.join(map(str, shape[1:]))}]"


# ---------------------------------------------------------------- batch normalisation


@pytest.mark.parametrize("spatial", SHAPES)
def test_batch_norm_trains_with_the_batch_and_keeps_running_statistics(spatial: int) -> None:
    shape = SHAPES[spatial]
    body = "norm = BatchNorm(momentum=0.3, eps=1e-3)\nz = norm(x)\noutput y = z\nloss l = mean(z ** 3)"
    ours = Trainer(program(model(body, declared(shape), after=TRAIN)), options=SessionOptions(device="cpu", threads=1))
    mean, variance, axes = np.zeros(4), np.ones(4), (0, *range(2, len(shape)))
    for seed in range(3):
        x = 2 + 3 * numbers(*shape, seed=seed)
        scale, shift = (channelwise(ours.parameters[f"norm.{name}"], x.ndim) for name in ("scale", "shift"))
        expected = ((standardised(x, axes, 1e-3) * scale + shift) ** 3).mean()
        np.testing.assert_allclose(ours.step({"x": x})["l"], expected, rtol=1e-4, atol=1e-5)
        mean = 0.7 * mean + 0.3 * x.mean(axes)
        variance = 0.7 * variance + 0.3 * x.var(axes, ddof=1)
        np.testing.assert_allclose(ours.parameters["norm.running_mean"], mean, rtol=1e-4)
        np.testing.assert_allclose(ours.parameters["norm.running_variance"], variance, rtol=1e-4)
    x = numbers(*shape, seed=9)
    scale, shift = (channelwise(ours.parameters[f"norm.{name}"], x.ndim) for name in ("scale", "shift"))
    expected = (x - channelwise(mean, x.ndim)) / np.sqrt(channelwise(variance, x.ndim) + 1e-3) * scale + shift
    np.testing.assert_allclose(ours.predict({"x": x})["y"], expected, rtol=1e-3, atol=1e-4)


def test_batch_norm_of_one_example_keeps_a_finite_variance() -> None:
    body = "norm = BatchNorm()\nparam w: [4] = 1\nloss l = mean(norm(x) * w)"
    ours = Trainer(program(model(body, "x: [B, 4]", after=TRAIN)), options=SessionOptions(device="cpu", threads=1))
    ours.step({"x": numbers(1, 4)})
    np.testing.assert_allclose(ours.parameters["norm.running_variance"], np.full(4, 0.9), rtol=1e-6)


def test_batch_norm_survives_a_large_mean() -> None:
    """The mean of squares minus the square of the mean would be wrong in the first digit here."""
    x = (1000 + numbers(4096, 2)).astype(np.float32)
    of = program(model("norm = BatchNorm()\nloss l = mean(norm(x) ** 4)", "x: [B, 2]", after=TRAIN))
    step = train_step(of)
    given = {**initial(of), **initial_state(step), "x": x}
    result = interpret(step.graph, {name: given[name] for name in step.graph.inputs})
    exact = (standardised(x.astype(np.float64), (0,), 1e-5) ** 4).mean()
    np.testing.assert_allclose(result["l"], exact, rtol=1e-3)


def test_without_scale_and_shift_nothing_is_trained() -> None:
    of = program(model("output y = x |> BatchNorm(affine=false) |> InstanceNorm", "x: [B, 4, 5]"))
    assert [p.path for p in of.parameters.values() if not p.buffer] == []
    assert all(p.decay is False for p in program(model("output y = BatchNorm()(x)")).parameters.values() if p.trainable)


def test_in_use_a_convolution_swallows_its_batch_norm(tmp_path: Path) -> None:
    """With parameters as constants, onnxruntime folds the norm into the weights: what is left is Conv and Relu."""
    of = program(model("output y = x |> Conv(2, bias=false) |> BatchNorm |> relu", "x: [B, 3, 5, 5]"))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    exported = export(optimise(of.infer), constants=initial(of)).SerializeToString()
    onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    left = onnx.load(tmp_path / "optimised.onnx").graph.node
    assert [node.op_type for node in left] == ["Conv", "Relu"]


# ---------------------------------------------------------------- the others


def layer_norm(x: Array, scale: Array, shift: Array) -> Array:
    return standardised(x, (-1,), 0.1) * scale + shift


def rms_norm(x: Array, scale: Array, shift: Array) -> Array:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.1) * scale


def channel_norm(x: Array, scale: Array, shift: Array) -> Array:
    return standardised(x, (1,), 0.1) * channelwise(scale, x.ndim) + channelwise(shift, x.ndim)


def instance_norm(x: Array, scale: Array, shift: Array) -> Array:
    normal = standardised(x, tuple(range(2, x.ndim)), 0.1)
    return normal * channelwise(scale, x.ndim) + channelwise(shift, x.ndim)


def group_norm(x: Array, scale: Array, shift: Array) -> Array:
    groups = x.reshape(len(x), 2, 2, *x.shape[2:])
    normal = standardised(groups, tuple(range(2, groups.ndim)), 0.1).reshape(x.shape)
    return normal * channelwise(scale, x.ndim) + channelwise(shift, x.ndim)


OTHERS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "LayerNorm(eps=0.1)": layer_norm,
    "RMSNorm(eps=0.1)": rms_norm,
    "ChannelNorm(eps=0.1)": channel_norm,
    "InstanceNorm(eps=0.1, affine=true)": instance_norm,
    "GroupNorm(2, eps=0.1)": group_norm,
}


@pytest.mark.parametrize("spatial", SHAPES)
@pytest.mark.parametrize("call", OTHERS)
def test_of_one_example(call: str, spatial: int) -> None:
    shape = SHAPES[spatial]
    if "Instance" in call and not spatial:
        assert codes(model(f"output y = {call}(x)", declared(shape))) == ["AX0319"]
        return
    of = program(model(f"net = {call}\noutput y = net(x)", declared(shape)))
    size = of.parameters["net.scale"].shape
    x, scale, shift = 3 + numbers(*shape), numbers(*size, seed=1), numbers(*size, seed=2)
    actual = output(of, {"net.scale": scale, "net.shift": shift}, x=x)
    np.testing.assert_allclose(actual, OTHERS[call](x, scale, shift), rtol=1e-4, atol=1e-5)


def test_normalised_over_any_axes() -> None:
    x = numbers(3, 4, 5)
    actual = expression("normalised(x, [0, 2], 0.1)", "x: [B, 4, 5]", x=x)
    np.testing.assert_allclose(actual, standardised(x, (0, 2), 0.1), rtol=1e-4, atol=1e-5)
    mean = expression("moments(x, [1]).mean", "x: [B, 4, 5]", x=x)
    np.testing.assert_allclose(mean, x.mean(1, keepdims=True), rtol=1e-4, atol=1e-6)


def test_groups_must_divide_the_channels() -> None:
    assert codes(model("output y = GroupNorm(3)(x)", "x: [B, 4, 5]")) == ["AX0319"]


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("call", ["BatchNorm(eps=0.1)", *OTHERS])
def test_gradients_in_training_against_finite_differences(call: str, order: int) -> None:
    """Of the input, scale and shift, along a random direction; of second order, of the squared gradient."""
    body = f"param p: [4, 4, 3] = 0\nnet = {call}\nz = net(p)\nl0 = sum(z ** 3 * x)\n"
    body += "loss l = l0" if order == 1 else "g = grad(l0, p)\nloss l = sum(g * g) + l0"
    of = program(model(body, "x: [4, 4, 3]", after=TRAIN), float_type=DType.f64)
    rng, step = np.random.default_rng(3), train_step(of)
    values = {path: rng.normal(size=p.shape) for path, p in of.parameters.items()}
    given: dict[str, Any] = {**initial_state(step), "x": rng.normal(size=(4, 4, 3))}
    gradients = loss_and_gradients(of, "l", {**values, **given})
    along = {path: rng.normal(size=values[path].shape) for path in gradients}

    def loss(distance: float) -> float:
        moved = {path: v + distance * along.get(path, 0) for path, v in values.items()} | given
        return float(interpret(step.graph, {name: moved[name] for name in step.graph.inputs})["l"])

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    expected = sum(float((gradients[path] * along[path]).sum()) for path in gradients)
    assert slope == pytest.approx(expected, rel=1e-5)
    assert set(gradients) == {path for path, p in of.parameters.items() if not p.buffer}
