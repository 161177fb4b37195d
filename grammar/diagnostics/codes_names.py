"""Codes 02xx: names and arguments."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0201",
        "unknown-name",
        "a name stands for nothing here",
        "The name is not assigned before this place in its body or the bodies around it, not declared in the file or "
        "its imports, and not in the library.",
        "Check the spelling; a value is named before it is used.",
        "fn f(x: [...S]) -> [...S]:\n    return 2 * y\n",
    ),
    Code(
        "AX0202",
        "unknown-argument",
        "a call gives an argument that is not taken",
        "The fn, block or setting has no parameter of this name, or takes fewer arguments by position.",
        "The note shows the signature.",
        "fn f(x: [...S]) -> [...S]:\n    return softmax(x, axes=1)\n",
    ),
    Code(
        "AX0203",
        "missing-argument",
        "a call lacks an argument that has no default",
        "Every parameter without a default is given, by position or by name.",
        "Give the argument. The note shows the signature.",
        "model M():\n    input x: [B, 4]\n    output y = x |> Dense()\n",
    ),
    Code(
        "AX0204",
        "rebound-parameter",
        "the name of a parameter, buffer or module is assigned again",
        "A `param`, a `buffer` and a module are known by their names: in checkpoints, in exported graphs and in "
        "programs. So such a name keeps its meaning throughout its body. Other names may be assigned again.",
        "Use another name for the new value; change a buffer with `update`.",
        "block B()(x: [B, n]) -> [B, n]:\n    param W: [n, n] ~ normal(0, 1)\n    W = 2 * W\n    return x @ W\n",
    ),
    Code(
        "AX0205",
        "duplicate-declaration",
        "the same name is declared twice",
        "Two declarations of a file, two parameters of a signature or two named results have the same name, and one "
        "would hide the other. A file may shadow what the library declares.",
        "Rename one of them.",
        "fn f(x: [...S], x: [...S]) -> [...S]:\n    return x\n",
    ),
    Code(
        "AX0206",
        "unknown-attribute",
        "a value has nothing by this name",
        "After a dot stand the named results of a call, a module's parameters and named modules, and the keys of a "
        "dictionary.",
        "The help names what there is.",
        "model M():\n    input x: [B, 4]\n    net = Dense(3)\n    y = net(x)\n    output w = net.weight\n",
    ),
    Code(
        "AX0207",
        "wrong-number-of-values",
        "names and values differ in number",
        "`a, b = ...` needs as many values on the right, or one call with as many results, or a list of that length.",
        "Name every result.",
        "model M():\n    input x: [B, 6]\n    a, b = split(x, 3, axis=-1)\n    output y = a\n",
    ),
    Code(
        "AX0208",
        "unknown-word",
        "a word is not among the choices",
        "A `choice[...]` parameter takes one of its words, written bare. A parameter of several types, as in "
        "`choice[valid, same] | int`, takes a word or a value of another of them.",
        "The headline lists what can stand there.",
        "model M():\n    input x: [B, 1, 8, 8]\n    output y = x |> Conv(4, padding=equal)\n",
    ),
    Code(
        "AX0209",
        "unknown-type",
        "this is not a type that can stand here",
        "Tensors have a dtype and dims (`f32[B, 10]`, `[B]`); static parameters are `int float bool string list dict dim "
        "dtype choice fn block module schedule`.",
        "A scalar tensor is `f32[]`.",
        "fn f(x: number) -> [B]:\n    return x\nmodel M():\n    input x: [B]\n    output y = f(x)\n",
    ),
    Code(
        "AX0210",
        "no-return",
        "a body ends without `return`",
        "Every way through the body of a fn, block, optimizer or schedule returns its results.",
        "Add `return`, also after a static `if` without `else`.",
        "fn f(x: [B]) -> [B]:\n    y = 2 * x\nmodel M():\n    input x: [B]\n    output y = f(x)\n",
    ),
    Code(
        "AX0211",
        "unused-value",
        "the value of an expression is not used",
        "Expressions have no effects, so a line that is only an expression does nothing.",
        "Give the value a name, or delete the line.",
        "model M():\n    input x: [B]\n    relu(x)\n    output y = x\n",
    ),
    Code(
        "AX0212",
        "misplaced-statement",
        "a statement stands in the wrong kind of body",
        "`input target output loss metric` stand in models, `param` in blocks and models, `state` in optimizers, `data feed "
        "minimize` in `train` blocks.",
        "Move it there.",
        "fn f(x: [B, 4]) -> [B, 4]:\n    param w: [4] = 1\n    return x * w\nmodel M():\n    input x: [B, 4]\n"
        "    output y = f(x)\n",
    ),
    Code(
        "AX0213",
        "output-needs-target",
        "an output depends on a target",
        "Targets are known in training and evaluation only; outputs are computed when the model is used.",
        "Declare it as an `input`, if it will be given.",
        "model M():\n    input x: [B]\n    target y: [B]\n    output z = x - y\n",
    ),
    Code(
        "AX0214",
        "empty-model",
        "a model has no output and no loss",
        "Such a model computes nothing that anyone could ask for.",
        "Add `output NAME = ...` or `loss NAME = ...`.",
        "model M():\n    input x: [B]\n    y = 2 * x\n",
    ),
    Code(
        "AX0215",
        "unrolls-too-far",
        "static loops unroll to too much",
        "Static `for` and comprehensions are unrolled by the compiler, whose work is bounded so that no spec can exhaust the "
        "machine.",
        "Use a smaller range.",
        "model M():\n    input x: [B]\n    for i in range(10000000):\n        x = x + 1\n    output y = x\n",
    ),
    Code(
        "AX0216",
        "calls-nest-too-deep",
        "calls nest too deep",
        "Bodies of fns and blocks are evaluated in place, so a fn that calls itself must stop at a static `if`.",
        "End the recursion, or use a `for`.",
        "fn f(x: [B]) -> [B]:\n    return f(x)\nmodel M():\n    input x: [B]\n    output y = f(x)\n",
    ),
    Code(
        "AX0217",
        "optimizer-inputs",
        "an optimizer has other inputs than (p, g, t)",
        "An optimizer maps a parameter, its gradient and the step to the parameter's next value.",
        "Write its second list as `(p: [...S], g: [...S], t: i64[])`.",
        "optimizer o()(p: [...S], g: [...S]) -> [...S]:\n    return p - g\nmodel M():\n    input x: [B, 2]\n"
        "    loss l = mean(Dense(1)(x))\ntrain:\n    minimize l with o()\n",
    ),
    Code(
        "AX0218",
        "unknown-loss",
        "`minimize` names no loss of the model",
        "What is minimised is declared in the model: `loss NAME = ...`.",
        "The help names the losses there are.",
        "model M():\n    input x: [B, 2]\n    loss l = mean(Dense(1)(x))\ntrain:\n    minimize loss1 with sgd()\n",
    ),
    Code(
        "AX0219",
        "no-model",
        "the file declares no model",
        "A spec needs a model; a file with fns and blocks alone can be imported by one.",
        "Add `model NAME():` and its body.",
        "fn f(x: [B]) -> [B]:\n    return x\n",
    ),
    Code(
        "AX0220",
        "parameters-made-here",
        "a method or entry would make parameters",
        "Methods and entries share the modules of their block or model and make none of their own: a parameter that only an "
        "entry had would never be trained.",
        "Make the module in the body of the block or model, under a name, and use that.",
        "model M():\n    input x: [B, 4]\n    output y = x |> Dense(2)\n    entry e(z: [n, 4]) -> [n, 3]:\n"
        "        return z |> Dense(3)\n",
    ),
    Code(
        "AX0221",
        "nothing-to-update",
        "`update` names nothing that it could change",
        "In a block or model `update` changes a `buffer` of that body; in a `train` block, a parameter or a module.",
        "Declare the buffer, or use another name for the new value.",
        "model M():\n    input x: [B, 4]\n    h = 2 * x\n    update h = x\n    output y = h\n",
    ),
    Code(
        "AX0222",
        "changed-twice",
        "two `minimize`s of one `together` change the same parameter",
        "Statements of a `together` share one forward pass, so each parameter can follow one of them only.",
        "Say which changes what: `minimize a over G with ...`.",
        "model M():\n    input x: [B, 2]\n    loss l = mean(Dense(1)(x))\ntrain:\n    together:\n"
        "        minimize l with sgd()\n        minimize l with sgd()\n",
    ),
    Code(
        "AX0223",
        "bad-import",
        "a file cannot be imported",
        "Imports are `.arch` or `.yaml` files in the folder of the spec or below it. A spec is data: it opens nothing else.",
        "Move the file beside the spec.",
        'from "../elsewhere.arch" import Block\nmodel M():\n    input x: [B]\n    output y = x\n',
    ),
    Code(
        "AX0224",
        "circular-import",
        "files import each other in a circle",
        "A file is read whole before its names can be used, so files cannot wait for each other.",
        "Move what both need into a third file.",
        'from "self.arch" import Block\nmodel M():\n    input x: [B]\n    output y = x\n',
    ),
    Code(
        "AX0225",
        "not-over-a-set",
        "`metric ... over set` is no function of a set",
        "Such a metric is one call of a function that is computed once over all examples of a part, such as "
        "`roc_auc(score, label)`. Its arguments may be any expressions; around it there are none.",
        "Use one of the functions the message names; a mean over examples is a plain `metric`.",
        "model M():\n    input x: [B, 4]\n    target t: i64[B]\n    output y = sum(x, axis=1)\n"
        "    metric auc over set = roc_acu(y, t)\n",
    ),
    Code(
        "AX0226",
        "function-of-a-set",
        "a function of a whole set is used in an expression",
        "Functions such as `roc_auc` need all examples of a part, and an expression sees one batch.",
        "Declare `metric NAME over set = roc_auc(score, label)`.",
        "model M():\n    input x: [B, 4]\n    target t: i64[B]\n    output y = sum(x, axis=1)\n"
        "    metric auc = roc_auc(y, t)\n",
    ),
)
