"""What people write who know other tools: what is suggested is the same here, and compiles."""

from __future__ import annotations

import pytest

from archonnx.compiler.helps.rewrites import rewritten
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse_expression


def found(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source("net.arch", text)))
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("nn.Linear(64, 32)", "Dense(32)"),
        ("torch.nn.Linear(in_features=64, out_features=32, bias=b)", "Dense(32, bias=b)"),
        ("nn.Conv2d(1, 8, 3, padding=1)", "Conv(8, kernel=3, padding=1)"),
        ("nn.Conv2d(1, 8, (3, 5))", "Conv(8, kernel=[3, 5])"),
        ('Dense(10, activation="relu")', "Dense(10) |> relu"),
        ('layers.Conv2D(8, 3, activation="gelu")', "Conv(8, kernel=3) |> gelu"),
        ("nn.ReLU()", "relu"),
        ("nn.LeakyReLU(0.1)", "leaky_relu(slope=0.1)"),
        ("nn.MSELoss()(p, y)", "mse(p, y)"),
        ("torch.exp(x)", "exp(x)"),
        ("F.relu(nn.Linear(3, 4))", "relu(Dense(4))"),
        ("torch.matmul(a + b, c)", "(a + b) @ c"),
        ("tf.cast(x, tf.float32)", "f32(x)"),
        ("x.reshape(-1, 64)", "reshape(x, [-1, 64])"),
        ("x.view((2, 3))", "reshape(x, [2, 3])"),
        ("x.mean(dim=1)", "mean(x, axis=1)"),
        ("W.T", "transpose(W)"),
        ("x.exp()", "exp(x)"),
        ("np.concatenate([a, b], axis=1)", "concat([a, b], axis=1)"),
        ("optim.Adam(params, lr=0.1)", "adam(lr=0.1)"),
    ],
)
def test_a_call_by_its_row(theirs: str, ours: str) -> None:
    assert rewritten(parse_expression(Source("", theirs)))[0] == ours


@pytest.mark.parametrize("theirs", ["nn.Linear(1, 2, 3, 4, 5)", "nn.Linear(64, 32, device=0)"])
def test_an_argument_that_a_row_does_not_have_is_not_dropped(theirs: str) -> None:
    assert all("device" in one or "5" in one for one in rewritten(parse_expression(Source("", theirs))))


HEAD = (
    "model Net():\n    input x: [B, 8]\n    input image: [B, 3, 8, 8]\n    target y: [B, 1]\n    target label: i64[B]\n"
)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("output o = x |> Linear(8, 4)", "Dense(4)"),
        ("output o = image |> Conv2d(3, 4, 3) |> relu", "Conv(4, kernel=3)"),
        ("output o = image |> Conv(3, 32, 3)", "Conv(32, kernel=3)"),
        ("output o = x |> Dense(4) |> BatchNorm1d(4)", "BatchNorm()"),
        ("output o = x |> Dense(4) |> BatchNorm(4)", "BatchNorm()"),
        ('output o = x |> Dense(4, activation="tanh") |> Dense(2)', "Dense(4) |> tanh |> Dense(2)"),
        ('output o = Dense(4, activation="tanh")(x)', "(x |> Dense(4) |> tanh)"),
        ("output o = Dense(4, x)", "Dense(4)(x)"),
        ("output o = tf.reduce_mean(x, axis=1)", "mean(x, axis=1)"),
        ("output o = x.mean(dim=1)", "mean(x, axis=1)"),
        ("output o = 2 * x.unsqueeze(1)", "2 * unsqueeze(x, axis=1)"),
        ("output o = matmul(x, transpose(x)) * 2", "(x @ transpose(x)) * 2"),
        ("output o = x.sigmoid()", "sigmoid(x)"),
        ("param w: [8, 2] ~ xavier_uniform()\n    output o = x @ w", "glorot_uniform"),
        ("param w: [8, 2] ~ kaiming_normal()\n    output o = x @ w", "he_normal"),
        ("param w: [8, 2] = glorot_uniform()\n    output o = x @ w", "~ glorot_uniform()"),
        ("p = x |> Dense(1) |> sigmoid\n    loss l = binary_crossentropy(y, p)", "bce(p, y)"),
        ("p = x |> Dense(1) |> sigmoid\n    loss l = binary_crossentropy(p, y)", "bce(p, y)"),
        ("loss l = F.cross_entropy(x |> Dense(3), label)", "cross_entropy(x |> Dense(3), label)"),
        ("loss l = cross_entropy(label, x |> Dense(3))", "cross_entropy(x |> Dense(3), label)"),
        ("loss l = cross_entropy(argmax(x |> Dense(3)), label)", "cross_entropy(x |> Dense(3), label)"),
        ("p = argmax(x |> Dense(3))\n    loss l = cross_entropy(p, label)", "p = x |> Dense(3)"),
        ("output o = 0.5 * x |> Dense(8) + x", "(0.5 * x |> Dense(8)) + x"),
        ("output o = image |> MaxPool((2, 2))", "MaxPool([2, 2])"),
        ("output o: [B] = x |> Dense(1)", "output o: [B] = (x |> Dense(1))[:, 0]"),
        ("loss l = mean(GCN(8, 4)(ones([5, 8]), edges(label, label, 5)))", "GCN(4)(ones([5, 8])"),
        ("h = x[:, :, none]\n    output o = Bidirectional(GRU(2), GRU(2))(h, mask=x > 0).hs", "lengths=x > 0"),
        ("outs = [x]\n    outs.append(x)\n    output o = concat(outs, axis=1)", "outs = outs + [x]"),
        ("h = x |> Dense(3)\n    print(h)\n    output o = h", "Dense(3)\n    output"),
    ],
)  # fmt: skip
def test_the_edit_is_right(wrong: str, right: str) -> None:
    text = f"{HEAD}    {wrong}\n"
    (mistake, *_) = found(text)
    (fix,) = mistake.fixes
    assert right in fix.applied()
    elaborate(parse_spec(Source("net.arch", fix.applied())))


