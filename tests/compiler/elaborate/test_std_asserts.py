"""The library refuses arguments that mean nothing, in words of its own, at the call that gave them."""

from __future__ import annotations

import re

import pytest

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.elaborate.files.library import library, library_texts
from archonnx.grammar import ast
from tests.support.elaborated import findings, model

TRAIN = "\ntrain:\n    minimize l with {}\n"
LEARNS = model("loss l = mean((x |> Dense(1)) ** 2)", "x: [B, 4]")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("Dense(0)", "a layer has at least one unit, not 0"),
        ("Dense(-3)", "a layer has at least one unit, not -3"),
        ("MLP([4, 0])", "a layer has at least one unit, not 0"),
        ("BatchNorm(16)", "a momentum is between 0 and 1, not 16.0"),
        ("Dropout(1.5)", "a dropout rate is at least 0 and below 1, not 1.5"),
    ],
)
def test_sizes_and_shares_of_layers(made: str, told: str) -> None:
    (finding,) = findings(model(f"output y = x |> {made}", "x: [B, 4]"))
    assert finding.code == "AX0319" and finding.headline == f"assertion failed: {told}"
    assert finding.span is not None and finding.span.text == made


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("normal(0, -1)", "a standard deviation is at least 0, not -1"),
        ("truncated_normal(0, -0.5)", "a standard deviation is at least 0, not -0.5"),
        ("uniform(1, -1)", "a uniform distribution runs from low to high: 1.0 is above -1.0"),
    ],
)
def test_spreads_of_distributions(made: str, told: str) -> None:
    for body in (f"param w: [4] ~ {made}\noutput y = x * w", f"n: [B, 4] ~ {made}\noutput y = x + n"):
        assert [f.headline for f in findings(model(body, "x: [B, 4]"))] == [f"assertion failed: {told}"]


@pytest.mark.parametrize("filters", ["0", "-1"])
def test_convolutions_have_filters(filters: str) -> None:
    for made in (f"Conv({filters}, kernel=3)", f"ConvTranspose({filters}, kernel=3)"):
        (finding,) = findings(model(f"output y = x |> {made}", "x: [B, 1, 8, 8]"))
        assert finding.headline == f"assertion failed: a convolution has at least one filter, not {filters}"


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ("sgd(0.1, momentum=1.5)", "`momentum` is at least 0 and below 1, not 1.5"),
        ("sgd(0.1, momentum=-0.1)", "`momentum` is at least 0 and below 1, not -0.1"),
        ("adam(1e-3, 0.9, 999)", "`beta2` is at least 0 and below 1, not 999.0"),
        ("adamw(beta1=1)", "`beta1` is at least 0 and below 1, not 1.0"),
        ("rmsprop(rho=1.1)", "`rho` is at least 0 and below 1, not 1.1"),
    ],
)
def test_shares_of_optimizers(optimizer: str, told: str) -> None:
    assert [finding.headline for finding in findings(LEARNS + TRAIN.format(optimizer))] == [f"assertion failed: {told}"]


