"""What people bring along from other tools, beside other lines than those of docs: the edit gives what was meant."""

from __future__ import annotations

import pytest

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source

HEAD = "model Net(n: int = 24):\n    input x: [B, 12, 3]\n    input row: [B, 20]\n    target k: i64[B]\n"
IMAGES = "model Net():\n    input x: [B, 4, 8, 8]\n    input k: i64[B, 8, 8]\n"
GRAPH = "model Net():\n    input a: i64[E]\n    input b: i64[E]\n    input x: [N, 5]\n"


def first(text: str, name: str = "net.arch") -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source(name, text)))
    return caught.value.diagnostics[0]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        # axes
        (f"{HEAD}    w = row[:, 0]\n    output y = exp(w) * row\n", ("exp(w) * row", "exp(w)[:, none] * row")),
        (f"{HEAD}    i: [B] ~ randint(0, 9)\n    output y = ones([9])[i]\n", ("i: [B]", "i: i64[B]")),
        (
            f"{HEAD}    s = x |> Dense(5)\n    output y: [B, 5, 12] = tanh(s)\n",
            ("Dense(5)", "Dense(5) |> transpose([0, 2, 1])"),
        ),
        (
            f"{HEAD}    s = x |> Dense(7) |> relu |> Dense(5)\n    loss l = cross_entropy(s, k)\n",
            ("Dense(7)", "flatten |> Dense(7)"),
        ),
        (
            f"{HEAD}    all, last = GRU(6)(x)\n    s = all |> Dense(5)\n    loss l = cross_entropy(s, k)\n",
            ("s = all", "s = last"),
        ),
        (
            f"{IMAGES}    h = concat([x, x], axis=-1)\n    output y: [B, 8, 8, 8] = relu(h)\n",
            ("axis=-1", "axis=1"),
        ),
        (f"{IMAGES}    h = MaxPool(4)(x)\n    output y = concat([x, h], axis=1)\n", ("[x, h]", "[x, Upsample(4)(h)]")),
        (
            f"{IMAGES}    h = x |> ConvTranspose(2, kernel=3, stride=2, padding=1)\n    output y: [B, 2, 16, 16] = h\n",
            ("padding=1", "padding=1, output_padding=1"),
        ),
        (f"{HEAD}    a, b = split(row, 10, axis=1)\n    output y = a * b\n", ("row, 10", "row, 2")),
        # layers and losses
        (
            f"{HEAD}    s = row |> Dense(20)\n    loss l = masked_mean(mse(s, row), row > 0)\n",
            ("mse(s, row)", "mse(s, row, reduce=none)"),
        ),
        (
            f"{HEAD}    hs, h = GRU(6, num_layers=2)(x)\n    output y = h\n",
            ("h = GRU(6, num_layers=2)", "h, each = RecurrentStack([GRU(6), GRU(6)])"),
        ),
        (
            f"{HEAD}    hs, h = RNN(3, 6, bidirectional=true)(x)\n    output y = h\n",
            ("RNN(3, 6, bidirectional=true)", "Bidirectional(RNN(6), RNN(6))"),
        ),
        (
            f"{HEAD}    s = Dense(1)(row)[:, 0]\n    loss l = cross_entropy(s, k)\n",
            ("cross_entropy(s, k)", "bce_logits(s, float(k))"),
        ),
        (f"{HEAD}    loss l = cross_entropy(row, one_hot(k, 20))\n", ("one_hot(k, 20)", "k")),
        (f"{HEAD}    output y = row + sinusoidal(20, 1)\n", ("20, 1", "1, 20")),
        (
            f"{GRAPH}    output y = GCN(5, 7)(x, a, b)\n",
            ("GCN(5, 7)(x, a, b)", "GCN(7)(x, edges(a, b, shape_of(x)[0]))"),
        ),
        (
            f"{HEAD}    p = softmax(row)\n    a = Categorical(p).sample()\n    output y = a\n",
            ("a = Categorical(p).sample()", "a: i64[B] ~ categorical(p)"),
        ),
        (f"{HEAD}    hs, (h, c) = LSTM(6)(x)\n    output y = h\n", ("(h, c)", "h, c")),
        (
            f"{HEAD}    output y = row |> Dense(30) |> Dense(4) |> RMSNorm\n    output z = MultiHeadAttention(4)(x |> Dense(30))\n",
            ("x |> Dense(30)", "x |> Dense(32)"),
        ),
        # entries
        (
            f"{HEAD}    f = Dense(2)\n    output y = f(row)\n    entry e(m: int) -> [m, 2]:\n        return f(ones([m, 20]))\n",
            ("m: int", "m: dim"),
        ),
        (
            f"{HEAD}    f = Dense(2)\n    output y = f(row)\n    entry e(m: dim) -> [m, 2]:\n        z: [B, 20] ~ normal(0, 1)\n        return f(z)\n",
            ("z: [B", "z: [m"),
        ),
    ],
)
def test_an_edit_gives_what_was_meant(wrong: str, right: tuple[str, str]) -> None:
    assert first(wrong).fixes[0].applied() == wrong.replace(*right)