TRAIN = "    loss l = mse(x |> Dense(1), y)\n\ntrain:\n"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("num_epochs = 3\n    minimize l with adam()", "    epochs = 3"),
        ("batchsize = 3\n    minimize l with adam()", "    batch_size = 3"),
        ("minimize l with Adam(learning_rate=0.1)", "adam(lr=0.1)"),
        ("minimize l with optim.SGD(lr=0.1, momentum=0.9)", "sgd(lr=0.1, momentum=0.9)"),
        ("minimize l with adamw(lr=0.1, wd=0.01)", "adamw(lr=0.1, weight_decay=0.01)"),
        ("minimize l with adam(0.1, [0.9, 0.99])", "adam(0.1, 0.9, 0.99)"),
        ("epochs = 3\n    minimize l with adam(lr=cosine_decay(1e-3, epochs))", "cosine_decay(1e-3, steps)"),
        ("zero_grad()\n    minimize l with adam()", "train:\n    minimize"),
    ],
)  # fmt: skip
def test_settings_and_optimizers(wrong: str, right: str) -> None:
    (mistake,) = found(f"{HEAD}{TRAIN}    {wrong}\n")
    (fix,) = mistake.fixes
    assert right in fix.applied()
    elaborate(parse_spec(Source("net.arch", fix.applied())))


TWO = """model Net():
    input x: [B, 8]
    maker = MLP([8, 8])
    judge = MLP([8, 1])
    made = maker(x)
    loss judged = mean(judge(stop_gradient(made))) - mean(judge(x))
    loss fooled = -mean(judge(made))

train:
    minimize judged over %s with adam()
    minimize fooled over maker with adam()
"""


@pytest.mark.parametrize("wrong", ["maker", "judge.parameters()"])
def test_what_a_loss_is_made_with_is_trained(wrong: str) -> None:
    (mistake,) = found(TWO % wrong)
    assert mistake.fixes[0].applied() == TWO % "judge"


def test_a_rate_is_that_of_a_step() -> None:
    text = (
        "optimizer plain(lr: schedule = 0.1)(p: [...S], g: [...S], now: i64[]) -> [...S]:\n    return p - %s * g\n\n"
        "model Net():\n    input x: [B, 8]\n    loss l = mean((x |> Dense(1)) ** 2)\n\n"
        "train:\n    minimize l with plain(cosine_decay(0.1, steps))\n"
    )
    (mistake,) = found(text % "lr")
    assert mistake.fixes[0].applied() == text % "lr(now)"


def test_a_search_does_not_see_the_test_part() -> None:
    text = (
        "model Net(n: int = 4):\n    input x: [B, 8]\n    loss l = mean((x |> Dense(n)) ** 2)\n\n"
        "train:\n    split = {train: 0.6, valid: 0.2, test: 0.2}\n    minimize l with adam()\n\n"
        "search:\n    n = intrange(2, 8)\n    maximize -%s.l\n"
    )
    (mistake,) = found(text % "test")
    assert mistake.fixes[0].applied() == text % "valid"


def test_a_loop_over_sequences_runs_over_their_steps() -> None:
    (steps,) = found("model N():\n    input x: [B, T, 8]\n    for s in x:\n        h = s\n    output o = x\n")
    (rows,) = found("model N():\n    input x: [B, 8]\n    for s in x:\n        h = s\n    output o = x\n")
    assert "along 1" in str(steps.help) and "along 0" in str(rows.help)


def test_axes() -> None:
    (last,) = found("model N():\n    input x: [B, 32, 32, 3]\n    output o = x |> Conv(4) |> MaxPool(2)\n")
    assert "input x: [B, 3, 32, 32]" in last.fixes[0].applied()
    (flat,) = found("model N():\n    input x: [B, T, 8]\n    output o = x |> flatten |> Dense(2)\n")
    assert "x |> mean(axis=1) |> Dense(2)" in flat.fixes[0].applied()
    (tags,) = found("model N():\n    input x: [B, T, 8]\n    output o: i64[B, T] = argmax(x, axis=1)\n")
    assert "argmax(x, axis=-1)" in tags.fixes[0].applied()
    graph = "model N():\n    input node: i64[B]\n    input f: [N, 8]\n    target y: i64[B]\n    z = f |> Dense(3)\n"
    (nodes,) = found(f"{graph}    loss l = cross_entropy(z, y)\n")
    assert "z = (f |> Dense(3))[node]" in nodes.fixes[0].applied()
    (keys,) = found("model N():\n    input q: [B, T, 8]\n    input k: [B, T, 8]\n    output o = softmax(q @ k)\n")
    assert "q @ transpose(k, [0, 2, 1])" in keys.fixes[0].applied()


def test_no_help_binds_a_size_that_is_open_to_a_number() -> None:
    (sum_,) = found("model N():\n    input q: [B, T]\n    input k: [B, 7]\n    output o = q + k\n")
    assert sum_.code == "AX0305" and "assert" not in (sum_.help or "")
    (both,) = found("model N():\n    input q: [B, T]\n    input k: [B, S]\n    output o = q + k\n")
    assert both.help == "state it: `assert T == S`"