CALLS = {
    "x: [B, 4]": {
        "LayerNorm(64)": "`eps` is a small number, at least 0 and below 1, not 64.0",
        "RMSNorm(-1)": "`eps` is a small number, at least 0 and below 1, not -1.0",
        "GroupNorm(0)": "there is at least one group, not 0",
        "normalise(2)": "`eps` is a small number, at least 0 and below 1, not 2.0",
        "soft_shrink(-1)": "a threshold is at least 0, not -1.0",
        "maxout(0)": "the number of pieces is at least 1, not 0",
        "Maxout(0)": "a layer has at least one unit, not 0",
        "MLP([])": "there is at least one layer",
        "GaussianNoise(-1)": "a standard deviation is at least 0, not -1.0",
        "FeedForward(0)": "a layer has at least one unit, not 0",
        "MixtureOfExperts(2, 0)": "a layer has at least one unit, not 0",
        "huber(0 * x, -1)": "`delta` is above 0, not -1.0",
        "hinge(0 * x, -1)": "a margin is at least 0, not -1.0",
        "focal(0 * x, -1)": "`gamma` is at least 0, not -1.0",
        "focal(0 * x, 2, 1.5)": "`alpha` is the weight of class 1, between 0 and 1, not 1.5",
        "bce(0 * x, 3)": "`eps` is a small number, at least 0 and below 1, not 3.0",
        "bce_logits(0 * x, 0)": "the weight of target 1 is above 0, not 0.0",
        "smooth_labels(1.5)": "smoothing is at least 0 and below 1, not 1.5",
        "activity(-1)": "the weight of a penalty is at least 0, not -1.0",
        "kl_sparsity(0.1, -1)": "the weight of a penalty is at least 0, not -1.0",
        "max_norm(0)": "a limit is above 0, not 0.0",
        "var(ddof=-1)": "`ddof` is at least 0, not -1",
        "isclose(x, -1)": "tolerances are at least 0, not -1.0 and 1e-08",
    },
    "x: [B, 2, 4]": {
        "LSTM(0)": "a layer has at least one unit, not 0",
        "GRU(-2)": "a layer has at least one unit, not -2",
        "RNN(0)": "a layer has at least one unit, not 0",
        "LearnedPositions(0)": "the number of positions is at least 1, not 0",
        "rotary(0)": "a base is above 0, not 0.0",
        "MultiHeadAttention(2, dropout=-0.5)": "a dropout rate is at least 0 and below 1, not -0.5",
        "TransformerEncoder(1, 2, dropout=1)": "a dropout rate is at least 0 and below 1, not 1.0",
        "Capsules(0, 4)": "there is at least one capsule of one number, not 0 of 4",
        "Reservoir(0)": "a layer has at least one unit, not 0",
    },
    "x: [B, 1, 8, 8]": {
        "Conv(2, kernel=0)": "a kernel has at least one place along each axis, and [0, 0] has not",
        "Conv(2, stride=[1, 0])": "strides are at least 1, and these are [1, 0]",
        "Conv(2, dilation=0)": "dilations are at least 1, and these are [0, 0]",
        "Conv(2, padding=[1, -1])": "`padding` is at least 0, not -1",
        "Conv(2, padding=[[0, 0], [-2, 0]])": "`padding` is at least 0, not [-2, 0]",
        "ConvTranspose(2, stride=0)": "strides are at least 1, and these are [0, 0]",
        "LocallyConnected(0)": "a layer has at least one filter, not 0",
        "MaxPool(0)": "a window has at least one place along each axis, and [0, 0] has not",
        "MaxPool(2, stride=0)": "strides are at least 1, and these are [0, 0]",
        "AveragePool(2, stride=-1)": "strides are at least 1, and these are [-1, -1]",
        "AdaptiveAveragePool(0)": "an axis has at least one part, and sizes are [0, 0]",
        "BatchNorm(eps=8)": "`eps` is a small number, at least 0 and below 1, not 8.0",
        "DenseBlock(0)": "there is at least one layer of one channel, not 0 of 32",
        "RandomFlip(2)": "the probability of a flip is between 0 and 1, not 2.0",
        "Cutout(0)": "the side of what is cut out is at least 1, not 0",
        "pixel_unshuffle(0)": "a factor is at least 1, not 0",
    },
}  # fmt: skip
ASKED = [(inputs, call, told) for inputs, calls in CALLS.items() for call, told in calls.items()]


