"""Several train programs of a model: their order, from which parameters each starts, and what a run says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

CPU = SessionOptions(device="cpu", threads=1)
DATA = """
    data = generate(points, n=24)
    split = {train: 0.5, valid: 0.5}
    batch_size = 5
"""
TEXT = f"""model Chain():
    input x: [B, 3]
    target y: [B, 1]
    enc = Dense(4)
    head = Dense(1)
    code = enc(x)
    p = head(code)
    output line = p
    loss objective = mse(p, y)
    loss small = mean(code * code)

train shrink:{DATA}    epochs = 3
    minimize small with sgd(lr=0.1)

train other:{DATA}    epochs = 2
    minimize objective with sgd(lr=0.05)

train finish:{DATA}    epochs = 30
    start_from = shrink
    freeze = [enc]
    every 2:
        minimize objective with adam(lr=0.5)
    early_stopping = {{monitor: valid.objective, patience: 2}}

fn points(n: int) -> (x: [n, 3], y: [n, 1]):
    x: [n, 3] ~ normal(0, 1)
    return x, sum(x, axis=1, keep=true)
"""


class Names(Observer):
    """Notes which programs run."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def program(self, name: str, number: int, count: int) -> None:
        self.seen.append((name, number, count))


def test_programs_run_in_order_each_from_where_it_says() -> None:
    names, model = Names(), program(TEXT)
    shrink, other, finish = run_programs(model, Path(), options=CPU, observer=names)
    assert names.seen == [("shrink", 1, 3), ("other", 2, 3), ("finish", 3, 3)]
    assert [len(t.outcome.history) for t in (shrink, other)] == [3, 2]
    assert finish.outcome.reason == "early stopping" and finish.outcome.best == len(finish.outcome.history) - 2
    fresh = Trainer(model, options=CPU).parameters
    for path, array in shrink.trainer.parameters.items():
        moved = [not np.array_equal(fresh[path], t.trainer.parameters[path]) for t in (shrink, other, finish)]
        assert moved == [path.startswith("enc"), True, True]  # `small` does not reach the head
        assert np.array_equal(array, finish.trainer.parameters[path]) == path.startswith("enc")  # frozen


def test_one_program_alone_runs_after_those_it_starts_from() -> None:
    names, model = Names(), program(TEXT)
    alone = run_programs(model, Path(), options=CPU, only="finish", observer=names)
    assert names.seen == [("shrink", 1, 2), ("finish", 2, 2)]
    whole = run_programs(model, Path(), options=CPU)
    for path, array in whole[-1].trainer.parameters.items():
        np.testing.assert_array_equal(array, alone[-1].trainer.parameters[path])
    with pytest.raises(SpecError, match="did you mean `shrink`"):
        run_programs(model, Path(), options=CPU, only="shrnk")


def test_a_run_records_all_of_them(tmp_path: Path) -> None:
    run = archonnx.train(parse_spec(Source("chain.arch", TEXT)), tmp_path / "run", device="cpu")
    records = run.record["programs"]
    assert [record["name"] for record in records] == ["shrink", "other", "finish"]
    assert [line["program"] for line in run.history[:5]] == ["shrink"] * 3 + ["other"] * 2
    assert len(run.history) == sum(record["epochs"] for record in records)
    assert run.metrics == records[-1]["metrics"] and records[0]["metrics"] != records[-1]["metrics"]
    assert run.evaluate("valid") == pytest.approx(run.metrics["valid"])
    picture = (run.path / "curve.svg").read_text()
    assert all(f">{name}</text>" in picture for name in ("shrink", "other", "finish", "objective", "small"))


def test_starting_from_a_later_program_is_told() -> None:
    text = TEXT.replace("start_from = shrink", "start_from = finsh")
    with pytest.raises(SpecError, match="AX0709"):
        run_programs(program(text), Path(), options=CPU)
