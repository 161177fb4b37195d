"""Large tensors change in blocks: to the bit as whole ones do, whole or not at all, in memory for one set of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler import blockwise
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.written_over import in_place
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device import blockwise as lanes
from archonnx.runtime.device import step
from archonnx.runtime.device.session import Session, SessionOptions
from archonnx.runtime.device.step import StepRunner
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program
from tests.support.same_run import assert_equal

CPU = SessionOptions(device="cpu", threads=2)
NET = """model Net():
    input x: [B, 6]
    target y: [B, 1]
    param shadow: [50, 7] = 0, trainable=false
    first, second, last = Dense(50), KEEP(Dense(7)), Dense(1)
    p = x |> first |> tanh |> second |> tanh |> last
    loss objective = mse(p, y)
    loss size = mean(first.W * first.W)

fn points(n: int) -> (x: [n, 6], y: [n, 1]):
    x: [n, 6] ~ normal(0, 1)
    return x, sum(x * x, axis=1, keep=true)

train:
    data = generate(points, n=24)
    epochs = 3
    batch_size = 8
    """
ADAM = "minimize objective with adam(lr=0.01)"
PROGRAMS = {
    "momentum": "minimize objective with sgd(lr=0.1, momentum=0.9, nesterov=true)",
    "adam": ADAM,
    "amsgrad": "minimize objective with adam(lr=warmup_cosine(0.02, 2, steps), amsgrad=true)",
    "adamw": "minimize objective with adamw(lr=0.01, weight_decay=0.1)",
    "adagrad": "minimize objective with adagrad(lr=0.01)",
    "centred": "minimize objective with rmsprop(lr=0.01, centred=true, momentum=0.5)",
    "adadelta": "minimize objective with adadelta()",
    "lion": "minimize objective with lion(lr=0.01)",
    "clipped": f"clip_norm = 0.5\n    clip_value = 0.3\n    {ADAM}",
    "a shadow": f"{ADAM}\n    update shadow = 0.9 * shadow + 0.1 * second.W",
    "two losses": f"{ADAM[:18]} over second with adam(lr=0.01)\n    minimize size over first with adam(lr=0.02)",
    "gathered": f"accumulate = 2\n    {ADAM}",
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of 300 elements count as large; a block has 64, so that the last one is smaller."""
    monkeypatch.setattr(blockwise, "LARGE", 300)
    monkeypatch.setattr(blockwise, "WORTH", 1)
    monkeypatch.setattr(lanes, "SHORTEST", 64)
    monkeypatch.setattr(lanes, "LONGEST", 64)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs something with two sets of all tensors."""

    def run(work: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(StepRunner, "SPARING", False)
            return work()

    return run


def trainer(how: str = ADAM, keep: str = "") -> Trainer:
    made = program(NET.replace("KEEP", keep) + how)
    return Trainer(made, options=CPU, total=9, per_epoch=3)


def batches(count: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    drawn = [draw.normal(size=(5, 6)).astype(np.float32) for _ in range(count)]
    return [{"x": x, "y": x[:, :1] * x[:, 1:2]} for x in drawn]


def moved(of: Trainer) -> set[str]:
    """What is changed in blocks, by its place in the state."""
    state = of.runner.state
    return {name for name, (first, second) in state.pairs.items() if state.bit[name] and first is second}


@pytest.mark.parametrize(("how", "keep"), [*((how, "") for how in PROGRAMS), ("adam", "remat"), ("gathered", "remat")])
def test_blocks_give_what_whole_tensors_give_to_the_bit(how: str, keep: str, whole: Any) -> None:
    def run() -> tuple[list[dict[str, float]], dict[str, Any], bool]:
        made = trainer(PROGRAMS[how], keep)
        return [made.step(batch) for batch in batches(5)], made.runner.tensors(), bool(moved(made))

    (losses, tensors, some), (others, expected, none) = run(), whole(run)
    assert some and not none
    assert losses == others
    assert_equal(tensors, expected)


@pytest.mark.parametrize(
    ("how", "names"),
    [("adam", {"m", "v", "W"}), ("amsgrad", {"m", "v", "W"}), ("centred", {"G", "v", "W"})],
)
def test_what_is_read_late_is_written_beside_its_place(how: str, names: set[str]) -> None:
    """The largest v so far is an operand of a maximum, which onnxruntime does not write over it; and the mean of
    gradients is read by their variance, which may come after the next mean."""
    made = trainer(PROGRAMS[how])
    apart = made.runner._apart[0]
    member = next(member for member in apart.members if "second.W" in member.carried)
    tensors = {f"carried/{place}": f"next/{place}" for place in range(len(member.carried))}
    over = in_place(apart.families[member.family].graph, tensors)
    found = {name for place, name in enumerate(member.carried) if f"carried/{place}" in over}
    assert {name.split("/")[1] if "/" in name else name.split(".")[-1] for name in found} == names


def test_what_several_statements_change_is_kept_twice() -> None:
    """The other statement writes it as a whole, where it must not stand."""
    both = trainer(f"{ADAM}\n    minimize size with adam(lr=0.02)")
    assert not moved(both)
    assert moved(trainer()) == {"second.W", "0:minimize.0/m/second.W", "0:minimize.0/v/second.W",
                                "first.W", "0:minimize.0/m/first.W", "0:minimize.0/v/first.W"}  # fmt: skip


def test_of_many_tensors_all_are_changed_apart(monkeypatch: pytest.MonkeyPatch, whole: Any) -> None:
    """However small: biases and single numbers in a vector too, to the bit."""
    monkeypatch.setattr(blockwise, "MANY", 8)
    monkeypatch.setattr(blockwise, "WORTH", 2**40)

    def run() -> tuple[list[dict[str, float]], dict[str, Any], set[str]]:
        made = trainer()
        return [made.step(batch) for batch in batches(5)], made.runner.tensors(), moved(made)

    (losses, tensors, apart), (others, expected, _) = run(), whole(run)
    assert {"first.b", "last.b", "last.W", "second.W"} < apart
    assert losses == others
    assert_equal(tensors, expected)


WORDS = """model Words():
    input ids: i64[B]
    target label: i64[B]
    loss objective = cross_entropy(ids |> Embedding(9, 4) |> tanh |> Dense(3), label)

