"""What is fed of a data set that scikit-learn bundles is checked before it is read: its fields and their axes are known."""

from __future__ import annotations

import pytest

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.sources import BUNDLED, WIDTHS
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source

SPEC = """model M():
    input x: {wanted}
    target y: {label}
    output p = mean(x)
    loss l = mean(x) + mean(float(y)) + (reshape(x, [B, -1])[:, :1] |> Dense(1))[0, 0]

train:
    data = sklearn("{name}")
    feed x = {fed}
    feed y = data.target
    minimize l with sgd()
"""


def codes(fed: str, name: str = "wine", wanted: str = "[B, 13]", label: str = "i64[B]") -> list[str]:
    try:
        elaborate(parse_spec(Source("m.arch", SPEC.format(fed=fed, name=name, wanted=wanted, label=label))))
    except SpecError as error:
        return [one.code for one in error.diagnostics]
    return []


def test_the_widths_are_those_of_the_data() -> None:
    from sklearn import datasets

    assert {name: getattr(datasets, f"load_{name}")().data.shape[1] for name in BUNDLED} == WIDTHS


@pytest.mark.parametrize(
    ("fed", "wanted", "expected"),
    [
        ("data.data", "[B, 13]", []),
        ("2 * (data.data - 1) / 4", "[B, 13]", []),
        ("data.data[:, :4]", "[B, 4]", []),
        ("standardise(data.data)", "[B, 13]", []),
        ("reshape(data.data, [-1, 13, 1])", "[B, 13, 1]", []),
        ("float(data.target)[:, none]", "[B, 1]", []),
        ("data.index[:, none]", "[B, 1]", []),
        ("data.data", "[B, 14]", ["AX0708"]),
        ("data.data / 2", "[B, 1, 13]", ["AX0708"]),
        ("data.alcohol", "[B, 13]", ["AX0206"]),
        ("data.images[:, none]", "[B, 1, 13]", ["AX0206"]),
    ],
)
def test_what_is_fed(fed: str, wanted: str, expected: list[str]) -> None:
    assert codes(fed, wanted=wanted) == expected


def test_the_target_has_one_axis() -> None:
    assert codes("data.data", label="i64[B, 1]") == ["AX0708"]
    assert codes("data.data", name="iris", wanted="[B, 4]") == []
