"""`repeat N while CONDITION` in a program: as many turns as a closed form says, and the same ones after an interrupt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.compiler.plan import Repeat, own_lengths
from archonnx.compiler.program import CONDITION
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.format import format_file
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from archonnx.grammar.yaml import parse_yaml, to_yaml
from archonnx.runtime.training.observing import Observer

SPEC = """\
fn points(n: int) -> (x: [n, 2]):
    x: [n, 2] ~ normal(0, 1)
    return x

model Quadratic(start: float = 5.0):
    input x: [B, 2]
    param w: [] = start
    buffer turns: [] = 0
    output y = w + 0 * x
    loss far = 0.5 * w * w + 0 * mean(x)
    loss noisy = 0.5 * w * w + 0 * mean(x) + 0 * mean(Dropout(0.5)(x))

train:
    data = generate(points, n=8)
    batch_size = 4
{train}
"""
COUNTED = """\
    epochs = 1
    repeat {count} while {condition}:
        minimize far with sgd(lr=0.1)
        update turns = turns + 1"""


def spec(train: str, **arguments: Any) -> Any:
    return parse_spec(Source("q.arch", SPEC.format(train=train)), **arguments)


def trained(train: str, **options: Any) -> Any:
    return archonnx.train(spec(train), device="cpu", threads=1, **options)


def turns(start: float, bound: float, most: int) -> int:
    """Descent at the rate 0.1 leaves 0.9 of w, so 0.5 w^2 falls by 0.81 with each turn; there are two passes."""
    left = np.log(bound / (0.5 * start**2)) / np.log(0.81)
    return min(max(int(np.ceil(left)), 0), 2 * most)


@pytest.mark.parametrize(("bound", "most"), [(0.5, 100), (0.5, 7), (1e-3, 100), (20.0, 100), (12.4, 3)])
def test_descent_on_a_quadratic_takes_the_turns_of_the_closed_form(bound: float, most: int) -> None:
    run = trained(COUNTED.format(count=most, condition=f"far > {bound}"))
    assert run.parameters["turns"] == turns(5.0, bound, most)
    np.testing.assert_allclose(run.parameters["w"], 5.0 * 0.9 ** turns(5.0, bound, most), rtol=1e-5)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("turns < 3", 3),  # a buffer
        ("abs(w) > 4", 3),  # a parameter: 5, 4.5, 4.05, 3.645
        ("norm(grad(far, w)) > 4 and turns < 2", 2),  # a gradient, and a buffer
        ("w / 0 < 0", 0),
        ("(far - far) / (far - far) > 0", 0),  # NaN is not larger
        ("not (far < 0.5)", 16),
    ],
)
def test_a_condition_is_any_bool_of_the_model(condition: str, expected: int) -> None:
    assert trained(COUNTED.format(count=50, condition=condition)).parameters["turns"] == expected


def test_what_no_turn_was_for_leaves_no_figure() -> None:
    """The losses of an epoch are over the passes in which they were met, as with `every`."""
    run = trained(COUNTED.format(count=5, condition="far > 1000").replace("epochs = 1", "epochs = 2"))
    assert run.parameters["turns"] == 0 and [line["train"] for line in run.history] == [{}, {}]
    assert run.metrics["train"]["far"] == pytest.approx(12.5)


def test_a_condition_sees_the_batch_of_its_turn() -> None:
    """Turns after the first have fresh batches; the one whose batch says no is not run."""
    text = """\
fn numbers(n: int) -> (x: [n]):
    return float(arange(n))

model Sum():
    input x: [B]
    param w: [] = 0.0
    buffer total: [] = 0
    loss objective = w + mean(x)

train:
    data = generate(numbers, n=6)
    batch_size = 1
    shuffle = false
    epochs = 1
    every 3:
        repeat 10 while x[0] < 4 or total > 3:
            minimize objective with sgd(lr=0.0)
            update total = total + x[0]
"""
    run = archonnx.train(parse_spec(Source("s.arch", text)), device="cpu")
    # On passes 3 and 6 (x = 2 and 5): 2, then fresh 0 1 2 3; 4 > 3 by then, so all turns go on: 10 turns
    first = 2 + sum([0, 1, 2, 3, 4, 5, 0, 1, 2])
    second = 5 + sum([3, 4, 5, 0, 1, 2, 3, 4, 5])
    assert run.parameters["total"] == first + second


def test_a_condition_draws_what_the_next_statement_draws_and_uses_no_draw_up() -> None:
    """So asking changes nothing of what is computed: weights are those of a `repeat` without it, to the bit."""
    body = "\n        minimize noisy with adam(0.1)\n    minimize noisy with sgd(0.1)\n    epochs = 3"
    one = trained("    repeat 3 while noisy > -1:" + body)
    other = trained("    repeat 3:" + body)
    assert one.parameters["w"] == other.parameters["w"] and one.metrics == other.metrics


class Stop(Observer):
    """Interrupts after a pass."""

    def __init__(self, epoch: int, step: int) -> None:
        self._where = epoch, step

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (epoch, step) == self._where:
            raise KeyboardInterrupt


GAN = """\
fn ring(n: int) -> (x: [n, 2]):
    angle: [n] ~ uniform(0, 2 * pi)
    return stack([cos(angle), sin(angle)], axis=-1)

