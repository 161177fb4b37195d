"""``assert``: decided where it can be, otherwise assumed: used as a fact, recorded in exports, checked when it runs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import train_steps
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.runtime.assumptions import METADATA_KEY, from_metadata
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.models import inference_model
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, findings, initial, model, numbers, output, program
from tests.support.onnx_run import run_onnx

X = numbers(3, 4)
CPU = SessionOptions(device="cpu", threads=1)


def predict(text: str, **inputs: Array) -> dict[str, Array]:
    """The outputs as the runtime computes them, after its checks."""
    return Trainer(program(text), options=CPU).predict(inputs)


def broken(text: str, **inputs: Array) -> Diagnostic:
    """What the runtime says of sizes that break an assumption."""
    with pytest.raises(SpecError) as caught:
        predict(text, **inputs)
    (finding,) = caught.value.diagnostics
    assert finding.code == "AX0617"
    return finding


# ---------------------------------------------------------------- decided at compile time


@pytest.mark.parametrize(
    "condition",
    [
        "1 < 2",
        "true",
        "2 + 2 == 4",
        "k != 3",
        "k in [1, 2]",
        "not k > 5",
        "k == 2 and k < 3",
        "B >= 0",
        "B + 1 > B",
        "B * 2 == B + B",
        "len([1, 2]) == k",
        '"a" == "a"',
        "(B * 4) // 4 == B",
        "B <= B",
        "-1 < B",
        "none == none",
    ],
)
def test_what_is_certain_leaves_nothing_to_check(condition: str) -> None:
    of = program(model(f"k = 2\nassert {condition}\noutput y = x"))
    assert of.assumptions == ()


@pytest.mark.parametrize(
    "condition",
    [
        "1 > 2",
        "false",
        "k == 3",
        "k in [3]",
        "B < 0",
        "B != B",
        "B + 1 == B",
        "B < B",
        "k > B + 2",
    ],
)
def test_what_is_certainly_wrong_is_refused(condition: str) -> None:
    (finding,) = findings(model(f"k = 2\nassert {condition}\noutput y = x"))
    assert (finding.code, finding.headline) == ("AX0319", f"assertion failed: `{condition}`")
    assert finding.span is not None and finding.span.text == condition


def test_the_message_shows_static_values() -> None:
    body = 'assert width % heads == 0, "a width of {width} is not a multiple of {heads} heads; {unknown} {}"'
    text = f"block A(width: int, heads: int)(x: [B, n]) -> [B, n]:\n    {body}\n    return x\n"
    (finding,) = findings(model("output y = x |> A(10, 4)", before=text))
    assert finding.headline == "assertion failed: a width of 10 is not a multiple of 4 heads; {unknown} {}"
    assert any("block `A`" in note for note in finding.notes)
    assert codes(model("output y = x |> A(12, 4)", before=text)) == []


def test_a_module_dim_is_decided_where_the_block_is_used() -> None:
    text = 'block A()(x: [B, n]) -> [B, n]:\n    assert n % 2 == 0, "{n} is odd"\n    return x\n'
    assert codes(model("output y = x |> A", before=text)) == []
    (finding,) = findings(model("output y = x |> A", "x: [B, 5]", text))
    assert finding.headline == "assertion failed: 5 is odd"


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("x > 0", "AX0309"),
        ("sum(x) == 1.0", "AX0309"),
        ("any(x > 0)", "AX0309"),
        ("B > 1.5", "AX0306"),
        ("B == true", "AX0306"),
        ('B == "a"', "AX0306"),
        ("unknown > 1", "AX0201"),
    ],
)
def test_what_cannot_be_asserted(condition: str, code: str) -> None:
    assert codes(model(f"assert {condition}\noutput y = x")) == [code]


# ---------------------------------------------------------------- assumed equalities


def test_an_equality_of_two_names_makes_them_one() -> None:
    text = model("assert N == M\noutput y = a + b", "a: [N, 2]; b: [M, 2]")
    a, b = numbers(3, 2), numbers(3, 2, seed=1)
    np.testing.assert_allclose(output(text, a=a, b=b), a + b, rtol=1e-6)
    np.testing.assert_allclose(predict(text, a=a, b=b)["y"], a + b, rtol=1e-6)
    assert codes(text.replace("    assert N == M\n", "")) == ["AX0305"]
    with pytest.raises(SpecError):
        predict(text, a=a, b=numbers(4, 2))


@pytest.mark.parametrize(
    ("inputs", "condition", "body", "expected"),
    [
        ("a: [N, 4]", "N == 3", "param w: [N] = 2\noutput y = w[:, none] * a", 2 * X),
        ("a: [N, 4]", "3 == N", "output y = reshape(a, [4, 3])", X.reshape(4, 3)),
        (
            "a: [N, M]",
            "M == N + 1",
            "output y = concat([a, eye(N), ones([N, 1])], axis=1)",
            np.concatenate([X, np.eye(3), np.ones((3, 1))], 1),
        ),
        ("a: [N, M]", "N * M == 12", "output y = reshape(a, [12])", X.reshape(12)),
        ("a: [N, M]", "M == 2 * K", "output y = a", X),
    ],
)
def test_an_assumed_equality_is_used(inputs: str, condition: str, body: str, expected: Array) -> None:
    if "K" in condition:
        inputs += "; k: [K]"
    given = {"a": X} | ({"k": numbers(2)} if "K" in condition else {})
    text = model(f"assert {condition}\n{body}", inputs)
    np.testing.assert_allclose(predict(text, **given)["y"], expected)


def test_substitutions_follow_each_other() -> None:
    body = "assert N == M\nassert M == K\nassert K == 3\noutput y = a + b + c + ones([3, 2])"
    text = model(body, "a: [N, 2]; b: [M, 2]; c: [K, 2]")
    a = numbers(3, 2)
    np.testing.assert_allclose(predict(text, a=a, b=a, c=a)["y"], 3 * a + 1, rtol=1e-6)
    assert {str(v.type) for v in program(text).infer.inputs.values()} == {"f32[3, 2]"}


def test_contradicting_equalities_are_refused() -> None:
    (finding,) = findings(model('assert N == 3\nassert N == 4, "{N} rows"\noutput y = x', "x: [N]"))
    assert (finding.code, finding.headline) == ("AX0319", "assertion failed: 3 rows")


def test_an_equality_in_a_block_speaks_of_the_models_dims() -> None:
    before = "block A()(x: [N, 4], y: [M, 4]) -> [N, 4]:\n    assert N == M\n    return x + y\n"
    text = model("output z = A()(a, b)", "a: [P, 4]; b: [Q, 4]", before)
    np.testing.assert_allclose(predict(text, a=X, b=X)["z"], 2 * X)
    assert len({str(v.type) for v in program(text).infer.inputs.values()}) == 1


# ---------------------------------------------------------------- assumed inequalities


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        ("T <= 10", "param place: [10, 4] ~ normal(0, 1)\noutput y = x + place[:T]"),
        ("T < 10", "param place: [10, 4] ~ normal(0, 1)\noutput y = x + place[1:T + 1]"),
        ("10 >= T", "param place: [10, 4] ~ normal(0, 1)\noutput y = x + place[:T]"),
        ("T >= 2", "output y = x[-2:]"),
        ("T > 1", "output y = x[:2]"),
        ("2 <= T", "output y = x[:2]"),
    ],
)
def test_an_assumed_inequality_is_a_fact_from_there_on(condition: str, body: str) -> None:
    text = model(f"assert {condition}\n{body}", "x: [T, 4]")
    of = program(text)
    assert [str(a) for a in of.assumptions] == [condition]
    trainer = Trainer(of, options=CPU)
    np.testing.assert_allclose(trainer.predict({"x": X})["y"], output(of, trainer.parameters, x=X), rtol=1e-6)
    assert codes(text.replace(f"    assert {condition}\n", "")) == ["AX0317"]
    assert codes(model(f"{body}\nassert {condition}", "x: [T, 4]")) == ["AX0317"]  # not before


def test_what_follows_from_facts_is_decided() -> None:
    body = "assert T <= 10\nassert T >= 2\nassert T < 20\nassert 2 * T <= 20\nassert T + 1 > 2\noutput y = x"
    assert [str(a) for a in program(model(body, "x: [T]")).assumptions] == ["T <= 10", "T >= 2"]
    assert codes(model("assert T <= 10\nassert T > 10\noutput y = x", "x: [T]")) == ["AX0319"]


CHECK = 'assert d == 2 * n, "a width of {d} is not twice {n}"'
HALVES = "return reshape(x, [B, 2, n])[:, 0]"
"""Wrong wherever the assertion is."""
RELYING = {
    "in the body": f"{CHECK}\n{HALVES}",
    "in an if": f"if n > 2:\n    {CHECK}\n{HALVES}",
    "in a for": f"for i in range(2):\n    {CHECK}\n{HALVES}",
    "in a scan": f"scan i in range(2), h = x:\n    {CHECK}\n    h = h + 1\n{HALVES}",
    "in a fn": f"k = checked(d, n)\n{HALVES}",
    "in a fn of a fn": f"k = twice_checked(d, n)\n{HALVES}",
    "in a method": f"fn same(y: [B, d]) -> [B, d]:\n    {CHECK}\n    return y\nz = same(x)\n{HALVES}",
    "in a list": f"ks = [checked(d, n) for i in range(2)]\n{HALVES}",
}


@pytest.mark.parametrize("body", RELYING.values(), ids=RELYING)
def test_what_relies_on_an_assert_that_failed_says_nothing(body: str) -> None:
    """The body that it stands in, and those that called it, are left; the model goes on after their calls."""
    block = "block Halved(n: int)(x: [B, d]) -> [B, n]:\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    fns = f"fn checked(d: dim, n: int) -> dim:\n    {CHECK}\n    return d\n"
    fns += "fn twice_checked(d: dim, n: int) -> dim:\n    k = checked(d, n)\n    return k + 1\n"
    said = findings(model("output y = Halved(4)(x)\noutput z = x @ zeros([5, 5])", "x: [B, 7]", fns + block))
    assert [one.code for one in said] == ["AX0319", "AX0301"]
    assert said[0].headline == "assertion failed: a width of 7 is not twice 4"
    assert codes(model("output y = Halved(4)(x)", "x: [B, 8]", fns + block)) == []


def test_an_index_beyond_what_is_known_is_assumed() -> None:
    text = model("output y = x[2]", "x: [T, 4]")
    np.testing.assert_allclose(predict(text, x=X)["y"], X[2])
    assert "size T is indexed at 2" in broken(text, x=X[:2]).headline


@pytest.mark.parametrize(("cut", "left"), [("1:", 1), (":-1", 1), ("1:-2", 3), ("1::2", 1), ("-2:", 0), (":2", 0)])
def test_positions_that_a_slice_leaves_out_are_assumed_to_be_there(cut: str, left: int) -> None:
    text = model(f"output y = x[{cut}]", "x: [T, 4]")
    if not left:  # it says how much it takes
        assert codes(text) == ["AX0317"]
        return
    taken = slice(*(int(bound) if bound else None for bound in cut.split(":")))
    for size in range(left, len(X)):
        np.testing.assert_allclose(predict(text, x=X[:size])["y"], X[:size][taken])
    assert f"leaves out {left} positions of an axis of size T" in broken(text, x=X[: left - 1]).headline


# ---------------------------------------------------------------- checked when it runs


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ("T <= 3", 3, 4),
        ("T < 4", 3, 4),
        ("T >= 3", 3, 2),
        ("T > 2", 3, 2),
        ("T != 3", 4, 3),
        ("T % 2 == 1", 3, 4),
        ("T * T < 10", 3, 4),
        ("max(T, 2) == 2", 2, 3),
        ("T // 2 == 1", 3, 4),
    ],
)
def test_the_runtime_checks_each_form_of_condition(condition: str, good: int, bad: int) -> None:
    text = model(f'assert {condition}, "T is {{T}}"\noutput y = x', "x: [T]")
    predict(text, x=np.zeros(good, np.float32))
    finding = broken(text, x=np.zeros(bad, np.float32))
    assert finding.headline == f"assertion failed: T is {bad}"
    assert finding.span is not None and finding.span.text.startswith("assert ")


def test_a_message_names_the_dims_of_the_caller() -> None:
    before = "block A(most: int)(x: [N, 4]) -> [N, 4]:\n"
    before += '    assert N <= most, "{N} rows are more than {most}"\n    return x\n'
    text = model("z = concat([x, x], axis=0)\noutput y = z |> A(5)", "x: [T, 4]", before)
    assert broken(text, x=X).headline == "assertion failed: 6 rows are more than 5"
    predict(text, x=X[:2])


def test_training_steps_and_evaluation_are_checked() -> None:
    text = model(
        'assert B > 1, "{B} is not enough"\nnet = Dense(1)\nloss objective = mean(net(x))',
        after="\ntrain:\n    minimize objective with sgd\n",
    )
    trainer = Trainer(program(text), options=CPU)
    trainer.step({"x": X})
    for call in (trainer.step, trainer.evaluate, trainer.gradients):
        call({"x": X})
        with pytest.raises(SpecError, match="1 is not enough"):
            call({"x": X[:1]})


def test_exports_record_what_they_rest_on() -> None:
    of = program(model('assert T <= 10, "{T} is too long"\nassert T % 2 == 1\nassert T > 2\noutput y = x', "x: [T]"))
    exported = inference_model(of, initial(of))
    (entry,) = [e.value for e in exported.metadata_props if e.key == METADATA_KEY]
    recorded: Any = json.loads(entry)
    assert recorded == [
        {"condition": "T <= 10", "message": "{T} is too long"},
        {"condition": "T % 2 == 1", "message": "`T % 2 == 1`"},
        {"condition": "T > 2", "message": "`T > 2`"},
    ]
    assert [str(a) for a in from_metadata({METADATA_KEY: entry})] == [r["condition"] for r in recorded]
    np.testing.assert_array_equal(run_onnx(exported, {"x": X[0]})["y"], X[0])


def test_a_replaced_dim_is_an_integer_in_the_export() -> None:
    of = program(model("assert N == 3\noutput y = x", "x: [N, 4]"))
    exported = inference_model(of, {})
    assert [d.dim_value for d in exported.graph.input[0].type.tensor_type.shape.dim] == [3, 4]


# ---------------------------------------------------------------- reached by a statement of a program alone

UPDATED = """
fn checked(x: [B, n], k: dim) -> []:
    assert B {op} k, "B is {{B}}"
    return mean(x)