train:
    minimize objective with adam(lr=0.01)
"""


def words(*ids: int) -> dict[str, Any]:
    return {"ids": np.array(ids), "label": np.zeros(len(ids), np.int64)}


@pytest.mark.parametrize("able", [True, False])
def test_what_a_step_writes_over_itself_is_as_ever_and_stays_where_it_fails(
    able: bool, monkeypatch: pytest.MonkeyPatch, whole: Any
) -> None:
    """To the bit, also where the graph that runs is not able to, though what was asked for was."""
    monkeypatch.setattr(blockwise, "WORTH", 2**40)
    monkeypatch.setattr(blockwise, "ONCE", 1)
    monkeypatch.setattr(blockwise, "LITTLE", 1)
    if not able:
        monkeypatch.setattr(step, "written_over", lambda *_: frozenset())

    def run() -> tuple[list[dict[str, float]], dict[str, Any], Trainer]:
        made = Trainer(program(WORDS), options=CPU, total=9, per_epoch=3)
        return [made.step(words(1, number, 8)) for number in range(4)], made.runner.tensors(), made

    (losses, tensors, made), (others, expected, _) = run(), whole(run)
    assert {"embedding.W", "0:minimize.0/m/dense.W", "0:minimize.0/v/dense.b"} < moved(made)
    assert losses == others
    assert_equal(tensors, expected)
    with pytest.raises(SpecError):
        made.step(words(1, 9))
    assert_equal(made.runner.tensors(), expected)


IMAGES = """model Net():
    input x: [B, 16, 2, 2]
    target y: [B, 20]
    p = x |> Conv(20, 3, padding=1) |> relu |> Conv(20, 3, 2, padding=1) |> mean(axis=[2, 3])
    loss objective = mse(p, y)

