"""``steps`` in a statement is how often that statement runs, so that its schedule ends with the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.plan import Do, Every, Plan, Repeat, runs
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source

BATCH = {"x": np.ones(4, np.float32)}
RATES = {
    "left open": "share(steps)",
    "decided by the number": "share(steps) if steps > 1 else 9.0",
}


def spec(statement: str, rate: str, more: str = "") -> Spec:
    """The gradient is 1, and so is the rate of the last step: `p` falls by the rate of every step."""
    lines = statement.replace("THIS", f"minimize l with sgd(lr={rate})").split("\n")
    text = """
schedule share(total: int)(t: i64[]) -> []:
    return min(t / total, 1.0)

fn ones_of(n: int) -> (x: [n]):
    return ones([n])

model M():
    input x: [B]
    param p: [] = 0
    loss l = p * mean(x)

train:
""" + "".join(f"    {line}\n" for line in [*lines, *more.split("\n")] if line)
    return parse_spec(Source("m.arch", text))


PLANS = {
    "THIS": 12,
    "repeat 5:\n    THIS": 60,
    "every 3:\n    THIS": 4,
    "every 5:\n    THIS": 2,
    "every 2:\n    repeat 3:\n        THIS": 18,
    "repeat 2:\n    every 3:\n        THIS": 8,
    "every 2:\n    every 3:\n        THIS": 2,
    "repeat 2:\n    repeat 2:\n        THIS": 48,
    "update p = p\nevery 4:\n    THIS": 3,
    "together:\n    THIS": 12,
}
"""Statements, and how often they run in 12 passes."""


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@pytest.mark.parametrize("statement", PLANS)
def test_the_last_step_of_a_training_has_the_last_value_of_its_schedule(statement: str, rate: str) -> None:
    count = PLANS[statement]
    trainer = archonnx.Trainer(spec(statement, rate), device="cpu", threads=1, steps=12, steps_per_epoch=4)
    for _ in range(12):
        trainer.step(BATCH)
    rates = np.arange(1, count + 1) / count
    assert float(trainer.parameters["p"]) == pytest.approx(-rates.sum(), rel=1e-5)
    before = float(trainer.parameters["p"])
    for _ in range(12):  # beyond its end the schedule holds
        trainer.step(BATCH)
    assert float(trainer.parameters["p"]) - before == pytest.approx(-count, rel=1e-5)


def test_steps_of_an_epoch_are_counted_alike() -> None:
    trainer = archonnx.Trainer(
        spec("repeat 5:\n    THIS", "float(steps_per_epoch)"), device="cpu", steps=12, steps_per_epoch=4
    )
    trainer.step(BATCH)
    assert float(trainer.parameters["p"]) == -5 * 20
    trainer = archonnx.Trainer(
        spec("every 7:\n    THIS", "float(steps_per_epoch)"), device="cpu", steps=12, steps_per_epoch=4
    )
    for _ in range(7):
        trainer.step(BATCH)
    assert float(trainer.parameters["p"]) == -1, "rounded down, but not to nothing"


def test_a_training_that_is_resumed_for_longer_holds_or_goes_by_its_new_length(tmp_path: Path) -> None:
    """8 examples in batches of 4: 2 passes an epoch, and 6 runs with `repeat 3`."""
    of = spec("repeat 3:\n    THIS", RATES["left open"], "data = generate(ones_of, n=8)\nbatch_size = 4\nepochs = 2")
    first = archonnx.train(of, tmp_path / "run", device="cpu")
    assert float(first.parameters["p"]) == pytest.approx(-sum(k / 12 for k in range(1, 13)), rel=1e-5)
    longer = archonnx.train(of, tmp_path / "longer", resume=first.path, settings={"epochs": 3}, device="cpu")
    assert float(longer.parameters["p"] - first.parameters["p"]) == pytest.approx(
        -sum(k / 18 for k in range(13, 19)), rel=1e-5
    )


def test_counting_is_that_of_a_pass_after_another() -> None:
    plan: Plan = (Do(0), Repeat(2, (Do(1), Every(3, (Do(2), Every(2, (Do(3),)))))), Every(4, (Repeat(5, (Do(4),)),)))

    def counted(plan: Plan, number: int, counts: dict[int, int]) -> None:
        for item in plan:
            match item:
                case Do(step):
                    counts[step] = counts.get(step, 0) + 1
                case Repeat(count, body):
                    for _ in range(count):
                        counted(body, number, counts)
                case Every(count, body) if number % count == 0:
                    counted(body, number, counts)

    counts: dict[int, int] = {}
    for passes in range(1, 40):
        counted(plan, passes, counts)
        assert {step: runs(plan, step, passes) for step in range(5)} == {step: counts.get(step, 0) for step in range(5)}


@pytest.mark.parametrize("name", ["steps", "steps_per_epoch"])
def test_where_the_number_is_not_known_the_way_to_say_it_is_told(name: str) -> None:
    for rate in (f"share({name})", f"share({name}) if {name} > 1 else 9.0"):
        with pytest.raises(SpecError) as caught:
            archonnx.Trainer(spec("THIS", rate), device="cpu")
        (found,) = caught.value.diagnostics
        assert found.code == "AX0623" and f"`{name}` is not known here" in found.headline
        assert f"`Trainer(..., {name}=1000)`" in str(found.help)
        assert f"`--{name.replace('_', '-')} 1000`" in str(found.help)
        archonnx.Trainer(spec("THIS", rate), device="cpu", **{name: 10})
