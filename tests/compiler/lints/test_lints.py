"""What was probably not meant is told, and what is meant is not."""

from __future__ import annotations

import pytest

from archonnx.compiler.lints.finding import codes, findings
from archonnx.compiler.lints.levels import Levels, check_codes
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.yaml import to_yaml

HEAD = "model M():\n    input x: [B, 8]\n    target y: i64[B]\n    target t: [B, 1]\n"
USED = "    metric used = mean(t) + mean(float(y)) + mean(x)\n"
TRAIN = "\ntrain:\n    minimize l with sgd(0.1)\n"


def found(text: str, levels: Levels | None = None) -> list[Diagnostic]:
    return findings(elaborate(parse_spec(Source("self.arch", text))), levels or Levels())


def of_body(body: str, train: str = "") -> list[str]:
    """The codes of what is found in a model that reads all of its fields."""
    return [finding.code for finding in found(f"{HEAD}{USED}{body}{train}")]


TOLD = {
    "AX0801": (
        "    loss l = cross_entropy(softmax(x |> Dense(3)), y)\n",
        "    p = softmax(x |> Dense(3))\n    loss l = mean(cross_entropy(p, y, reduce=none))\n",
        "    loss l = cross_entropy(reshape(softmax(x |> Dense(3)), [B, 3]), y)\n",
        "    loss l = bce_logits(sigmoid(x |> Dense(1)), t)\n",
        "    loss l = bce(x |> Dense(1), t)\n",
        "    loss l = bce(x |> Dense(1, bias=false), t)\n",
        "    loss l = cross_entropy(x |> Dense(3), y)\n    metric m = cross_entropy(softmax(x |> Dense(3)), y)\n",
        "    loss l = cross_entropy(x |> Dense(3) |> relu, y)\n",
        "    loss l = cross_entropy(x |> Dense(3) |> sigmoid, y, smoothing=0.1)\n",
        "    loss l = cross_entropy(x |> Dense(3) |> Dropout(0.2), y)\n",
        "    loss l = soft_cross_entropy(softmax(x |> Dense(3)), one_hot(y, 3))\n",
        "    loss l = bce_logits(relu(x |> Dense(1)), t)\n",
        "    loss l = nll(x |> Dense(3), y)\n",
        "    loss l = nll(softmax(x |> Dense(3)), y)\n",
        "    loss l = cce(x |> Dense(3), one_hot(y, 3))\n",
        "    loss l = gaussian_nll(x |> Dense(1), t, x |> Dense(1))\n",
        "    loss l = mean(normal_log_prob(t, x |> Dense(1), x |> Dense(1)))\n",
        "    m = x |> Dense(8)\n    s = x |> Dense(8)\n    z: [B, 8] ~ normal(m, s)\n    loss l = mse(z, x)\n",
        "    h: [B, 3] ~ bernoulli(x |> Dense(3))\n    output o = h\n",
        "    z = x |> Dense(3)\n    loss l = cross_entropy(z, y)\n    metric m over set = log_loss(z, y)\n",
        "    z = (x |> Dense(1))[:, 0]\n    metric m over set = brier_score(z, y)\n    loss l = mse(z, t[:, 0])\n",
    ),
    "AX0802": (
        "    h = x |> Dense(4) |> relu\n    loss l = mse(x |> Dense(1), t)\n",
        "    param w: [3] = 1\n    loss l = mse(x |> Dense(1), t)\n",
        "    f = MLP([4, 4])\n    h = f(x)\n    loss l = mse(x |> Dense(1), t)\n",
    ),
    "AX0804": (
        "    output p = softmax(x, axis=0)\n",
        "    output p = log_softmax(x |> Dense(3), axis=0)\n",
        "    output p = softmax((x |> Dense(1))[:, 0])\n",
        "    loss l = mean((norm(x, axis=0) - 1) ** 2) + mse(x |> Dense(1), t)\n",
        "    loss l = mse(t[:, 0] * max(x |> Dense(8)), t[:, 0])\n",
        "    loss l = -mean(sum(normal_log_prob(x |> Dense(8)), axis=-1) + t[:, 0])\n",
        "    loss l = mean(sum(cross_entropy(x |> Dense(3), y, reduce=none), axis=-1))\n",
        "    loss l = mse(t[:, 0], mean((x |> Dense(1))[:, 0], axis=-1) + 0 * t[:, 0])\n",
    ),
    "AX0805": (
        "    loss l = -mean(log_softmax(x |> Dense(3))[:, y])\n",
        "    loss l = -mean(log_softmax(x |> Dense(3))[y])\n",
    ),
    "AX0807": (
        "    loss l = mse(x |> Dense(8) |> Dense(1), t)\n",
        "    h = x |> Dense(16)\n    loss l = mse(h |> Dense(1, bias=false), t)\n",
    ),
}
TOLD |= {
    "AX0809": (
        "    loss l = mse(softmax(x |> Dense(1)), t)\n",
        "    loss l = mse(log_softmax(x |> Dense(1), axis=1), t)\n",
        "    loss l = mse(softmax(x, axis=1) @ ones([8, 1]), t) + mean(softmax(reshape(x, [B, 1, 8]), axis=1))\n",
    ),
    "AX0814": (
        "    output p = x[:, 8:10]\n",
        "    output p = x[:, 3:1]\n",
        "    output p = concat([x, x[:, 5:5]], axis=1)\n",
    ),
    "AX0815": ("    B = 5\n    output p = x * B\n",),
    "AX0817": (
        "    output p = x if true else -x |> relu\n",
        "    output p = concat([x, x if true else -x |> Dense(4)], axis=1)\n",
    ),
    "AX0826": (
        "    output p = mean(x, axis=0)\n",
        "    output p = argmax(x |> Dense(3), axis=0)\n",
        "    output p = max(x, axis=0) |> Dense(3)\n",
        "    output p = (x |> Dense(3))[-1]\n",
        "    output p = softmax(x[0] |> Dense(3))\n",
    ),
    "AX0829": (
        "    q = reshape(x, [B, 4, 2])\n    output p = softmax(q @ transpose(q, [0, 2, 1]), axis=1) @ q\n",
        "    q = reshape(x, [B, 2, 2, 2])\n    output p = softmax(q @ q, axis=1) @ q\n",
        "    q = reshape(x, [B, 4, 2])\n    output p = transpose(q, [0, 2, 1]) @ softmax(q @ ones([2, 4]), axis=2)\n",
    ),
    "AX0830": (
        "    h = reshape(x, [B, 2, 2, 2])\n    a = h |> Conv(3, kernel=1)\n    b = a |> relu |> AveragePool(1)\n"
        "    output p = concat([a, b, a], axis=3) |> relu |> Conv(2, kernel=1)\n",
    ),
    "AX0831": (
        "    output p = reshape(x, [B, 2, 4]) |> Conv(2, 4, 3, padding=same)\n",
        "    output p = reshape(x, [B, 1, 8]) |> Conv(1, 8, 3, 1)\n",
    ),
    "AX0832": (
        "    scan x_t in x along 0, h = zeros([8]) -> hs along 0:\n        h = h + x_t\n        emit h\n    output p = hs\n",
        "    scan reversed x_t in x along 0, h = zeros([8]):\n        h = h + x_t\n    output p = x + h\n",
    ),
    "AX0828": (
        "    param W: [8, 4] ~ normal(0.02)\n    output p = x @ W\n",
        "    output p = x |> Dense(4, init=uniform(0.1))\n",
        "    output p = x |> MLP([4, 4]) |> Dense(2, init=truncated_normal(0.5))\n",
    ),
    "AX0827": (
        "    param W: [8, 4] = 0\n    param V: [4, 1] = 0\n    loss l = mse(relu(x @ W) @ V, t)\n",
        "    param W: [8, 4] ~ constant(0.5)\n    param b: [4] = 0\n    param V: [4, 1] ~ ones\n"
        "    loss l = mse(tanh(x @ W + b) @ V, t)\n",
        "    loss l = mse(x |> Dense(4, init=zeros) |> relu |> Dense(1, init=zeros), t)\n",
    ),
}
TOLD_CASES = [(code, body) for code, bodies in TOLD.items() for body in bodies]
TOLD |= {
    "AX0835": (
        "    loss l = bce_logits(t, x |> Dense(1))\n",
        "    s = (x |> Dense(1))[:, 0]\n    metric r over set = r2(t[:, 0], s)\n    loss l = mse(s, t[:, 0])\n",
    ),
    "AX0836": ("    p = x |> Dense(1)\n    loss l = mse(p, t) + huber(p, p)\n",),
    "AX0837": (
        "    s = x[:, none, :] * x[:, :, none]\n    output o = softmax(where((x > 0)[:, :, none], s, -1e9))\n",
        "    output o = softmax(float(x > 0) * x)\n",
    ),
    "AX0838": ("    hs, h = GRU(4)(x[:, none])\n    output o = h\n",),
    "AX0839": ("    k: i64[B] ~ randint(1, 9)\n    output o = cumsum(ones([8]))[k]\n",),
}
QUIET = {
    "predictions first": "    loss l = bce_logits(x |> Dense(1), t)\n    metric m = mae(t, x |> Dense(1))\n",
    "a mask along the softmax": "    s = x[:, none, :] * x[:, :, none]\n"
    "    output o = softmax(where((x > 0)[:, none, :], s, -1e9))\n",
    "a scan of numbers": "    hs, h = GRU(4)(x[:, :, none])\n    output o = h\n",
    "a cell": "    g = GRU(4)\n    h = x |> Dense(4)\n    for _ in range(2):\n        h = g(x[:, none], start=h).h\n    output o = h\n",
    "a sum over the batch": "    loss l = sum(mse(x |> Dense(1), t, reduce=none)) + mean(cross_entropy(x |> Dense(3), y, reduce=none), axis=-1)\n",
    "draws within": "    k: i64[B] ~ randint(0, 8)\n    j: i64[B] ~ randint(1, 8)\n"
    "    output o = cumsum(ones([8]))[k] + cumsum(ones([8]))[j]\n",
    "a spread above 0": "    s = exp(x |> Dense(8))\n    z: [B, 8] ~ normal(x |> Dense(8), s)\n    loss l = mse(z, x)\n",
    "the largest of each": "    loss l = mse(max(x |> Dense(8), axis=1), t[:, 0])\n",
    "logits": "    loss l = cross_entropy(x |> Dense(3), y)\n",
    "attention before logits": "    loss l = cross_entropy(softmax(x) @ transpose(ones([3, 8])), y)\n",
    "a softmax among the layers": "    loss l = cross_entropy(softmax(x |> Dense(4)) |> Dense(3), y)\n",
    "probabilities": "    loss l = bce(sigmoid(x |> Dense(1)), t)\n",
    "cut to probabilities": "    loss l = bce(clip(x |> Dense(1), 0, 1), t)\n",
    "over classes": "    output p = softmax(x, axis=1)\n",
    "a variance above 0": "    loss l = gaussian_nll(x |> Dense(1), t, softplus(x |> Dense(1)) + 1e-3)\n",
    "a variance by its logarithm": "    loss l = gaussian_nll(x |> Dense(1), t, exp(x |> Dense(1)))\n",
    "a mean over the batch by scores": "    w = softmax((x |> Dense(1))[:, 0])\n    loss l = sum(w * (x |> Dense(1))[:, 0])\n",
    "own classes": "    loss l = nll(log_softmax(x |> Dense(3)), y)\n",
    "an embedding": "    loss l = mse(Embedding(3, 4)(y) |> relu |> Dense(1), t)\n",
    "a shuffle": "    output p = x[argsort(x[:, 0])]\n",
    "a function between": "    loss l = mse(x |> Dense(8) |> relu |> Dense(1), t)\n",
    "a bottleneck": "    loss l = mse(x |> Dense(2) |> Dense(8) |> relu |> Dense(1), t)\n",
    "a layer that is read twice": "    h = x |> Dense(8)\n    output p = h\n    loss l = mse(h |> Dense(1), t)\n",
    "a distillation": "    s = x |> Dense(3)\n    loss l = soft_cross_entropy(s, softmax(stop_gradient(x |> Dense(3))))\n"
    "    metric m = cross_entropy(s, y)\n",
    "a sigmoid as a target": "    loss l = bce_logits(x |> Dense(1), sigmoid(mean(x, axis=1, keep=true)))\n",
    "probabilities over a set": "    z = x |> Dense(3)\n    loss l = cross_entropy(z, y)\n"
    "    metric m over set = log_loss(softmax(z), y)\n",
    "scores over a set": "    z = x |> Dense(2)\n    loss l = cross_entropy(z, y)\n"
    "    metric m over set = roc_auc(z[:, 1], y)\n",
    "a hidden relu": "    loss l = cross_entropy(x |> Dense(4) |> relu |> Dropout(0.2) |> Dense(3), y)\n",
    "two classes": "    output p = softmax(x |> Dense(2))\n",
    "all of a slice": "    output p = x[:, 2:100]\n",
    "an empty slice by name": "    k = 0\n    output p = concat([x, x[:, :k]], axis=1)\n",
    "a dim that is used": "    output p = x / B\n",
    "a choice in brackets": "    output p = (x if true else -x) |> relu\n",
    "a pipe in brackets": "    output p = x if true else (-x |> relu)\n",
    "centred by its batch": "    output p = x - mean(x, axis=0)\n",
    "a figure of a batch": "    metric m = max(mean(x, axis=0))\n",
    "attention": "    q = reshape(x, [B, 4, 2])\n    output p = softmax(q @ transpose(q, [0, 2, 1])) @ q\n",
    "places that are competed for": "    q = reshape(x, [B, 4, 2])\n    w = softmax(q @ transpose(q, [0, 2, 1]), axis=1)\n"
    "    output p = (w / sum(w, axis=2, keep=true)) @ q\n",
    "clusters": "    q = reshape(x, [B, 4, 2])\n    s = softmax(q |> Dense(3))\n    output p = transpose(s, [0, 2, 1]) @ q\n",
    "channels joined": "    h = reshape(x, [B, 2, 2, 2])\n    a = h |> Conv(3, kernel=1)\n"
    "    output p = concat([a, relu(a)], axis=1) |> Conv(2, kernel=1)\n",
    "images joined that nothing convolves": "    a = reshape(x, [B, 2, 2, 2]) |> Conv(3, kernel=1)\n"
    "    output p = concat([a, a], axis=3)\n",
    "a kernel and a stride": "    output p = reshape(x, [B, 1, 8]) |> Conv(4, 3, 2)\n",
    "as many filters as channels": "    output p = reshape(x, [B, 2, 4]) |> Conv(2, 3, 1)\n",
    "a scan along the steps": "    q = reshape(x, [B, 4, 2])\n    scan q_t in q along 1, h = zeros([B, 2]):\n"
    "        h = h + q_t\n    output p = h\n",
    "one number of an example": "    output p = x[:, 0]\n",
    "a spread": "    param W: [8, 4] ~ normal(std=0.02)\n    param b: [4] ~ normal(0, 0.1)\n    output p = x @ W + b\n",
    "a draw": "    n: [B, 8] ~ normal(3.0)\n    output p = x + n\n",
    "one layer of zeros": "    param W: [8, 1] = 0\n    loss l = mse(x @ W, t)\n",
    "the last layer of zeros": "    loss l = mse(x |> Dense(4) |> relu |> Dense(1, init=zeros), t)\n",
    "normalised between": "    loss l = mse(x |> Dense(8) |> LayerNorm |> Dense(1), t)\n",
}