train:
    minimize objective with adamw(lr=0.01, weight_decay=0.1)
"""


def test_kernels_lie_turned_and_nobody_sees_it(tmp_path: Path, whole: Any) -> None:
    """Parameters, their state, what is restored and what others read of them are those of whole tensors."""
    draw = np.random.default_rng(0)
    batch = {"x": draw.normal(size=(3, 16, 2, 2)), "y": draw.normal(size=(3, 20))}
    batch = {name: array.astype(np.float32) for name, array in batch.items()}
    spec = parse_spec(Source("net.arch", IMAGES))

    def run() -> tuple[list[dict[str, float]], dict[str, Any], Any, Trainer]:
        made = archonnx.Trainer(spec, batch_size=3, threads=1, device="cpu")
        losses = [made.step(batch) for _ in range(2)]
        made.save(tmp_path / str(len(made.runner.turned)))
        losses += [made.step(batch) for _ in range(2)]
        return losses, made.runner.tensors(), made.evaluate(batch), made

    (losses, tensors, seen, made), (others, expected, also_seen, plain) = run(), whole(run)
    assert made.runner.turned == {"conv.0.W", "conv.1.W"} and not plain.runner.turned
    assert [one["objective"] for one in losses] == pytest.approx([one["objective"] for one in others], rel=1e-5)
    for name, array in expected.items():
        np.testing.assert_allclose(tensors[name], array, rtol=1e-3, atol=1e-5, err_msg=name)
    assert seen == pytest.approx(also_seen, rel=1e-4)
    loaded = archonnx.Trainer.load(tmp_path / "2", threads=1, device="cpu")
    for _ in range(2):
        loaded.step(batch)
    made.runner.keep_both()
    assert not made.runner.turned and made.evaluate(batch) == pytest.approx(seen, rel=1e-5)
    assert_equal(made.runner.tensors(), tensors)
    assert_equal(loaded.runner.tensors(), tensors)


def test_a_step_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made, (batch, *_) = trainer(), batches(1)
    made.step(batch)
    before, executed = made.runner.tensors(), made.runner.executed

    def fails(self: Session, binding: object) -> None:
        raise SpecError(Report())

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", fails)
        with pytest.raises(SpecError):
            made.step(batch)
    assert_equal(made.runner.tensors(), before)
    assert made.runner.executed == executed
    made.step(batch)


@pytest.mark.parametrize("block", range(0, 12, 3))
def test_a_signal_waits_until_all_blocks_are_moved(block: int) -> None:
    made, twin = trainer(), trainer()
    first, second = batches(2)
    for one in (made, twin):
        one.step(first)
        one.step(first)  # both sides are bound
    (statement,) = next(iter(made.runner._passes.values())).statements
    binding: Any = statement.bindings[made.runner.state.sides & statement.touched]
    plain = binding.moves

    def interrupted(given: Any) -> list[Any]:
        first, *others = plain(given)
        return [[*first[:block], lambda: signal.raise_signal(signal.SIGINT), *first[block:]], *others]

    binding.moves, binding.places = interrupted, None
    with pytest.raises(KeyboardInterrupt):
        made.step(second)
    binding.moves, binding.places = plain, None
    twin.step(second)
    assert_equal(made.runner.tensors(), twin.runner.tensors())
    assert made.runner.executed == twin.runner.executed
    made.step(first)
    twin.step(first)
    assert_equal(made.runner.tensors(), twin.runner.tensors())


def test_what_became_infinite_is_found_as_with_two_sets(tmp_path: Path, whole: Any) -> None:
    text = NET.replace("KEEP", "").replace("mse(p, y)", "mse(1 / (p - p), y)") + ADAM

    def told() -> tuple[str, ...]:
        with pytest.raises(SpecError) as caught:
            archonnx.train(parse_spec(Source("m.arch", text)), tmp_path / "run", device="cpu", threads=1)
        (found,) = caught.value.diagnostics
        return found.code, found.headline, *map(str, found.labels)

    assert told() == whole(told)
