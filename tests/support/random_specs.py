"""Random specs as people write them: a task, a net for it, and a program that trains it; every one of them is meant.

What this module does not do: syntax at random (``random_ast`` does), or mistakes (``tests/mistakes`` has them).
"""

from __future__ import annotations

from random import Random

ACTIVATIONS = ("relu", "tanh", "gelu", "leaky_relu(0.1)", "silu", "sigmoid")
SCHEDULES = ("{r}", "cosine_decay({r}, steps)", "warmup(20, {r})", "step_decay({r}, 100)", "one_cycle({r}, steps)")


def random_spec(random: Random) -> str:
    """A spec that compiles, and in which nothing is to be told."""
    return random.choice((_table, _image, _sequence, _tokens, _autoencoder, _several_losses))(random)


def _hidden(random: Random, normal: bool = True) -> str:
    """Layers with a function behind each."""
    stages = []
    for _ in range(random.randint(1, 3)):
        stages.append(
            f"Dense({random.choice((8, 16, 33, 64))}{random.choice(('', ', bias=false', ', init=he_normal'))})"
        )
        stages += [random.choice(("LayerNorm", "BatchNorm"))] if normal and random.random() < 0.3 else []
        stages.append(random.choice(ACTIVATIONS))
        stages += [f"Dropout({random.choice((0.1, 0.25, 0.5))})"] if random.random() < 0.3 else []
    return " |> ".join(stages)


def _model(name: str, fields: str, body: str, train: str) -> str:
    return f"model {name}():\n{fields}{body}\n{train}"


def _program(random: Random, loss: str, metric: str | None = None) -> str:
    rate = random.choice(("1e-3", "3e-4", "0.01", "0.1"))
    optimizer = random.choice(("adam", "adamw", "sgd", "rmsprop", "lion", "nadam"))
    schedule = random.choice(SCHEDULES).format(r=rate)
    lines = [f"epochs = {random.randint(5, 60)}"]
    if random.random() < 0.7:
        lines.append(random.choice(("split = {train: 0.7, valid: 0.3}", "split = {train: 80, valid: 10, test: 30}")))
        if random.random() < 0.5:
            watched = random.choice([name for name in (loss, metric) if name is not None])
            lines.append(f"early_stopping = {{monitor: valid.{watched}, patience: {random.randint(1, 5)}}}")
    if random.random() < 0.3:
        lines.append(f"clip_norm = {random.choice((1, 5))}")
    lines.append(f"minimize {loss} with {optimizer}(lr={schedule})")
    return "train:\n" + "".join(f"    {line}\n" for line in lines)


def _table(random: Random) -> str:
    """Classes, or numbers, of rows of numbers."""
    width, count = random.randint(2, 40), random.randint(2, 12)
    fields, hidden = f"    input x: [B, {width}]\n", _hidden(random)
    kind = random.choice(("classes", "binary", "numbers"))
    if kind == "classes":
        fields += "    target y: i64[B]\n"
        body = (
            f"    logits = x |> {hidden} |> Dense({count})\n    output p = softmax(logits)\n"
            "    loss objective = cross_entropy(logits, y)\n    metric right = accuracy(logits, y)\n"
            + random.choice(("", "    metric ll over set = log_loss(p, y)\n".replace("(p,", "(softmax(logits),")))
        )
        return _model("Classes", fields, body, _program(random, "objective", "right"))
    if kind == "binary":
        fields += "    target y: [B, 1]\n"
        body = f"    score = x |> {hidden} |> Dense(1)\n    output p = sigmoid(score)\n" + random.choice(
            ("    loss objective = bce_logits(score, y)\n", "    loss objective = bce(sigmoid(score), y)\n")
        )
        return _model("Binary", fields, body, _program(random, "objective"))
    fields += f"    target y: [B, {count}]\n"
    loss = random.choice(("mse", "mae", "huber"))
    body = f"    value = x |> {hidden} |> Dense({count})\n    output prediction = value\n    loss objective = {loss}(value, y)\n"
    return _model("Numbers", fields, body, _program(random, "objective"))


