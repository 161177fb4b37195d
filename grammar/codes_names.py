"""Codes 02xx: names and arguments."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0201", "unknown-name", "a name stands for nothing here",
        "The name is not assigned before this place in its body or the bodies around it, not declared in the file or "
        "its imports, and not in the library.",
        "Check the spelling; a value is named before it is used.",
        "fn f(x: [...S]) -> [...S]:\n    return 2 * y\n",
    ),
    Code(
        "AX0202", "unknown-argument", "a call gives an argument that is not taken",
        "The fn, block or setting has no parameter of this name, or takes fewer arguments by position.",
        "The note shows the signature.",
        "fn f(x: [...S]) -> [...S]:\n    return softmax(x, axes=1)\n",
    ),
    Code(
        "AX0203", "missing-argument", "a call lacks an argument that has no default",
        "Every parameter without a default is given, by position or by name.",
        "Give the argument. The note shows the signature.",
        "model M():\n    input x: [B, 4]\n    output y = x |> Dense()\n",
    ),
    Code(
        "AX0204", "rebound-parameter", "the name of a parameter, buffer or module is assigned again",
        "A `param`, a `buffer` and a module are known by their names: in checkpoints, in exported graphs and in "
        "programs. So such a name keeps its meaning throughout its body. Other names may be assigned again.",
        "Use another name for the new value; change a buffer with `update`.",
        "block B()(x: [B, n]) -> [B, n]:\n    param W: [n, n] ~ normal(0, 1)\n    W = 2 * W\n    return x @ W\n",
    ),
    Code(
        "AX0205", "duplicate-declaration", "the same name is declared twice",
        "Two declarations of a file, two parameters of a signature or two named results have the same name, and one "
        "would hide the other. A file may shadow what the library declares.",
        "Rename one of them.",
        "fn f(x: [...S], x: [...S]) -> [...S]:\n    return x\n",
    ),
)
