"""Files whose programs train several models: what one takes of another, and that nothing finished is lost."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

import archonnx
from archonnx import ModelRuns, Run, Runs
from archonnx.cli.app import app
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.models import trained_weights
from archonnx.runtime.training.observing import Epoch, Observer

MODELS = """model Judge(width: int = 3):
    input  x: [B, 2]
    net = Dense(width)
    head = Dense(1)
    output verdict: [B, 1] = head(net(x))
    loss   objective = mean((head(net(x)) - 1) ** 2)

model Maker(width: int = 3):
    input  x: [B, 2]
    critic = Dense(width)
    draw = Dense(2)
    output made: [B, 2] = draw(x)
    loss   objective = mean(frozen(critic)(draw(x)) ** 2)

fn points(n: int) -> (x: [n, 2]):
    x: [n, 2] ~ normal(0, 1)
    return x
"""
PROGRAM = """
train {name} of {model}:{start}
    data = generate(points, n=20)
    split = {{train: 0.8, valid: 0.2}}
    batch_size = 4
    epochs = 2
    minimize objective with adam(lr=0.1)
"""


def program(name: str, model: str, start: str = "") -> str:
    return PROGRAM.format(name=name, model=model, start=f"\n    start_from = {start}" if start else "")


WHOLE = "".join(
    (
        MODELS,
        program("early", "Judge"),
        program("judge", "Judge", "early"),
        program("made", "Maker", "{critic: early.net}"),
        program("again", "Judge", "judge"),
        program("last", "Judge", "[judge, again.head]"),
    )
)
"""Judge, Maker, and Judge once more: three runs."""
NAMES = ["judge", "maker", "judge-2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("models")
    (here / "whole.arch").write_text(WHOLE)
    return here


def trained(spec: Any, out: Path | None = None, **options: Any) -> ModelRuns:
    runs = archonnx.train(spec, out, device="cpu", **options)
    assert isinstance(runs, ModelRuns)
    return cast("ModelRuns", runs)


@pytest.fixture(scope="module")
def whole(folder: Path) -> ModelRuns:
    return trained(folder / "whole.arch", folder / "whole")


def same(one: Run, other: Run) -> bool:
    """Whether two runs ended with the same parameters and figures, to the bit."""
    arrays = [one.parameters[path].tobytes() == other.parameters[path].tobytes() for path in one.parameters]
    return all(arrays) and one.parameters.keys() == other.parameters.keys() and one.metrics == other.metrics


def test_each_model_leaves_an_ordinary_run(whole: ModelRuns) -> None:
    assert list(whole) == NAMES and whole.complete and len(whole) == 3 and list(whole.metrics) == NAMES
    assert [[p["name"] for p in run.record["programs"]] for run in whole.values()] == [
        ["early", "judge"], ["made"], ["again", "last"],
    ]  # fmt: skip
    for run in whole.values():
        again = Run(run.path)
        assert again.record["model"] in ("Judge", "Maker") and again.evaluate("valid") == run.metrics["valid"]
    assert whole["maker"].predict({"x": np.ones((3, 2), np.float32)})["made"].shape == (3, 2)
    with pytest.raises(KeyError):
        whole["nobody"]


def test_a_model_alone_is_trained_as_among_others(folder: Path, whole: ModelRuns) -> None:
    file = folder / "alone.arch"
    file.write_text(MODELS + program("early", "Judge") + program("judge", "Judge", "early"))
    alone = archonnx.train(file, folder / "alone", device="cpu")
    assert isinstance(alone, Run) and same(alone, whole["judge"])


def test_a_frozen_module_of_another_model_stays_as_it_was_trained(whole: ModelRuns) -> None:
    early, critic = trained_weights(whole.path, "early"), whole["maker"].parameters
    assert early["net.W"].tobytes() == critic["critic.W"].tobytes()
    assert early["net.b"].tobytes() == critic["critic.b"].tobytes()
    judge = trained_weights(whole.path, "judge")
    assert np.any(judge["net.W"] != early["net.W"]), "the second program went on with it"
    assert judge.keys() == whole["judge"].parameters.keys()
    started = whole["maker"].record["programs"][0]["started_from"]
    assert started["sources"][0]["taken"] == {"critic.W": "net.W", "critic.b": "net.b"}
    assert started["fresh"] == ["draw.W", "draw.b"]
    with pytest.raises(SpecError, match=r"AX0618.*no finished run of the train program `nobody`"):
        trained_weights(whole.path, "nobody")


class Stopping(Observer):
    """Raises what it is given in an epoch of a program."""

    def __init__(self, name: str, number: int, error: type[BaseException]) -> None:
        self._where, self._error, self._now = (name, number), error, ""

    def program(self, name: str, number: int, count: int) -> None:
        self._now = name

    def epoch(self, record: Epoch) -> None:
        if (self._now, record.number) == self._where:
            raise self._error


@pytest.mark.parametrize(
    ("name", "finished", "error"),
    [
        ("judge", [], MemoryError),
        ("made", ["judge"], KeyboardInterrupt),
        ("last", ["judge", "maker"], MemoryError),
    ],
)
def test_what_is_finished_is_kept_and_the_rest_is_as_without_the_stop(
    whole: ModelRuns,
    name: str,
    finished: list[str],
    error: type[BaseException],
    tmp_path: Path,
) -> None:
    spec, out, observer = whole.path.parent / "whole.arch", tmp_path / "out", Stopping(name, 1, error)
    if error is KeyboardInterrupt:
        part = trained(spec, out, observer=observer)
        assert list(part) == finished and not part.complete
    else:  # as a kill: there is no time for anything
        with pytest.raises(MemoryError):
            archonnx.train(spec, out, device="cpu", observer=observer)
        assert list(ModelRuns(out)) == finished
    with pytest.raises(SpecError, match=r"(?s)AX0614.*a training that did not end.*`--resume .*out`"):
        archonnx.train(spec, out, device="cpu")
    kept = {run: (out / run / "run.json").read_bytes() for run in finished}
    done = trained(spec, resume=out)
    assert done.complete and all(same(done[run], whole[run]) for run in NAMES)
    assert kept == {run: (out / run / "run.json").read_bytes() for run in finished}


def test_a_run_goes_on_by_itself(tmp_path: Path) -> None:
    """Of which the second program still takes what another run has."""
    file = tmp_path / "two.arch"
    file.write_text(
        MODELS + program("judge", "Judge") + program("first", "Maker") + program("made", "Maker", "{critic: judge.net}")
    )
    stopped = trained(file, tmp_path / "out", observer=Stopping("first", 1, KeyboardInterrupt))
    assert list(stopped) == ["judge"]
    alone = archonnx.train(file, resume=tmp_path / "out" / "maker", device="cpu")
    assert same(alone, trained(file, tmp_path / "through")["maker"])
    longer = archonnx.train(file, resume=tmp_path / "out" / "judge", settings={"epochs": 3}, device="cpu")
    assert len(longer.history) == 3 and longer.record["model"] == "Judge"


def test_a_program_is_run_with_those_it_needs(folder: Path, whole: ModelRuns, tmp_path: Path) -> None:
    spec = folder / "whole.arch"
    judge = archonnx.train(spec, tmp_path / "judge", program="judge", device="cpu")
    assert isinstance(judge, Run) and same(judge, whole["judge"])
    made = trained(spec, tmp_path / "made", program="made")
    assert [stage.programs for stage in made.stages.values()] == [("early",), ("made",)]
    assert same(made["maker"], whole["maker"])
    last = archonnx.train(spec, tmp_path / "last", program="last", device="cpu")
    assert isinstance(last, Run) and [p["name"] for p in last.record["programs"]] == ["early", "judge", "again", "last"]
    assert same(last, whole["judge-2"]), "the model between has no part in it"
    maker = trained(archonnx.load(spec, model="Maker"), tmp_path / "maker")
    assert list(maker) == ["judge", "maker"] and same(maker["maker"], whole["maker"])
    with pytest.raises(SpecError, match=r"(?s)AX0615.*no train program `mode`.*did you mean `made`"):
        archonnx.train(spec, tmp_path / "none", program="mode")


def test_folds_are_of_programs_of_one_model(folder: Path, tmp_path: Path) -> None:
    runs = archonnx.train(folder / "whole.arch", tmp_path / "folds", folds=2, program="early", device="cpu")
    assert len(runs) == 2 and runs[0].record["model"] == "Judge"
    again = archonnx.train(folder / "whole.arch", resume=runs.path, folds=2, program="early", device="cpu")
    assert again.complete


def test_arguments_are_for_the_model_that_takes_them(folder: Path, tmp_path: Path) -> None:
    spec = folder / "whole.arch"
    wide = archonnx.load(spec, **{"Judge.width": 5, "Maker.width": 5})
    runs = trained(wide, tmp_path / "wide", settings={"epochs": 1}, program="made")
    assert runs["judge"].arguments == runs["maker"].arguments == {"width": 5}
    assert runs["maker"].parameters["critic.W"].shape == (2, 5)
    for arguments, says in (
        ({"width": 5}, "AX0635.*Judge and Maker take an argument `width`"),
        ({"depth": 5}, "AX0202.*no argument `depth`.*they have Judge.width, Maker.width"),
        ({"Judge.widht": 5}, "(?s)AX0202.*no argument `Judge.widht`.*did you mean `Judge.width`"),
        ({"Other.width": 5}, "AX0202.*no argument `Other.width`"),
        ({"Judge.width": 5}, "(?s)AX0628.*`net` of program early does not fit `critic` of Maker"),
    ):
        with pytest.raises(SpecError, match=f"(?s){says}"):
            archonnx.train(archonnx.load(spec, **arguments), tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()
    assert archonnx.compile(archonnx.load(spec, model="Maker", width=4)).parameters["critic.W"].shape == (2, 4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"settings": {"epochs": 9}}, "AX0618.*have other settings"),
        ({"out": "elsewhere"}, "AX0618.*go on where they are"),
        ({"folds": 2}, "AX0635.*folds and seeds are for one"),
    ],
)
def test_the_rest_is_trained_as_the_others_were(whole: ModelRuns, options: dict[str, Any], says: str) -> None:
    before = (whole.path / "models.json").read_bytes()
    with pytest.raises(SpecError, match=f"(?s){says}"):
        archonnx.train(whole.path.parent / "whole.arch", resume=whole.path, **options)
    assert (whole.path / "models.json").read_bytes() == before


def test_a_folder_is_opened_by_what_it_holds(whole: ModelRuns) -> None:
    copy = pickle.loads(pickle.dumps(whole))
    assert copy["maker"].metrics == whole["maker"].metrics
    assert repr(whole) == f"<ModelRuns: judge, maker, judge-2 (3 of 3) in {whole.path}>"
    with pytest.raises(SpecError, match=r"(?s)AX0611.*no runs of folds or seeds.*`ModelRuns\('.*'\)` opens it"):
        Runs(whole.path)
    with pytest.raises(SpecError, match=r"(?s)AX0611.*it holds several runs: judge, judge-2, maker"):
        Run(whole.path)
    with pytest.raises(SpecError, match=r"(?s)AX0611.*no runs of several models"):
        ModelRuns(whole["judge"].path)


def test_a_part_of_an_earlier_program_of_the_same_model(tmp_path: Path) -> None:
    file = tmp_path / "one.arch"
    file.write_text(
        MODELS
        + "\nfor k in range(2):"
        + program("turn", "Judge").replace("\n", "\n    ")
        + program("next", "Judge", "{head: turn[1].head}").replace("minimize objective", "minimize objective over net")
    )
    run = archonnx.train(file, tmp_path / "run", device="cpu")
    turn = archonnx.train(file, tmp_path / "turn", program="turn.1", device="cpu")
    assert run.parameters["head.W"].tobytes() == turn.parameters["head.W"].tobytes()
    assert np.any(run.parameters["net.W"] != turn.parameters["net.W"])
    assert run.record["programs"][-1]["started_from"]["sources"][0]["program"] == "turn.1"


def test_what_does_not_fit_is_seen_by_a_check(tmp_path: Path) -> None:
    file = tmp_path / "two.arch"
    file.write_text(MODELS + program("judge", "Judge") + program("made", "Maker", "judge.nte"))
    found = CliRunner().invoke(app, ["check", str(file)])
    assert (
        found.exit_code == 1 and "AX0628" in found.output and "program judge has no parameters at `nte`" in found.output
    )
    file.write_text(MODELS + program("judge", "Judge") + program("made", "Maker", "judge"))
    found = CliRunner().invoke(app, ["check", str(file)])
    assert found.exit_code == 1 and "no parameter of program judge has the path and the shape" in found.output
    file.write_text(MODELS + program("judge", "Judge") + program("made", "Maker", "{critic: judge.net}"))
    found = CliRunner().invoke(app, ["check", str(file)])
    assert found.exit_code == 0 and "ok (Judge: " in found.output and "ok (Maker: " in found.output


def test_data_decides_arguments_of_each_model(tmp_path: Path) -> None:
    (tmp_path / "towns.csv").write_text("town,colour\n" + "Oslo,red\nRome,blue\nBern,red\n" * 4)
    towns, colours = "Towns", "Colours"
    model = """model {0}({1}s: int):
    input {1}: i64[B]
    table = Embedding({1}s, 2)
    loss objective = mean(table({1}) ** 2)
