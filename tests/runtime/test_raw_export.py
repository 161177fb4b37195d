"""``export RUN --raw``: one file that takes the columns of a table, and gives what the run gives on the same rows.

The oracle is ``Run.predict``; the file is run in plain onnxruntime. A value that a training refuses marks its row.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

from archonnx.cli.app import app
from archonnx.compiler.marks import MARK
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run
from tests.support.raw import (
    LEAST,
    PEOPLE,
    WRITERS,
    about,
    alike,
    as_columns,
    exported,
    outputs,
    people,
    refused,
    session,
    trained,
    types,
)

Case = tuple[Run, Path, str]


@pytest.fixture(scope="module", params=["csv", "parquet"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("people")
    WRITERS[request.param](folder / f"people.{request.param}", people(0))
    run = trained(folder, PEOPLE.replace("SOURCE", f'{request.param}("people.{request.param}", target="bought")'))
    return run, exported(run), request.param


def test_a_table_gives_what_the_run_predicts(table: Case) -> None:
    run, file, suffix = table
    rows = people(0)
    alike(outputs(file, as_columns(rows)), run.predict(run.path.parent / f"people.{suffix}"))


def test_new_rows_in_any_order_of_rows_and_columns(table: Case, tmp_path: Path) -> None:
    run, file, suffix = table
    rows = people(5, 23, city="Nowhere")[::-1]
    shuffled = [{name: row[name] for name in reversed(row) if name != "bought"} for row in rows]
    WRITERS[suffix](tmp_path / f"new.{suffix}", shuffled)
    alike(outputs(file, as_columns(shuffled)), run.predict(tmp_path / f"new.{suffix}"))
    one = outputs(file, as_columns(shuffled[:1]))
    alike(one, {name: array[:1] for name, array in run.predict(tmp_path / f"new.{suffix}").items()})


def test_the_metric_is_that_of_eval(table: Case) -> None:
    run, file, _ = table
    rows = [people(0)[i] for i in run.rows("test")]
    probs = outputs(file, as_columns(rows))["probs"]
    names = about(file)["classes"]["probs"]
    right = [names[guess] == row["bought"] for guess, row in zip(probs.argmax(axis=1), rows, strict=True)]
    assert np.mean(right) == pytest.approx(run.evaluate("test")["acc"])
    assert about(file)["metrics"]["test"]["acc"] == pytest.approx(np.mean(right))


def test_columns_keep_their_names_and_types_and_what_is_not_needed_is_left_out(table: Case) -> None:
    _, file, _ = table
    assert types(file) == {
        "age": "tensor(int64)",
        "income": "tensor(double)",
        "member": "tensor(bool)",
        "since": "tensor(int64)",
        "city": "tensor(string)",
        "plan": "tensor(string)",
        "grade": "tensor(int64)",
        "code": "tensor(int64)",
    }
    assert all(one.shape == ["B"] for one in session(file).get_inputs())


def test_texts_take_one_operator_of_ai_onnx_ml_and_nothing_else_does(table: Case) -> None:
    _, file, _ = table
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node if node.domain] == ["LabelEncoder"] * 2
    assert {entry.domain for entry in model.opset_import} == {"", "ai.onnx.ml"}


def test_the_operators_mean_what_onnx_says_they_do(table: Case) -> None:
    """The reference evaluator of ONNX is a runtime of its own."""
    _, file, _ = table
    columns = as_columns([*people(4, 6), *people(5, 2, plan="c")])
    wanted = outputs(file, columns)
    made = ReferenceEvaluator(str(file)).run(None, {name: np.asarray(columns[name]) for name in types(file)})
    alike(dict(zip(wanted, made, strict=True)), wanted)


def test_large_weights_lie_beside_the_file(table: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, file, _ = table
    monkeypatch.setattr("archonnx.compiler.onnx_export.LARGE", 100)
    monkeypatch.setattr("archonnx.compiler.onnx_export._SMALL", 16)
    large = run.export(tmp_path / "large.onnx", raw=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.onnx", "large.onnx.data"]
    columns = as_columns(people(3, 4))
    alike(outputs(large, columns), outputs(file, columns))


def test_the_metadata_say_what_the_file_takes_and_where_it_comes_from(table: Case) -> None:
    run, file, _ = table
    said = about(file)
    spec = (run.path / "m.arch" if (run.path / "m.arch").exists() else run.path / "spec.arch").read_bytes()
    assert said["spec"] == {"name": "m", "sha256": hashlib.sha256(spec).hexdigest()}
    assert said["classes"] == {"probs": ["no", "yes"], "choice": ["no", "yes"]}
    by_column = {entry["column"]: entry for entry in said["vocabularies"]}
    assert by_column["plan"] == {"column": "plan", "values": ["a", "b", "none"], "unknown": False, "filled": "none"}
    assert by_column["city"]["values"] == ["Oslo", "Zürich", "東京"]
    assert by_column["city"]["unknown"]
    kinds = {entry["name"]: entry["kind"] for entry in said["columns"]}
    assert kinds["since"] == "date"
    assert kinds["income"] == "float"
    assert said["checked"] == {"rows": 64, "on": "rows of the training data"}
    assert said["outputs"]["probs"]["without_meaning"] == "NaN"


@pytest.mark.parametrize(
    "wrong", [{"plan": "c"}, {"grade": 3}, {"grade": 10**12}, {"code": 8}, {"since": LEAST}, {"code": -4}]
)
def test_a_value_that_a_training_refuses_marks_its_row_alone(table: Case, wrong: dict[str, Any]) -> None:
    _, file, _ = table
    columns = as_columns(people(2, 5))
    good = outputs(file, columns)
    assert np.isfinite(good["probs"]).all()
    for name, value in wrong.items():
        columns[name] = [*columns[name][:2], value, *columns[name][3:]]
    made = outputs(file, columns)
    assert np.isnan(made["probs"][2]).all()
    assert made["choice"][2] == MARK
    rest = [0, 1, 3, 4]
    alike({n: a[rest] for n, a in made.items()}, {n: a[rest] for n, a in good.items()})


def test_older_opsets_and_other_targets_give_the_same(table: Case, tmp_path: Path) -> None:
    run, file, _ = table
    columns = as_columns(people(3, 9))
    for how in ({"opset": 18}, {"target": "ort"}):
        again = run.export(tmp_path / "again.onnx", raw=True, **how)
        alike(outputs(again, columns), outputs(file, columns))
    assert next(e.version for e in onnx.load(run.export(tmp_path / "b.onnx", raw=True, opset=18)).opset_import) == 18


def test_without_the_data_the_file_is_tried_on_made_rows(table: Case, tmp_path: Path) -> None:
    run, _, suffix = table
    data = run.path.parent / f"people.{suffix}"
    data.rename(tmp_path / data.name)
    try:
        file = Run(run.path).export(tmp_path / "made.onnx", raw=True)
    finally:
        (tmp_path / data.name).rename(data)
    assert about(file)["checked"] == {"rows": 64, "on": "made rows"}


def test_a_file_that_is_not_the_run_is_not_written(table: Case, tmp_path: Path) -> None:
    run, _, _ = table
    other = Run(run.path)
    other.parameters.update({name: array + 1 for name, array in other.parameters.items()})
    with pytest.raises(SpecError) as caught:
        other.export(tmp_path / "other.onnx", raw=True)
    assert [d.code for d in caught.value.diagnostics] == ["AX0514"]
    assert "`probs` lies up to" in caught.value.diagnostics[0].notes[0]
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- what is refused


def test_what_cannot_be_exported_says_why(table: Case, tmp_path: Path) -> None:
    run, _, _ = table
    assert refused(run, tmp_path / "m.bin")[0] == "AX0505"
    assert refused(run, tmp_path / "no/m.onnx")[0] == "AX0616"
    assert refused(run, tmp_path / "m.onnx", opset=3)[0] == "AX0502"
    assert refused(run, tmp_path / "m.onnx", entry="sample")[0] == "AX0513"
    with pytest.raises(SpecError, match="is the model of the run"):
        run.export(run.model_path, raw=True)
    (run.path / "data.json").rename(tmp_path / "data.json")
    try:
        assert refused(Run(run.path), tmp_path / "m.onnx")[0] == "AX0611"
    finally:
        (tmp_path / "data.json").rename(run.path / "data.json")


# ---------------------------------------------------------------- the command


def said(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_command_says_what_the_file_takes(table: Case, tmp_path: Path) -> None:
    run, file, _ = table
    done = said(run.path, "--raw", "-o", tmp_path / "m.onnx")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "m.onnx").read_bytes() == file.read_bytes()
    assert "as the run on 64 rows of the training data" in done.output
    assert "`city: string[B]`" in done.output


@pytest.mark.parametrize(
    ("options", "code"), [(["--graph", "evaluate"], "AX0513"), (["--batch-size", 3], "AX0506"), ([], None)]
)
def test_options_that_do_not_go_with_raw(
    options: list[Any], code: str | None, table: Case, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    what = table[0].path if code is not None else table[0].path.parent / "m.arch"
    done = said(what, "--raw", "-o", tmp_path / "m.onnx", *options)
    assert done.exit_code != 0
    assert not (tmp_path / "m.onnx").exists()
    assert isinstance(done.exception, SpecError)
    assert [d.code for d in done.exception.diagnostics] == [code or "AX0513"]


# ---------------------------------------------------------------- the page


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs/raw.md").read_text(encoding="utf-8")
    spec, script = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("arch", "python"))
    assert spec is not None and script is not None
    flats = [f"{30.5 + 2 * i},{('Oslo', 'Rom', 'Wien')[i % 3]},{700 + 9 * i}" for i in range(40)]
    (tmp_path / "flats.csv").write_text("\n".join(["area,city,rent", *flats]))
    run = trained(tmp_path, spec[1])
    run.export(tmp_path / "rent.onnx", raw=True)
    monkeypatch.chdir(tmp_path)
    shown: list[Any] = []
    exec(compile(script[1], "page", "exec"), {"print": lambda *values: shown.extend(values)})
    wanted = run.predict({"area": np.array([48.0, 102.5]), "city": ["Oslo", "Rom"]})["guess"]
    np.testing.assert_allclose(shown[0][0], wanted, rtol=1e-5)
    assert shown[1:] == [["area", "city"], run.metrics["train"]]
