"""Programs against loops in NumPy: who moves, when, along which gradient, at which rate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, findings, initial, model, numbers, program
from tests.support.feeding import feed_fields

CPU = SessionOptions(device="cpu", threads=1)
BODY = """
a = Dense(1, bias=false, init=start)
b = Dense(1, bias=false, init=start)
p = a(x) + b(x * x)
loss first = mse(p, y)
loss second = mean((p + 1) ** 2)
"""
START = "fn start(shape: list) -> [...shape]:\n    return 0.3\n"
Weights = dict[str, Any]


def trainer(train: str, body: str = BODY, **options: Any) -> Trainer:
    """The model with a ``train`` block of these statements."""
    after = "\ntrain:\n" + "".join(f"    {line}\n" for line in train.strip().split("\n"))
    return Trainer(program(model(body, "x: [B, 2]; y: [B, 1]", START, after)), options=CPU, **options)


def batches() -> Iterator[dict[str, Array]]:
    """Batches without end, all different, of three sizes."""
    for seed in range(10_000):
        x = numbers(4 + seed % 3, 2, seed=seed)
        yield {"x": x, "y": x[:, :1] - 2 * x[:, 1:] ** 2 + 1}


class Loop:
    """The same in NumPy: losses and gradients by hand, and optimizers with states of their own."""

    def __init__(self) -> None:
        self.w: Weights = {"a": np.full((2, 1), 0.3), "b": np.full((2, 1), 0.3)}
        self.states: dict[Any, Any] = {}

    def gradients(self, loss: str, batch: dict[str, Array]) -> Weights:
        x, y = batch["x"].astype(np.float64), batch["y"].astype(np.float64)
        p = x @ self.w["a"] + x**2 @ self.w["b"]
        d = 2 * (p - y if loss == "first" else p + 1) / len(x)
        return {"a": x.T @ d, "b": (x**2).T @ d}

    def sgd(self, g: Weights, lr: float, over: str = "ab") -> None:
        for name in over:
            self.w[name] = self.w[name] - lr * g[name]

    def adam(self, g: Weights, lr: float, statement: int, over: str = "ab") -> None:
        t = self.states[statement] = self.states.get(statement, 0) + 1
        for name in over:
            m, v = self.states.get((statement, name), (0.0, 0.0))
            m, v = 0.9 * m + 0.1 * g[name], 0.999 * v + 0.001 * g[name] ** 2
            self.states[statement, name] = m, v
            self.w[name] = self.w[name] - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    def agrees(self, ours: Trainer) -> None:
        for name, expected in self.w.items():
            np.testing.assert_allclose(ours.parameters[f"{name}.W"], expected, rtol=2e-4, atol=2e-5, err_msg=name)


# ---------------------------------------------------------------- over, together, several statements


@pytest.mark.parametrize(
    ("over", "moves"),
    [
        ("", "ab"),
        ("over a", "a"),
        ("over b", "b"),
        ("over a, b", "ab"),
        ("over [a, b]", "ab"),
        ("over self", "ab"),
        ("over a.W", "a"),
    ],
)
def test_over_says_what_moves_and_gradients_pass_through_the_rest(over: str, moves: str) -> None:
    ours, loop = trainer(f"minimize first {over} with sgd(lr=0.05)"), Loop()
    for _, batch in zip(range(4), batches(), strict=False):
        losses = ours.step(batch)
        x = batch["x"]
        p = x @ loop.w["a"] + x**2 @ loop.w["b"]
        np.testing.assert_allclose(losses["first"], ((p - batch["y"]) ** 2).mean(), rtol=1e-4)
        loop.sgd(loop.gradients("first", batch), 0.05, moves)
    loop.agrees(ours)


def test_statements_run_in_order_each_at_the_current_parameters() -> None:
    ours, loop = trainer("minimize first over a with sgd(lr=0.1)\nminimize second over b with sgd(lr=0.02)"), Loop()
    for _, batch in zip(range(4), batches(), strict=False):
        ours.step(batch)
        loop.sgd(loop.gradients("first", batch), 0.1, "a")
        loop.sgd(loop.gradients("second", batch), 0.02, "b")
    loop.agrees(ours)


def test_together_takes_all_gradients_before_any_move() -> None:
    train = "together:\n    minimize first over a with sgd(lr=0.1)\n    minimize second over b with adam(lr=0.02)"
    ours, loop = trainer(train), Loop()
    for _, batch in zip(range(4), batches(), strict=False):
        losses = ours.step(batch)
        assert set(losses) == {"first", "second"}
        first, second = loop.gradients("first", batch), loop.gradients("second", batch)
        loop.sgd(first, 0.1, "a")
        loop.adam(second, 0.02, 1, "b")
    loop.agrees(ours)


def test_optimizers_of_two_statements_keep_states_and_counts_of_their_own() -> None:
    train = "minimize first with adam(lr=0.05)\nevery 2:\n    minimize second with adam(lr=0.02)"
    ours, loop = trainer(train), Loop()
    for number, batch in zip(range(1, 6), batches(), strict=False):
        ours.step(batch)
        loop.adam(loop.gradients("first", batch), 0.05, 0)
        if number % 2 == 0:
            loop.adam(loop.gradients("second", batch), 0.02, 1)
    loop.agrees(ours)


def test_repeat_and_every_nest() -> None:
    train = "repeat 2:\n    minimize first over a with sgd(lr=0.05)\n"
    train += "    every 3:\n        minimize second over b with sgd(lr=0.02)\n"
    ours, loop = trainer(train + "minimize first over b with sgd(lr=0.01)"), Loop()
    stream, again = batches(), batches()
    for number in range(4):
        ours.step(next(stream), lambda: next(stream))
        batch = first = next(again)
        for turn in range(2):
            batch = batch if turn == 0 else next(again)
            loop.sgd(loop.gradients("first", batch), 0.05, "a")
            if (number + 1) % 3 == 0:
                loop.sgd(loop.gradients("second", batch), 0.02, "b")
        loop.sgd(loop.gradients("first", first), 0.01, "b")
    loop.agrees(ours)


@pytest.mark.parametrize("limit", [0.1, 1e3])
def test_clip_norm_scales_the_gradients_of_each_statement(limit: float) -> None:
    train = f"clip_norm = {limit}\nminimize first over a with sgd(lr=0.05)\nminimize second with sgd(lr=0.02)"
    ours, loop = trainer(train), Loop()
    for _, batch in zip(range(3), batches(), strict=False):
        ours.step(batch)
        for loss, over, lr in (("first", "a", 0.05), ("second", "ab", 0.02)):
            g = loop.gradients(loss, batch)
            norm = np.sqrt(sum((g[name] ** 2).sum() for name in over))
            loop.sgd({name: value * min(1, limit / norm) for name, value in g.items()}, lr, over)
    loop.agrees(ours)


# ---------------------------------------------------------------- update, freeze


def test_update_sets_parameters_and_modules() -> None:
    train = "minimize first over a with sgd(lr=0.1)\nupdate b = 0.5 * b + 0.5 * a\nupdate k = k + mean(x) * a.W[0, 0]"
    ours = trainer(train, BODY + "param k: [] = 1, trainable=false\n")
    loop, k = Loop(), 1.0
    for _, batch in zip(range(3), batches(), strict=False):
        ours.step(batch)
        loop.sgd(loop.gradients("first", batch), 0.1, "a")
        loop.w["b"] = 0.5 * loop.w["b"] + 0.5 * loop.w["a"]
        k += batch["x"].mean() * loop.w["a"][0, 0]
    loop.agrees(ours)
    np.testing.assert_allclose(ours.parameters["k"], k, rtol=1e-4)


def test_frozen_modules_do_not_move_and_gradients_pass_through_them() -> None:
    body = "enc = Dense(3, init=start)\nhead = Dense(1, init=start)\np = tanh(enc(x)) |> head\nloss first = mse(p, y)"
    ours = trainer("freeze = [head]\nminimize first with sgd(lr=0.1)", body)
    free = trainer("minimize first with sgd(lr=0.1)", body)
    over = trainer("minimize first over enc with sgd(lr=0.1)", body)
    for _, batch in zip(range(3), batches(), strict=False):
        for one in (ours, free, over):
            one.step(batch)
    assert np.all(ours.parameters["head.W"] == np.float32(0.3))
    assert not np.any(free.parameters["head.W"] == np.float32(0.3))
    for path in ("enc.W", "enc.b"):
        np.testing.assert_allclose(ours.parameters[path], over.parameters[path], rtol=1e-6)
        assert not np.allclose(ours.parameters[path], free.parameters[path])


def test_training_is_false_in_a_module_that_a_program_freezes() -> None:
    body = "enc = Drop()\nhead = Dense(1, init=start)\np = head(enc(x))\nloss first = mse(p, y)"
    before = START + "block Drop()(x: [B, n]) -> [B, n]:\n    param w: [n] = 1\n    return x * w |> Dropout(0.5)\n"
    (batch,) = (b for _, b in zip(range(1), batches(), strict=False))
    losses = []
    for line in ("freeze = [enc]\n    ", ""):
        after = f"\ntrain:\n    {line}minimize first with sgd(lr=0.1)\n"
        of = program(model(body, "x: [B, 2]; y: [B, 1]", before, after))
        losses.append(Trainer(of, options=CPU).step(batch)["first"])
        judged = Trainer(of, options=CPU).evaluate(batch)["first"]
    assert losses[0] == pytest.approx(judged) and losses[1] != pytest.approx(judged)


# ---------------------------------------------------------------- schedules, arguments, loops around programs


def test_schedules_see_the_number_of_steps() -> None:
    before = START + "schedule falling(total: int, epoch: int)(t: i64[]) -> []:\n"
    before += "    return 0.1 * (1 - f32(t) / total) + 0.01 * epoch\n"
    after = "\ntrain:\n    minimize first with sgd(lr=falling(steps, steps_per_epoch))\n"
    of = program(model(BODY, "x: [B, 2]; y: [B, 1]", before, after))
    ours, loop = Trainer(of, options=CPU, total=8, per_epoch=2), Loop()
    for t, batch in zip(range(1, 5), batches(), strict=False):
        ours.step(batch)
        loop.sgd(loop.gradients("first", batch), 0.1 * (1 - t / 8) + 0.02)
    loop.agrees(ours)


POINTS = """
fn points(n: int) -> (x: [n, 2], y: [n, 1]):
    x: [n, 2] ~ normal(0, 1)
    return x, sum(x, axis=1, keep=true)