"""
    block = """train {1} of {0}({1}s=size({1})):
    data = csv("towns.csv")
    fit {1} = vocabulary(data.{1})
    feed {1} = index(data.{1}, {1})
    epochs = 1
    minimize objective with sgd()
"""
    names = {towns: "town", colours: "colour"}
    file = tmp_path / "towns.arch"
    file.write_text(
        "".join(model.format(one, name) for one, name in names.items())
        + "".join(block.format(one, name) for one, name in names.items())
    )
    runs = trained(file, tmp_path / "out")
    assert {name: run.arguments for name, run in runs.items()} == {"towns": {"towns": 3}, "colours": {"colours": 2}}


def test_a_search_varies_the_first_model_and_needs_no_other(tmp_path: Path) -> None:
    search = "\nsearch:\n    epochs = choice(1, 2)\n    maximize -train.objective\n    trials = 1\n"
    file = tmp_path / "searched.arch"
    file.write_text(MODELS + program("judge", "Judge") + program("made", "Maker", "{critic: judge.net}") + search)
    assert archonnx.search(file, tmp_path / "found", device="cpu").record["model"] == "Judge"
    file.write_text(file.read_text() + program("again", "Judge", "{net: made.critic}"))
    with pytest.raises(SpecError, match=r"AX0709.*needs the train program `made`, which has not run here"):
        archonnx.search(file, tmp_path / "lost", device="cpu")
