"""Losses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType
from tests.support.oracles.losses import LOSSES, K, Loss, X

from ..facts import Measured, Row
from ..training import train, trainer_of

ROW = Row("1.5", "Losses", "004 02; 003 1.1.2, 3.3", ("robust_regression",))
NAMES = sorted({call.partition("(")[0] for call in LOSSES})


def computed(losses: Mapping[str, Loss]) -> dict[str, Any]:
    """Values ``v0 v1 ...`` of losses, and gradients ``g0 g1 ...`` of ``sum(v cos(v))``, on onnxruntime."""
    inputs, body, fields = ["x: [5, 4]", "k: i64[5]"], [], {"x": X, "k": K}
    for i, (call, loss) in enumerate(losses.items()):
        for name in sorted(set(re.findall(r"\b[tu]\b", call))):
            inputs.append(f"{name}{i}: [5, 4]")
            fields[f"{name}{i}"] = loss.fields()[name]
        own = re.sub(r"\b([tu])\b", rf"\g<1>{i}", call)
        body.append(f"v{i} = {own}, reduce=none)")
        body += [f"output value{i} = v{i}", f"output slope{i} = grad(sum(v{i} * cos(v{i})), x)"]
    lines = [*(f"input {one}" for one in inputs), *body]
    text = "model Losses():\n" + "".join(f"    {line}\n" for line in lines)
    given = {name: np.asarray(v, np.int64 if name == "k" else np.float32) for name, v in fields.items()}
    return trainer_of(text, batch_size=5).predict(given)


def differences(loss: Loss) -> Any:
    """The gradient of ``sum(v cos(v))`` by central differences of the loss in NumPy."""

    def total(x: Any) -> float:
        v = loss.values(x)
        return float((v * np.cos(v)).sum())

    slope, h = np.zeros_like(X), 1e-6
    for at in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[at] = h
        slope[at] = (total(X + step) - total(X - step)) / (2 * h)
    return slope


@ROW.fact(f"{len(LOSSES)} calls of {len(NAMES)} losses: values as in NumPy, gradients as central differences, to 1e-4")
def values_and_gradients() -> Measured:
    """Each difference relative to the largest number of its loss."""
    results, value, slope = computed(LOSSES), 0.0, 0.0
    for i, loss in enumerate(LOSSES.values()):
        expected, numeric = loss.values(X), differences(loss)
        value = max(value, float(abs(results[f"value{i}"] - expected).max() / abs(expected).max()))
        slope = max(slope, float(abs(results[f"slope{i}"] - numeric).max() / abs(numeric).max()))
    return Measured(f"values {value:.0e}, gradients {slope:.0e}", max(value, slope) <= 1e-4)


@ROW.fact("KL is a difference of logarithms: 0 for equals, above 0 else, cross-entropy less entropy (1,000)")
def divergence() -> Measured:
    """003 1.1.2 prints a quotient of logarithms, which is neither."""
    text = """model Divergence():
    input a: [B, 5]
    input b: [B, 5]
    p = softmax(a)
    output divergence = kl(p, log_softmax(b), reduce=none)
    output itself = kl(p, log_softmax(a), reduce=none)
    output excess = soft_cross_entropy(b, p, reduce=none) - soft_cross_entropy(a, p, reduce=none)
    output quotient = sum(p * log_softmax(a) / log_softmax(b), axis=-1)
"""
    a, b = np.random.default_rng(0).normal(size=(2, 1000, 5))
    found = trainer_of(text, DType.f64).predict({"a": a, "b": b})
    least, gap = found["divergence"].min(), np.abs(np.subtract(found["divergence"], found["excess"])).max()
    equal = abs(found["itself"]).max()
    holds = least > 0 and equal < 1e-12 and gap < 1e-12 and found["quotient"].min() > 0.1
    return Measured(f"least {least:.3f}, of equals {equal:.0e}, gap {gap:.0e}", bool(holds))


@ROW.fact("a line with outliers: mae, huber and log_cosh find the slope 2 to 5%; mse misses it by over 20%")
def outliers() -> Measured:
    """A tenth of the points, where x is large, is 10 too low."""
    errors = ("mae", "huber(delta=0.2)", "log_cosh", "mse")
    slopes = {e: float(train("robust_regression", error=e)[-1].trainer.parameters["dense.W"][0, 0]) for e in errors}
    shown = ", ".join(f"{error} {slope:.2f}" for error, slope in slopes.items())
    close = [abs(slope / 2 - 1) for slope in slopes.values()]
    return Measured(shown, max(close[:3]) <= 0.05 and close[3] > 0.2)
