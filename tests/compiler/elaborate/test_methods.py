"""Methods: fns of a module that see its hyperparameters, its module dims and its setup, and make nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import codes, findings, initial, model, numbers, output, outputs, program

X = numbers(3, 4)
LINEAR = """
block Linear(units: int, factor: float = 2.0)(x: [B, n]) -> [B, units]:
    param W: [n, units] ~ normal(0, 1)
    scaled = factor * W

    fn back(y: [B, units]) -> [B, n]:
        return y @ transpose(scaled)

    fn there_and_back(x: [B, n]) -> [B, n]:
        return back(x @ scaled)

    fn sizes(x: [B, n]) -> (rows: [B], inside: []):
        return n * ones([B]), units * factor * ones([])

    return x @ scaled

block Outer(k: int)(x: [B, n]) -> [B, n]:
    inner = Linear(k)

    fn again(x: [B, n]) -> [B, n]:
        return inner.there_and_back(x)

    return inner.back(inner(x))
"""


def linear(body: str, inputs: str = "x: [B, 4]") -> str:
    return model(body, inputs, LINEAR)


def test_a_method_sees_hyperparameters_module_dims_and_setup_names() -> None:
    body = "net = Linear(5, factor=3.0)\ny = net(x)\ns = net.sizes(x)\n"
    of = program(linear(body + "output z = net.back(y)\noutput a = s.rows\noutput b = s.inside"))
    w = initial(of)["net.W"].astype(np.float64)
    result = outputs(of, x=X)
    np.testing.assert_allclose(result["z"], X @ (3 * w) @ (3 * w).T, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(result["a"], [4, 4, 4])
    assert result["b"] == 15


@pytest.mark.parametrize(
    "body",
    [
        "net = Linear(5)\ny = net(x)\noutput z = net.there_and_back(x)",
        "net = Linear(5)\nz = net.there_and_back(x)\noutput y = net(x) @ ones([5, 4]) * 0 + z",
        "net = Linear(5)\noutput z = net.there_and_back(x)",
        "net = Linear(5)\noutput z = net.back(net(x))",
        "net = Linear(5)\noutput z = x |> net |> net.back",
        "net = Outer(5)\noutput z = net(x)",
        "net = Outer(5)\noutput z = net.again(x)",
        "nets = [Linear(5) for _ in range(1)]\noutput z = nets[0].there_and_back(x)",
    ],
)
def test_methods_before_and_after_application_through_each_other(body: str) -> None:
    of = program(linear(body))
    ((path, w),) = initial(of).items()
    assert path.endswith("W")
    np.testing.assert_allclose(output(of, x=X), X @ (2 * w) @ (2 * w).T, rtol=1e-4, atol=1e-4)


def test_the_parameters_are_the_same_wherever_they_were_first_needed() -> None:
    first = program(linear("net = Linear(5)\nz = net.there_and_back(x)\noutput y = net(x)"))
    then = program(linear("net = Linear(5)\ny = net(x)\noutput z = net.there_and_back(x) @ ones([4, 5]) + y"))
    assert list(first.parameters) == list(then.parameters) == ["net.W"]
    np.testing.assert_array_equal(initial(first)["net.W"], initial(then)["net.W"])


def test_the_arguments_of_a_method_fix_module_dims() -> None:
    body = "net = Linear(5)\nz = net.there_and_back(x)\noutput y = net(w)"
    (finding,) = findings(linear(body, "x: [B, 4]; w: [B, 7]"))
    assert finding.code == "AX0304" and "is 7" in finding.headline


def test_call_dims_are_fresh_at_each_call() -> None:
    body = "net = Linear(5)\na = net(x)\nb = net.back(net(w))\noutput y = a\noutput z = b"
    result = outputs(linear(body, "x: [B, 4]; w: [C, 4]"), x=X, w=numbers(7, 4, seed=1))
    assert result["y"].shape == (3, 5) and result["z"].shape == (7, 4)


def test_a_method_of_a_derived_module_uses_its_tensors() -> None:
    body = "net = Linear(5)\ny = net(x)\nhalf = net * 0.5\noutput z = half.back(half(x))\noutput kept = net.back(y)"
    of = program(linear(body))
    w = initial(of)["net.W"].astype(np.float64)
    result = outputs(of, x=X)
    np.testing.assert_allclose(result["z"], X @ w @ w.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(result["kept"], 4 * X @ w @ w.T, rtol=1e-4, atol=1e-4)


def test_methods_of_a_model_may_be_called_before_they_are_written() -> None:
    body = "param w: [4] = 3\nk = 2.0\noutput y = scaled(x)\n"
    body += "fn scaled(z: [...S, 4]) -> [...S, 4]:\n    return k * w * z"
    np.testing.assert_allclose(output(model(body), x=X), 6 * X)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("net = Linear(5)\noutput y = net.bck(net(x))", "AX0206"),
        ("net = Linear(5)\noutput y = net.back(net(x), 1)", "AX0205"),
        ("net = Linear(5)\noutput y = net.back()", "AX0203"),
        ("net = Linear(5)\ny = net(x)\noutput z = net.back(x)", "AX0304"),
        ("fn f(x: [B, 4]) -> [B, 4]:\n    return f(x)\noutput y = f(x)", "AX0216"),
        (
            "fn f(x: [B, 4]) -> [B, 4]:\n    return g(x)\nfn g(x: [B, 4]) -> [B, 4]:\n    return f(x)\noutput y = f(x)",
            "AX0216",
        ),
        ("fn f(x: [B, 4]) -> [B, 2]:\n    return x |> Dense(2)\noutput y = f(x)", "AX0220"),
        ("fn f(x: [B, 4]) -> [B, 4]:\n    param w: [4] = 1\n    return x * w\noutput y = f(x)", "AX0212"),
    ],
)
def test_refused(body: str, code: str) -> None:
    assert codes(linear(body)) == [code]


def test_a_method_is_no_way_to_make_modules_in_a_fn_it_calls() -> None:
    before = "fn dense(x: [B, n]) -> [B, 2]:\n    return x |> Dense(2)\n"
    assert codes(model("fn f(x: [B, 4]) -> [B, 2]:\n    return dense(x)\noutput y = f(x)", before=before)) == ["AX0220"]


# ---------------------------------------------------------------- several results

PAIR = """
fn halves(x: [B, n]) -> (low: [B], high: [B]):
    return min(x, axis=1), max(x, axis=1)