STEPS = "    f = Dense(2)\n    g = Dense(2)\n    loss l = cross_entropy(f(row) + g(row), k)\n"
TRAIN = '\ntrain:\n    data = sklearn("digits")\n    epochs = 2\n'


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        (["minimize l with adam(1e-3, clipnorm=2.0)"], ["clip_norm = 2.0", "minimize l with adam(1e-3)"]),
        (["g.requires_grad = false", "minimize l with adam()"], ["freeze = [g]", "minimize l with adam()"]),
        (
            ["minimize l over f with adam()", "g.load_state_dict(f.state_dict())"],
            ["minimize l over f with adam()", "update g = f"],
        ),
        (
            ["early_stopping = {monitor: valid.l, restore_best_weights: true}", "minimize l with adam()"],
            ["early_stopping = {monitor: valid.l}", "minimize l with adam()"],
        ),
        (["optimizer = sgd(0.1)", "loss = l"], ["minimize l with sgd(0.1)"]),
        # of books
        (["minimize l with adam(eta=0.1)"], ["minimize l with adam(lr=0.1)"]),
        (["minimize l with adamw(lambda=0.1)"], ["minimize l with adamw(weight_decay=0.1)"]),
        (["minimize l with momentum(0.1, 0.9)"], ["minimize l with sgd(lr=0.1, momentum=0.9)"]),
        (["minimize l with optax.adam(1e-3, b1=0.8)"], ["minimize l with adam(lr=1e-3, beta1=0.8)"]),
        (["minimize l with adam(InitialLearnRate=0.1)"], ["minimize l with adam(lr=0.1)"]),
        (["weight_decay = 0.1", "minimize l with adam(1e-3)"], ["minimize l with adamw(1e-3, weight_decay=0.1)"]),
        (["weight_decay = 0.1", "minimize l with sgd"], ["minimize l with sgd(weight_decay=0.1)"]),
        (["accumulation_steps = 4", "minimize l with adam()"], ["accumulate = 4", "minimize l with adam()"]),
    ],
)
def test_a_line_of_a_program_becomes_that_of_here(lines: list[str], meant: list[str]) -> None:
    wrong, right = (f"{HEAD}{STEPS}{TRAIN}" + "".join(f"    {one}\n" for one in several) for several in (lines, meant))
    assert first(wrong).fixes[0].applied() == right


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("cv = 5", "--folds 5"),
        ("class_weight = 2", "weight=["),
        ("weight_decay = 1", "l2(layer)"),
        ("steps = 9", "`epochs`"),
    ],
)
def test_what_is_no_setting_is_said_elsewhere(line: str, said: str) -> None:
    found = first(f"{HEAD}{STEPS}{TRAIN}    {line}\n    minimize l with rmsprop()\n")
    assert said in str(found.help) and not found.fixes


KEYS = """model: Net
inputs: {x: '[B, 4]'}
layers: [{Dense: 2, as: h}]
losses: {l: 'mean(h)'}
train:
  data: 'sklearn("iris")'
  feed: {x: data.data}
  steps: [{minimize: l, with: 'adam(lr=0.01)'}]
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("optimizer: adam", "steps: [{minimize"),
        ("verbose: 1", "shows its progress"),
        ("cv: 5", "--folds 5"),
        ("sourcs: 5", "did you mean `sources`?"),
    ],
)
def test_keys_of_yaml_that_are_no_settings(line: str, said: str) -> None:
    assert said in str(first(f"{KEYS}  {line}\n", "net.yaml").help)


def test_a_key_of_yaml_in_the_plural_is_the_key() -> None:
    wrong = KEYS.replace("  feed:", "  feeds:")
    assert first(wrong, "net.yaml").fixes[0].applied() == KEYS


def test_heads_that_share_a_width_out_are_named() -> None:
    found = first("model N():\n    input x: [B, T, 12]\n    output y = MultiHeadAttention(5)(x)\n")
    assert "shared out evenly by 2, 3, 4, 6; 15" in str(found.help)


def test_where_a_gradient_is_stopped_on_the_way_to_what_is_trained_the_stop_is_left_out() -> None:
    model = f"{HEAD}    f = Dense(20)\n    d = Dense(2)\n    loss l = cross_entropy(d(stop_gradient(f(row))), k)\n"
    wrong = f"{model}{TRAIN}    minimize l over f with adam()\n"
    assert first(wrong).fixes[0].applied() == wrong.replace("stop_gradient(f(row))", "f(row)")


def test_what_a_program_maximises_is_declared_as_its_opposite() -> None:
    head = "model Net():\n    input x: [B, 20]\n    f = Dense(1)\n    loss gain = mean(f(x))"
    wrong = f"{head}\n{TRAIN}    maximize gain over f with adam()\n"
    right = f"{head.replace('mean(f(x))', '-(mean(f(x)))')}\n{TRAIN}    minimize gain over f with adam()\n"
    assert first(wrong).fixes[0].applied() == right


def test_a_size_that_the_data_decides_is_said_in_the_head_of_the_program() -> None:
    model = "model Net(words: int):\n    input x: i64[B, 4]\n    loss l = mean(Embedding(words, 3)(x))\n"
    fit = "    fit all = vocabulary(data.text)\n    minimize l with adam()\n"
    assert "train of Net(words=size(all)):" in str(first(f"{model}{TRAIN}{fit}").help)


def test_an_optimizer_beside_a_loss_in_yaml_is_a_step_with_its_own_parameters() -> None:
    written = "  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}\n  loss: l\n"
    wrong = KEYS.replace("  steps: [{minimize: l, with: 'adam(lr=0.01)'}]\n", written)
    assert 'with: "sgd(lr=0.1, momentum=0.9)"' in first(wrong, "net.yaml").fixes[0].applied()