@pytest.mark.parametrize(("code", "body"), TOLD_CASES, ids=[f"{code}-{n}" for n, (code, _) in enumerate(TOLD_CASES)])
def test_it_is_told(code: str, body: str) -> None:
    assert set(of_body(body)) == {code}


@pytest.mark.parametrize("body", QUIET.values(), ids=QUIET.keys())
def test_what_is_meant_is_not_told(body: str) -> None:
    assert of_body(body) == []


def test_a_finding_stands_at_its_line_with_what_it_costs() -> None:
    (finding,) = found(f"{HEAD}{USED}    h = x |> Dense(4) |> relu\n")
    assert finding.span is not None and finding.span.text == "Dense(4)" and finding.severity == "warning"
    assert finding.headline == "nothing reads `dense`: 2 parameters with 36 numbers, of no use"


@pytest.mark.parametrize(
    ("body", "headline"),
    [
        ("    a = Dense(1)\n    output p = a(x)\n    loss l = mse(x |> Dense(1), t)\n",
         "no program trains `a`: 2 parameters with 9 numbers stay as they begin"),
        ("    a = Dense(4)\n    loss l = mse(floor(a(x)) |> Dense(1), t)\n",
         "no gradient reaches `a`, 2 parameters with 36 numbers: it ends at `floor`"),
        ("    a = Dense(4)\n    loss l = mse(stop_gradient(relu(a(x))) |> Dense(1), t)\n",
         "no gradient reaches `a`, 2 parameters with 36 numbers: it ends at `stop_gradient`"),
    ],
)  # fmt: skip
def test_what_stays_as_it_begins_is_told_with_the_reason(body: str, headline: str) -> None:
    assert [finding.headline for finding in found(f"{HEAD}{USED}{body}{TRAIN}")] == [headline]


