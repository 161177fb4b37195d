"""Recurrent layers of the library: what is true of them at any weights, and what they refuse.

Their values and gradients are compared with loops in NumPy at random settings by a family of the parity suite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.ir.walk import walk
from archonnx.compiler.program import ModelProgram
from tests.support.elaborated import (
    findings,
    initial,
    loss_and_gradients,
    model,
    output,
    outputs,
    program,
    run_steps,
    train_step,
)

LAYERS = {
    "RNN(3)": 1,
    "RNN(3, order=2)": 1,
    "LSTM(3)": 2,
    "LSTM(3, peepholes=true)": 2,
    "GRU(3)": 1,
    "GRU(3, reset=before, update=new)": 1,
    "LeakyIntegrator(3, 0.3)": 1,
    "Reservoir(3, density=0.9)": 1,
}
"""Layers, and how many states each gives."""
BOTH = [*LAYERS, "Bidirectional(LSTM(3), GRU(2))", "RecurrentStack([GRU(3), LSTM(3)], residual=true)"]
X = np.random.default_rng(0).normal(size=(2, 6, 2))
LENGTHS = np.array([4, 6])


def layer(made: str, body: str, inputs: str = "x: [B, T, 2]; n: i64[B]") -> ModelProgram:
    """A model of a layer ``f``, in float64."""
    return program(model(f"f = {made}\n{body}", inputs), float_type=DType.f64)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("made", BOTH)
def test_padding_changes_nothing(made: str) -> None:
    """An example of 4 steps alone, and in a batch with 2 steps of padding, whatever stands there; which is 0 after it."""
    of = layer(made, "r = f(x, lengths=n)\noutput hs = r.hs\noutput h = r.h")
    padded = outputs(of, x=X, n=LENGTHS)
    alone = outputs(of, x=X[:1, :4], n=LENGTHS[:1])
    other = outputs(of, x=np.where(np.arange(6)[None, :, None] < LENGTHS[:, None, None], X, 1e6), n=LENGTHS)
    close(padded["hs"][0, :4], alone["hs"][0])
    close(padded["h"][0], alone["h"][0])
    for name in padded:
        close(other[name], padded[name])
    if "residual" not in made:
        assert not padded["hs"][0, 4:].any()
    assert padded["hs"][1].all()


@pytest.mark.parametrize("made", BOTH)
def test_a_mask_is_lengths_where_it_is_full_first(made: str) -> None:
    of = layer(
        made, "output hs = f(x, lengths=n).hs - f(x, lengths=mask).hs", "x: [B, T, 2]; n: i64[B]; mask: bool[B, T]"
    )
    assert not output(of, x=X, n=LENGTHS, mask=np.arange(6) < LENGTHS[:, None]).any()


@pytest.mark.parametrize("made", LAYERS)
def test_backwards_is_the_sequence_turned_round(made: str) -> None:
    of = layer(
        made,
        "a = f(x, backwards=true)\nb = f(flip(x, axis=1))\noutput hs = a.hs - flip(b.hs, axis=1)\noutput h = a.h - b.h",
        "x: [B, T, 2]",
    )
    for difference in outputs(of, x=X).values():
        close(difference, 0 * difference)


@pytest.mark.parametrize("made", LAYERS)
def test_a_sequence_may_be_run_in_two_parts(made: str) -> None:
    """The second part starts from the last states of the first."""
    start = "[a.h, a.c]" if LAYERS[made] == 2 else "a.h"
    of = layer(
        made, f"a = f(x[:, :4])\nb = f(x[:, 4:], start={start})\noutput y = f(x).hs - concat([a.hs, b.hs], axis=1)",
        "x: [B, 6, 2]",
    )  # fmt: skip
    difference = output(of, x=X)
    close(difference, 0 * difference)


@pytest.mark.parametrize("made", LAYERS)
def test_the_last_state_is_that_of_the_last_step(made: str) -> None:
    of = layer(made, "a = f(x)\noutput hs = a.hs\noutput h = a.h", "x: [B, T, 2]")
    found = outputs(of, x=X)
    close(found["h"][:, 0] if "order" in made else found["h"], found["hs"][:, -1])


def test_the_forget_gate_starts_open() -> None:
    parameters = initial(layer("LSTM(3, forget_bias=2.0)", "output h = f(x).h", "x: [B, T, 2]"))
    np.testing.assert_array_equal(parameters["f.b"], [0] * 3 + [2] * 3 + [0] * 6)


def test_what_a_reservoir_is_made_of_stays() -> None:
    of = layer("Reservoir(40, [1.0, 0.2], spectral_radius=0.8, density=0.2)", "output h = f(x).h", "x: [B, T, 2]")
    assert not any(parameter.trainable for parameter in of.parameters.values())
    U = initial(of)["f.U"]
    assert 0.12 < (U != 0).mean() < 0.28
    assert abs(np.abs(np.linalg.eigvals(U)).max() - 0.8) < 0.02


def test_what_each_layer_of_a_stack_gives_starts_it_again() -> None:
    of = layer(
        "RecurrentStack([LSTM(3), GRU(2)])",
        "a = f(x[:, :4])\nb = f(x[:, 4:], start=[[a.each[0].h, a.each[0].c], a.each[1].h])\noutput y = f(x).h - b.h",
        "x: [B, 6, 2]",
    )
    close(output(of, x=X), np.zeros((2, 2)))


@pytest.mark.parametrize(("layers", "dropped"), [("GRU(3)", 0), ("GRU(3), GRU(3)", 1), ("GRU(3), LSTM(3), GRU(2)", 2)])
def test_dropout_is_between_the_layers_alone(layers: str, dropped: int) -> None:
    text = model(f"loss l = mean(RecurrentStack([{layers}], dropout=0.5)(x).hs ** 2)", "x: [B, 4, 2]")
    graph = train_step(program(f"{text}\ntrain:\n    minimize l with sgd(0.1)\n")).graph
    draws = {node.op for node, _ in walk(graph) if Trait.RANDOM in node.op.traits}
    assert len(draws) == dropped


def rnn(of: ModelProgram, x: Array, forced: Array | None = None) -> Array:
    """OutputRNN with a short-cut and feedback, as 003 8.5 writes it."""
    p = {path.removeprefix("f."): value for path, value in initial(of).items()}
    h, o, os = np.zeros((2, 3)), np.zeros((2, 1)), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ p["W"] + h @ p["U"] + o @ p["Z"] + p["b"])
        os.append(h @ p["V"] + x[:, t] @ p["Vx"] + p["c"])
        o = os[-1] if forced is None else forced[:, t]
    return np.stack(os, 1)


def test_outputs_or_targets_are_fed_back() -> None:
    of = layer(
        "OutputRNN(3, 1, shortcut=true, feedback=true)",
        "output free = f(x).os\noutput forced = f(x, targets=y).os",
        "x: [B, T, 2]; y: [B, T, 1]",
    )
    y = np.random.default_rng(1).normal(size=(2, 6, 1))
    found = outputs(of, x=X, y=y)
    close(found["free"], rnn(of, X))
    close(found["forced"], rnn(of, X, y))


OUTPUT = "OutputRNN(3, 1, shortcut=true, feedback=true, order=2)"
TRAINED = {
    **{f"f = {made}": "f(x, lengths=n).hs" for made in BOTH if "Reservoir" not in made},
    f"f = {OUTPUT}": "f(x, targets=x[..., :1], lengths=n).os",
    f"f  = {OUTPUT}": "f(x).os",
    f"f = {OUTPUT}\nother = f(x).os": "f(x, targets=x[..., :1]).hs + mean(other)",
}


@pytest.mark.parametrize("made", TRAINED)
def test_a_step_of_training_goes_down_the_gradient(made: str) -> None:
    """The step is differentiated after passes that take scans apart, and the gradient alone before them."""
    of = program(
        model(f"{made}\ny = {TRAINED[made]}\nloss l = sum(y * y)", "x: [B, T, 2]; n: i64[B]")
        + "train:\n    minimize l with sgd(lr=1.0)\n",
        float_type=DType.f64,
    )
    step, given = train_step(of), {**initial(of), "x": X, "n": LENGTHS}
    verify(step.graph)
    slopes = loss_and_gradients(of, "l", given)
    assert all(slope.any() for slope in slopes.values())
    (after,) = run_steps(step, initial(of), {"x": X, "n": LENGTHS}, 1)
    for path, slope in slopes.items():
        np.testing.assert_allclose(given[path] - after[path], slope, rtol=1e-9, atol=1e-12)


WRONG = {
    "f = RNN(3)\noutput y = f(x, start=zeros([5, 3])).h": "`start` is one state, [4, 3]: it is [5, 3]",
    "f = RNN(3)\noutput y = f(x, start=zeros([2])).h": "`start` is one state, [batch, 3]: it has 1 axes",
    "f = GRU(3)\noutput y = f(x, start=[x[:, 0]]).h": "`start` is one state, a tensor [batch, 3]",
    "f = RNN(3, order=2)\noutput y = f(x, start=zeros([4, 3])).h": "`start` is 2 states, [batch, 2, 3]: it has 2 axes",
    "f = RNN(3, order=0)\noutput y = f(x).h": "a state depends on one before it, or more: the order is 0",
    "f = LSTM(3)\noutput y = f(x, start=zeros([4, 3])).h": "an LSTM starts from two states: `start=[h, c]`",
    "f = LSTM(3)\noutput y = f(x, start=[zeros([4, 3])]).h": "`start` is 2 states, not 1",
    "f = GRU(3)\noutput y = f(x, lengths=i64(zeros([5]))).h": "there are 4 sequences, and lengths of 5",
    "f = GRU(3)\noutput y = f(x, lengths=ones([4, 7]) > 0).h": "there are 6 steps, and a mask of 7",
    "f = GRU(3)\noutput y = f(x, lengths=x).h": "lengths are i64[B] or a mask bool[B, T]: these have 3 axes",
    "f = OutputRNN(3, 1)\noutput y = f(x, targets=zeros([4, 6, 1])).os": (
        "targets are forced on a net that sees its outputs: `feedback=true`"
    ),
    "f = OutputRNN(3, 1, feedback=true)\noutput y = f(x, targets=zeros([4, 6, 2])).os": (
        "targets are as many numbers as outputs, 1: these are 2"
    ),
    "f = Bidirectional(RNN(2), RNN(3), join=sum)\noutput y = f(x).h": "states of 2 and 3 numbers are not added",
    "f = RecurrentStack([])\noutput y = f(x).h": "a stack has layers",
    "f = RecurrentStack([RNN(2)], dropout=0.1)\noutput y = f(x, start=[none, none]).h": (
        "1 layers start from as many states, not 2"
    ),
    "f = Reservoir(3, [])\noutput y = f(x).h": "a list of rates has at least one",
}


@pytest.mark.parametrize("body", WRONG)
def test_mistakes_are_said_in_their_own_words(body: str) -> None:
    """They come first; what follows of them may be said as well."""
    found = findings(model(body, "x: [4, 6, 2]"))
    assert found[0].code == "AX0319" and WRONG[body] in found[0].headline, [one.headline for one in found]
    assert len(found) <= 2
