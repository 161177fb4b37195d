"""Inside a frozen module ``training`` is false, nothing is drawn for training, and nothing changes: in every statement
that trains, whichever way the module is frozen.

The oracle is the model as it is judged: a frozen module gives in training what it gives in evaluation.
"""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram, TrainStep
from archonnx.grammar.diagnostics import SpecError
from tests.support.elaborated import codes, initial, measures, model, numbers, program, run_steps, train_step

X = numbers(6, 4, seed=3, low=0.5)

INSIDE = {
    "a branch": "return x * s * (2.0 if training else 1.0)",
    "a draw": "z: [B, n] ~ normal(1, 1)\n    return x * s + (z if training else 0 * x)",
    "a layer that draws": "return x * s |> Dropout(0.5)",
    "a buffer": "buffer seen: [] = 0.5\n    update seen = mean(x)\n    return x * s + (mean(x) if training else seen)",
    "a method": "return once(x)\n    fn once(x: [B, n]) -> [B, n]:\n        return x * s * (2.0 if training else 1.0)",
    "a fn of the file": "return judged(x, training) * s",
}
"""What depends on ``training`` in a block of one parameter ``s``."""

FREEZING = {
    "freeze": ("f = F()", "f(x)", "freeze = [f]"),
    "freeze, around": ("f = Outer()", "f(x)", "freeze = [f]"),
    "freeze, inside": ("f = Outer()", "f(x)", "freeze = [f.inner]"),
    "freeze, a list": ("f = [F(), F()]", "f[1](f[0](x))", "freeze = f"),
    "freeze, in the block": ("f = Outer()", "f.inner(x)", "freeze = [f]"),
    "frozen(m)": ("f = F()", "frozen(f)(x)", ""),
    "frozen(m), around": ("f = Outer()", "frozen(f)(x)", ""),
    "frozen(m), inside": ("f = Outer()", "frozen(f).inner(x)", ""),
}
"""The module, its use, and the setting of the program."""

TRAINING = {
    "update of a parameter": "update w = mean({use})",
    "update of a buffer": "update b = mean({use})",
    "update of a module": "update g = 0 * g + mean({use})",
    "update by a gradient": "update w = grad(mean({use}) * w, w)",
    "minimize": "minimize l with step()",
    "together": "together:\n        minimize l over w with step()\n        minimize k over g with step()",
    "repeat": "repeat 2:\n        update w = mean({use})",
    "every": "every 3:\n        minimize l with step()",
}
"""Statements after which ``w``, ``b`` or the parameter of ``g`` is what the frozen module gives, on average."""

BEFORE = """
block F()(x: [B, n]) -> [B, n]:
    param s: [] = 1.5
    {inside}

block Outer()(x: [B, n]) -> [B, n]:
    inner = F()
    return inner(x)

block G()(x: [B, n]) -> [B, n]:
    param v: [] = 3
    return x * v

fn judged(x: [B, n], training: bool) -> [B, n]:
    return x * (2.0 if training else 1.0)

optimizer step()(p: [...S], g: [...S], t: i64[]) -> [...S]:
    return g
"""


def spec(inside: str, module: str, use: str, train: str) -> ModelProgram:
    body = f"{module}\ng = G()\nparam w: [] = 1\nbuffer b: [] = 0\nmetric given = mean({use})\n"
    body += f"loss l = mean({use}) * w + 0 * mean(g(x))\nloss k = mean(({use}) * g(x) / x)"
    before = BEFORE.replace("{inside}", inside)
    return program(model(body, "x: [B, 4]", before, f"\ntrain:\n    {train}\n"))


def left(step: TrainStep, of: ModelProgram) -> dict[str, Array]:
    """What the step carries, after one execution."""
    return run_steps(step, initial(of), {"x": X}, 1)[0]


def moved(state: dict[str, Array], statement: str) -> list[Array]:
    """What becomes the average of what the module gives."""
    names = {"update of a buffer": ["b"], "update of a module": ["g.v"], "together": ["w", "g.v"]}
    return [state[name] for name in names.get(statement, ["w"])]


CASES = [
    (inside, freezing, statement)
    for inside in INSIDE
    for freezing in FREEZING
    for statement in TRAINING
    if inside == "a branch" or freezing in ("freeze, inside", "frozen(m)")
]


@pytest.mark.parametrize(("inside", "freezing", "statement"), CASES)
def test_a_frozen_module_gives_in_training_what_it_gives_when_it_is_judged(
    inside: str, freezing: str, statement: str
) -> None:
    module, use, setting = FREEZING[freezing]
    train = TRAINING[statement].format(use=use)
    of = spec(INSIDE[inside], module, use, f"{setting}\n    {train}" if setting else train)
    step = train_step(of)
    state = left(step, of)
    for value in moved(state, statement):
        np.testing.assert_allclose(value, measures(of, x=X)["given"], rtol=1e-5)
    assert not any(path.startswith("f.") for path in step.carried), "a frozen module changes"


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("statement", TRAINING)
def test_the_same_module_unfrozen_gives_something_else(inside: str, statement: str) -> None:
    """So the test above can fail."""
    of = spec(INSIDE[inside], "f = F()", "f(x)", TRAINING[statement].format(use="f(x)"))
    step = train_step(of)
    for value in moved(left(step, of), statement):
        assert abs(value - measures(of, x=X)["given"]) > 1e-3


