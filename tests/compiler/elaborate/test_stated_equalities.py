"""A stated equality of dims is believed alike by everything that joins tensors, however and wherever it is stated.

``a: [D1, 3]`` and ``b: [D2, 3]`` are tensors whose first dims differ in form and are equal by an ``assert``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, findings, loss_and_gradients, model, numbers, outputs, program


@dataclass(frozen=True)
class Form:
    """A way to state an equality: what is stated of which inputs, and the tensors that it makes equal in size."""

    stated: tuple[str, ...]
    inputs: Mapping[str, str]
    """Their types, by name."""
    a: str
    b: str
    first: str
    """The first dim of ``b``, as it is written in a declared type."""

    def at(self, sizes: Mapping[str, int]) -> Form:
        """The same tensors over inputs of known sizes, where nothing need be stated."""
        inputs = {name: _spelled(type_, sizes) for name, type_ in self.inputs.items()}
        return Form((), inputs, *(_spelled(text, sizes) for text in (self.a, self.b, self.first)))

    @property
    def body(self) -> list[str]:
        """The statements, and the two tensors."""
        return [*(f"assert {line}" for line in self.stated), f"a = {self.a}", f"b = {self.b}"]

    @property
    def signature(self) -> str:
        """The inputs as parameters."""
        return ", ".join(f"{name}: {type_}" for name, type_ in self.inputs.items())


def _spelled(text: str, sizes: Mapping[str, int]) -> str:
    return re.sub(r"\b[A-Z]\b", lambda found: str(sizes[found[0]]), text)


CPU = SessionOptions(device="cpu", threads=1)
SIZES = {"T": 6, "U": 6, "N": 2, "M": 3, "K": 6, "L": 1, "P": 3, "Q": 2}
HALVES = "concat([x[:T // 2], x[:T // 2]], axis=0)"
THIRDS = "concat([u[:U // 3], u[:U // 3], u[:U // 3]], axis=0)"
X, XU, XZ = {"x": "[T, 3]"}, {"x": "[T, 3]", "u": "[U, 3]"}, {"x": "[T, 3]", "z": "[6, 3]"}
FLAT = {"v": "[N, M, 3]", "w": "[K, L, 3]", "s": "[P, Q, 3]"}
V, W, S = (f"reshape({name}, [{dims}, 3])" for name, dims in (("v", "N * M"), ("w", "K * L"), ("s", "P * Q")))
PQ = {name: FLAT[name] for name in "vw"}
FORMS = {
    "name": Form(("T == U",), XU, "x", "u", "U"),
    "name, the other way": Form(("U == T",), XU, "x", "u", "U"),
    "int": Form(("T == 6",), XZ, "x", "z", "6"),
    "int, the other way": Form(("6 == T",), XZ, "x", "z", "6"),
    "composite": Form(("2 * (T // 2) == T",), X, HALVES, "x", "T"),
    "composite, the other way": Form(("T == 2 * (T // 2)",), X, HALVES, "x", "T"),
    "two composites": Form(("2 * (T // 2) == 3 * (U // 3)",), XU, HALVES, THIRDS, "3 * (U // 3)"),
    "composite and int": Form(("2 * (T // 2) == 6",), XZ, HALVES, "z", "6"),
    "scaled": Form(("4 * (T // 2) == 2 * T",), X, HALVES, "x", "T"),
    "half": Form(("T // 2 == 3",), XZ, HALVES, "z", "6"),
    "products": Form(("N * M == K * L",), PQ, V, W, "K * L"),
    "product and int": Form(("N * M == 6",), {"v": FLAT["v"], "z": "[6, 3]"}, V, "z", "6"),
    "modulo": Form(("T % 2 == 0",), X, HALVES, "x", "T"),
    "modulo, the other way": Form(("0 == T % 2",), X, HALVES, "x", "T"),
    "modulo at most": Form(("T % 2 <= 0",), X, HALVES, "x", "T"),
    "modulo and modulo": Form(("T % 2 == U % 3", "U % 3 == 0"), XU, HALVES, "x", "T"),
    "pinned": Form(("T <= 6", "T >= 6"), XZ, "x", "z", "6"),
    "pinned strictly": Form(("5 < T", "T < 7"), XZ, "x", "z", "6"),
    "pinned composite": Form(("2 * (T // 2) <= 6", "6 <= 2 * (T // 2)"), XZ, HALVES, "z", "6"),
    "pinned to a name": Form(("T <= U", "U <= T"), XU, "x", "u", "U"),
    "in two steps": Form(("N * M == K * L", "K * L == P * Q"), FLAT, V, S, "P * Q"),
    "in three steps": Form(
        ("N * M == K * L", "P * Q == K * L", "2 * P * Q == 4 * (T // 2)"), {**FLAT, **X}, V, HALVES, "2 * (T // 2)"
    ),
    "by a sum": Form(("N * M + K * L == 2 * T", "N * M == K * L"), {**PQ, **X}, V, "x", "T"),
}
JOINS = {
    "+": "a + b", "-": "a - b", "*": "a * b", "/": "a / b", "//": "a // b", "%": "a % b", "**": "(1.0 + a) ** b",
    "<": "a < b", "<=": "a <= b", ">": "a > b", ">=": "a >= b", "==": "a == b", "!=": "a != b",
    "and": "(a > 0.5) and (b > 0.5)", "or": "(a > 0.5) or (b > 0.5)",
    "max": "max(a, b)", "min": "min(a, b)", "where": "where(a > 0.5, a, b)", "where of two": "where(a > 0.5, b, 0.0)",
    "leading axis": "a[none] * b", "axis of size 1": "a * b[:, :1]", "fewer axes": "a[:, 0] * b[:, 0]",
    "mse": "mse(a, b)", "mae": "mae(a, b)", "bce_logits": "bce_logits(a, b)", "bce": "bce(a, b)", "kl": "kl(a, log(b))",
    "cross_entropy": "cross_entropy(a, argmax(b, axis=1))", "nll": "nll(a, argmax(b, axis=1))",
    "label_cross_entropy": "label_cross_entropy(a, argmax(b, axis=1))", "focal": "focal(a, b)",
    "soft_cross_entropy": "soft_cross_entropy(a, b)", "cosine_embedding": "cosine_embedding(a, b, sign(b[:, 0]))",
    "triplet": "triplet(a, b, a)", "gaussian_nll": "gaussian_nll(a, b, b)", "hinge": "hinge(a, b)",
    "concat": "concat([a, b], axis=1)", "concat, reversed": "concat([b, a, b], axis=1)",
    "stack": "stack([a, b], axis=0)", "@": "transpose(a) @ b", "batched @": "a[:, none] @ b[:, :, none]",
    "einsum": 'einsum("n i, n j -> i j", a, b)', "batched einsum": 'einsum("n i j, n j k -> n i k", a[:, none], b[:, :, none])',
    "einsum of three": 'einsum("n i, n j, n k -> n", a, b, a)',
    "put": "put(a, 0, b[:, :1], axis=1)", "put two": "put(a, 1, b[:, 1:], axis=1)",
    "take_along_axis": "take_along_axis(a, argmax(b, axis=1)[:, none], axis=1)",
    "scatter_add_along_axis": "scatter_add_along_axis(a, argmax(b, axis=1)[:, none], b[:, :1], axis=1)",
    "scatter_add": "scatter_add(a, tensor([0, 2]), b[:, :2], axis=1)",
    "scatter_add of rows": "scatter_add(ones([3, 3]), argmax(a, axis=1), b)",
    "layer_norm": "layer_norm(transpose(a), b[:, 0], b[:, 1])",
    "signature": "pair(a, b)", "reshape": "reshape(a, [{first}, 3]) * b", "broadcast": "broadcast(a, [{first}, 3]) * b",
    "rearrange": 'rearrange(a, "n c -> c n", n={first}) * transpose(b)',
    "weight of grad": "grad(a * a, a, weight=b) * b", "grad": "grad(sum(a * b * b), a) * b",
    "gradient of the other": "grad(sum(a * b * b), b) * a", "stated gradient": "half(a, b) * b",
    "random": "(random_uniform([{first}, 3]) < 2.0) and (a < b + 2.0)",
    "draw": "where(bernoulli([{first}, 3], 1.0), a, b)", "fold": "sum(stack([p * q for p, q in [[a, b], [b, a]]], axis=0))",
}  # fmt: skip
BEFORE = """
fn pair(a: [n, c], b: [n, c]) -> [n, c]:
    return a * b

