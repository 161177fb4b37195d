"""LSTM and GRU: their conventions, what they become at fixed gates, and what they learn that a plain net does not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from statistics import fmean
from typing import Any

import numpy as np

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import Array, numbers, outputs_of, spec
from ..training import SEEDS, model_of

ROW = Row("3.2", "Gated units: LSTM and GRU", "003 8.7 to 8.9, 15.9; 004 11", ("adding",))
X = numbers(2, 12, 3)


def _same(text: str, parameters: Mapping[str, Any], limit: float = 0.0) -> Measured:
    """The largest difference of the outputs `a` and `b`, states that are not all alike."""
    found = outputs_of(text, "x: [B, T, 3]", parameters, x=X)
    gap = float(np.abs(found["a"] - found["b"]).max())
    return Measured(f"off by {gap:.0e}", gap <= limit and float(found["a"].std()) > 0.1)


def _weights(m: int, n: int, gates: int, of: str) -> dict[str, Array]:
    return {f"{of}.W": numbers(m, gates * n), f"{of}.U": 0.5 * numbers(n, gates * n, seed=1),
            f"{of}.b": numbers(gates * n, seed=2)}  # fmt: skip


@ROW.fact("an LSTM whose peepholes are 0 is one without peepholes, to the last bit")
def peepholes() -> Measured:
    """In f64, as all of these."""
    text = "f = LSTM(4, peepholes=true)\ng = LSTM(4)\noutput a = f(x).hs\noutput b = g(x).hs"
    return _same(text, _weights(3, 4, 4, "f") | _weights(3, 4, 4, "g"))


@ROW.fact(
    "GRU: z as the share of the new state (004) is z as that of the old one (003) with the weights of z negated, "
    "within 1e-14, for a reset before the product and after it"
)
def conventions() -> Measured:
    """1 - sigmoid(a) = sigmoid(-a)."""
    found = []
    for reset in ("before", "after"):
        text = f"f = GRU(4, old, {reset})\ng = GRU(4, new, {reset})\noutput a = f(x).hs\noutput b = g(x).hs"
        turned = _weights(3, 4, 3, "g")
        for value in turned.values():
            value[..., 4:8] *= -1
        found.append(_same(text, _weights(3, 4, 3, "f") | turned, 1e-14))
    return Measured("; ".join(one.value for one in found), all(one.holds for one in found))


OPEN, CLOSED = 1000.0, -1000.0
"""What a gate adds to be 1, or 0, in any float."""


def _gated(n: int, z: float, times: float, plain: Mapping[str, Array]) -> dict[str, Array]:
    """Parameters of a GRU with r = 1, with the same z at each step, and a multiple of a plain net's weights."""
    made = {name: np.concatenate([np.zeros((*w.shape[:-1], 2 * n)), times * w], -1) for name, w in plain.items()}
    made["b"][:n] = OPEN
    made["b"][n : 2 * n] = CLOSED if z == 0 else np.log(z / (1 - z))
    return {f"g.{name}": value for name, value in made.items()}


def _leaky(question: int, rate: float) -> Measured:
    """h(t) = (1 - a) h(t - 1) + relu(...) is z h(t - 1) + (1 - z) relu(...) with z = 1 - a and weights divided by a."""
    text = f"""
f = LeakyIntegrator(4, {rate}, scaled=false, activation=relu)
g = GRU(4, activation=relu, reset=before)
output a = f(x).hs
output b = g(x).hs"""
    plain = {"W": 0.3 * numbers(3, 4), "U": 0.1 * numbers(4, 4, seed=1), "b": 0.1 * numbers(4, seed=2)}
    parameters = {f"f.{name}": value for name, value in plain.items()} | _gated(4, 1 - rate, 1 / rate, plain)
    return _same(text, parameters, 1e-13)


for question, rate, printed in ((7, 0.5, ""), (8, 0.1, " (printed: no GRU is)"), (9, 0.2, "")):
    ROW.fact(
        f"exercise 003 15.9.{question}{printed}: a leaky integrator with relu and a = {rate} is a GRU with z = "
        f"{1 - rate:g}, r = 1 and weights times {1 / rate:g}, within 1e-13"
    )(partial(_leaky, question, rate))


@ROW.fact("exercise 003 15.9.10: with z = 0 and r = 1 a GRU is a plain recurrent net, within 1e-14")
def plain() -> Measured:
    """The gates are 0 and 1 in floats too."""
    text = "f = RNN(4)\ng = GRU(4, reset=before)\noutput a = f(x).hs\noutput b = g(x).hs"
    weights = _weights(3, 4, 1, "f")
    return _same(text, weights | _gated(4, 0, 1, {name[2:]: value for name, value in weights.items()}), 1e-14)


@ROW.fact(
    "an LSTM whose forget gate is open and whose input gate is shut keeps its cell for 1000 steps, and its slope 1"
)
def carousel() -> Measured:
    """dc(T)/dc(0) is the product of the forget gates: the constant error of Hochreiter and Schmidhuber."""
    text = """
f = LSTM(4)
c = f(x, start=[zeros([2, 4]), x[:, 0]]).c
output kept = c - x[:, 0]
output slope = grad(sum(c), x)[:, 0]"""
    parameters = _weights(4, 4, 4, "f")
    parameters |= {"f.W": np.zeros((4, 16)), "f.U": np.zeros((4, 16))}
    parameters["f.b"] = np.repeat([CLOSED, OPEN, 0.0, 0.0], 4)
    found = outputs_of(text, "x: [2, T, 4]", parameters, x=numbers(2, 1000, 4))
    off = max(float(np.abs(found["kept"]).max()), float(np.abs(found["slope"] - 1).max()))
    return Measured(f"off by {off:g}", off == 0)


