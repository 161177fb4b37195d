"""Recurrent layers, beside loops over examples and steps: padding is left out of them, not masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import Array, relu, sigmoid, tanh
from ..setting import Setting, family, normal
from .networks import shapes

Values = Mapping[str, Any]
Step = Callable[[Any, list[Any]], list[Any]]


def run(step: Step, x: Any, first: list[Any], steps: Any, backwards: bool = False) -> tuple[Any, list[Any]]:
    """The first state at all steps [B, T, n], and the last states [B, k]; of each example its own steps alone.

    Args:
        step: from the input of a step and the states before it to the states after it, without a batch.
        x: ``[B, T, m]``.
        first: the first states, ``[B, k]`` each.
        steps: how many steps of each example, or which ones, bool[B, T].
        backwards: from the last step to the first.
    """
    hs, last = [], []
    for e in range(x.shape[0]):
        states, made = [s[e] for s in first], [0 * first[0][e] for _ in range(x.shape[1])]
        mine = range(steps[e]) if np.ndim(steps) == 1 else np.flatnonzero(steps[e])
        for t in reversed(mine) if backwards else mine:
            states = step(x[e, t], states)
            made[t] = states[0]
        hs.append(np.stack(made))
        last.append(states)
    return np.stack(hs), [np.stack(parts) for parts in zip(*last, strict=True)]


def rnn(v: Values, path: str = "", act: Callable[[Any], Any] = tanh) -> Step:
    """RNN below a path; the order is that of its matrix."""

    def step(x: Any, past: list[Any]) -> list[Any]:
        n = past[0].shape[-1]
        a = x @ v[f"{path}W"] + v[f"{path}b"]
        for i, h in enumerate(past):
            a = a + h @ v[f"{path}U"][i * n : (i + 1) * n]
        return [act(a), *past[:-1]]

    return step


def lstm(v: Values, path: str = "", act: Callable[[Any], Any] = tanh) -> Step:
    """LSTM below a path, gate by gate, with peepholes where it has some."""

    def step(x: Any, states: list[Any]) -> list[Any]:
        h, c = states
        n = h.shape[-1]

        def gate(i: int, cell: Any = None) -> Any:
            part = slice(i * n, (i + 1) * n)
            a = x @ v[f"{path}W"][:, part] + h @ v[f"{path}U"][:, part] + v[f"{path}b"][part]
            peephole = f"{path}p{'ifo-'[i]}"
            return a + v[peephole] * cell if peephole in v else a

        c = sigmoid(gate(1, c)) * c + sigmoid(gate(0, c)) * act(gate(3))
        return [sigmoid(gate(2, c)) * act(c), c]

    return step


def gru(v: Values, path: str = "", new: bool = False, act: Callable[[Any], Any] = tanh) -> Step:
    """GRU below a path; it resets after the product where it has the bias c."""

    def step(x: Any, states: list[Any]) -> list[Any]:
        (h,) = states
        n = h.shape[-1]
        parts = [slice(i * n, (i + 1) * n) for i in range(3)]
        xr, xz, xk = (x @ v[f"{path}W"][:, p] + v[f"{path}b"][p] for p in parts)
        Ur, Uz, Uk = (v[f"{path}U"][:, p] for p in parts)
        r, z = sigmoid(xr + h @ Ur), sigmoid(xz + h @ Uz)
        k = act(xk + (r * (h @ Uk + v[f"{path}c"]) if f"{path}c" in v else (r * h) @ Uk))
        return [(1 - z) * h + z * k if new else z * h + (1 - z) * k]

    return step


def leaky(v: Values, rates: Any, scaled: bool = True) -> Step:
    """LeakyIntegrator, or a reservoir, which has no bias."""

    def step(x: Any, states: list[Any]) -> list[Any]:
        made = tanh(x @ v["W"] + states[0] @ v["U"] + v.get("b", 0))
        return [(1 - rates) * states[0] + (rates if scaled else 1) * made]

    return step


def with_output(v: Values, forced: bool = False) -> Step:
    """OutputRNN of order 2, whose states are the output, the past, and the output that is fed back."""

    def step(x: Any, states: list[Any]) -> list[Any]:
        m = v["W"].shape[0]
        x, y = (x[:m], x[m:]) if forced else (x, None)
        _, *past, fed = states
        past = rnn({**v, "b": v["b"] + fed @ v["Z"]})(x, past)
        o = sigmoid(past[0] @ v["V"] + v["c"] + (x @ v["Vx"] if "Vx" in v else 0))
        return [o, *past, y if forced else o]

    return step


CASES = 13


@family("recurrent layers", seeds=8 * CASES, sample=CASES, units=64)
def layer(rng: np.random.Generator, seed: int) -> Setting:
    """Every recurrent layer, both ways, of unequal lengths, from given states and from none; and its last states."""
    B, T, m, n = 2, int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 4))
    x, s, p, y = normal(rng, B, T, m), normal(rng, B, n), normal(rng, B, 2, n), normal(rng, B, T, 2)
    back, masked, new, before = (bool(rng.integers(0, 2)) for _ in range(4))
    steps: Array = rng.random((B, T)) < 0.7 if masked else rng.integers(0, T + 1, B)
    every = np.full(B, T)
    rates = np.resize([1.0, 0.25], n)
    way = f", backwards={str(back).lower()}"
    update, reset = "new" if new else "old", "before" if before else "after"
    none = np.zeros((B, n))

    def both(v: Values, x: Any, steps: Any) -> Any:
        ahead = run(lstm(v, "forward."), x, [none, none], steps)[0]
        return ahead, run(gru(v, "backward."), x, [none], steps, backwards=True)[0]

    def stacked(v: Values) -> Any:
        hs = run(rnn(v, "layers.0."), v["x"], [v["s"]], every)[0]
        return hs + run(gru(v, "layers.1."), hs, [none], every)[0]

    def output_net(v: Values, forced: bool = False) -> Any:
        o = np.zeros((B, 2))
        given = np.concatenate([v["x"], v["y"]], -1) if forced else v["x"]
        return run(with_output(v, forced), given, [o, v["p"][:, 0], v["p"][:, 1], o], steps)[0]

    cases: list[tuple[str, str, Callable[[Values], Any]]] = [
        (f"$m($x, $s, $k{way}).hs", f"RNN({n})", lambda v: run(rnn(v), v["x"], [v["s"]], steps, back)[0]),
        (f"$m($x, $p, lengths=$k{way}).h", f"RNN({n}, order=2)",
         lambda v: np.stack(run(rnn(v), v["x"], [v["p"][:, 0], v["p"][:, 1]], steps, back)[1], 1)),
        (f"$m($x, [$s, $s], $k{way}).hs", f"LSTM({n}, peepholes=true)",
         lambda v: run(lstm(v), v["x"], [v["s"], v["s"]], steps, back)[0]),
        (f"$m($x, lengths=$k{way}).c", f"LSTM({n})",
         lambda v: run(lstm(v), v["x"], [none, none], steps, back)[1][1]),
        ("$m($x).h", f"LSTM({n}, activation=softsign)",
         lambda v: run(lstm(v, act=lambda a: a / (1 + relu(a) + relu(-a))), v["x"], [none, none], every)[1][0]),
        (f"$m($x, $s, $k{way}).hs", f"GRU({n}, {update}, {reset})",
         lambda v: run(gru(v, new=new), v["x"], [v["s"]], steps, back)[0]),
        (f"$m($x{way}).h", f"GRU({n}, {update}, {reset})",
         lambda v: run(gru(v, new=new), v["x"], [none], every, back)[1][0]),
        ("$m($x, lengths=$k).hs", f"Bidirectional(LSTM({n}), GRU({n}))",
         lambda v: np.concatenate(both(v, v["x"], steps), -1)),
        ("$m($x, lengths=$k).hs", f"Bidirectional(LSTM({n}), GRU({n}), join=sum)",
         lambda v: sum(both(v, v["x"], steps))),
        ("$m($x, start=[$s, none]).hs", f"RecurrentStack([RNN({n}), GRU({n})], residual=true)",
         stacked if m != n else lambda v: (hs := run(rnn(v, "layers.0."), v["x"], [v["s"]], every)[0] + v["x"])
         + run(gru(v, "layers.1."), hs, [none], every)[0]),
        (f"$m($x, $s, $k{way}).hs", f"LeakyIntegrator({n}, [1.0, 0.25], scaled={str(new).lower()})",
         lambda v: run(leaky(v, rates, new), v["x"], [v["s"]], steps, back)[0]),
        (f"$m($x, $s, $k{way}).h", f"Reservoir({n}, [1.0, 0.25])",
         lambda v: run(leaky(v, rates), v["x"], [v["s"]], steps, back)[1][0]),
        ("$m($x, $p, $y, $k).os" if new else "$m($x, $p, lengths=$k).os",
         f"OutputRNN({n}, 2, output=sigmoid, feedback=true, order=2, shortcut={str(before).lower()})",
         lambda v: output_net(v, new)),
    ]  # fmt: skip
    text, module, f = cases[seed % CASES]
    inputs: dict[str, Array] = {"x": x}
    inputs |= {name: value for name, value in (("s", s), ("p", p), ("y", y)) if f"${name}" in text}
    wrt = tuple(inputs)
    sizes = shapes(module, x.shape)
    parameters = {path: normal(rng, *size, scale=size[0] ** -0.5) for path, size in sizes.items()}
    if "$k" in text:
        inputs["k"] = steps
    trained = () if module.startswith("Reservoir") else tuple(path for path in parameters if path in ("W", "U", "b"))
    return Setting(text, inputs, f, wrt + trained, module, parameters, normwise=True)
