"""What the language has and this version may lack: such a construct elaborates, or is refused by name at its place.

Nothing is silently ignored. When a construct is built, its case still holds, and tests of its own say what it means.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.elaborated import findings, model

EXAMPLES = sorted((Path(__file__).parents[2] / "data/examples").glob("*.arch"))
LOSS = "loss objective = mean(Dense(1)(x))"

CONSTRUCTS = {
    "scan": model("scan v in x along 1, h = zeros([B]) -> hs along 1:\n    h = h + v\n    emit h\noutput y = hs"),
    "scan reversed": model("scan reversed v in x along 1, h = zeros([B]):\n    h = h + v\noutput y = h"),
    "scan over a range": model("scan i in range(4), h = x:\n    h = h * f32(i)\noutput y = h"),
    "loop": model(
        "output y = x\nentry e(n: dim) -> []:\n    loop i in range(n), h = 0.0:\n        h = h + 1\n    return h"
    ),
    "nested block": model("block Inner()(x: [B, n]) -> [B, n]:\n    return x\noutput y = x |> Inner"),
    "nested fn": model("fn inner(z: [B, n]) -> [B, n]:\n    return z\noutput y = inner(x)"),
    "fn in a fn": model(
        "output y = f(x)",
        "x: [B]",
        "fn f(x: [B]) -> [B]:\n    fn g(y: [B]) -> [B]:\n        return y\n    return g(x)\n",
    ),
    "own gradient": model(
        "output y = f(x)", "x: [B]", "fn f(x: [...S]) -> [...S]:\n    return x\nbackward(dy):\n    return -dy\n"
    ),
    "entry": model("output y = x\nentry e(z: [n, 4]) -> [n]:\n    return sum(z, axis=1)"),
    "dim of an entry": model("output y = x\nentry e(n: dim) -> [n]:\n    return zeros([n])"),
    "assert": model('assert B > 1, "one example is not enough"\noutput y = x'),
    "buffer": model("buffer count: [] = 0\nupdate count = count + 1\noutput y = x + count"),
    "metric over set": model("output y = x\nmetric auc over set = roc_auc(x, x)"),
    "index": model("output y = x[:, 1:3]"),
    "gather": model("output y = x[:, arange(2)]"),
    "new axis": model("output y = x[:, none]"),
    "item of a list": model("a = [x, x]\na[1] = 2 * x\noutput y = a[1]"),
    "put": model("output y = put(x, 0, x[:, :1], axis=1)"),
    "grad": model("output y = grad(sum(x * x), x)"),
    "jacobian": model("v = x[0]\noutput y = jacobian(2 * v, v)"),
    "frozen": model("net = Dense(4)\noutput y = frozen(net)(x)"),
    "copy": model("net = Dense(4)\ny = net(x)\nother = copy(net)\noutput z = other(x) + y"),
    "derived module": model("net = Dense(4)\ny = net(x)\noutput z = (net * 2)(x)"),
    "rearrange": model('output y = rearrange(x, "b (h d) -> b h d", h=2)'),
    "reduce": model('output y = reduce(x, "b c -> b", mean)'),
    "onnx": model('teacher = onnx("teacher.onnx")\noutput y = teacher(x)'),
    "orthogonal": model("param w: [4, 4] ~ orthogonal()\noutput y = x @ w"),
    "sparse": model("param w: [4, 4] ~ sparse(0.1, 0.9)\noutput y = x @ w"),
    "minimize over": model(
        "net = Dense(1)\nloss objective = mean(net(x))", after="train:\n    minimize objective over net with adam\n"
    ),
    "repeat": model(LOSS, after="train:\n    repeat 2:\n        minimize objective with adam\n"),
    "every": model(LOSS, after="train:\n    every 2:\n        minimize objective with adam\n"),
    "together": model(LOSS, after="train:\n    together:\n        minimize objective with adam\n"),
    "for in train": model(LOSS, after="train:\n    for k in range(2):\n        minimize objective with adam\n"),
    "if in train": model(LOSS, after="train:\n    if 1 > 0:\n        minimize objective with adam\n"),
    "for around programs": model(LOSS, after="for k in range(2):\n    train:\n        minimize objective with adam\n"),
    "several data": model(LOSS, after='train:\n    data other = npz("a.npz")\n    minimize objective with adam\n'),
    "feed whole": model(LOSS, after="train:\n    feed whole x = data.x\n    minimize objective with adam\n"),
    "search": model(
        LOSS,
        after="train:\n    minimize objective with adam\nsearch:\n"
        "    epochs = intrange(1, 5)\n    maximize valid.objective\n    trials = 4\n",
    ),
}


def refusals(text: str) -> list[str]:
    """The findings of a spec, all of which say that something is not built; what each points at."""
    found = findings(text)
    assert {finding.code for finding in found} <= {"AX0001"}, [f"{f.code} {f.headline}" for f in found]
    assert all(f.headline.startswith("not built yet: ") and f.span is not None for f in found)
    return [finding.headline for finding in found]


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_constructs_of_the_language(construct: str) -> None:
    assert len(refusals(CONSTRUCTS[construct])) <= 1, "one diagnostic for one construct"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_hard_programs(path: Path) -> None:
    refusals(path.read_text("utf-8"))