def _image(random: Random) -> str:
    """Classes of images, by convolutions."""
    side, channels = random.choice((8, 16, 28)), random.choice((1, 3))
    layers = []
    for _ in range(random.randint(1, 2)):
        layers.append(
            f"Conv({random.choice((4, 8))}, kernel=3, padding=same) |> {random.choice(('', 'BatchNorm |> '))}relu"
        )
        layers += ["MaxPool(2)"] if random.random() < 0.6 else []
    end = random.choice(("flatten", "GlobalAveragePool"))
    body = (
        f"    logits = image |> {' |> '.join(layers)} |> {end} |> Dense(10)\n    output p = softmax(logits)\n"
        "    loss objective = cross_entropy(logits, label)\n    metric right = accuracy(logits, label)\n"
    )
    fields = f"    input image: [B, {channels}, {side}, {side}]\n    target label: i64[B]\n"
    return _model("Images", fields, body, _program(random, "objective", "right"))


def _sequence(random: Random) -> str:
    """A number, or a class, of a sequence of numbers."""
    layer = random.choice(("LSTM(16)", "GRU(12)", "RNN(8)"))
    net = f"(x |> {layer}).h" if random.random() < 0.6 else "mean(x |> Dense(16) |> MultiHeadAttention(4), axis=1)"
    fields = f"    input x: [B, {random.choice(('T', '20', '28'))}, {random.choice((3, 28))}]\n    target y: [B, 1]\n"
    body = f"    value = {net} |> Dense(1)\n    output prediction = value\n    loss objective = mse(value, y)\n"
    return _model("Sequence", fields, body, _program(random, "objective"))


def _tokens(random: Random) -> str:
    """The next token, or a class of a text."""
    count, width = random.choice((20, 100)), random.choice((8, 16))
    body = f"    h = tokens |> Embedding({count}, {width}) |> TransformerEncoder(1, 2, dropout=0.1)\n"
    if random.random() < 0.5:
        body += "    logits = mean(h, axis=1) |> Dense(4)\n    output p = softmax(logits)\n    loss objective = cross_entropy(logits, y)\n"
        target = "    target y: i64[B]\n"
    else:
        body += f"    logits = h |> Dense({count})\n    output p = softmax(logits)\n    loss objective = cross_entropy(logits, y)\n"
        target = "    target y: i64[B, T]\n"
    return _model("Tokens", f"    input tokens: i64[B, T]\n{target}", body, _program(random, "objective"))


def _autoencoder(random: Random) -> str:
    """A code, narrower than what it stands for, perhaps drawn."""
    width, code = random.choice((16, 64)), random.randint(2, 8)
    body = f"    h = x |> {_hidden(random)}\n    mu = h |> Dense({code})\n"
    if random.random() < 0.5:
        body += (
            f"    spread = exp(0.5 * (h |> Dense({code})))\n    z: [B, {code}] ~ normal(mu, spread)\n"
            f"    back = z |> {_hidden(random)} |> Dense({width})\n    output y = back\n"
            "    metric divergence = mean(kl_normal(mu, spread, reduce=none))\n"
            "    loss objective = mse(back, x) + 0.01 * kl_normal(mu, spread)\n"
        )
    else:
        body += f"    back = tanh(mu) |> {_hidden(random)} |> Dense({width})\n    output y = back\n    loss objective = mse(back, x)\n"
    return _model("Code", f"    input x: [B, {width}]\n", body, _program(random, "objective"))


def _several_losses(random: Random) -> str:
    """Two heads on a trunk, and a penalty, in one loss."""
    body = (
        f"    trunk = x |> {_hidden(random)}\n    logits = trunk |> Dense(5)\n    value = trunk |> Dense(1)\n"
        "    output p = softmax(logits)\n    output v = value\n    loss named = cross_entropy(logits, y)\n"
        "    loss total = named + 0.5 * mse(value, t)"
        + random.choice(("", " + 1e-4 * l2(self)"))
        + "\n    metric right = accuracy(logits, y)\n"
    )
    fields = "    input x: [B, 12]\n    target y: i64[B]\n    target t: [B, 1]\n"
    return _model("Heads", fields, body, _program(random, "total", "right"))
