"""Names of dims in signatures: where they bind, what they keep, and what is said when two places disagree."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import codes, findings, model, numbers, program

PAIR = "fn pair(a: [B, n], b: [B, n]) -> [B, n]:\n    return a + b\n"
SPLIT = "fn heads(x: [B, d], h: int) -> [B, h, d // h]:\n    return reshape(x, [B, h, d // h])\n"
LEADING = "fn rows(x: [...S, n], y: [...S]) -> [...S, n]:\n    return x * unsqueeze(y, axis=-1)\n"
HALVES = "fn halves(x: [B, 2 * k], y: [B, k]) -> [B, k]:\n    a, b = split(x, 2)\n    return a + b + y\n"


def types(text: str) -> dict[str, str]:
    """The types of a model's outputs."""
    return {name: str(value.type) for name, value in program(text).infer.outputs.items()}


@pytest.mark.parametrize(("body", "inputs", "before", "expected"), [
    ("output y = pair(x, x)", "x: [B, 4]", PAIR, "f32[B, 4]"),
    ("output y = pair(x, transpose(z))", "x: [B, 4]; z: [4, B]", PAIR, "f32[B, 4]"),
    ("output y = heads(x, 2)", "x: [B, 6]", SPLIT, "f32[B, 2, 3]"),
    ("output y = heads(x, 2)", "m: [n]; x: [B, 2 * n]", SPLIT, "f32[B, 2, n]"),
    ("output y = halves(x, z)", "x: [B, 8]; z: [B, 4]", HALVES, "f32[B, 4]"),
    ("output y = rows(x, z)", "x: [B, T, 4]; z: [B, T]", LEADING, "f32[B, T, 4]"),
    ("output y = rows(sum(x, axis=[0, 1]), 2)", "x: [B, T, 4]", LEADING, "f32[4]"),
    ("output y = flatten(x)", "x: [B, T, 4]", "", "f32[B, 4 * T]"),
    ("output y = concat([x, x, x], axis=0)", "x: [B, 4]", "", "f32[3 * B, 4]"),
    ("n = 2\nz: [B, n, n] = 1\noutput y = z", "x: [B]", "", "f32[B, 2, 2]"),
    ("z: [B + 1, max(2, 3)] = 1\noutput y = z", "x: [B]", "", "f32[B + 1, 3]"),
])  # fmt: skip
def test_types(body: str, inputs: str, before: str, expected: str) -> None:
    assert types(model(body, inputs, before)) == {"y": expected}


@pytest.mark.parametrize(("body", "inputs", "before", "code", "says"), [
    ("output y = pair(x, z)", "x: [B, 4]; z: [B, 5]", PAIR, "AX0304", "axis 1 of `b` is 5 here, and must be 4"),
    ("output y = pair(x, z)", "x: [B, 4]; z: [B, n]", PAIR, "AX0305", "cannot tell"),
    ("output y = pair(x, z)", "x: [B, 4]; z: [4]", PAIR, "AX0308", "`b`"),
    ("output y = pair(x, i64(x))", "x: [B, 4]", PAIR, "AX0303", "i64"),
    ("output y = halves(x, z)", "x: [B, 8]; z: [B, 3]", HALVES, "AX0304", "axis 1 of `x`"),
    ("output y = rows(x, z)", "x: [B, T, 4]; z: [T, B]", LEADING, "AX0305", "axis"),
    ("output y = rows(x, z)", "x: [B, T, 4]; z: [B]", LEADING, "AX0308", "leading dims"),
    ("z: [B, 5] = x\noutput y = z", "x: [B, 4]", "", "AX0307", "f32[B, 5] is declared"),
    ("z: i64[B, 4] = x\noutput y = z", "x: [B, 4]", "", "AX0307", "i64[B, 4] is declared"),
    ("z: [B, 2 - 4] = 1\noutput y = z", "x: [B, 4]", "", "AX0313", "-2"),
    ("z: [B, 2.5] = 1\noutput y = z", "x: [B, 4]", "", "AX0306", "dim"),
    ("output y: [B, 5] = x", "x: [B, 4]", "", "AX0307", "[B, 5]"),
])  # fmt: skip
def test_disagreements(body: str, inputs: str, before: str, code: str, says: str) -> None:
    (finding,) = findings(model(body, inputs, before))
    assert finding.code == code
    assert says in finding.headline