@ROW.fact("a GRU has 3/4 of the parameters of an LSTM of the same width, if its reset comes before the product")
def sizes() -> Measured:
    """For 8 inputs and 16 units; after the product it has a bias more."""
    counts = []
    for made in ("GRU(16, reset=before)", "LSTM(16)", "GRU(16)"):
        counts.append(model_of(f"model M():\n    input x: [B, T, 8]\n    output y = {made}(x).h\n").parameter_count)
    return Measured(", ".join(map(str, counts)), 4 * counts[0] == 3 * counts[1] and counts[2] == counts[0] + 16)


def _marked(rng: np.random.Generator, n: int, steps: int = 100) -> dict[str, Any]:
    """As `marked` of the spec draws them."""
    values, marks = rng.random((n, steps)), np.zeros((n, steps))
    marks[np.arange(n), rng.integers(0, steps // 2, n)] = 1
    marks[np.arange(n), rng.integers(steps // 2, steps, n)] = 1
    x = np.stack([values, marks], -1).astype(np.float32)
    return {"x": x, "y": (values * marks).sum(1).astype(np.float32)}


@cache
def adding(layer: str, seed: int, steps: int, enough: float) -> tuple[int, float]:
    """After how many steps of 32 fresh examples the error on 1,000 others is small enough, and the error then."""
    options = SessionOptions("cpu")
    trainer = Trainer(spec("adding", layer=layer), options=options, batch_size=32, seed=seed)
    rng, held = np.random.default_rng(seed), _marked(np.random.default_rng(1000), 1000)
    error = 1.0
    for step in range(1, steps + 1):
        trainer.step(_marked(rng, 32))
        if step % 250 == 0:
            error = float(np.square(trainer.predict({"x": held["x"]})["total"] - held["y"]).mean())
            if error < enough:
                return step, error
    return steps, error


ENOUGH, GUESSING = 0.01, 0.12
"""Errors of a net that has learned to add, and of one that has hardly begun: whoever says 1 has 1/6."""


def _learns(layer: str) -> Measured:
    found = [adding(layer, seed, 4000, ENOUGH) for seed in SEEDS]
    shown = ", ".join(f"{error:.4f} at {steps}" for steps, error in found)
    return Measured(shown, all(error < ENOUGH for _, error in found))


for name in ("gru", "lstm"):
    ROW.fact(
        f"the adding problem, 100 steps, batches of 32, 64 units: {name.upper()} is below 0.01 within 4,000 steps, for "
        "each of three seeds",
        slow=True,
    )(partial(_learns, name))


@ROW.fact("a plain recurrent net of 64 units is above 0.12 there after 6,000 steps, for each of three seeds", slow=True)
def fails() -> Measured:
    """It is not far from what guessing has, 1/6."""
    found = [adding("rnn", seed, 6000, 0.0)[1] for seed in SEEDS]
    return Measured(", ".join(f"{error:.3f}" for error in found), min(found) > GUESSING)


@ROW.fact(
    "an LSTM that has one gate always open, be it that of forgetting, of input or of output, does not learn it within "
    "4,000 steps (above 0.12); the notes say it of the forget gate (003 15.9.11)",
    slow=True,
)
def left_out() -> Measured:
    """One seed each. So no gate matters more than the others here."""
    found = {name: adding(f"no_{name}", 0, 4000, ENOUGH)[1] for name in ("forget", "input", "output")}
    return Measured(", ".join(f"{name} {error:.3f}" for name, error in found.items()), min(found.values()) > GUESSING)


CHANGES = ("lstm", "no_forget", "no_input", "no_output")


def _restarting(rng: np.random.Generator, n: int, steps: int = 60) -> dict[str, Any]:
    """Numbers beside marks, one in ten, and the sum of the numbers since the last mark."""
    values, marks = rng.random((n, steps)) / 2, rng.random((n, steps)) < 0.1
    last = np.where(marks, np.arange(steps), 0).max(1, keepdims=True)
    total = (values * (np.arange(steps) >= last)).sum(1)
    return {"x": np.stack([values, marks], -1).astype(np.float32), "y": total.astype(np.float32)}


def _restarts(layer: str, seed: int, steps: int = 1000) -> float:
    """The squared error on 1,000 sequences after so many batches of 32."""
    trainer = Trainer(spec("adding", layer=layer, n=8), options=SessionOptions("cpu"), batch_size=32, seed=seed)
    rng, held = np.random.default_rng(seed), _restarting(np.random.default_rng(1000), 1000)
    for _ in range(steps):
        trainer.step(_restarting(rng, 32))
    return float(np.square(trainer.predict({"x": held["x"]})["total"] - held["y"]).mean())


@ROW.fact(
    "where a sum begins anew at marks the forget gate matters most (003 15.9.11): without it an LSTM of 8 units has "
    "more than 1.5 times the error of each with another gate left out, and of the whole one; means of three seeds",
    slow=True,
)
def forgets() -> Measured:
    """60 steps, 1,000 batches."""
    found = {layer: fmean(_restarts(layer, seed) for seed in SEEDS) for layer in CHANGES}
    others = max(error for layer, error in found.items() if layer != "no_forget")
    shown = ", ".join(f"{layer.replace('_', ' ')} {error:.3f}" for layer, error in found.items())
    return Measured(shown, found["no_forget"] > 1.5 * others)
