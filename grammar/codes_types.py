"""Codes 03xx: types, shapes and dims."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0301", "inner-dims-differ", "the inner dims of a product differ",
        "In `a @ b` the last dim of `a` is summed against the last but one of `b`, so the two are equal for every "
        "value of their names. The labels show where each came from.",
        "Change the shape of one side, or transpose it.",
        "fn f(x: [B, 784], W: [768, 10]) -> [B, 10]:\n    return x @ W\n",
    ),
    Code(
        "AX0302", "shapes-do-not-broadcast", "two shapes do not go together elementwise",
        "Elementwise operations align shapes at their last dims; two aligned dims are equal, or one of them is 1.",
        "Insert an axis with `none` (`b[:, none]`), or bring one side to the other's shape.",
        "fn f(a: [B, 3], b: [B, 4]) -> [B, 4]:\n    return a + b\n",
    ),
    Code(
        "AX0303", "dtypes-differ", "two tensors of different dtypes meet",
        "Nothing is converted in silence: a static number takes the dtype of the tensor it meets, two tensors have to "
        "agree.",
        "Convert one of them by the name of a dtype: `f32(k)`.",
        "fn f(a: f32[B], k: i64[B]) -> [B]:\n    return a * k\n",
    ),
    Code(
        "AX0304", "dim-disagrees", "a dim has two different values",
        "The same name in a signature stands for the same dim, and a module's dims are fixed at its first use. Here "
        "two places give it different values.",
        "The labels show both places: change one, or use another name for an independent dim.",
        "fn f(a: [n], b: [n]) -> [n]:\n    return a + b\n\nfn g(a: [3], b: [4]) -> [3]:\n    return f(a, b)\n",
    ),
    Code(
        "AX0305", "cannot-tell-dims", "it cannot be told whether two dims are equal",
        "The equality of two dims follows for all values of their names, or is refuted, or neither; it is never "
        "guessed.",
        'State what you know: `assert T == 2 * S, "..."` is assumed here and checked at each call.',
        "fn f(a: [n * m], b: [k]) -> [k]:\n    return a + b\n",
    ),
    Code(
        "AX0306", "wrong-kind-of-value", "a value of another kind is needed",
        "Static values (numbers, strings, lists, fns, blocks, modules, dims) are known at compile time, tensors only "
        "when the graph runs; and each parameter takes the kind that it declares.",
        "The labels say which kind is needed and which was given.",
        "model M():\n    input x: [B, 4]\n    output y = x |> Dense(x)\n",
    ),
    Code(
        "AX0307", "declared-type-differs", "a value has another type than the one declared for it",
        "A declared type, of a result, an output or an assignment, is checked and never converts.",
        "Change the declaration or the value.",
        "fn f(x: [B, 4]) -> [B, 3]:\n    return x\n",
    ),
)