model GAN():
    input x: [B, 2]
    generator = MLP([8, 2])
    critic = MLP([8, 1])
    buffer turns: [] = 0
    z: [B, 2] ~ normal(0, 1)
    fake = generator(z)
    loss critic_loss = bce_logits(critic(x), ones([B, 1])) + bce_logits(critic(stop_gradient(fake)), zeros([B, 1]))
    loss generator_loss = bce_logits(critic(fake), ones([B, 1]))

train:
    data = generate(ring, n=80)
    batch_size = 16
    epochs = 3
    repeat 20 while critic_loss > 1.0:
        together:
            minimize critic_loss over critic with adam(0.02)
            update turns = turns + 1
    minimize generator_loss over generator with adam(0.01)
"""


def test_a_critic_is_trained_until_it_is_good_and_a_resumed_training_takes_the_same_turns(tmp_path: Path) -> None:
    def train(**options: Any) -> Any:
        return archonnx.train(parse_spec(Source("gan.arch", GAN)), device="cpu", threads=1, **options)

    whole = train()
    assert 15 < whole.parameters["turns"] < 300  # more than none, fewer than all: 15 passes of at most 20 turns
    for number, where in enumerate([(1, 2), (2, 5), (3, 3)]):
        train(out=tmp_path / str(number), observer=Stop(*where))
        resumed = train(resume=tmp_path / str(number))
        for path, array in whole.parameters.items():
            np.testing.assert_array_equal(array, resumed.parameters[path])
        assert [line["train"] for line in whole.history] == [line["train"] for line in resumed.history]


def test_by_hand_it_is_the_same() -> None:
    trainer = archonnx.Trainer(spec(COUNTED.format(count=100, condition="far > 0.5")), device="cpu")
    trainer.step({"x": np.zeros((4, 2), np.float32)})
    assert trainer.parameters["turns"] == 16
    before = trainer.runner.executed
    assert trainer.step({"x": np.zeros((4, 2), np.float32)}) == {} and trainer.runner.executed == before
    trainer.learning_rate = 0.5
    trainer.parameters["w"] = np.float32(5)
    trainer.step({"x": np.zeros((4, 2), np.float32)})
    assert trainer.parameters["turns"] == 16 + 3  # 12.5, 3.1, 0.78, 0.2


def test_the_plan_names_its_condition_which_is_a_graph_that_changes_nothing() -> None:
    model = elaborate(spec(COUNTED.format(count=9, condition="far > 0.5")))
    (program,) = model.programs
    assert isinstance(repeat := program.plan[0], Repeat) and repeat.count == 9 and repeat.condition == 0
    asked, *others = train_steps(model, program)
    assert asked.asks and not asked.carried and not asked.losses and list(asked.graph.outputs) == [CONDITION]
    assert [step.asks for step in others] == [False, False]
    assert own_lengths(program.plan, 1, 4, 2) == (36, 18)  # so many at most


def test_all_spellings_are_the_same_tree() -> None:
    file = spec(COUNTED.format(count=9, condition="far > 0.5 and turns < 3")).file
    written = format_file(spec(COUNTED.format(count=9, condition="far > 0.5 and turns < 3")).source)
    assert "    repeat 9 while far > 0.5 and turns < 3:\n" in written and parse(Source("a.arch", written)) == file
    assert parse_yaml(Source("a.yaml", to_yaml(file))) == file


MISTAKES = {
    "a number": ("far", "AX0306"),
    "a static": ("true", "AX0306"),
    "what is known before": ("start > 3", "AX0306"),
    "one for each row": ("x[:, 0] > 0", "AX0306"),
    "an unknown name": ("fra > 0.5", "AX0201"),
    "other sizes": ("mean(x @ x) > 0", "AX0305"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_at_the_condition(name: str) -> None:
    condition, expected = MISTAKES[name]
    with pytest.raises(SpecError) as error:
        elaborate(spec(COUNTED.format(count=3, condition=condition)))
    found = error.value.report.diagnostics[0]
    assert (
        found.code == expected and found.span is not None and found.span.source.line_column(found.span.start)[0] == 17
    )
