"""Codes 04xx: gradients."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0401", "not-differentiable", "a gradient would pass through something that has none",
        "Between the loss and what is trained stands an operation without a derivative: a discrete draw, a dynamic "
        "`loop`, an operation on integers. A gradient of zero would be wrong, so it is refused.",
        "Use `stop_gradient`, `straight_through` or `log_prob` for draws, and `scan` in place of `loop`.",
        "fn f(p: [B]) -> [B]:\n    k: [B] ~ bernoulli(p)\n    return grad(sum(k), p)\n",
    ),
    Code(
        "AX0402", "not-scalar-loss", "the gradient of something that is not a scalar",
        "`grad(y, x)` and `minimize` take a scalar: the gradient of a vector would be a matrix for each parameter.",
        "Reduce it with `sum` or `mean`, or give the weights of its items: `grad(y, x, weight=dy)`.",
        "fn f(x: [B]) -> [B]:\n    return grad(x * x, x)\n",
    ),
)
