"""Arguments of a model that are given from outside: values, words, and fns as texts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import codes, findings, numbers, outputs, program

TEXT = """
fn doubled(x: [...S]) -> [...S]:
    return 2 * x

block Scaled()(x: [...S]) -> [...S]:
    param s: [] = 3
    return s * x

model M(f: fn = relu, rate: schedule = 0.1, word: choice[up, down] = up):
    input x: [B, 4]
    output y: [B, 4] = x |> f
    output at: [] = rate(tensor(4))
    loss objective = sum(Dense(1)(x))

train:
    minimize objective with sgd(lr=rate)

schedule ramp(top: float)(t: i64[]) -> []:
    return top * f32(t)
"""
X = numbers(3, 4)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("relu", np.maximum(X, 0)),
        ("tanh", np.tanh(X)),
        ("doubled", 2 * X),
        ("leaky_relu(0.5)", np.where(X > 0, X, X / 2)),
        ("Scaled", 3 * X),
        ("Scaled()", 3 * X),
        (" leaky_relu(slope=1 / 4) ", np.where(X > 0, X, X / 4)),
    ],
)
def test_a_fn_is_given_as_a_text_of_the_spec(given: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(outputs(program(TEXT, f=given), x=X)["y"], expected, rtol=1e-6)


def test_a_schedule_is_given_as_a_number_or_a_text() -> None:
    assert outputs(program(TEXT, rate=0.5), x=X)["at"] == np.float32(0.5)
    assert outputs(program(TEXT, rate="ramp(0.25)"), x=X)["at"] == np.float32(1.0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"f": "reelu"}, "AX0201"),
        ({"f": "relu("}, "AX0109"),
        ({"f": ""}, "AX0101"),
        ({"f": "3"}, "AX0306"),
        ({"f": "leaky_relu(slop=2)"}, "AX0202"),
        ({"f": 3}, "AX0306"),
        ({"rate": "ramp"}, "AX0306"),
        ({"word": "sideways"}, "AX0208"),
        ({"g": "relu"}, "AX0202"),
    ],
)
def test_refused(arguments: dict[str, object], code: str) -> None:
    assert codes(TEXT, **arguments) == [code]


def test_a_mistake_is_shown_in_the_text_that_was_given() -> None:
    (finding,) = findings(TEXT, f="leaky_rellu(0.2)")
    assert finding.span is not None and (finding.span.source.name, finding.span.text) == ("argument f", "leaky_rellu")
    assert "did you mean `leaky_relu`" in (finding.help or "")
