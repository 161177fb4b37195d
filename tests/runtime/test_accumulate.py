"""``accumulate``: several batches make one update, as one batch of all their examples would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import archonnx
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.plan import Do, Every, Gather, Repeat, gathering
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graph_named
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.initial import initial_values
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.programs import Trained, run_programs
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program
from tests.support.same_run import assert_equal, assert_same_run

CPU = SessionOptions(device="cpu", threads=1)
NET = """model Net():
    input x: [B, 5]
    target y: [B, 1]
    first, second = Dense(7), Dense(1)
    param scale: [] = 1
    param shadow: [] = 0, trainable=false
    p = scale * (x |> first |> tanh |> second)
    loss objective = mse(p, y)
    loss small = mean(first.W * first.W) + mean(abs(p))

fn points(n: int) -> (x: [n, 5], y: [n, 1]):
    x: [n, 5] ~ normal(0, 1)
    return x, sum(x * x, axis=1, keep=true)
"""
PROGRAMS = {
    "one optimizer": "minimize objective with sgd(lr=0.1, momentum=0.9)",
    "a schedule": "minimize objective with adam(lr=warmup_cosine(0.02, 2, steps))",
    "clipped": "clip_norm = 0.5\n    clip_value = 0.3\n    minimize objective with adam(lr=0.02)",
    "one after the other": (
        "minimize objective over second with sgd(lr=0.1)\n    minimize small over first with adam(lr=0.02)"
    ),
    "a shadow": "minimize objective with sgd(lr=0.1)\n    update shadow = 0.9 * shadow + 0.1 * scale",
    "together": (
        "together:\n        minimize objective over second with sgd(lr=0.1)\n"
        "        minimize small over first with adam(lr=0.02)\n        update shadow = scale + sum(second.W)"
    ),
    "now and then": (
        "minimize objective with sgd(lr=0.05)\n    every 2:\n        minimize small over first with sgd(lr=0.1)"
    ),
    "as long as": "repeat 3 while sum(second.W ** 2) > 0.3:\n        update second = map(halved, second)",
}
HALVED = "\nfn halved(w: [...S]) -> [...S]:\n    return 0.9 * w\n"
KEPT = "    minimize small over first with sgd(lr=0.1)\n"


def spec(how: str, size: int, group: int, count: int = 110, epochs: int = 2) -> str:
    settings = f"    data = generate(points, n={count})\n    epochs = {epochs}\n    batch_size = {size}\n"
    grouped = f"    accumulate = {group}\n" if group > 1 else ""
    return f"{NET}{HALVED}\ntrain:\n{settings}{grouped}    {how}\n" + (KEPT if "while" in how else "")


def trained(text: str, **more: Any) -> Trained:
    (one,) = run_programs(program(text, float_type=DType.f64), Path(), options=CPU, **more)
    return one


def assert_near(ours: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    for path, array in ours.items():
        np.testing.assert_allclose(array, expected[path], rtol=1e-10, atol=1e-12, err_msg=path)


@pytest.mark.parametrize("how", PROGRAMS.values(), ids=PROGRAMS)
def test_a_group_is_one_batch_of_all_its_examples(how: str) -> None:
    """The last group of an epoch is of one batch of 8 and one of 6."""
    ours, whole = trained(spec(how, 8, 4)), trained(spec(how, 32, 1))
    assert_near(ours.trainer.parameters, whole.trainer.parameters)
    start = initial_values(ours.trainer.model.parameters, 0)
    assert any(not np.array_equal(start[path], array) for path, array in ours.trainer.parameters.items())
    for one, other in zip(ours.outcome.history, whole.outcome.history, strict=True):
        assert one.train == pytest.approx(other.train, rel=1e-9)


@pytest.mark.parametrize(
    ("count", "updates", "last"), [(96, 3, None), (110, 4, 2), (98, 4, 1), (9, 1, 2)], ids=["full", "two", "one", "few"]
)
def test_schedules_count_updates_and_a_short_group_is_told(count: int, updates: int, last: int | None) -> None:
    told: list[str] = []

    class Told(Observer):
        def opening(self, line: str) -> None:
            told.append(line)

    one = trained(spec("minimize objective with sgd(lr=0.1)", 8, 4, count, epochs=2), observer=Told())
    assert one.trainer.optimizer_state["minimize.0/t"] == one.trainer.runner.passes == 2 * updates
    rest = f"; the last update of an epoch is made by {last} of them" if last is not None else ""
    assert [line for line in told if "update" in line] == [f"4 batches make an update{rest}"]


class Stop(Observer):
    """Interrupts after so many batches of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self._where = epoch, step

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (epoch, step) == self._where:
            raise KeyboardInterrupt


NOISY = spec("minimize objective with adam(lr=0.02)", 8, 4, 60, epochs=2).replace("|> tanh", "|> tanh |> Dropout(0.3)")


