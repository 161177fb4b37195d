"""Several processes that share batches: what they make is what one process makes of the whole batch."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from archonnx import ModelRuns, Run, jobs, search, train
from archonnx import training as training_of_spec
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.compiler.splitting import apart, ratios
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime import mpi
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.beside import Beside
from archonnx.runtime.data.parts import Parts
from archonnx.runtime.device import shares
from archonnx.runtime.device.ranked import RankedRunner
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.reserving import Place, reserved
from archonnx.runtime.training.fit import TrainingLoop
from archonnx.runtime.training.measuring import Measurement
from archonnx.runtime.training.observing import Observer, Snapshot
from archonnx.runtime.training.search import Trial
from archonnx.runtime.training.trainer import Trainer

TEXT = """
model Net(drop = 0.0, norm = false):
    input  x: [B, 5]
    target label: i64[B]
    hidden = x |> Dense(16)
    if norm:
        hidden = hidden |> BatchNorm()
    logits = hidden |> relu |> Dropout(drop) |> Dense(12) |> tanh |> Dense(3)
    loss objective = cross_entropy(logits, label)
    metric accuracy = mean(argmax(logits) == label)
    metric auc over set = roc_auc(softmax(logits), label)

train:
    batch_size = 12
    epochs = 2
    clip_norm = 0.5
    minimize objective with adam(lr=0.02)
"""


class Fake:
    """Threads in place of processes: who comes first waits for the others."""

    def __init__(self, size: int) -> None:
        self.size, self.barrier = size, threading.Barrier(size, timeout=20)
        self.given: list[Any] = [None] * size

    def of(self, rank: int) -> _Member:
        return _Member(self, rank)


class _Member:
    def __init__(self, fake: Fake, rank: int) -> None:
        self._fake, self.rank, self.size = fake, rank, fake.size

    def gather(self, one: Any) -> list[Any]:
        self._fake.given[self.rank] = one
        self._fake.barrier.wait()
        found = list(self._fake.given)
        self._fake.barrier.wait()
        return found

    def add(self, numbers: Any, meanwhile: Any = None) -> None:
        numbers[...] = sum(self.gather(numbers.copy()))

    def abort(self, status: int) -> None:
        self._fake.barrier.abort()


@cache
def model_of(accumulate: int = 1, **arguments: Any) -> ModelProgram:
    text = TEXT.replace("    clip_norm", f"    accumulate = {accumulate}\n    clip_norm")
    return elaborate(parse_spec(Source("net.arch", text), **arguments))


def together(size: int, do: Callable[[Ranks], Any]) -> list[Any]:
    """What each of several ranks comes to; the first error of one, unless all have some."""
    fake, found = Fake(size), list[Any]([None] * size)

    def run(rank: int) -> None:
        with closing(Ranks(fake.of(rank))) as ranks:
            try:
                found[rank] = do(ranks)
            except Exception as error:
                found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def loop(
    ranks: Ranks | None = None, observer: Observer | None = None, count: int = 67, **arguments: Any
) -> TrainingLoop:
    return loop_of(model_of(**arguments), ranks, observer, count)


def loop_of(
    model: ModelProgram, ranks: Ranks | None = None, observer: Observer | None = None, count: int = 67
) -> TrainingLoop:
    program = model.programs[-1]
    rng = np.random.default_rng(0)
    fields = {"x": rng.standard_normal((count, 5), dtype=np.float32), "label": rng.integers(0, 3, count)}
    trainer = Trainer(model, program=program, batch_size=12, options=SessionOptions("cpu", 1), total=12, ranks=ranks)
    examples = Examples(fields, {name: field.type for name, field in model.fields.items()})
    parts = Parts(np.arange(50), np.arange(50, count), np.arange(0))
    return TrainingLoop(trainer, examples, parts, program.settings, observer)


def figures(training: TrainingLoop) -> Snapshot:
    snapshot = training.run().snapshot
    assert snapshot is not None
    return snapshot


def assert_close(one: Mapping[str, Any], other: Mapping[str, Any], tolerance: float = 1e-5) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("way", ["shared out", "each by itself", "by messages", "in two"])
def test_ranks_are_one_process_at_the_whole_batch(size: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 examples in batches of 12: the last has two, which three ranks do not share. Clipping sees the sum."""
    monkeypatch.setattr(shares, "IN_TWO_FROM", 1 if way == "in two" else 10**9)
    if way == "each by itself":
        monkeypatch.setattr(shares, "in_shares", lambda *arguments: None)
    if way in ("by messages", "in two"):
        monkeypatch.setattr(Ranks, "memory", lambda self, size: None)
    alone = figures(loop())
    found = together(size, lambda ranks: figures(loop(ranks)))
    for snapshot in found:
        assert_close(snapshot.tensors, alone.tensors)
        for mine, whole in zip(snapshot.numbers["history"], alone.numbers["history"], strict=True):
            assert_close(mine["train"], whole["train"])
            assert_close(mine["valid"], whole["valid"])
        for name, array in snapshot.tensors.items():
            np.testing.assert_array_equal(array, found[0].tensors[name], err_msg=name)
        assert snapshot.numbers["position"] == alone.numbers["position"]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("way", ["in memory", "by messages"])