@pytest.mark.parametrize(
    "body",
    [
        "    a = frozen(Dense(1))\n    output p = a(x)\n    loss l = mse(x |> Dense(1), t)\n",
        "    loss l = mse(x |> Dense(4) |> BatchNorm |> relu |> Dense(1), t)\n",
        "    hard = x |> Dense(4)\n    loss l = mse(straight_through(round(hard), hard) |> Dense(1), t)\n",
    ],
)
def test_what_is_to_stay_or_has_a_gradient_is_not_told(body: str) -> None:
    assert of_body(body, TRAIN) == []


@pytest.mark.parametrize(
    ("body", "train", "expected"),
    [
        ("    loss l = -mse(x |> Dense(1), t)\n", TRAIN, ["AX0810"]),
        ("    z = x |> Dense(3)\n    loss l = -cross_entropy(z, y)\n", TRAIN, ["AX0810"]),
        ("    g = Dense(1)\n    loss l = -mse(g(x), t)\n", "\ntrain:\n    minimize l over g with sgd(0.1)\n", []),
        ("    loss l = -mean(x |> Dense(1))\n", TRAIN, []),
        ("    z = x |> Dense(8)\n    loss l = mean(normal_log_prob(z) + sum(z, axis=1))\n", TRAIN, ["AX0810"]),
        ("    loss l = 0.5 * mean(log_sigmoid(x |> Dense(1)))\n", TRAIN, ["AX0810"]),
        ("    z = x |> Dense(8)\n    loss l = -mean(normal_log_prob(z) + sum(z, axis=1))\n", TRAIN, []),
        ("    z = x |> Dense(8)\n    loss l = mean(normal_log_prob(z, z, 1.0) - normal_log_prob(z))\n", TRAIN, []),
        ("    n = Dense(1)\n    loss l = mse(n(x), t)\n    loss o = l2(n)\n", TRAIN, ["AX0811"]),
        ("    n = Dense(1)\n    loss o = mse(n(x), t)\n    loss l = o + l2(n)\n", TRAIN, []),
        ("    n = Dense(1)\n    loss l = mse(n(x), t)\n    loss o = l2(n)\n",
         f"{TRAIN}    split = {{train: 0.5, valid: 0.5}}\n    early_stopping = {{monitor: valid.o, patience: 2}}\n", []),
    ],
)  # fmt: skip
def test_losses_and_what_follows_them(body: str, train: str, expected: list[str]) -> None:
    assert of_body(body, train) == expected


