"""A list of modules and fns is applied in order."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import findings, initial, model, numbers, outputs, program

X = numbers(3, 4)
FNS = """
fn halves(x: [B, n]) -> ([B, n], [B, n]):
    return x / 2, x / 2

fn joined(a: [B, n], b: [B, n]) -> [B, n]:
    return a + b
"""


@pytest.mark.parametrize("applied", ["stages(x)", "x |> stages", "[stages[0], stages[1:]](x)"])
def test_it_is_the_chain_of_its_items(applied: str) -> None:
    """In any spelling, nested or not: a dense layer, tanh and another one, over the same parameters."""
    of = program(model(f"stages = [Dense(3), tanh, Dense(2)]\noutput y = {applied}\noutput again = stages(x)"))
    p = {name: value.astype(np.float64) for name, value in initial(of).items()}
    assert set(p) == {"stages.0.W", "stages.0.b", "stages.2.W", "stages.2.b"}
    wanted = np.tanh(X @ p["stages.0.W"] + p["stages.0.b"]) @ p["stages.2.W"] + p["stages.2.b"]
    found = outputs(of, x=X)
    np.testing.assert_allclose(found["y"], wanted, rtol=1e-5)
    np.testing.assert_array_equal(found["y"], found["again"])


def test_modules_made_in_a_loop_are_applied_once_each() -> None:
    of = program(model("output y = x |> [[Dense(4, bias=false), relu] for _ in range(3)]"))
    assert len(of.parameters) == 3
    wanted = X.astype(np.float64)
    for weight in initial(of).values():
        wanted = np.maximum(wanted @ weight, 0)
    np.testing.assert_allclose(outputs(of, x=X)["y"], wanted, rtol=1e-5)


def test_several_results_are_handed_on_as_arguments() -> None:
    np.testing.assert_allclose(
        outputs(model("output y = x |> [halves, joined, tanh]", before=FNS), x=X)["y"], np.tanh(X), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("x |> [Dense(2), 3]", "this is a list of 2, which cannot be called"),
        ("x |> []", "this is a list of 0, which cannot be called"),
        ("x |> [Dense(2), LayerNorm]", "a list is applied module by module, and `LayerNorm` is a block"),
    ],
)
def test_what_is_not_a_sequence(text: str, headline: str) -> None:
    assert [(d.code, d.headline) for d in findings(model(f"output y = {text}"))] == [("AX0306", headline)]


def test_a_list_of_numbers_does_not_hide_a_fn_of_its_name() -> None:
    """In call position a name whose value cannot be called is skipped."""
    np.testing.assert_allclose(outputs(model("tanh = [1, 2]\noutput y = tanh(x)"), x=X)["y"], np.tanh(X), rtol=1e-6)
