"""ONNX's own training operators as steps by hand, by its reference implementation (``ai.onnx.preview.training``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .optimizers import Array, Rule, State

DOMAIN = "ai.onnx.preview.training"


def _apply(operator: str, inputs: Sequence[Any], outputs: int, **attributes: Any) -> list[Array]:
    """One application of an operator to a rate, a step count and tensors, in float64."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    names = [f"x{i}" for i in range(len(inputs))]
    results = [f"y{i}" for i in range(outputs)]
    arrays = [np.asarray(value, np.int64 if i == 1 else np.float64) for i, value in enumerate(inputs)]
    kinds = [TensorProto.INT64 if i == 1 else TensorProto.DOUBLE for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, results, domain=DOMAIN, **attributes)],
        operator,
        [
            helper.make_tensor_value_info(name, kind, array.shape)
            for name, kind, array in zip(names, kinds, arrays, strict=True)
        ],
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, arrays[2].shape) for name in results],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(DOMAIN, 1), helper.make_opsetid("", 21)])
    return [np.asarray(y) for y in ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))]


def adagrad(lr: float, eps: float) -> Rule:
    """Its epsilon is outside the root."""

    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        inputs = (lr, t - 1, p, g, state.get("h", np.zeros_like(p)))
        new, state["h"] = _apply("Adagrad", inputs, 2, epsilon=eps, decay_factor=0.0, norm_coefficient=0.0)
        return new

    return rule


def momentum(lr: float, alpha: float, mode: str) -> Rule:
    """``mode`` is ``standard`` or ``nesterov``; the gradient's coefficient is 1 throughout."""

    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        inputs = (lr, t - 1, p, g, state.get("v", np.zeros_like(p)))
        new, state["v"] = _apply("Momentum", inputs, 2, alpha=alpha, beta=1.0, mode=mode, norm_coefficient=0.0)
        return new

    return rule


def adam(lr: float, beta1: float, beta2: float, eps: float) -> Rule:
    """It corrects the bias of the quotient, not of the moments; its epsilon is thus eps sqrt(1 - beta2^t)."""

    def rule(t: int, p: Array, g: Array, state: State, decay: bool) -> Array:
        inputs = (lr, t, p, g, state.get("v", np.zeros_like(p)), state.get("h", np.zeros_like(p)))
        new, state["v"], state["h"] = _apply(
            "Adam",
            inputs,
            3,
            alpha=beta1,
            beta=beta2,
            epsilon=eps * float(np.sqrt(1 - beta2**t)),
            norm_coefficient=0.0,
            norm_coefficient_post=0.0,
        )
        return new

    return rule


SMALL = 2**-10
OPERATORS: dict[str, Rule] = {
    f"adagrad(0.1, eps={SMALL})": adagrad(0.1, SMALL),
    "sgd(0.1, momentum=0.875)": momentum(0.1, 0.875, "standard"),
    "sgd(0.1, momentum=0.875, nesterov=true)": momentum(0.1, 0.875, "nesterov"),
    f"adam(0.05, 0.875, 0.9375, eps={SMALL})": adam(0.05, 0.875, 0.9375, SMALL),
}
"""Calls in the language, and the operator that does the same. Attributes are float32: these numbers are exact there."""