@pytest.mark.parametrize(
    ("field", "use", "expected"),
    [
        ("[B, 16, 16, 3]", "Conv(4) |> flatten", ["AX0812"]),
        ("[B, 16, 16, 3]", "relu |> Conv(4) |> flatten", ["AX0812"]),
        ("[B, 16, 16, 2]", "MaxPool |> flatten", ["AX0812"]),
        ("[B, 28, 28]", "Conv(4) |> flatten", ["AX0812"]),
        ("[B, 3, 16, 16]", "Conv(4) |> flatten", []),
        ("[B, 16, 8, 3]", "Conv(4) |> flatten", []),
        ("[B, 12, 40]", "Conv(4) |> flatten", []),
        ("[B, 48, 3]", "Conv(4) |> flatten", ["AX0812"]),
        ("[B, 3, 48]", "Conv(4) |> flatten", []),
        ("[B, 4, 4]", "Conv(4) |> flatten", []),
        ("[B, 3, 16, 16]", "Conv(4) |> relu |> Dense(3)", ["AX0813"]),
        ("[B, 3, 16, 16]", "Conv(4) |> MaxPool |> Dense(3)", ["AX0813"]),
        ("[B, 3, 16, 16]", "Conv(4) |> GlobalAveragePool |> Dense(3)", []),
        ("[B, 28, 28]", "Dense(8) |> relu |> flatten", ["AX0813"]),
        ("[B, 28, 28]", "flatten |> Dense(8)", []),
        ("[B, 28, 27]", "Dense(8) |> relu |> flatten", []),
        ("[B, 28, 28]", "Dense(8) |> MultiHeadAttention(2) |> flatten", []),
        ("[B, T, 28]", "Dense(8)", []),
    ],
)
def test_images_are_taken_as_they_are(field: str, use: str, expected: list[str]) -> None:
    assert [f.code for f in found(f"model M():\n    input i: {field}\n    output p = i |> {use}\n")] == expected


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ("adam(lr=10)", True), ("adam(lr=1)", True), ("adam(lr=0.1)", False), ("adam()", False), ("sgd(1.0)", False),
        ("sgd(100)", True), ("adamw(cosine_decay(5.0, steps))", True), ("adam(warmup(10, 3.0))", True),
        ("adam(one_cycle(0.01, steps))", False), ("adadelta(1.0)", False), ("lion(0.5)", True), ("rmsprop(lr=2)", True),
    ],
)  # fmt: skip
def test_rates_that_lead_nowhere(optimizer: str, told: bool) -> None:
    train = f"\ntrain:\n    minimize l with {optimizer}\n"
    assert of_body("    loss l = mse(x |> Dense(1), t)\n", train) == ["AX0821"] * told


