"""Codes 04xx: gradients."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0401",
        "not-differentiable",
        "a gradient would pass through something that has none",
        "Between the loss and what is trained stands an operation without a derivative: a discrete draw, a dynamic "
        "`loop`, an operation on integers. A gradient of zero would be wrong, so it is refused.",
        "Use `stop_gradient`, `straight_through` or `log_prob` for draws, and `scan` in place of `loop`.",
        "fn f(p: [B]) -> [B]:\n    k: [B] ~ bernoulli(p)\n    return grad(sum(k), p)\n",
    ),
    Code(
        "AX0402",
        "not-scalar-loss",
        "the gradient of something that is not a scalar",
        "`grad(y, x)` and `minimize` take a scalar: the gradient of a vector would be a matrix for each parameter.",
        "Reduce it with `sum` or `mean`, or give the weights of its items: `grad(y, x, weight=dy)`.",
        "model M():\n    input x: [B]\n    output g = grad(x * x, x)\n",
    ),
    Code(
        "AX0403",
        "grad-of-what",
        "`grad` cannot differentiate this",
        "`grad(y, x)` is taken with respect to float tensors and modules; a weight has the type of `y`.",
        "Convert integers to floats before they enter the computation.",
        "model M():\n    input k: i64[B]\n    output g = grad(sum(f32(k)), k)\n",
    ),
    Code(
        "AX0404",
        "backward-does-not-fit",
        "a `backward` clause does not fit its fn",
        "It takes a cotangent for each result and returns a gradient for each float tensor among the arguments.",
        "Count the results and the tensor arguments.",
        "fn f(x: [...S]) -> [...S]:\n    return x\nbackward(a, b):\n    return a\nmodel M():\n    input x: [B]\n"
        "    output y = f(x)\n",
    ),
    Code(
        "AX0405",
        "nothing-to-train",
        "a loss depends on no parameter that could change",
        "No gradient reaches a trainable parameter: they are frozen, left out by `over`, or behind `stop_gradient`.",
        "Check what the loss is computed from, and what `over` names.",
        "model M():\n    input x: [B]\n    loss l = mean(x)\ntrain:\n    minimize l with sgd()\n",
    ),
    Code(
        "AX0406",
        "state-changes-type",
        "a state of an optimizer changes its type",
        "A state is carried from step to step, so the value at the end of the body has the type of its declaration: "
        "the same shape, the same dtype, and a tensor.",
        "Keep its shape (a sum or a mean has another one), or declare the state as what it becomes: `state m: [] = 0`.",
        "optimizer slow(lr: float = 0.1)(p: [...S], g: [...S], t: i64[]) -> [...S]:\n    state m: [...S] = 0\n"
        "    m = mean(g)\n    return p - lr * m\nmodel M():\n    input x: [B, 3]\n"
        "    loss l = mean(x |> Dense(1))\ntrain:\n    minimize l with slow()\n",
    ),
    Code(
        "AX0407",
        "optimizer-result",
        "an optimizer gives something else than the parameter's next value",
        "An optimizer returns what the parameter becomes: a tensor of the parameter's own type.",
        "Return a tensor like `p`. What else is worked out goes to a `state`.",
        "optimizer norm()(p: [...S], g: [...S], t: i64[]) -> []:\n    return sum(p - 0.1 * g)\nmodel M():\n"
        "    input x: [B, 3]\n    loss l = mean(x |> Dense(1))\ntrain:\n    minimize l with norm()\n",
    ),
    Code(
        "AX0408",
        "weight-does-not-fit",
        "the weight of `grad` has another type than what is differentiated",
        "`grad(y, x, weight=dy)` is the gradient of `sum(dy * y)`: there is a weight for each element of `y`.",
        "Give a tensor of the type of `y`; for a scalar `y` leave the weight out, and multiply the result.",
        "model M():\n    input x: [B, 3]\n    output g = grad(x * x, x, weight=ones([3]))\n",
    ),
    Code(
        "AX0409",
        "no-gradient-reaches",
        "`grad` with respect to something that does not matter",
        "What is differentiated does not depend on it, or only through integers, comparisons or `stop_gradient`. The "
        "gradient would be zero, which is seldom what was meant: often a name was given a new value in between, and "
        "the old one is another tensor. Gradients of gradients are exempt, for the derivative of a linear function is "
        "constant; and of a module it is enough that one parameter matters.",
        "Differentiate with respect to the tensor that the computation starts from. Where zero is meant: `0 * x`.",
        "model M():\n    input x: [B]\n    y = sum(x * x)\n    z = 2 * x\n    output g = grad(y, z)\n",
    ),
    Code(
        "AX0410",
        "stated-gradient-type",
        "a `backward` clause gives a gradient of another type",
        "The gradient with respect to a tensor has the type of the tensor.",
        "Sum over the axes along which the argument was spread, or spread a scalar gradient: `broadcast`.",
        "fn f(x: [...S]) -> [...S]:\n    return 2 * x\nbackward(dy):\n    return sum(dy)\nmodel M():\n"
        "    input x: [B]\n    output g = grad(sum(f(x)), x)\n",
    ),
)