def test_several_batches_of_ranks_make_one_update(size: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches of 12, then one of 12 and one of 2, which three ranks do not share: each counts by its rows."""
    if way == "by messages":
        monkeypatch.setattr(Ranks, "memory", lambda self, size: None)
    alone = figures(loop(accumulate=3))
    for snapshot in together(size, lambda ranks: figures(loop(ranks, accumulate=3))):
        assert_close(snapshot.tensors, alone.tensors)
        assert snapshot.numbers["position"] == alone.numbers["position"]
        for mine, whole in zip(snapshot.numbers["history"], alone.numbers["history"], strict=True):
            assert_close(mine["train"], whole["train"])


def test_draws_differ_by_rank_and_repeat() -> None:
    first, again = (together(2, lambda ranks: figures(loop(ranks, drop=0.5))) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        for name, array in one.tensors.items():
            np.testing.assert_array_equal(array, other.tensors[name], err_msg=name)
            np.testing.assert_array_equal(array, first[0].tensors[name], err_msg=name)
    seeds = [Ranks(Fake(3).of(rank)).seed(7) for rank in range(3)]
    assert seeds[0] == 7 and len(set(seeds)) == 3 and max(seeds) < 2**63


def test_statistics_of_a_batch_are_those_of_a_share_and_the_running_ones_their_mean() -> None:
    """One step: the running mean is the mean of the shares' means, which is the batch's where shares are alike."""

    class One(Observer):
        def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
            from archonnx import StopTraining

            raise StopTraining

    alone = figures(loop(observer=One(), norm=True))
    one, two = together(2, lambda ranks: figures(loop(ranks, One(), norm=True)))
    means = [name for name in alone.tensors if name.endswith("running_mean")]
    assert means
    for name in means:
        np.testing.assert_allclose(one.tensors[name], alone.tensors[name], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(one.tensors[name], two.tensors[name])
    variances = [name for name in alone.tensors if name.endswith("running_var")]
    assert all(np.abs(one.tensors[name] - alone.tensors[name]).max() > 1e-4 for name in variances)


def test_where_one_fails_all_hear_of_it_before_anything_has_changed() -> None:
    def run(ranks: Ranks) -> tuple[str, Any]:
        training = loop(ranks)
        runner, step = training._trainer.runner, training._trainer.runner.execute

        def failing(statement: Any) -> None:
            if runner.executed == 3 and ranks.rank == 1:

                class Broken:
                    def run(self, binding: Any) -> None:
                        raise ValueError("a cable is out")

                statement.session._parts[0] = Broken()
            step(statement)

        runner.execute = failing  # type: ignore[method-assign]
        try:
            training.run()
        except (SpecError, ValueError) as error:
            return str(error), training.whole_state()
        return "", None

    (heard, mine), (why, other) = together(2, run)
    assert "AX0722" in heard and why == "a cable is out"
    assert mine.reached[:2] == other.reached[:2] == (0, 3)
    for name, array in mine.tensors.items():
        np.testing.assert_array_equal(array, other.tensors[name], err_msg=name)


def test_where_one_is_asked_to_stop_all_stop_after_the_same_step() -> None:
    def run(ranks: Ranks) -> Any:
        asked = [False]
        ranks._asked = lambda: asked[0]

        class Asks(Observer):
            def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
                asked[0] |= ranks.rank == 1 and step == 3

        outcome = loop(ranks, Asks()).run()
        assert outcome.snapshot is not None
        return outcome.reason, outcome.snapshot.reached[:2]

    assert together(2, run) == [("interrupted", (0, 4))] * 2


def test_parameters_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ranks, "memory", lambda self, size: None)  # where all see them they cannot

    def run(ranks: Ranks) -> None:
        training = loop(ranks)
        if ranks.rank == 1:
            training._trainer.parameters["dense.0.b"] = np.full(16, 0.1, np.float32)
        training.run()

    for error in together(2, run):
        assert "AX0721" in str(error) and "`dense.0.b`" in str(error)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    "plan",
    [
        "repeat 3 while objective > 0.9:",
        "accumulate = 3\n    minimize objective with sgd(lr=0.01)\n    repeat 2:",
        "accumulate = 2\n    every 2:",
    ],
)
def test_plans_of_ranks_are_those_of_one_process(size: int, plan: str) -> None:
    """Conditions are asked of whole batches, the last of which is smaller than three ranks; groups wait for an update."""
    model = elaborate(parse_spec(Source("net.arch", TEXT.replace("    minimize", f"    {plan}\n        minimize"))))
    alone = figures(loop_of(model))
    assert "while" not in plan or 0 < alone.numbers["executed"] < 30  # rounds: the condition says both
    for snapshot in together(size, lambda ranks: figures(loop_of(model, ranks))):
        assert_close(snapshot.tensors, alone.tensors)
        assert snapshot.reached == alone.reached
        for mine, whole in zip(snapshot.numbers["history"], alone.numbers["history"], strict=True):
            assert_close(mine["train"], whole["train"])


SUMS = """
model Sums():
    input x: [B]
    p = Dense(1)
    param total: [1] = 0
    buffer rows: i64[1] = 0
    buffer running: [1] = 0
    error = (p(x[:, none])[:, 0] - x) ** 2
{}

train:
    batch_size = 7
    epochs = 2
    update total = total + sum(x)
    minimize objective over p with sgd(lr=0.01)
"""


@pytest.mark.parametrize(
    ("lines", "whole"),
    [
        ("    loss objective = sum(error) / B\n    update running = reshape(sum(x) / B, [1])", []),
        ("    loss objective = sum(error)", ["objective"]),
        ("    loss objective = mean(error) * B", ["objective"]),
        ("    loss objective = mean(error)\n    update rows = rows + B", ["rows"]),
        ("    loss objective = mean(error)\n    update running = 0.9 * running + sum(x)", ["running"]),
    ],
)
def test_what_is_no_mean_over_shares_each_computes_of_whole_batches(lines: str, whole: list[str]) -> None:
    """Beside it an `update` makes a sum over each batch."""
    model = elaborate(parse_spec(Source("sums.arch", SUMS.format(lines))))
    x = np.random.default_rng(0).standard_normal(22)
    types = {name: field.type for name, field in model.fields.items()}

    def training(ranks: Ranks | None = None) -> TrainingLoop:
        trainer = Trainer(model, batch_size=7, options=SessionOptions("cpu", 1), total=8, ranks=ranks)
        parts = Parts(np.arange(22), np.arange(0), np.arange(0))
        return TrainingLoop(trainer, Examples({"x": x.astype("f")}, types), parts, model.programs[-1].settings)

    step = training()._trainer.runner.steps[1]
    assert apart(step) == whole and ratios(step) == []
    alone = figures(training())
    for snapshot in together(2, lambda ranks: figures(training(ranks))):
        assert_close(snapshot.tensors, alone.tensors)
        for mine, other in zip(snapshot.numbers["history"], alone.numbers["history"], strict=True):
            assert_close(mine["train"], other["train"])


def test_a_loss_over_a_mask_is_known() -> None:
    lines = "    loss objective = sum(where(x > 0, error, 0)) / max(sum(float(x > 0)), 1)"
    model = elaborate(parse_spec(Source("sums.arch", SUMS.format(lines))))
    step = Trainer(model, options=SessionOptions("cpu", 1)).runner.steps[1]
    assert apart(step) == [] and ratios(step) == ["objective"]


def test_data_that_is_not_the_same_everywhere_is_told_before_the_first_step() -> None:
    found = together(2, lambda ranks: figures(loop(ranks, count=67 - ranks.rank)))
    assert all("AX0721" in str(error) and "`split`" in str(error) for error in found)


def test_where_a_condition_fails_all_hear_of_it() -> None:
    def run(ranks: Ranks) -> None:
        ranks.of_first(lambda: 1 // 0)

    found = together(2, run)
    assert isinstance(found[0], ZeroDivisionError) and "AX0722" in str(found[1])


def test_of_what_each_does_by_itself_all_hear_a_failure_and_who_asks_to_stop() -> None:
    def fails(ranks: Ranks) -> None:
        ranks.agree(ValueError("a cable is out") if ranks.rank else None)

    def stops(ranks: Ranks) -> bool:
        ranks._asked = lambda: ranks.rank == 1
        ranks.agree(None)
        return ranks.stopping

    heard, why = together(2, fails)
    assert "AX0722" in str(heard) and str(why) == "a cable is out"
    assert together(2, stops) == [True, True]


def test_several_processes_do_not_share_a_gpu() -> None:
    with pytest.raises(SpecError, match="AX0720"):
        RankedRunner((), {}, device="cuda", ranks=Ranks(Fake(2).of(0)))


def test_a_measurement_taken_up_in_the_middle_is_the_same() -> None:
    alone = loop()
    settings = TrainSettings.model_validate({"batch_size": 4})
    indices = np.arange(67)
    whole = Measurement(alone._trainer, alone._examples, indices, settings).run()

    def run(ranks: Ranks) -> Any:
        training = loop(ranks)
        first = Measurement(training._trainer, training._examples, indices, settings)

        def stop() -> None:
            if first.numbers()["batches"] == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            first.run(stop)
        rest = Measurement(training._trainer, training._examples, indices, settings)
        rest.resume(first.numbers(), first.running())
        return rest.run()

    for found in together(3, run):
        assert found.figures == whole.figures  # to the bit: they are added in the order of the batches


@pytest.mark.parametrize(
    ("environment", "count"),
    [({}, 1), ({"OMPI_COMM_WORLD_SIZE": "4"}, 4), ({"PMI_SIZE": "2"}, 2), ({"OMPI_COMM_WORLD_SIZE": "x"}, 1)],
)
def test_how_many_processes_there_are_is_what_mpirun_says(environment: dict[str, str], count: int) -> None:
    assert mpi.processes(environment) == count


BESIDE = """
model Net():
    input  x: [B, 5]
    input  partner: [B, 3]
    input  far: [N, 4]
    target label: i64[B]
    hidden = concat([x, partner], axis=1) |> Dense(16) |> tanh
    loss objective = cross_entropy(hidden |> Dense(3), label) + mean((far |> Dense(2)) ** 2)

train:
    batch_size = 12
    epochs = 2
    minimize objective with adam(lr=0.02)
"""
"""Of a second source each batch has as many examples as of the first, of a third one a number of its own."""


@pytest.mark.parametrize("size", [2, 5])
def test_sources_beside_the_first_are_shared_where_one_dim_counts_both(size: int) -> None:
    model = elaborate(parse_spec(Source("net.arch", BESIDE)))
    rng, count = np.random.default_rng(0), 67
    held = {"x": rng.standard_normal((count, 5), dtype=np.float32), "label": rng.integers(0, 3, count)}
    parts = Parts(np.arange(50), np.arange(50, count), np.arange(0))
    types = {name: field.type for name, field in model.fields.items()}

    def beside(name: str, width: int, rows: int, batch: int | None) -> Beside:
        draw = np.random.default_rng(rows)
        array = draw.standard_normal((rows, width), dtype=np.float32)
        of = Parts(np.arange(rows - 5), np.arange(rows - 5, rows), np.arange(0))
        return Beside(name, Examples({name: array}, {name: types[name]}), of, batch, 3)

    def training(ranks: Ranks | None = None) -> TrainingLoop:
        trainer = Trainer(model, batch_size=12, options=SessionOptions("cpu", 1), total=12, ranks=ranks)
        examples = Examples(held, {name: types[name] for name in held})
        others = [beside("partner", 3, 31, None), beside("far", 4, 23, 7)]
        return TrainingLoop(trainer, examples.with_others(others), parts, model.programs[-1].settings)

    alone = figures(training())
    for snapshot in together(size, lambda ranks: figures(training(ranks))):
        assert_close(snapshot.tensors, alone.tensors)
        for mine, whole in zip(snapshot.numbers["history"], alone.numbers["history"], strict=True):
            assert_close(mine["train"], whole["train"])
            assert_close(mine["valid"], whole["valid"])


def test_a_single_number_has_no_part_for_every_rank_and_all_meet() -> None:
    """Of one number two of three ranks change nothing; batches of 7 weigh 2, 2 and 3."""
    text = "model Mean():\n    input x: [B]\n    param p: [1] = 0\n    loss objective = mean((p - x) ** 2)\n\ntrain:\n"
    text += "    batch_size = 7\n    epochs = 3\n    minimize objective with sgd(lr=0.1, momentum=0.9)\n"
    model, x = elaborate(parse_spec(Source("mean.arch", text))), np.random.default_rng(0).standard_normal(21)
    types = {name: field.type for name, field in model.fields.items()}

    def training(ranks: Ranks | None = None) -> TrainingLoop:
        trainer = Trainer(model, batch_size=7, options=SessionOptions("cpu", 1), total=9, ranks=ranks)
        examples = Examples({"x": x.astype(np.float32)}, types)
        parts = Parts(np.arange(21), np.arange(0), np.arange(0))
        return TrainingLoop(trainer, examples, parts, model.programs[-1].settings)

    alone = figures(training())
    for snapshot in together(3, lambda ranks: figures(training(ranks))):
        assert_close(snapshot.tensors, alone.tensors)


SERIES = """
fn points(n: int) -> (x: [n, 2]):
    x: [n, 2] ~ normal(0, 1)
    return x

model {0}(width = 3):
    input x: [B, 2]
    net = Dense(width)
    output y: [B, 1] = x |> net |> tanh |> Dense(1)
    loss objective = mse(y, x[:, :1] * x[:, 1:])

train {1} of {0}:
    data = generate(points, n=40)
    split = {{train: 0.6, valid: 0.4}}
    batch_size = 6
    epochs = 2
    minimize objective with adam(lr=0.02)
"""
SEARCH = """
search:
    width = choice(1, 3, 8)
    epochs = intrange(1, 2)
    maximize -valid.objective
"""


def by_ranks(monkeypatch: pytest.MonkeyPatch, do: Callable[[Ranks], Any], size: int = 2) -> list[Any]:
    """What trainings of specs come to in several ranks; none of them may fail."""
    local = threading.local()

    def run(ranks: Ranks) -> Any:
        local.ranks = ranks
        return do(ranks)

    with monkeypatch.context() as patched:
        patched.setattr(training_of_spec, "ranks_of_mpirun", lambda: local.ranks)
        found = together(size, run)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found


class Hears(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def opening(self, line: str) -> None:
        self.lines.append(line)


def test_folds_are_dealt_out_and_are_those_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three for two processes; then the fold that is missing is trained, by the one that it falls to."""
    spec, heard = tmp_path / "net.arch", Hears()
    spec.write_text(SERIES.format("Net", "fitted"), encoding="utf-8")
    alone = train(spec, tmp_path / "one", folds=3, device="cpu", threads=1)
    asked: dict[str, Any] = {"device": "cpu", "threads": 1, "observer": heard}
    found = by_ranks(monkeypatch, lambda ranks: train(spec, tmp_path / "two", folds=3, **asked))
    assert [line for line in heard.lines if line.startswith("fold")] == ["fold 1 of 3", "fold 3 of 3"]
    for runs in found:
        assert runs.names == alone.names and runs.complete and runs.metrics == alone.metrics
        for one, other in zip(runs, alone, strict=True):
            assert_close(one.parameters, other.parameters, tolerance=0.0)
    shutil.rmtree(tmp_path / "two" / "fold-2")
    summary = tmp_path / "two" / "folds.json"
    record = json.loads(summary.read_text())
    summary.write_text(json.dumps({**record, "finished": ["fold-1", "fold-3"]}))
    by_ranks(monkeypatch, lambda ranks: train(None, resume=tmp_path / "two", device="cpu", threads=1))
    assert json.loads(summary.read_text())["metrics"] == record["metrics"]


def test_points_of_a_search_are_dealt_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "net.arch"
    spec.write_text(SERIES.format("Net", "fitted") + SEARCH, encoding="utf-8")

    def searched(name: str) -> tuple[list[Trial], Run]:
        trials: list[Trial] = []
        found = search(spec, tmp_path / name, device="cpu", threads=1, on_trial=trials.append)
        return trials, found

    (alone, one), ((tried, two), (silent, _)) = searched("one"), by_ranks(monkeypatch, lambda ranks: searched("two"))
    assert [(trial.arguments, trial.settings, trial.value) for trial in tried] == [
        (trial.arguments, trial.settings, trial.value) for trial in alone
    ]
    assert tried == alone and not silent and len(tried) == 6
    assert two.arguments == one.arguments
    assert_close(two.parameters, one.parameters, tolerance=0.0)


def test_several_models_are_trained_one_after_the_other_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "two.arch"
    first, second = SERIES.format("A", "first"), SERIES[SERIES.index("model") :].format("B", "second")
    second = second.replace("    batch_size", "    start_from = {net: first.net}\n    batch_size")
    spec.write_text(first + second, encoding="utf-8")
    how: dict[str, Any] = {"device": "cpu", "threads": 1}
    one = cast("ModelRuns", train(spec, tmp_path / "one", **how))
    found = by_ranks(monkeypatch, lambda ranks: train(spec, tmp_path / "two", **how))
    for two in found:
        assert [*two] == [*one] == ["a", "b"]
        for name, run in two.items():
            assert_close(run.parameters, one[name].parameters)


def test_batches_that_come_as_they_are_the_first_reads_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other's own are not read but for their names; a batch of one row is taken whole by each."""
    spec = tmp_path / "net.arch"
    spec.write_text(TEXT, encoding="utf-8")
    rng = np.random.default_rng(0)
    drawn = [(rng.standard_normal((n, 5), dtype=np.float32), rng.integers(0, 3, n)) for n in (12, 7, 1, 10)]
    other = [(np.zeros((1, 5), np.float32), np.zeros(1, np.int64))] * 4

    def run(name: str, ranks: Ranks | None = None) -> Run:
        how: dict[str, Any] = {"device": "cpu", "threads": 1}
        return train(spec, tmp_path / name, data=drawn if ranks is None or ranks.rank == 0 else other, **how)

    one = run("one")
    for two in by_ranks(monkeypatch, lambda ranks: run("two", ranks)):
        assert_close(two.parameters, one.parameters)
        for mine, alone in zip(two.history, one.history, strict=True):
            assert_close(mine["train"], alone["train"])
        assert_close(two.metrics["train"], one.metrics["train"])


def test_a_folder_that_not_all_processes_see_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "holder", lambda folder: threading.current_thread().name)  # each its own

    def place(ranks: Ranks) -> Place:
        with reserved(tmp_path / str(ranks.rank)) as own:
            return jobs.place_of_all(own, ranks)

    assert ["AX0720" in str(error) for error in together(2, place)] == [True, True]