STOPPED = "\ntrain:\n    minimize l with adam()\n    epochs = 20\n"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("early_stopping = {monitor: valid.l, patience: 3}", ["AX0818"]),
        ("early_stopping = {monitor: train.l, patience: 3}", []),
        ("early_stopping = {monitor: valid.l}\n    split = {train: 8, valid: 2}", []),
        ("early_stopping = {monitor: valid.l}\n    split = {fold: [1, 5]}", []),
        ("early_stopping = {monitor: train.l, patience: 21}", ["AX0820"]),
        ("early_stopping = {monitor: train.l, mode: max}", ["AX0819"]),
        ("early_stopping = {monitor: train.l, mode: min}", []),
        ("early_stopping = {monitor: train.l}\n    split = {train: 8, valid: 2}", ["AX0834"]),
        ("early_stopping = {monitor: train.l}\n    split = {train: 8, test: 2}", []),
        ("split = {train: 90, test: 10}", ["AX0822"]),
        ("split = {train: 0.9, test: 0.1}", []),
        ("split = {train: 900, test: 100}", []),
    ],
)
def test_settings_that_mean_something_else(settings: str, expected: list[str]) -> None:
    told = found(f"{HEAD}{USED}    loss l = mse(x |> Dense(1), t)\n{STOPPED}    {settings}\n")
    assert [finding.code for finding in told] == expected
    assert all(finding.span is not None and finding.span.text in settings for finding in told)


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ("concat([data.data, float(data.target)[:, none]], axis=1)", ["AX0824"]),
        ("stack([float(data.target)] * 8, axis=1)", ["AX0824"]),
        ("concat([data.data, data.data], axis=1)", []),
    ],
)
def test_answers_are_not_given_away(feed: str, expected: list[str]) -> None:
    train = f'\ntrain:\n    data = sklearn("iris")\n    feed x = {feed}\n    feed y = data.target\n    minimize l with adam()\n'
    body = "    loss l = cross_entropy(x |> Dense(3), y)\n"
    assert of_body(body, train) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://example.org/a.csv", ["AX0833"]),
        ("/srv/a.csv", ["AX0833"]),
        ("~/a.csv", ["AX0833"]),
        ("C:/a.csv", ["AX0833"]),
        ("tables/a.csv", []),
    ],
)
def test_files_of_elsewhere(path: str, expected: list[str]) -> None:
    train = f'\ntrain:\n    data = csv("{path}")\n    feed x = data.data\n    feed y = data.kind\n    minimize l with adam()\n'
    assert of_body("    loss l = cross_entropy(x |> Dense(3), y)\n", train) == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("fn f(x: [n]) -> [n]:\n    return nowhere(x)\n\n", ["AX0816"]),
        ("block D(k: int)(x: [B, n]) -> [B, k]:\n    return x |> Dens(k)\n\n", ["AX0816"]),
        ("fn f(x: [n], g: fn) -> [n]:\n    fn h(y: [n]) -> [n]:\n        return g(y)\n    return h(relu(x))\n\n", []),
        (
            "fn f(x: [n]) -> [n]:\n    return sum(g(v) for v in [x]) |> relu\n\nfn g(x: [n]) -> [n]:\n    return -x\n\n",
            [],
        ),
    ],
)
def test_names_in_what_nothing_uses(before: str, expected: list[str]) -> None:
    assert [
        f.code for f in found(f"{before}model M():\n    input x: [B, 8]\n    output p = x |> Dense(2)\n")
    ] == expected