fn unnamed(x: [B, n]) -> ([B], [B]):
    return min(x, axis=1), max(x, axis=1)

fn passed(x: [B, n]) -> (first: [B], second: [B]):
    return halves(x)
"""


@pytest.mark.parametrize(
    "body",
    [
        "a, b = halves(x)\noutput y = b - a",
        "a, b = unnamed(x)\noutput y = b - a",
        "both = halves(x)\noutput y = both.high - both.low",
        "output y = halves(x).high - halves(x).low",
        "both = passed(x)\noutput y = both.second - both.first",
        "a, b = x |> halves\noutput y = b - a",
        "a, b = [r for r in [halves(x)]][0]\noutput y = b - a",
    ],
)
def test_several_results_are_unpacked_or_read_by_name(body: str) -> None:
    np.testing.assert_allclose(output(model(body, before=PAIR), x=X), X.max(1) - X.min(1), rtol=1e-6)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("a, b, c = halves(x)\noutput y = a", "AX0207"),
        ("output y = halves(x).hgh", "AX0206"),
        ("output y = unnamed(x).high", "AX0206"),
        ("output y = passed(x).high", "AX0206"),
        ("output y = halves(x) + 1", "AX0306"),
        ("output y = halves(x)", "AX0306"),
    ],
)
def test_several_results_are_no_tensor(body: str, code: str) -> None:
    assert codes(model(body, before=PAIR)) == [code]


def test_a_body_gives_as_many_results_as_its_signature_names() -> None:
    for result, returned in (("(a: [B], b: [B])", "x"), ("(a: [B], b: [B])", "x, x, x"), ("[B]", "x, x")):
        before = f"fn f(x: [B]) -> {result}:\n    return {returned}\n"
        assert codes(model("z = f(x)\noutput y = x", "x: [B]", before)) == ["AX0307"]