@pytest.mark.parametrize(("result", "code"), [
    ("[B, n + 1]", "AX0304"),
    ("[B]", "AX0308"),
    ("i64[B, n]", "AX0303"),
    ("[n, B]", "AX0305"),
    ("([B, n], [B])", "AX0307"),
])  # fmt: skip
def test_declared_results_are_checked(result: str, code: str) -> None:
    assert codes(model("output y = f(x)", before=f"fn f(x: [B, n]) -> {result}:\n    return x\n")) == [code]


def test_names_computed_in_a_body_may_stand_in_its_result() -> None:
    before = "fn pad(x: [B, n], by: int) -> [B, m]:\n    m = n + by\n    return concat([x, zeros([B, {})], axis=1)\n"
    assert types(model("output y = pad(x, 3)", before=before.replace("{}", "by]"))) == {"y": "f32[B, 7]"}
    assert codes(model("output y = pad(x, 3)", before=before.replace("{}", "by + 1]"))) == ["AX0304"]


MODULES = """
block Scale()(x: [B, T, n]) -> [B, T, n]:
    param w: [n] = 1
    return x * w

block Indirect(k: int)(x: [B, n]) -> [B, k]:
    size = 2 * n
    return x |> Dense(size) |> Dense(k)

block Plain()(x: [B, n]) -> [B, n]:
    return 2 * x
"""


def test_a_dim_that_sizes_a_parameter_is_fixed_at_the_first_use() -> None:
    body = "net = Scale()\na = net(x)\nb = net(z)\noutput y = a"
    (finding,) = findings(model(body, "x: [B, T, 4]; z: [B, T, 5]", MODULES))
    assert finding.code == "AX0304" and "axis 2 of `x` is 5 here, and must be 4" in finding.headline
    places = [label.span.text for label in finding.labels]
    assert places == ["z", "x"], "both places are shown, the later one first"


def test_a_dim_that_reaches_a_parameter_through_an_assignment_and_a_module() -> None:
    body = "net = Indirect(1)\na = net(x)\nb = net(z)\noutput y = a"
    (finding,) = findings(model(body, "x: [B, 4]; z: [B, 5]", MODULES))
    assert finding.code == "AX0304" and "Indirect" in finding.headline


def test_all_other_dims_are_fresh_at_each_application() -> None:
    of = program(model("net = Scale()\noutput a = net(x)\noutput b = net(z)", "x: [B, T, 4]; z: [C, U, 4]", MODULES))
    assert {str(v.type) for v in of.infer.outputs.values()} == {"f32[B, T, 4]", "f32[C, U, 4]"}
    assert codes(model("net = Plain()\noutput a = net(x)\noutput b = net(z)", "x: [B, 4]; z: [B, 5]", MODULES)) == []


def test_a_dim_that_sizes_a_parameter_is_an_integer() -> None:
    (finding,) = findings(model("output y = x |> Scale", "x: [B, T, k]", MODULES))
    assert finding.code == "AX0315" and "`n`" in finding.headline


def test_two_modules_have_dims_of_their_own() -> None:
    of = program(model("output a = x |> Dense(2)\noutput b = z |> Dense(2)", "x: [B, 4]; z: [B, 5]"))
    assert [p.shape for p in of.parameters.values() if len(p.shape) == 2] == [(4, 2), (5, 2)]


def test_symbolic_dims_stay_symbolic_and_hold_for_every_size() -> None:
    from tests.support.elaborated import outputs

    of = program(model("output y = mean(rows(x, z), axis=1) |> Dense(2)", "x: [B, T, 4]; z: [B, T]", LEADING))
    for batch, steps in ((1, 1), (3, 5)):
        x, z = numbers(batch, steps, 4), numbers(batch, steps, seed=1)
        assert outputs(of, x=x, z=z)["y"].shape == (batch, 2)
    assert np.isfinite(outputs(of, x=x, z=z)["y"]).all()