@pytest.mark.parametrize(("inputs", "call", "told"), ASKED, ids=[call for _, call, _ in ASKED])
def test_arguments_that_mean_nothing(inputs: str, call: str, told: str) -> None:
    found = findings(model(f"output y = x |> {call}", inputs))
    found += findings(model(f"loss l = sum(x |> {call})", inputs)) if not found else []  # what is in training alone
    assert [(f.code, f.headline) for f in found] == [("AX0319", f"assertion failed: {told}")]


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        ("-0.1", "a learning rate is at least 0, not -0.1"),
        ("cosine_decay(-1.0, 10)", "a learning rate is at least 0, not -1.0"),
        ("warmup(5, -0.5)", "a learning rate is at least 0, not -0.5"),
        ("step_decay(0.1, 5, 0)", "a factor is above 0, not 0.0"),
        ("polynomial_decay(0.1, 5, power=0)", "a power is above 0, not 0.0"),
        ("one_cycle(0.1, 5, rising=2)", "the share of steps in which the rate rises is between 0 and 1, not 2.0"),
        ("piecewise_constant([5], [0.1, -0.1])", "learning rates are at least 0, and these are [0.1, -0.1]"),
        ("piecewise_constant([5], [0.1])", "there is one value more than boundaries: [0.1] are not parted by [5]"),
        ("noam(0)", "a width is at least 1, not 0"),
    ],
)
def test_rates(rate: str, told: str) -> None:
    for optimizer in ("sgd", "adam", "lion", "adagrad", "adadelta", "rmsprop"):
        found = findings(LEARNS + TRAIN.format(f"{optimizer}(lr={rate})"))
        assert [f.headline for f in found] == [f"assertion failed: {told}"]


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        ("adamw(weight_decay=-0.1)", "`weight_decay` is at least 0, not -0.1"),
        ("sgd(weight_decay=-1)", "`weight_decay` is at least 0, not -1.0"),
        ("sgd(dampening=2)", "`dampening` is between 0 and 1, not 2.0"),
        ("adam(eps=1)", "`eps` is a small number, at least 0 and below 1, not 1.0"),
        ("adagrad(start=-1)", "`start` is at least 0, not -1.0"),
    ],
)
def test_other_numbers_of_optimizers(optimizer: str, told: str) -> None:
    assert [finding.headline for finding in findings(LEARNS + TRAIN.format(optimizer))] == [f"assertion failed: {told}"]


FREE = {
    "axis", "axes", "seed", "k", "slope", "offset", "beta", "alpha", "gain", "turn", "steps", "total", "every", "warmup",
    "period", "growth", "low", "high", "at", "a", "base", "shift", "fill", "by", "forget_bias", "order", "ord", "value",
    "nan", "posinf", "neginf", "edges", "caches", "end", "padding", "factors", "times", "part", "of", "unit", "points",
    "classes", "shape", "dim", "S", "boundaries", "start", "init", "hops", "size", "count", "rows", "starts",
    "mean", "scale", "kernel", "stride", "dilation", "step", "kv_heads",
}  # fmt: skip
"""Numbers that may be any, that count steps (below 1 counts as 1), or that are asserted by another name."""


def test_every_number_is_asserted_handed_on_or_free() -> None:
    """What a declaration takes and neither asserts nor hands on to another one that does may be any number."""
    loose = []
    for name in library_texts():
        declaration = library().find(name).declaration
        parameters = getattr(declaration, "hyperparameters", None) or getattr(declaration, "parameters", ())
        asserted = {
            n.id
            for a in walk(declaration.body)
            if isinstance(a, ast.Assert)
            for n in walk(a)
            if isinstance(n, ast.Name)
        }
        calls = [c for c in walk(declaration.body) if isinstance(c, ast.Call)]
        handed = {n.id for c in calls for n in walk(c.arguments) if isinstance(n, ast.Name)}
        for parameter in parameters:
            numeric = parameter.type is not None and {"int", "float"} & {n.span.text for n in walk(parameter.type)}
            if numeric and parameter.name not in asserted | handed | FREE:
                loose.append(f"{name}.{parameter.name}")
    assert loose == []


def test_messages_name_values_in_braces_alone() -> None:
    for name in library_texts():
        for message in re.findall(r'assert .*, "(.*)"', library_texts().text(name)):
            assert all(word.isidentifier() for word in re.findall(r"\{(.*?)\}", message)), message