def test_programs_that_change_something_are_not_told() -> None:
    assert of_body("    buffer n: [] = 0\n    update n = n + 1\n    loss l = mse(x |> Dense(1), t)\n", TRAIN) == []
    assert of_body("    loss l = mse(x |> Dense(1), t)\n", "\ntrain:\n    epochs = 2\n") == ["AX0808"]


def test_labels_are_asked_of_nobody_in_use() -> None:
    head = "model M():\n    input x: [B, 8]\n    input label: i64[B]\n"
    loss = "    z = x |> Dense(3)\n    loss l = cross_entropy(z, label)\n"
    assert [finding.code for finding in found(f"{head}{loss}    output p = softmax(z)\n")] == ["AX0806"]
    assert found(f"{head}{loss}") == []
    assert found(f"{head}{loss}    output p = softmax(z) * float(label)[:, none]\n") == []


# ---------------------------------------------------------------- levels

UNUSED = "model M():\n    input x: [B, 8]\n    input z: [B]{}\n    output p = x |> Dense(2)\n"


def told(text: str, levels: Levels | None = None) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in found(text, levels)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UNUSED.format(""), [("AX0802", "warning")]),
        (UNUSED.format("  # allow AX0802"), []),
        (UNUSED.format("  # allow AX0802: another model of the family reads it"), []),
        (UNUSED.format("  # allow AX0802 since others read it"), []),
        (UNUSED.format("  # allow AX0801, AX0802"), []),
        (UNUSED.format("  # deny AX0802"), [("AX0802", "error")]),
        (UNUSED.format("  # allow AX0801"), [("AX0802", "warning")]),
        ("# allow AX0802\n\n" + UNUSED.format(""), []),
        ("# deny AX0802\n\n" + UNUSED.format("  # warn AX0802"), [("AX0802", "warning")]),
        (UNUSED.format("").replace("    input z", "    # allow AX0802\n    input z"), []),
        (UNUSED.format("").replace("    output", "    # allow AX0802\n    output"), [("AX0802", "warning")]),
        (UNUSED.format("  # allow AX0899"), [("AX0802", "warning"), ("AX0800", "warning")]),
        (UNUSED.format("  # allow it"), [("AX0802", "warning")]),
    ],
)
def test_comments_say_what_is_done(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (Levels(deny=("all",)), [("AX0802", "error")]),
        (Levels(deny=("AX0802",)), [("AX0802", "error")]),
        (Levels(allow=("all",)), []),
        (Levels(allow=("AX0802",), deny=("all",)), []),
        (Levels(deny=("AX0802",), allow=("all",)), [("AX0802", "error")]),
        (Levels(deny=("AX0801",)), [("AX0802", "warning")]),
    ],
)
def test_so_does_the_command_line(levels: Levels, expected: list[tuple[str, str]]) -> None:
    assert told(UNUSED.format(""), levels) == expected


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_lines_are_those_that_the_language_counts(end: str) -> None:
    """What Python takes for ends of lines, and a spec does not, moves no comment to another line."""
    text = UNUSED.format("  # allow AX0802").replace("model M():\n", f"# one{end}two{end}three\nmodel M():\n")
    assert told(text) == []
    assert told(f"{text}# {end} allow AX0802\n") == []


