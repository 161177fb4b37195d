"""The library refuses arguments that mean nothing, in words of its own, at the call that gave them."""

from __future__ import annotations

import pytest

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
