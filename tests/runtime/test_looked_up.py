"""Tables of which few rows are looked up change as by the gradient of all rows, which is not made: to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archonnx.compiler import blockwise
from archonnx.compiler.looked_up import looked_up
from archonnx.runtime.device import blockwise as lanes
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.step import StepRunner
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program
from tests.support.same_run import assert_equal

NET = """model Words():
    input ids: i64[B, 3]
    target y: [B, 2]
    p = ids |> Embedding(150, 4) |> flatten |> tanh |> Dense(2)
    loss objective = mse(p, y)

train:
    """
OPTIMIZERS = {
    "momentum": "sgd(lr=0.1, momentum=0.9)",
    "adam": "adam(lr=0.01)",
    "adamw": "adamw(lr=warmup_cosine(0.02, 2, steps), weight_decay=0.1)",
    "centred": "rmsprop(lr=0.01, centred=true, momentum=0.5)",
    "adadelta": "adadelta()",
    "lion": "lion(lr=0.01)",
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table counts as large; blocks of 32 elements cut it, the last one smaller."""
    monkeypatch.setattr(blockwise, "LARGE", 300)
    monkeypatch.setattr(blockwise, "WORTH", 1)
    monkeypatch.setattr(lanes, "SHORTEST", 32)
    monkeypatch.setattr(lanes, "LONGEST", 32)


def trained(how: str, rows: int = 5) -> tuple[Trainer, list[dict[str, float]]]:
    """Some steps, of which each looks up some rows more than once."""
    made = Trainer(program(f"{NET}{how}"), options=SessionOptions(device="cpu", threads=2), total=9, per_epoch=3)
    draw = np.random.default_rng(0)
    batches = [{"ids": draw.integers(0, 12, (rows, 3)), "y": draw.normal(size=(rows, 2)).astype(np.float32)}
               for _ in range(5)]  # fmt: skip
    return made, [made.step(batch) for batch in batches]


def whole(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> Any:
    """The same with two sets of all tensors."""
    with monkeypatch.context() as patch:
        patch.setattr(StepRunner, "SPARING", False)
        return work()


def gradient_is_made(made: Trainer, rows: int) -> bool:
    """Whether the rest hands over a gradient of all rows, for so many examples."""
    given = looked_up(made.runner._apart[0], {"B": rows}).given.values()
    return any(type_.static_shape == (150, 4) for type_ in given)


@pytest.mark.parametrize("how", OPTIMIZERS)
def test_rows_change_as_by_the_whole_gradient(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spelled = f"minimize objective with {OPTIMIZERS[how]}"
    made, losses = trained(spelled)
    twin, expected = whole(monkeypatch, lambda: trained(spelled))
    assert not gradient_is_made(made, 5)
    assert losses == expected
    assert_equal(made.runner.tensors(), twin.runner.tensors())


def test_many_rows_and_a_gradient_that_is_read_go_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """13 examples of three rows are more than a quarter of 150, and a norm is of all rows."""
    many = "minimize objective with adam(lr=0.01)"
    for how, rows in ((many, 13), (f"clip_norm = 0.01\n    {many}", 5)):
        made, losses = trained(how, rows)
        twin, expected = whole(monkeypatch, lambda how=how, rows=rows: trained(how, rows))
        assert gradient_is_made(made, rows)
        assert losses == expected
        assert_equal(made.runner.tensors(), twin.runner.tensors())
