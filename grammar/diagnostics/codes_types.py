"""Codes 03xx: types, shapes and dims."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0301",
        "inner-dims-differ",
        "the inner dims of a product differ",
        "In `a @ b` the last dim of `a` is summed against the last but one of `b`, so the two are equal for every "
        "value of their names. The labels show where each came from.",
        "Change the shape of one side, or transpose it.",
        "fn f(x: [B, 784], W: [768, 10]) -> [B, 10]:\n    return x @ W\n",
    ),
    Code(
        "AX0302",
        "shapes-do-not-broadcast",
        "two shapes do not go together elementwise",
        "Elementwise operations align shapes at their last dims; two aligned dims are equal, or one of them is 1.",
        "Insert an axis with `none` (`b[:, none]`), or bring one side to the other's shape.",
        "fn f(a: [B, 3], b: [B, 4]) -> [B, 4]:\n    return a + b\n",
    ),
    Code(
        "AX0303",
        "dtypes-differ",
        "two tensors of different dtypes meet",
        "Nothing is converted in silence: a static number takes the dtype of the tensor it meets, two tensors have to "
        "agree.",
        "Convert one of them by the name of a dtype: `f32(k)`.",
        "fn f(a: f32[B], k: i64[B]) -> [B]:\n    return a * k\n",
    ),
    Code(
        "AX0304",
        "dim-disagrees",
        "a dim has two different values",
        "The same name in a signature stands for the same dim, and a module's dims are fixed at its first use. Here "
        "two places give it different values.",
        "The labels show both places: change one, or use another name for an independent dim.",
        "fn f(a: [n], b: [n]) -> [n]:\n    return a + b\n\nfn g(a: [3], b: [4]) -> [3]:\n    return f(a, b)\n",
    ),
    Code(
        "AX0305",
        "cannot-tell-dims",
        "it cannot be told whether two dims are equal",
        "The equality of two dims follows for all values of their names, or is refuted, or neither; it is never "
        "guessed.",
        'State what you know: `assert T == 2 * S, "..."` is assumed here and checked at each call.',
        "fn f(a: [n * m], b: [k]) -> [k]:\n    return a + b\n",
    ),
    Code(
        "AX0306",
        "wrong-kind-of-value",
        "a value of another kind is needed",
        "Static values (numbers, strings, lists, fns, blocks, modules, dims) are known at compile time, tensors only "
        "when the graph runs; and each parameter takes the kind that it declares.",
        "The labels say which kind is needed and which was given.",
        "model M():\n    input x: [B, 4]\n    output y = x |> Dense(x)\n",
    ),
    Code(
        "AX0307",
        "declared-type-differs",
        "a value has another type than the one declared for it",
        "A declared type, of a result, an output or an assignment, is checked and never converts.",
        "Change the declaration or the value.",
        "fn f(x: [B, 4]) -> [B, 3]:\n    return x\n",
    ),
    Code(
        "AX0320",
        "no-such-axis",
        "an axis is out of range, or named twice",
        "A tensor of rank r has the axes 0 to r - 1, or -r to -1 counted from the end; what works along several axes "
        "takes each of them once.",
        "Use an axis that the tensor has; `none` in an index makes a new one.",
        "fn f(x: [B, 3]) -> [B]:\n    return sum(x, axis=2)\n",
    ),
    Code(
        "AX0321",
        "wrong-rank",
        "a tensor has the wrong number of axes",
        "A matrix product needs at least vectors, concatenation needs tensors of one rank.",
        "Add an axis with `none` in an index, or take one away.",
        "fn f(x: [B, 3], y: [B]) -> [B, 4]:\n    return concat([x, y], axis=1)\n",
    ),
    Code(
        "AX0322",
        "size-out-of-range",
        "a size or a position does not fit its axis",
        "Parts of a split fill the axis that is split, slices and indices lie within it, padding is not negative, "
        "a dropped axis has size 1.",
        "Compare the number with the size of the axis, which the message states.",
        "fn f(x: [B, 3]) -> [B]:\n    return x[:, 3]\n",
    ),
    Code(
        "AX0323",
        "einsum-does-not-fit",
        "an `einsum` is malformed or does not fit its tensors",
        "Names of axes are separated by spaces, tensors by commas; each tensor has as many names as axes, a name "
        "stands for one size, and what is on the right of `->` is on the left too.",
        'Write it as in `einsum("b t d, d h -> b t h", x, W)`.',
        'fn f(x: [B, n], W: [n, m]) -> [B, m]:\n    return einsum("b n, n m -> b k", x, W)\n',
    ),
    Code(
        "AX0324",
        "element-counts-differ",
        "a reshape changes the number of elements",
        "Reshaping keeps all elements, so that the products of the dims before and after are equal for every value "
        "of their names.",
        "Change a dim, or leave one to be computed: `-1`.",
        "fn f(x: [B, 12]) -> [B, 5, 2]:\n    return reshape(x, [B, 5, 2])\n",
    ),
    Code(
        "AX0308",
        "rank-differs",
        "a tensor has another number of axes than declared",
        "A signature says how many axes each argument has; `...S` stands for any number of leading ones.",
        "The labels show both types.",
        "fn f(x: [B, n]) -> [B, n]:\n    return x\nmodel M():\n    input x: [B]\n    output y = f(x)\n",
    ),
    Code(
        "AX0309",
        "needs-static",
        "something must be known at compile time, and is not",
        "`if`, `for` and comprehensions run at compile time: they may not depend on tensors or on symbolic dims.",
        "Choose elementwise with `where`.",
        "model M():\n    input x: [B]\n    if x > 0:\n        x = 2 * x\n    output y = x\n",
    ),
    Code(
        "AX0311",
        "number-out-of-range",
        "static arithmetic has no finite result",
        "Static numbers are 64-bit integers and finite floats.",
        "Check the operands: a zero divisor, a negative root, a power too high.",
        "model M():\n    input x: [B]\n    output y = x * (1 / 0)\n",
    ),
    Code(
        "AX0312",
        "index-out-of-range",
        "an index is outside a list",
        "Lists are indexed from 0; negative indices count from the end.",
        "Check the length.",
        "model M():\n    input x: [B]\n    a = [1, 2]\n    output y = x * a[2]\n",
    ),
    Code(
        "AX0313",
        "negative-size",
        "a size is negative, or too small",
        "A dim is at least 0; some ops need more.",
        "Check the arithmetic of the dims.",
        "model M():\n    input x: [B, 4]\n    y: [B, 2 - 4] = 0\n    output z = y\n",
    ),
    Code(
        "AX0314",
        "parameters-depend-on-training",
        "a parameter exists in training alone",
        "A trained model and the model in use have the same parameters, so `training` may not decide which are made.",
        "Make the parameter in both cases, and decide where it is used.",
        "model M():\n    input x: [B, 2]\n    y = x\n    if training:\n        y = y |> Dense(2)\n    output z = y\n",
    ),
    Code(
        "AX0315",
        "symbolic-parameter",
        "a parameter's size is a symbolic dim",
        "Parameters are made once, before any data is seen: their sizes are integers. A dim of a block's input that reaches "
        "a parameter is a module dim and must be an integer, too.",
        "Give the input an integer size on that axis.",
        "model M():\n    input x: [B, n]\n    output y = x |> Dense(3)\n",
    ),
    Code(
        "AX0316",
        "no-parameters-yet",
        "a module has no parameters yet",
        "A module's parameters are made when it is first applied, since its inputs tell their sizes.",
        "Apply the module before this place.",
        "model M():\n    input x: [B, 4]\n    net = Dense(3)\n    output y = vec(net)\n",
    ),
    Code(
        "AX0317",
        "slice-not-certain",
        "it cannot be told whether a slice stays inside its axis",
        "The shape of a slice is proved for all sizes of symbolic dims, so its bounds must be certain.",
        "State what is known: `assert T <= 256`.",
        "model M():\n    input x: [B, T]\n    output y = x[:, :10]\n",
    ),
    Code(
        "AX0318",
        "bad-index",
        "a tensor cannot be indexed like this",
        "Indices are ints, slices, `none` (a new axis), `...`, and at most one integer tensor. The shape of the result may "
        "not depend on values, so masks are no indices.",
        "Use `where` with a mask, `gather` twice for two tensors.",
        "model M():\n    input x: [B, 4]\n    output y = x[x > 0]\n",
    ),
    Code(
        "AX0319",
        "assertion-failed",
        "an `assert` does not hold",
        "The condition was decided at compile time, and is false.",
        "The message says what the author of the block had in mind.",
        'block Half(n: int)(x: [B, d]) -> [B, d // n]:\n    assert d % n == 0, "width {d} is not a multiple of {n}"\n'
        "    return x[:, :d // n]\nmodel M():\n    input x: [B, 5]\n    output y = x |> Half(2)\n",
    ),
    Code(
        "AX0325",
        "axis-pattern",
        "a pattern of `rearrange` or `reduce` does not fit",
        "Each name stands for one axis, brackets merge or split axes, `...` stands for any number of them; sizes that the "
        "tensor does not tell are given by keyword.",
        'One name for each axis, as in `rearrange(x, "b t (h d) -> b h t d", h=8)`.',
        'model M():\n    input x: [B, 6]\n    output y = rearrange(x, "b (h d) -> b h d", h=4)\n',
    ),
    Code(
        "AX0326",
        "initial-value-not-constant",
        "an initial value depends on something that only a run knows",
        "Initial values are computed before anything runs, from the seed and the parameter's path: they depend on no input, "
        "draw or other parameter.",
        "Compute it from numbers, dims and `~` samplers; or compute the tensor in the body, from the parameter.",
        "model M():\n    input x: [B, 4]\n    param w: [4] = mean(x, axis=0)\n    output y = x * w\n",
    ),
    Code(
        "AX0327",
        "tensor-too-large",
        "a tensor would hold more than 2**33 elements",
        "No machine that trains such a model would get it from here; mostly a dim is written wrong.",
        "Check the sizes; a lookup does not need a one-hot matrix.",
        "model M():\n    input x: [B, 4]\n    output y = x + sum(zeros([100000, 100000]))\n",
    ),
    Code(
        "AX0328",
        "set-metric-arguments",
        "the arguments of a metric over a set do not fit",
        "A metric over a set compares a prediction with a target. Both are tensors whose first axis counts the examples, "
        "of one shape, unless the prediction has a column for each class; classes are integers or bools.",
        "Drop an axis of size 1 with `[:, 0]`; decide for a class with `logits > 0` or `argmax(logits, axis=1)`.",
        "model M():\n    input x: [B, 4]\n    target t: i64[B]\n    output y = sum(x, axis=1, keep=true)\n"
        "    metric auc over set = roc_auc(y, t)\n",
    ),
)