@pytest.mark.parametrize("statement", TRAINING)
def test_what_is_beside_a_frozen_module_is_trained(statement: str) -> None:
    train = TRAINING[statement].format(use="o(x) - f(x)")
    module, use = "f = F()\no = F()", "o(x) - f(x)"
    of = spec(INSIDE["a branch"], module, use, f"freeze = [f]\n    {train}")
    step = train_step(of)
    for value in moved(left(step, of), statement):
        np.testing.assert_allclose(value, X.mean() * 1.5, rtol=1e-5)  # twice what `o` gives, less what `f` does


@pytest.mark.parametrize(
    ("setting", "statement", "path"),
    [
        ("freeze = [f]", "update f.s = 0.5 * f.s + 0.5 * g.v", "f.s"),
        ("freeze = [f]", "update f = 0.5 * f + 0.5 * g", "f.s"),
        ("freeze = [self]", "update w = 0.5 * w + 1.25", "w"),
    ],
)
def test_a_statement_may_still_set_what_is_frozen(setting: str, statement: str, path: str) -> None:
    """As a teacher that follows its student: no gradient reaches it, and a program moves it."""
    of = spec(INSIDE["a branch"], "f = F()", "f(x)", f"{setting}\n    {statement}")
    step = train_step(of)
    np.testing.assert_allclose(left(step, of)[path], 2.25 if path == "f.s" else 1.75)


def test_no_gradient_reaches_a_frozen_module_in_an_update() -> None:
    train = "freeze = [f]\n    update w = sum(vec(grad(mean(f(x)), f)))"
    text = model("f = F()\nparam w: [] = 1\nloss l = mean(f(x)) * w", "x: [B, 4]", FROZEN, f"\ntrain:\n    {train}\n")
    assert codes(text) == ["AX0409"]
    assert codes(text.replace("freeze = [f]\n    ", "")) == []


FROZEN = "block F()(x: [B, n]) -> [B, n]:\n    param s: [] = 1.5\n    return x * s\n"


# ---------------------------------------------------------------- names, and lists


@pytest.mark.parametrize(
    ("made", "names"),
    [
        ("critic = frozen(Dense(1))", ["critic.W", "critic.b"]),
        ("critic = frozen([Dense(3), Dense(1)])", ["critic.0.W", "critic.0.b", "critic.1.W", "critic.1.b"]),
        ("net = Dense(1)\ncritic = frozen(net)", ["net.W", "net.b"]),
        ("critic = frozen(m=Dense(1))", ["critic.W", "critic.b"]),
    ],
)
def test_a_module_that_is_frozen_where_it_is_made_bears_the_name_that_it_is_given(made: str, names: list[str]) -> None:
    use = "critic[1](critic[0](x))" if "[" in made else "critic(x)"
    assert list(program(model(f"{made}\nloss l = mean({use})", "x: [B, 4]")).parameters) == names


STACK = "net = [Dense(5), relu, [Dense(4), lambda_], Dense(1)]\nrest = Dense(1)\nloss l = mean(net(x) + rest(x))"


@pytest.mark.parametrize(
    ("statement", "same"),
    [
        ("minimize l over net with sgd(0.1)", "minimize l over net[0], net[2][0], net[3] with sgd(0.1)"),
        ("freeze = net\n    minimize l with sgd(0.1)", "minimize l over rest with sgd(0.1)"),
        ("freeze = [rest, net]\n    minimize l with sgd(0.1)", None),
    ],
)
def test_functions_in_a_list_have_nothing_to_train(statement: str, same: str | None) -> None:
    def carried(text: str) -> list[str]:
        after = f"\ntrain:\n    {text}\n\nfn lambda_(x: [...S]) -> [...S]:\n    return 2 * x\n"
        return sorted(train_step(program(model(STACK, "x: [B, 4]", after=after))).carried)

    if same is None:
        with pytest.raises(SpecError) as error:
            carried(statement)
        assert error.value.report.diagnostics[0].code == "AX0405"
    else:
        assert carried(statement) == carried(same)


@pytest.mark.parametrize(
    "statement", ["minimize l over [relu] with sgd(0.1)", "freeze = [relu]\n    minimize l with sgd(0.1)"]
)
def test_a_list_of_functions_alone_is_no_module(statement: str) -> None:
    assert codes(model(STACK.replace("lambda_", "relu"), "x: [B, 4]", after=f"\ntrain:\n    {statement}\n")) == [
        "AX0306"
    ]
