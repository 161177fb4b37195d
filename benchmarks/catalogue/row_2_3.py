"""Row 2.3: residual networks, beside plain ones of the same layers, initial weights and training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import archonnx
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, zoo
from archonnx.compiler.program import ModelProgram

from .facts import Measured, Row
from .training import each, model_of

HE = 2**0.5
"""The gain with which rectifiers keep the variance: where widths are equal, these are He's initial weights."""
ROW = Row("2.3", "Residual networks", "002 4; 004 14", ("residual_mlp", "resnet18"))


@cache
def accuracies(residual: bool, gain: float | None = None) -> tuple[float, ...]:
    """Test accuracy of 50 layers of width 64 after 20 epochs, by seed: of the weights and of the batches."""
    arguments = {} if gain is None else {"gain": gain}
    return tuple(each("residual_mlp", "test", "accuracy", residual=residual, **arguments))


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


@ROW.fact("50 residual layers of width 64 reach 0.97 on digits after 20 epochs, with each of three seeds", slow=True)
def residual() -> Measured:
    """The worst seed counts."""
    reached = accuracies(True)
    return Measured(_shown(reached), min(reached) >= 0.97)


@ROW.fact("the same layers without the identity, trained alike, stay at or below 0.60", slow=True)
def plain() -> Measured:
    """The best seed counts."""
    reached = accuracies(False)
    return Measured(_shown(reached), max(reached) <= 0.60)


@ROW.fact("plain layers with He's initial weights, which are made for them, stay below every residual net", slow=True)
def plain_at_its_best() -> Measured:
    """So that the gap is not one of initial weights."""
    reached = accuracies(False, HE)
    return Measured(_shown(reached), max(reached) < min(accuracies(True)))


def _layer(units: int, inputs: int) -> ModelProgram:
    """One layer of the spec with the identity and one without, and their Jacobians, in f64."""
    block, _, _ = zoo()["residual_mlp"].read_text("utf-8").partition("\nmodel ")
    text = f"""{block}
model Layer():
    input h: [{inputs}]
    layer = ResidualLayer({units})
    inner = ResidualLayer({units}, residual=false)
    y = layer(h[none])[0]
    output value = y
    output whole = jacobian(y, h)
    output part  = jacobian(inner(h[none])[0], h)
"""
    return model_of(text, DType.f64)


Array: TypeAlias = npt.NDArray[np.float64]


def _jacobians(model: ModelProgram) -> tuple[Array, Array, Array, dict[str, Array]]:
    """Of the layer, of f with the same weights, of the layer by finite differences; and the weights."""
    parameters = model.parameters.items()
    weights = {path: interpret(p.initial, {"seed": 0})["value"].astype(np.float64) for path, p in parameters}
    of_f = "layer.dense" if "layer.dense.W" in weights else "layer.dense.0"
    weights |= {f"inner.dense.{name}": weights[f"{of_f}.{name}"] for name in ("W", "b")}

    def at(h: Array) -> dict[str, Array]:
        return {name: v.astype(np.float64) for name, v in interpret(model.infer, {"h": h, **weights}).items()}

    h, step = np.random.default_rng(0).normal(size=model.fields["h"].type.static_shape), 1e-6
    moves = [step * row for row in np.eye(len(h))]
    differences = np.stack([(at(h + move)["value"] - at(h - move)["value"]) / (2 * step) for move in moves], axis=1)
    return at(h)["whole"], at(h)["part"], differences, weights


@ROW.fact("the Jacobian of a residual layer is I + df/dh, as finite differences are")
def identity() -> Measured:
    """The largest deviation of the three."""
    whole, part, differences, _ = _jacobians(_layer(6, 6))
    gap = max(np.abs(whole - (np.eye(6) + part)).max(), np.abs(whole - differences).max())
    return Measured(f"{gap:.0e}", bool(gap < 1e-8) and bool(np.abs(part).max() > 0.1))


@ROW.fact("where the size changes, a projection P takes the place of the identity: its Jacobian is P^T + df/dh")
def projection() -> Measured:
    """Likewise."""
    whole, part, differences, weights = _jacobians(_layer(4, 6))
    gap = max(np.abs(whole - (weights["layer.dense.1.W"].T + part)).max(), np.abs(whole - differences).max())
    return Measured(f"{gap:.0e}", bool(gap < 1e-8))


@ROW.fact("ResNet-18 has the identity in five blocks, and a projection in the three that change the size")
def resnet() -> Measured:
    """The projections are its only 1x1 convolutions."""
    parameters = elaborate(archonnx.load("resnet18")).parameters.values()
    kernels = [p.shape[:2] for p in parameters if p.path.endswith("conv.W") and p.shape[2:] == (1, 1)]
    shown = ", ".join(f"{inputs} to {outputs}" for outputs, inputs in kernels)
    return Measured(f"projections of {shown} channels", kernels == [(128, 64), (256, 128), (512, 256)])
