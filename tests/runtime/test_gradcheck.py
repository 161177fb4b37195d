"""Checking gradients: right ones agree, wrong ones are found and their place is named, kinks are no mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.ir.types import DType
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.insight.gradcheck import GradientCheck, check_gradients
from tests.support.elaborated import model, program

FNS = """
fn cubed(x: [...S]) -> [...S]:
    return x ** 3
backward(dy):
    return dy * FACTOR * x ** 2

fn product(a: [...S], b: [...S]) -> [...S]:
    return a * b
backward(dy):
    return dy * b, dy * OTHER

block Cubes()(x: [B, n]) -> [B, n]:
    param w: [n] ~ normal(0, 1)
    return cubed(product(x, broadcast(w, [B, n])))
"""


def checked(text: str, given: Any = None, *, float_type: DType = DType.f64, **options: Any) -> GradientCheck:
    return check_gradients(program(text, float_type=float_type), given, **options)


def verdicts(check: GradientCheck, loss: str = "J") -> dict[str, str]:
    return {one.name: one.verdict for one in check.checked[loss]}


def cubes(factor: str = "3", other: str = "a") -> str:
    return model(
        "loss J = mean((x |> Cubes()) |> tanh)", "x: [B, 3]", FNS.replace("FACTOR", factor).replace("OTHER", other)
    )


def test_right_gradients_agree() -> None:
    check = checked(cubes(), directions=3)
    assert check.ok and verdicts(check) == {"x": "ok", "cubes.w": "ok"} and not check.findings
    assert max(one.error for one in check.checked["J"]) < 1e-7
    assert "2 gradients agree" in str(check)


@pytest.mark.parametrize(
    ("factor", "other", "wrong", "name", "line"),
    [
        ("2", "a", {"x", "cubes.w"}, "cubed", 4),
        ("3", "b", {"cubes.w"}, "product", 9),
        ("3.001", "a", {"x", "cubes.w"}, "cubed", 4),
    ],
)
def test_a_wrong_backward_is_found_and_named(factor: str, other: str, wrong: set[str], name: str, line: int) -> None:
    check = checked(cubes(factor, other))
    assert not check.ok and {one for one, verdict in verdicts(check).items() if verdict == "wrong"} == wrong
    (finding,) = check.findings
    assert finding.code == "AX0622" and f"`backward` of fn `{name}`" in finding.headline
    assert finding.span is not None and finding.span.source.line_column(finding.span.start)[0] == line
    assert "are wrong" in str(check) or "is wrong" in str(check)


def test_a_place_of_the_largest_on_the_way_is_passed_over() -> None:
    body = "k = argmax(x, axis=1)\nloss J = mean(cubed(x) * one_hot(k, 3))"
    (finding,) = checked(model(body, "x: [B, 3]", FNS.replace("FACTOR", "2").replace("OTHER", "a"))).findings
    assert "`backward` of fn `cubed`" in finding.headline


def test_the_compared_figures_are_the_directional_derivative() -> None:
    """A linear loss: both figures are the inner product of its coefficients with the direction, whatever the step."""
    check = checked(model("param w: [4] = 1\nloss J = sum(w * x)", "x: [4]"), {"x": [1.0, 2, 3, 4]}, directions=1)
    for one in check.checked["J"]:
        direction = np.random.default_rng([0, ["x", "w"].index(one.name)]).normal(size=4)
        coefficients = np.ones(4) if one.name == "x" else np.arange(1.0, 5)
        expected = float(coefficients @ direction / np.linalg.norm(direction))
        assert one.analytic == pytest.approx(expected, rel=1e-12) and one.numeric == pytest.approx(expected, rel=1e-8)


def test_what_the_gradient_holds_the_differences_hold_too() -> None:
    """stop_gradient and straight_through: what is held is no part of the derivative."""
    body = """param w: [3] ~ normal(0, 1)