TEXTS = {"one": NOISY, "several": NOISY + KEPT}


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    """The trainings that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    specs = {how: parse_spec(Source("net.arch", text)) for how, text in TEXTS.items()}
    return {how: archonnx.train(spec, folder / how, device="cpu", threads=1) for how, spec in specs.items()}


@pytest.mark.parametrize(
    ("how", "epoch", "step"),
    [("one", 1, 1), ("one", 1, 4), ("one", 1, 7), ("one", 2, 8), ("several", 1, 4)],
)
def test_a_training_is_taken_up_again_to_the_bit_also_between_updates(
    how: str, epoch: int, step: int, wholes: Mapping[str, Run], tmp_path: Path
) -> None:
    of, out = parse_spec(Source("net.arch", TEXTS[how])), tmp_path / "run"
    cut = archonnx.train(of, out, device="cpu", threads=1, observer=Stop(epoch, step))
    assert cut.record["stopped"] == "interrupted"
    assert_same_run(archonnx.train(of, resume=out, device="cpu", threads=1), wholes[how])


def batches(count: int, rows: int = 8) -> list[dict[str, Array]]:
    draw = np.random.default_rng(3)
    drawn = [(draw.normal(size=(rows, 5)), draw.normal(size=(rows, 1))) for _ in range(count)]
    return [{"x": x.astype(np.float32), "y": y.astype(np.float32)} for x, y in drawn]


def test_a_trainer_gathers_is_saved_between_updates_and_ends_a_group_when_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(NOISY)
    whole, cut = (archonnx.Trainer(path, device="cpu", threads=1) for _ in range(2))
    before = dict(whole.parameters)
    given = batches(6)
    for number, batch in enumerate(given, 1):
        losses = [trainer.step(batch) for trainer in (whole, cut)]
        assert losses[0] == losses[1] and losses[0].keys() == {"objective", "small"}
        cut = archonnx.Trainer.load(cut.save(tmp_path / "saved.safetensors"), device="cpu", threads=1)
        same = all(np.array_equal(before[p], array) for p, array in whole.parameters.items())
        assert same == (number < 4), "the fourth updates"
        assert_equal(whole.parameters, cut.parameters)
    after = dict(whole.parameters)
    for trainer in (whole, cut):
        trainer.finish()
    assert_equal(whole.parameters, cut.parameters)
    assert any(not np.array_equal(after[path], array) for path, array in whole.parameters.items())
    assert whole.optimizer_state["minimize.0/t"] == 2
    again = archonnx.Trainer(path, device="cpu", threads=1)
    again.fit(given)
    assert_equal(again.parameters, whole.parameters)


def test_what_waits_for_its_group_is_not_lost_silently(tmp_path: Path) -> None:
    """Where one statement comes after another, each takes the whole group: nothing is done until it is there."""
    (tmp_path / "net.arch").write_text(NOISY + KEPT)
    trainer = archonnx.Trainer(tmp_path / "net.arch", device="cpu", threads=1)
    found = [trainer.step(batch) for batch in batches(4)]
    assert found[:3] == [{}] * 3 and found[3].keys() == {"objective", "small"}
    trainer.step(batches(1)[0])
    with pytest.raises(SpecError) as error:
        trainer.save(tmp_path / "saved.safetensors")
    assert error.value.diagnostics[0].code == "AX0616"
    assert trainer.finish().keys() == {"objective", "small"} and trainer.finish() == {}
    assert trainer.save(tmp_path / "saved.safetensors").exists()


def test_both_graphs_are_ordinary_onnx_that_trains_without_us() -> None:
    """The steps as they are exported, in a loop over plain onnxruntime, give what a trainer gives."""
    model = program(spec("clip_norm = 0.5\n    minimize objective with adam(lr=0.02)", 8, 3))
    ours = Trainer(model, options=CPU)
    names = ["train_step", "train_step.1"]
    artifacts = [graph_named(model, name, GraphOptions(batch_size=8)) for name in names]
    sessions = [onnxruntime.InferenceSession(as_onnx(one, model).SerializeToString()) for one in artifacts]
    state = {**ours.runner.parameters(), **{name: v for one in artifacts for name, v in (one.state or {}).items()}}
    for number, batch in enumerate(batches(6), 1):
        losses = ours.step(batch)
        for session in sessions[: 1 + (number % 3 == 0)]:
            given = {i.name: {**state, **batch}[i.name] for i in session.get_inputs()}
            results = dict(zip((o.name for o in session.get_outputs()), session.run(None, given), strict=True))
            if session is sessions[0]:
                assert results["objective"] == pytest.approx(losses["objective"], rel=1e-5)
            state |= {name.removeprefix("next/"): v for name, v in results.items() if name.startswith("next/")}
    for path, array in ours.parameters.items():
        np.testing.assert_allclose(state[path], array, rtol=1e-4, atol=1e-6)


def test_gradients_that_are_not_finite_are_told_of_the_batch_that_has_them() -> None:
    text = spec("minimize objective with sgd(lr=0.1)", 8, 4).replace("p = scale *", "p = log(scale - 1) *")
    with pytest.raises(SpecError) as error:
        trained(text)
    assert error.value.diagnostics[0].code == "AX0610" and "epoch 1, step 1" in error.value.diagnostics[0].headline
    late = NET.replace("abs(p)", "sqrt(abs(p - p))").replace("loss objective = mse(p, y)", "loss objective = mean(p)")
    with pytest.raises(SpecError) as error:
        trained(late + "\ntrain:\n    data = generate(points, n=64)\n    batch_size = 8\n    accumulate = 4\n" + KEPT)
    assert "so the gradient of `" in error.value.diagnostics[0].notes[0]


def test_a_plan_has_two_steps_where_it_had_one() -> None:
    plan = (Repeat(2, (Do(1),), 0), Every(3, (Do(2), Do(3))))
    opened = (Repeat(2, (Gather(1), Do(2)), 0), Every(3, (Do(3), Gather(4), Do(5))))
    assert gathering(plan, [False, True, False, True]) == opened