def test_a_comment_overrules_the_command_line() -> None:
    assert told(UNUSED.format("  # allow AX0802"), Levels(deny=("all",))) == []


def test_a_level_of_no_warning_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        check_codes(Levels(deny=("AX0301",)), codes())
    assert [finding.code for finding in caught.value.diagnostics] == ["AX0800"]


def test_a_spec_in_yaml_has_comments_too() -> None:
    text = to_yaml(read_tree(Source("self.arch", UNUSED.format(""))))
    (line,) = [line for line in text.splitlines() if "z" in line and "B" in line]

    def yaml(changed: str) -> list[Diagnostic]:
        return findings(elaborate(parse_spec(Source("self.yaml", text.replace(line, changed)))))

    assert [finding.code for finding in yaml(line)] == ["AX0802"]
    assert yaml(f"{line}  # allow AX0802") == []


# ---------------------------------------------------------------- schedules

DIGITS = '\ntrain:\n    data = sklearn("digits")\n    feed x = data.data[:, :8] / 16\n    feed y = data.target\n'


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("polynomial_decay(1e-3, 100)", ["AX0840"]),
        ("polynomial_decay(1e-3, 100, end=1e-4)", []),
        ("polynomial_decay(1e-3, 600)", []),
        ("exponential_decay(1e-3, 0.9)", ["AX0840"]),
        ("exponential_decay(1e-3, 0.9, every=steps_per_epoch)", []),
        ("step_decay(1e-2, 40)", ["AX0840"]),
        ("warmup(20, cosine_decay(1e-3, 20))", ["AX0840"]),
        ("one_cycle(1e-2, steps)", []),
        ("warmup_linear(1e-3, 100, 50)", ["AX0841", "AX0840"]),
        ("warmup(10000, 1e-3)", ["AX0841"]),
        ("noam(64)", ["AX0841"]),
        ("noam(64, warmup=100)", []),
        ("warmup_cosine(1e-3, steps // 10, steps)", []),
    ],
)
def test_schedules_that_do_not_fit_the_training(schedule: str, expected: list[str]) -> None:
    """Twenty epochs of 1,797 examples by 32 are 1,140 steps."""
    train = f"{DIGITS}    epochs = 20\n    minimize l with adam(lr={schedule})\n"
    assert sorted(of_body("    loss l = cross_entropy(x |> Dense(10), y)\n", train)) == sorted(expected)


# ---------------------------------------------------------------- feeds and parts

TABLE = 'data = csv("a.csv")'
SERIES = 'data = windows(csv("a.csv"), length=8, horizon=2)\n    split = {train: 0.8, valid: 0.2, by: order}'


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("TransformerEncoder(1, heads=2)", ["AX0848"]),
        ("MultiHeadAttention(2, causal=false)", ["AX0848"]),
        ("TransformerEncoder(1, heads=2, causal=true)", []),
    ],
)
def test_who_foretells_the_next_token_does_not_see_it(layer: str, expected: list[str]) -> None:
    model = "model M():\n    input w: i64[B, T]\n    target n: i64[B, T]\n    h = w |> Embedding(9, 8)\n"
    train = 'train:\n    data = windows(text("a.txt"), context=8)\n    feed w = data.ids\n    feed n = data.next\n'
    loss = f"    loss l = cross_entropy(h |> {layer} |> Dense(9), n)\n\n"
    told = found(f"{model}{loss}{train}    minimize l with adam()\n")
    assert [f.code for f in told if f.code == "AX0848"] == expected


@pytest.mark.parametrize(
    ("data", "x", "y", "expected"),
    [
        (TABLE, "stack([log(data.a), data.b], axis=1)", "min_max(data.a)", ["AX0842"]),
        (TABLE, "stack([log(data.a), data.b], axis=1)", "data.c - data.a", []),
        (TABLE, "stack([data.a, data.b], axis=1)", "data.c", []),
        (SERIES, "log(data.a)", "data.a[:, -1] / 10", ["AX0842"]),
        (SERIES, "log(data.a)", "data.a_next[:, 0]", []),
        (SERIES, "data.a[:, :-1]", "data.a[:, -1]", []),
        (SERIES.replace(", by: order", ""), "data.a", "data.a_next[:, 0]", ["AX0843"]),
        (SERIES.replace("by: order", "stratify: y"), "data.a", "data.a_next[:, 0]", ["AX0843"]),
        (SERIES.replace(", by: order", "").replace("=2)", "=2, stride=10)"), "data.a", "data.a_next[:, 0]", []),
    ],
)
def test_feeds_and_parts_that_give_the_answer_away(data: str, x: str, y: str, expected: list[str]) -> None:
    model = "model M():\n    input x: [B, 8]\n    target y: [B]\n    loss l = mse((x |> Dense(1))[:, 0], y)\n\n"
    train = f"train:\n    {data}\n    feed x = {x}\n    feed y = {y}\n    epochs = 2\n"
    told = found(f"{model}{train}    minimize l with adam()\n")
    assert [f.code for f in told if f.code in ("AX0842", "AX0843")] == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("minimize p over a", "minimize q", ["AX0844"]),
        ("minimize q", "minimize p over a", ["AX0844"]),
        ("minimize p over a", "minimize q over b", []),
        ("minimize p", "minimize q", []),
    ],
)
def test_opponents_that_are_trained_too(first: str, second: str, expected: list[str]) -> None:
    body = "    a = Dense(4)\n    b = Dense(1)\n    loss p = mean(square(a(x)))\n    loss q = mse(b(relu(a(x))), t)\n"
    train = f"\ntrain:\n    {first} with adam()\n    {second} with adam()\n"
    assert of_body(body, train) == expected