z: [B, 3] ~ normal(0, 1)
h = x * w + stop_gradient(x * w) * w + z * w
s = straight_through(float(h > 0), h)
loss J = mean((h + s) ** 2)"""
    assert verdicts(checked(model(body, "x: [B, 3]"))) == {"x": "ok", "w": "ok"}


def test_a_kink_is_left_for_a_point_beside_it() -> None:
    check = checked(model("param w: [3] = 0\nloss J = mean(relu(x * w))", "x: [B, 3]"))
    moved = {one.name: one.moved for one in check.checked["J"]}
    assert check.ok and moved == {"x": False, "w": True} and "beside a kink" in str(check)


def test_a_wrong_gradient_at_a_kink_is_found_beside_it() -> None:
    wrong = "fn bent(x: [...S]) -> [...S]:\n    return relu(x)\nbackward(dy):\n    return where(x > 0, dy, dy)\n"
    check = checked(model("param w: [3] = 0\nloss J = mean(bent(x * w))", "x: [B, 3]", wrong))
    assert not check.ok and "fn `bent`" in check.findings[0].headline


def test_what_does_not_matter_has_no_effect() -> None:
    check = checked(model("param v: [2] = 1\nparam w: [] = 1\nh = v * 0\nloss J = mean(x) * w", "x: [B]"))
    assert verdicts(check) == {"x": "ok", "v": "no effect", "w": "ok"}
    constant = model("param w: [] = 1\nloss J = mean(x) * w + mean(floor(y))", "x: [B]; y: [B]")
    assert verdicts(checked(constant))["y"] in ("no effect", "ok")


def test_every_loss_is_checked_or_one_alone() -> None:
    text = model("param w: [3] = 1\nloss J = mean(x * w)\nloss K = mean(exp(x * w))", "x: [B, 3]")
    assert list(checked(text).checked) == ["J", "K"] and list(checked(text, loss="K").checked) == ["K"]
    with pytest.raises(SpecError, match="has no loss `L`"):
        checked(text, loss="L")
    with pytest.raises(SpecError, match="has no loss"):
        checked(model("output y = x", "x: [B]"))


def test_inputs_are_drawn_in_sizes_that_the_model_allows() -> None:
    body = 'assert B % 2 == 0, "pairs"\nassert n >= 5, "long"\nparam w: [] = 1\nloss J = mean(x * y) * w'
    assert checked(model(body, "x: [B, n]; y: [B, n]")).ok


def test_integers_must_be_given() -> None:
    text = model("param W: [2, 3] ~ normal(0, 1)\nloss J = cross_entropy(x @ W, label)", "x: [B, 2]; label: i64[B]")
    with pytest.raises(SpecError, match="holds integers"):
        checked(text)
    assert checked(text, {"x": [[1.0, 2.0]], "label": [2]}).ok


def test_f32_tells_large_errors_alone() -> None:
    assert checked(cubes(), float_type=DType.f32).ok
    assert not checked(cubes("2"), float_type=DType.f32).ok


def test_an_input_behind_a_discrete_draw_is_not_compared() -> None:
    text = model("param w: [] = 2\nz: bool[B] ~ bernoulli(sigmoid(p))\nloss J = mean(float(z) * w)", "p: [B]")
    check = checked(text)
    assert check.ok and verdicts(check) == {"p": "not differentiable", "w": "ok"}
    assert str(check).endswith("1 gradient agrees")


def test_there_is_a_direction_to_compare_along() -> None:
    with pytest.raises(SpecError, match=r"AX0702.*1 direction or more, not 0"):
        archonnx.gradcheck("xor", directions=0)


def test_a_loss_that_is_not_finite_is_told() -> None:
    text = model("param w: [] = 1\nloss J = mean(log(x)) * w", "x: [B]")
    with pytest.raises(SpecError, match="loss `J` is nan here"):
        checked(text)
    assert checked(text, {"x": [1.0, 2.0]}).ok