"""
DATA = "data = generate(points, n=24)\n        split = {train: 0.5, valid: 0.5}\n        batch_size = 6\n"


def test_steps_count_what_a_run_will_do() -> None:
    """A rate that is 1 at the last step of the run alone: nothing moves before it."""
    before = START + POINTS + "schedule last(total: int)(t: i64[]) -> []:\n    return where(t == total, 1.0, 0.0)\n"
    train = f"\ntrain:\n    {DATA}    epochs = 3\n".replace("        ", "    ")
    of = program(model(BODY, "x: [B, 2]; y: [B, 1]", before, train + "    minimize first with sgd(lr=last(steps))\n"))
    (done,) = run_programs(of, Path(), options=CPU)
    assert not np.allclose(done.trainer.parameters["a.W"], 0.3)
    later = train + "    minimize first with sgd(lr=last(steps + 1))\n"
    of = program(model(BODY, "x: [B, 2]; y: [B, 1]", before, later))
    (done,) = run_programs(of, Path(), options=CPU)
    np.testing.assert_array_equal(done.trainer.parameters["a.W"], np.full((2, 1), 0.3, np.float32))


def test_programs_in_a_loop_run_one_after_the_other() -> None:
    """Each trains one layer, from the initial parameters: none says `start_from`."""
    body = "layers = [Dense(2, init=start) for _ in range(3)]\nh = x\nfor layer in layers:\n    h = tanh(layer(h))\n"
    body += "loss first = mse(sum(h, axis=1, keep=true), y)\n"
    after = f"\nfor k in range(3):\n    train layer:\n        {DATA}        epochs = k + 1\n"
    after += "        minimize first over layers[k] with sgd(lr=0.1)\n"
    of = program(model(body, "x: [B, 2]; y: [B, 1]", START + POINTS, after))
    assert [p.name for p in of.programs] == ["layer.0", "layer.1", "layer.2"]
    done = run_programs(of, Path(), options=CPU)
    assert [len(t.outcome.history) for t in done] == [1, 2, 3]
    before = initial(of)
    for k, one in enumerate(done):
        moved = [path for path, array in one.trainer.parameters.items() if not np.array_equal(array, before[path])]
        assert moved == [f"layers.{k}.W", f"layers.{k}.b"]


def test_a_model_argument_is_in_scope_in_its_programs() -> None:
    text = f"{START}\nmodel M(lr: float = 0.1, times: int = 2):\n    input x: [B, 2]\n    input y: [B, 1]\n"
    text += "".join(f"    {line}\n" for line in BODY.strip().split("\n"))
    text += "\ntrain:\n    repeat times:\n        minimize first with sgd(lr=lr / 2)\n"
    loop = Loop()
    (batch,) = (b for _, b in zip(range(1), batches(), strict=False))
    ours = Trainer(program(text, times=3), options=CPU)
    ours.step(batch)
    for _ in range(3):
        loop.sgd(loop.gradients("first", batch), 0.05)
    loop.agrees(ours)


# ---------------------------------------------------------------- loops and conditions inside a program


def test_a_loop_of_statements_is_unrolled_each_with_its_rate() -> None:
    train = "for rate, twice in [(0.05, true), (0.02, false)]:\n    minimize first with sgd(lr=rate)\n"
    train += "    if twice:\n        minimize second over b with sgd(lr=rate / 2)\n    else:\n"
    train += "        update a = (1 - rate) * a\n"
    ours, loop = trainer(train), Loop()
    for _, batch in zip(range(3), batches(), strict=False):
        ours.step(batch)
        loop.sgd(loop.gradients("first", batch), 0.05)
        loop.sgd(loop.gradients("second", batch), 0.025, "b")
        loop.sgd(loop.gradients("first", batch), 0.02)
        loop.w["a"] = 0.98 * loop.w["a"]
    loop.agrees(ours)


def test_loops_stand_in_repeat_and_in_together() -> None:
    """`over [a, b][k]` names a module by the loop's variable; statements of a `together` see one another's start."""
    train = "repeat 2:\n    for k in range(2):\n        every k + 1:\n"
    train += "            minimize first over [a, b][k] with sgd(lr=0.05)\n"
    train += "together:\n    for k in range(2):\n        minimize second over [a, b][k] with sgd(lr=0.01 * (k + 1))\n"
    ours, loop = trainer(train), Loop()
    stream, again = batches(), batches()
    for number in range(4):
        ours.step(next(stream), lambda: next(stream))
        batch = first = next(again)
        for turn in range(2):
            batch = batch if turn == 0 else next(again)
            loop.sgd(loop.gradients("first", batch), 0.05, "a")
            if (number + 1) % 2 == 0:
                loop.sgd(loop.gradients("first", batch), 0.05, "b")
        g = loop.gradients("second", first)
        loop.sgd(g, 0.01, "a")
        loop.sgd(g, 0.02, "b")
    loop.agrees(ours)


def test_settings_and_feeds_stand_in_conditions_and_loops() -> None:
    text = f"model M(quick: bool = true):\n    input x: [B, 2]\n    input y: [B, 1]\n{POINTS}"
    text = (
        text.replace("\nfn", "    loss first = mse(Dense(1)(x), y)\n\nfn")
        + "\ntrain:\n    data = generate(points, n=24)\n"
    )
    text += "    if quick:\n        epochs = 2\n        batch_size = all\n    else:\n        epochs = 9\n"
    text += "    for k in range(3):\n        if k == 2:\n            feed y = k * data.y\n    minimize first with sgd\n"
    of = program(text)
    (quick,), (slow,) = of.programs, program(text, quick=False).programs
    assert (quick.settings.epochs, quick.settings.batch_size) == (2, "all")
    assert (slow.settings.epochs, slow.settings.batch_size) == (9, 32)
    y = np.ones((4, 1), np.float32)
    np.testing.assert_array_equal(feed_fields(of, quick, {"x": np.ones((4, 2), np.float32), "y": y})["y"], 2 * y)


def test_each_program_of_a_loop_may_start_from_the_one_before() -> None:
    """Three short programs are one long one, where nothing is shuffled and the optimizer has no state."""
    data = DATA.replace("split = {train: 0.5, valid: 0.5}\n", "shuffle = false\n")
    after = f"\nfor k in range(3):\n    train part:\n        {data}        epochs = 2\n"
    after += "        if k > 0:\n            start_from = part[k - 1]\n        minimize first with sgd(lr=0.1)\n"
    of = program(model(BODY, "x: [B, 2]; y: [B, 1]", START + POINTS, after))
    parts = run_programs(of, Path(), options=CPU)
    long = f"\ntrain:\n        {data}        epochs = 6\n        minimize first with sgd(lr=0.1)\n"
    (whole,) = run_programs(program(model(BODY, "x: [B, 2]; y: [B, 1]", START + POINTS, long)), Path(), options=CPU)
    for path, array in whole.trainer.parameters.items():
        np.testing.assert_array_equal(array, parts[2].trainer.parameters[path])
        assert not np.array_equal(array, parts[1].trainer.parameters[path])


def test_unrolling_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    train = "for i in range(1001):\n    minimize first with sgd"
    after = "\ntrain:\n" + "".join(f"    {line}\n" for line in train.split("\n"))
    (finding,) = findings(model(BODY, "x: [B, 2]; y: [B, 1]", START, after))
    assert finding.code == "AX0215" and "1,000 statements" in finding.headline
    monkeypatch.setattr("archonnx.grammar.budget.WORK", 500_000)
    deep = "\ntrain:\n    for i in range(90000):\n        for j in range(90000):\n            epochs = 2\n"
    assert "AX0229" in codes(model(BODY, "x: [B, 2]; y: [B, 1]", START, deep))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("train", "code"),
    [
        ("minimize first over x with sgd", "AX0306"),
        ("minimize first over 3 with sgd", "AX0306"),
        ("minimize first over c with sgd", "AX0201"),
        ("minimize first over other with sgd", "AX0405"),
        ("minimize p with sgd", "AX0218"),
        ("update p = x", "AX0221"),
        ("update a = 2", "AX0306"),
        ("update a = other", "AX0304"),
        ("update a.W = zeros([3, 1])", "AX0307"),
        ("repeat 0:\n    minimize first with sgd", "AX0306"),
        ("every 1.5:\n    minimize first with sgd", "AX0306"),
        ("repeat 2:\n    epochs = 3", "AX0212"),
        ("together:\n    update a = b\n    update a = b", "AX0222"),
        ("together:\n    minimize first with sgd\n    minimize second with sgd", "AX0222"),
        ("freeze = [3]\nminimize first with sgd", "AX0306"),
        ("freeze = [a, b, other]\nminimize first with sgd", "AX0405"),
        ("freeze = [c]\nminimize first with sgd", "AX0201"),
        ("minimize first with sgd(lr=falling)", "AX0201"),
        ("for k in range(2):\n    epochs = k + 1\nminimize first with sgd", "AX0205"),
        ("for k in x:\n    minimize first with sgd", "AX0201"),
        ("for k in 3:\n    minimize first with sgd", "AX0306"),
        ("for j, k in [1, 2]:\n    minimize first with sgd", "AX0207"),
        ("if falling:\n    minimize first with sgd", "AX0201"),
        ("for k in range(2):\n    minimize first over [a][k] with sgd", "AX0312"),
        ("minimize first with sgd(lr=k)\nfor k in range(2):\n    minimize first with sgd(lr=k)", "AX0201"),
        ("repeat 2:\n    for k in range(2):\n        epochs = 3", "AX0212"),
        ("together:\n    for k in range(2):\n        update a = b", "AX0222"),
        ("start_from = part[0]\nminimize first with sgd", "AX0709"),
    ],
)
def test_refused(train: str, code: str) -> None:
    after = "\ntrain:\n" + "".join(f"    {line}\n" for line in train.split("\n"))
    body = BODY + "other = Dense(3, bias=false)\nz = other(x)\n"
    assert codes(model(body, "x: [B, 2]; y: [B, 1]", START, after)) == [code]


def test_two_minimizes_that_fight_in_a_together_are_both_shown() -> None:
    train = "\ntrain:\n    together:\n"
    train += "        minimize first over a with sgd\n        minimize second over a, b with sgd\n"
    (finding,) = findings(model(BODY, "x: [B, 2]; y: [B, 1]", START, train))
    assert finding.code == "AX0222" and len(finding.labels) == 2 and "over" in (finding.help or "")


def test_a_together_may_unroll_to_nothing() -> None:
    train = "\ntrain:\n    together:\n        for k in range(0):\n            minimize first with sgd\n"
    of = program(model(BODY, "x: [B, 2]; y: [B, 1]", START, train + "    minimize second with sgd\n"))
    (only,) = of.programs
    assert len(only.plan) == 1 and only.steps is not None and len(only.steps) == 1


@pytest.mark.parametrize("freeze", ["freeze = [a]\n    freeze = [b]", "for k in range(2):\n        freeze = [a, b][k]"])
def test_freeze_is_set_once(freeze: str) -> None:
    train = f"\ntrain:\n    {freeze}\n    minimize second with sgd\n"
    assert codes(model(BODY, "x: [B, 2]; y: [B, 1]", START, train)) == ["AX0205"]


@pytest.mark.parametrize(("one", "other", "code"), [("a", "a", ["AX0205"]), ("", "", ["AX0205"]), ("a", "b", [])])
def test_programs_of_a_loop_have_names_of_their_own(one: str, other: str, code: list[str]) -> None:
    loop = f"\nfor k in range(2):\n    train {one}:\n        minimize first with sgd\n"
    after = f"{loop}\ntrain {other}:\n    minimize first with sgd\n    minimize second with sgd\n"
    assert codes(model(BODY, "x: [B, 2]; y: [B, 1]", START, after)) == code