@pytest.mark.parametrize(
    ("types", "size", "expected"),
    [
        (("[16, 8]", "i64[16]"), "16", ["AX0845"]),
        (("[16, 8]", "i64[16]"), "8", []),
        (("[16, 8]", "i64[16]"), "all", []),
        (("[B, 8]", "i64[B]"), "16", []),
    ],
)
def test_batches_of_one_size_alone(types: tuple[str, str], size: str, expected: list[str]) -> None:
    model = f"model M():\n    input x: {types[0]}\n    target y: {types[1]}\n    loss l = cross_entropy(x |> Dense(10), y)\n"
    assert [f.code for f in found(f"{model}{DIGITS}    batch_size = {size}\n    minimize l with adam()\n")] == expected


# ---------------------------------------------------------------- losses beside outputs, masks, states

SHOWN = "    z = x |> Dense(8)\n    output p = {}(z)\n    loss l = {}\n"
SCORES = "    seen = {}(ones([8, 8])) > 0\n    s = x[:, :, none] * x[:, none]\n    output p = softmax(where({}))\n"
STEPS = "    h0 = zeros([B])\n    scan u in x along 1{} -> hs along 1:\n        h = u + {}\n        emit h\n    output y2 = hs\n"
CODE = "    m, v = split(x |> Dense(4), 2, axis=-1)\n    kl = kl_normal(m, exp(v){})\n    loss l = {}\n"
RATED = "    r = x |> Dense(1)\n    loss l = poisson_nll({}, t)\n"
CLASS = "    z = (x |> Dense(1))[:, 0]\n    output p = sigmoid(z)\n    metric a over set = {}\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (SHOWN.format("sigmoid", "mae(z, x)"), ["AX0860"]),
        (SHOWN.format("tanh", "mse(z, x / 2)"), ["AX0860"]),
        (SHOWN.format("softmax", "bce_logits(z, x)"), ["AX0860"]),
        (SHOWN.format("sigmoid", "mse(sigmoid(z), x)"), []),
        (SHOWN.format("sigmoid", "bce_logits(z, x) + 0.1 * mse(z, x)"), []),
        (SHOWN.format("sigmoid", "mse(z, x |> Dense(8))"), []),
        (SCORES.format("tril", "seen, s, 0.0"), ["AX0862"]),
        (SCORES.format("tril", "seen, -1e4, s"), ["AX0862"]),
        (SCORES.format("tril", "seen, s, -1e4"), []),
        (SCORES.format("triu", "seen, -1e4, s"), []),
        (STEPS.format("", "h0"), ["AX0863"]),
        (STEPS.format(", h = h0", "h"), []),
        (CODE.format(", reduce=none", "mean(x) - mean(kl)"), ["AX0810"]),
        (CODE.format("", "mean(x) + 0.1 * mean(x) - kl"), ["AX0810"]),
        (CODE.format("", "mean(x) + kl"), []),
        (RATED.format("exp(r)"), ["AX0801"]),
        (RATED.format("r"), []),
        (CLASS.format("average_precision(z > 0, y)"), ["AX0801"]),
        (CLASS.format("f1_score(z > 0.5, y)"), ["AX0801"]),
        (CLASS.format("f1_score(p > 0.5, y)"), []),
        (CLASS.format("f1_score(z > 0, y)"), []),
    ],
)
def test_scores_masks_and_states_that_contradict_themselves(body: str, expected: list[str]) -> None:
    assert of_body(body, TRAIN if "loss l" in body else "") == expected


SLOW = "    q = Dense(1)\n    slow = {}\n    loss l = mse(q(x), t + stop_gradient(slow(x)))\n"


@pytest.mark.parametrize(("made", "expected"), [("q", ["AX0861"]), ("copy(q)", [])])
def test_a_second_name_is_no_copy(made: str, expected: list[str]) -> None:
    assert of_body(SLOW.format(made), f"{TRAIN}    update slow = 0.9 * slow + 0.1 * q\n") == expected