schedule slow(total: dim)(t: i64[]) -> []:
    assert total {op} 8
    return 0.5

optimizer careful(total: dim)(p: [...S], g: [...S], t: i64[]) -> [...S]:
    assert total {op} 8
    return p - g
"""


def updated(op: str, statement: str, body: str = "f = Dense(1)\nparam w: [] = 1\nloss l = mean(f(x)) * w") -> str:
    before = UPDATED.format(op=op).replace("{{B}}", "{B}")
    return model(body, "x: [B, 4]", before, f"\ntrain:\n    {statement}\n")


@pytest.mark.parametrize("freeze", ["", "freeze = [f]\n    "])
@pytest.mark.parametrize(("op", "fits", "breaks"), [("==", 8, 7), ("<=", 8, 9), (">", 9, 8), ("==", 8, 9)])
def test_an_assert_in_an_update_is_checked_at_each_batch(freeze: str, op: str, fits: int, breaks: int) -> None:
    of = program(updated(op, f"{freeze}update w = checked(x, 8)"))
    assert [str(a) for a in of.assumptions] == [f"B {op} 8"]
    ours = Trainer(of, options=CPU)
    ours.step({"x": numbers(fits, 4)})
    with pytest.raises(SpecError, match="AX0617"):
        ours.step({"x": numbers(breaks, 4)})


def test_an_equality_in_an_update_is_a_fact_behind_it() -> None:
    statement = "update w = checked(x, 8) + sum(x[:, 0] + iota(8))".replace("iota(8)", "zeros([8])")
    assert codes(updated("==", statement)) == []
    assert codes(updated("<=", statement)) == ["AX0305"]


@pytest.mark.parametrize("use", ["sgd(lr=slow(steps))", "careful(steps)"])
@pytest.mark.parametrize("op", ["==", "<=", ">"])
def test_an_assert_on_the_number_of_steps_is_decided_once_it_is_known(use: str, op: str) -> None:
    text = updated(op, f"minimize l with {use}")
    right, wrong = {"==": (8, 9), "<=": (8, 9), ">": (9, 8)}[op]
    of = program(text)
    assert of.assumptions == () and train_steps(of, of.programs[0], right, right)
    with pytest.raises(SpecError, match="AX0319"):
        train_steps(of, of.programs[0], wrong, wrong)


def test_an_assert_that_fails_for_every_number_of_steps_is_found_by_a_check() -> None:
    before = "schedule s(total: int)(t: i64[]) -> []:\n    assert 1 > 2\n    return 0.1 if total > 5 else 0.2\n"
    after = "\ntrain:\n    minimize l with sgd(lr=s(steps))\n"
    assert codes(model("param w: [] = 1\nloss l = w * mean(x)", before=before, after=after)) == ["AX0319"]