fn half(a: [n, c], b: [n, c]) -> [n, c]:
    return a * b
backward(dy):
    return dy * b, dy * a
"""


def within(place: str, form: Form, expression: str) -> str:
    """A spec whose output ``y`` (or entry ``y``) is the sum of an expression over ``a`` and ``b``."""
    result = f"y = sum(f32({expression.replace('{first}', form.first)}))"
    inputs = "; ".join(f"{name}: {type_}" for name, type_ in form.inputs.items())
    if place == "model":
        return model("\n".join([*form.body, f"output {result}"]), inputs, BEFORE)
    lines = "".join(f"\n    {line}" for line in [*form.body, result, "return y"])
    match place:
        case "fn":
            return model(
                f"output y = f({', '.join(form.inputs)})", inputs, f"{BEFORE}\nfn f({form.signature}) -> []:{lines}\n"
            )
        case "block":
            before = f"{BEFORE}\nblock F()({form.signature}) -> []:{lines}\n"
            return model(f"output y = F()({', '.join(form.inputs)})", inputs, before)
    return model(f"output other = o\nentry y({form.signature}) -> []:{lines}", "o: [O]", BEFORE)


def trained(form: Form, expression: str) -> str:
    """A spec whose loss depends on a parameter through both sides of a join."""
    body = [*form.body[:-2], f"a = ({form.a}) * p", f"b = ({form.b}) * p"]
    loss = f"loss objective = sum(f32({expression})) + mean(a * b)"
    inputs = "; ".join(f"{name}: {type_}" for name, type_ in form.inputs.items())
    return model("\n".join(["param p: [3] = 1.0", *body, loss]), inputs, BEFORE)


def arrays(form: Form) -> dict[str, Array]:
    """Inputs of sizes for which every statement is true; their numbers lie between 0.1 and 0.9."""
    shapes = {name: eval_shape(type_) for name, type_ in form.at(SIZES).inputs.items()}
    return {
        name: (0.1 + 0.8 / (1 + np.exp(-numbers(*shape, seed=seed)))).astype(np.float32)
        for seed, (name, shape) in enumerate(shapes.items())
    }


def eval_shape(type_: str) -> list[int]:
    """``[6, 3]`` as integers."""
    return [int(size) for size in type_.strip("[]").split(", ")]


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("form", ["composite", "product and int", "pinned to a name"])
def test_every_join_believes_it(form: str, join: str) -> None:
    """It compiles, exports, and is what the same join of tensors of known sizes is, where nothing need be stated."""
    stated, given = FORMS[form], arrays(FORMS[form])
    of = program(within("model", stated, JOINS[join]))
    expected = outputs(within("model", stated.at(SIZES), JOINS[join]), **given)["y"]
    np.testing.assert_allclose(outputs(of, **given)["y"], expected, rtol=1e-5)
    exported = Trainer(of, options=CPU).predict(given)["y"]
    np.testing.assert_allclose(exported, expected, rtol=1e-4)


@pytest.mark.parametrize("join", ["+", "where", "mse", "concat", "@", "put", "grad", "take_along_axis", "signature"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_believed(form: str, join: str) -> None:
    assert codes(within("model", FORMS[form], JOINS[join])) == []


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_stated_is_not_believed(form: str) -> None:
    """There is a diagnostic without the statement, so it is the statement that helps in the tests around."""
    (finding,) = findings(within("model", replace(FORMS[form], stated=()), "a + b"))
    assert finding.code == "AX0305"


@pytest.mark.parametrize("place", ["fn", "block", "entry"])
@pytest.mark.parametrize("form", FORMS)
def test_it_is_believed_wherever_it_is_stated(form: str, place: str) -> None:
    assert codes(within(place, FORMS[form], "a * b + pair(b, a) + max(a, b)")) == []


@pytest.mark.parametrize("join", ["+", "*", "mse", "concat", "@", "batched einsum", "cross_entropy", "stated gradient"])
@pytest.mark.parametrize("form", ["composite", "products", "modulo", "pinned to a name", "in two steps"])
def test_gradients_pass_both_sides_of_a_join(form: str, join: str) -> None:
    values = {"p": np.array([1.0, 0.5, 2.0], np.float32), **arrays(FORMS[form])}
    found, expected = (
        loss_and_gradients(program(trained(one, JOINS[join])), "objective", values)
        for one in (FORMS[form], FORMS[form].at(SIZES))
    )
    np.testing.assert_allclose(found["p"], expected["p"], rtol=1e-5)


@pytest.mark.parametrize(
    ("stated", "body", "code"),
    [
        ("T % 2 == 1", "output y = a + x", "AX0302"),
        ("T // 2 == 3", "output y = a + x", "AX0305"),
        ("2 * (T // 2) <= T", "output y = a + x", "AX0305"),
        ("T != 3", "output y = a + x", "AX0305"),
    ],
)
def test_what_does_not_follow_is_a_diagnostic(stated: str, body: str, code: str) -> None:
    assert codes(model(f"assert {stated}\na = {HALVES}\n{body}", "x: [T, 3]")) == [code]


@pytest.mark.parametrize("op", ["+", "-", "*", "<", "=="])
def test_a_dim_that_is_stated_to_be_one_is_repeated(op: str) -> None:
    text = model(f"assert T // 4 == 1\na = x[:T // 4]\noutput y = sum(f32(a {op} z))", "x: [T, 3]; z: [5, 3]")
    x, z = numbers(4, 3), numbers(5, 3, seed=1)
    expected = {"+": x[:1] + z, "-": x[:1] - z, "*": x[:1] * z, "<": x[:1] < z, "==": x[:1] == z}[op].sum()
    np.testing.assert_allclose(Trainer(program(text), options=CPU).predict({"x": x, "z": z})["y"], expected, rtol=1e-4)
    assert codes(model("assert T // 4 == 1\noutput y = squeeze(x[:T // 4], axis=0)", "x: [T, 3]")) == []


@pytest.mark.parametrize(
    ("stated", "body"),
    [
        ("T % 2 == 0", "first, second = split(x, 2, axis=0)\noutput y = first * second"),
        ("2 * (T // 2) == T", "output y = reshape(x, [2, T // 2, 3])"),
        ("T % 2 == 0", "output y = reshape(x, [2, -1, 3])"),
        ("T % 2 == 0", 'output y = rearrange(x, "(h t) c -> h t c", h=2)'),
        ("2 * (T // 2) == T", "output y = x[:2 * (T // 2)] + x"),
    ],
)
def test_a_stated_divisor_divides(stated: str, body: str) -> None:
    text, x = model(f"assert {stated}\n{body}", "x: [T, 3]"), numbers(6, 3)
    (expected,) = outputs(model(_spelled(body, SIZES), "x: [6, 3]"), x=x).values()
    np.testing.assert_allclose(Trainer(program(text), options=CPU).predict({"x": x})["y"], expected, rtol=1e-5)
    assert codes(model(body, "x: [T, 3]")) in (["AX0305"], ["AX0304"], ["AX0325"], [])
