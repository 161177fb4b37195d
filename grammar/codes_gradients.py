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
        "model M():\n    input x: [B]\n    output g = grad(x * x, x)\n",
    ),
    Code(
        "AX0403", "grad-of-what", "`grad` cannot differentiate this",
        "`grad(y, x)` is taken with respect to float tensors and modules; a weight has the type of `y`.",
        "Convert integers to floats before they enter the computation.",
        "model M():\n    input k: i64[B]\n    output g = grad(sum(f32(k)), k)\n",
    ),
    Code(
        "AX0404", "backward-does-not-fit", "a `backward` clause does not fit its fn",
        "It takes a cotangent for each result and returns a gradient for each float tensor among the arguments, of its type.",
        "Count the results and the tensor arguments.",
        "fn f(x: [...S]) -> [...S]:\n    return x\nbackward(a, b):\n    return a\nmodel M():\n    input x: [B]\n"
        "    output y = f(x)\n",
    ),
    Code(
        "AX0405", "nothing-to-train", "a loss depends on no parameter that could change",
        "No gradient reaches a trainable parameter: they are frozen, left out by `over`, or behind `stop_gradient`.",
        "Check what the loss is computed from, and what `over` names.",
        "model M():\n    input x: [B]\n    loss l = mean(x)\ntrain:\n    minimize l with sgd()\n",
    ),
)
