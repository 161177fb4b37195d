"""``archonnx show`` and ``archonnx.show``: the table, its other forms, and mistakes in what is asked."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.cli.output import print_table
from archonnx.compiler.ir.dims import Dim
from archonnx.summary import number
from benchmarks.catalogue.counting import EXERCISES, PUBLISHED, Exercise, answer, products
from tests.support.golden import GOLDEN

TABLE = """\
DigitsMLP, graph `infer`, for one example (B = 1)

module   block    output       parameters  multiplications  additions  parameter bytes  activation bytes
--------------------------------------------------------------------------------------------------------
dense.0  Dense    f32[B, 128]       8,320            8,192      8,192           33,280             1,024
dropout  Dropout  f32[B, 128]           0                0          0                0                 0
dense.1  Dense    f32[B, 128]      16,512           16,384     16,384           66,048             1,024
dense.2  Dense    f32[B, 10]        1,290            1,280      1,280            5,160                80
itself                                  0               10          9                0             1,064
--------------------------------------------------------------------------------------------------------
total             f32[B, 10]       26,122           25,866     25,865          104,488             3,192
"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["show", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_table_of_a_perceptron() -> None:
    assert run("digits_mlp") == TABLE
    assert str(archonnx.show("digits_mlp")) == TABLE.rstrip()


def test_the_page_on_tools_shows_what_is_printed() -> None:
    page = (Path(__file__).parents[2] / "docs/tools.md").read_text("utf-8")
    golden = (GOLDEN / "diagnostics/run/numbers.md").read_text("utf-8")
    assert run("digits_cnn") in page
    (message,) = [text for text in page.split("```text\n") if text.startswith("error[AX0610]")]
    assert message.partition("```")[0].rstrip() in golden


def test_json_and_csv_hold_the_same_figures() -> None:
    record = json.loads(run("digits_cnn", "--dims", "B=4", "--format", "json"))
    lines = list(csv.DictReader(io.StringIO(run("digits_cnn", "--dims", "B=4", "--format", "csv"))))
    assert record["dims"] == {"B": 4}
    assert [int(line["multiplications"]) for line in lines] == [
        row["multiplications"] for row in (*record["rows"], record["total"])
    ]
    assert record["total"]["parameters"] == sum(row["parameters"] for row in record["rows"])


def test_depth_leaves_rows_out_and_no_figures() -> None:
    whole = archonnx.show("digits_cnn")
    assert whole.cells(0) == [whole.cells()[0], whole.cells()[-1]]
    assert whole.cells(1) == whole.cells()


def test_arguments_reach_the_model() -> None:
    assert archonnx.show("digits_mlp", width=7).total.parameters == 64 * 7 + 7 + 7 * 7 + 7 + 7 * 10 + 10
    assert json.loads(run("digits_mlp", "--arg", "width=7", "--format", "json"))["total"]["parameters"] == 591


def test_formulas_are_written_for_people() -> None:
    t = Dim.of("T")
    assert number(1234567 * t * t + 5 * t + 10000) == "5 T + 1,234,567 T^2 + 10,000"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
def test_counting_exercises(exercise: Exercise) -> None:
    assert answer(exercise) == exercise.printed
    if exercise.with_bias is not None:
        assert answer(exercise, bias=True) == exercise.with_bias


@pytest.mark.parametrize("net", ["alexnet", "resnet18", "vgg16"])
def test_multiplications_of_published_nets(net: str) -> None:
    assert round(products(net), 3) == PUBLISHED[net]


def test_a_run_is_shown_as_it_was_trained(tmp_path: Path) -> None:
    out = tmp_path / "run"
    spec = archonnx.load("function_fit", dtype="f64", width=5)
    archonnx.train(spec, out, settings={"epochs": 1}, device="cpu")
    record = json.loads(run(str(out), "--format", "json"))["total"]
    assert (record["parameters"], record["parameter_bytes"]) == (16, 8 * 16)
    record = json.loads(run(str(out), "--format", "json", "--arg", "width=6", "--dtype", "f32"))["total"]
    assert (record["parameters"], record["parameter_bytes"]) == (19, 4 * 19)


@pytest.mark.parametrize("sizes", ["B", "B=x", "B=1.5", "B=true"])
def test_sizes_that_are_no_integers_are_a_usage_error(sizes: str) -> None:
    result = CliRunner().invoke(app, ["show", "digits_mlp", "--dims", sizes])
    assert result.exit_code == 2


def test_a_model_without_outputs_is_counted_as_it_is_judged() -> None:
    from archonnx.compiler.pipeline import parse_spec
    from archonnx.grammar.source import Source

    spec = parse_spec(Source("m.arch", "model M():\n    input x: [B, 3]\n    loss l = mean(x |> Dense(1))\n"))
    assert archonnx.show(spec).graph == "evaluate"


def test_a_table_is_drawn_on_a_terminal_with_the_same_cells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["", "loss", "accuracy"], ["train", "0.25", "0.9"], ["test[a]", "12.5", ""]]
    print_table(rows)
    plain = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(rows)
    drawn = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert plain == "         loss  accuracy\ntrain    0.25       0.9\ntest[a]  12.5\n"
    assert [line.split() for line in drawn.splitlines() if line.strip(" ─")] == [
        line.split() for line in plain.splitlines()
    ]


def test_memory_is_told_in_both_forms_and_goes_with_sizes_alone() -> None:
    record = json.loads(run("digits_mlp", "--memory", "--dims", "B=7", "--format", "json"))
    assert record["dims"] == {"B": 7} and record["total"] == sum(record["parts"].values())
    assert record["parts"]["parameters"] == 104_488, "as in the table of modules"
    assert f"{record['total']:,}" in run("digits_mlp", "--memory", "--dims", "B=7")
    result = CliRunner().invoke(app, ["show", "digits_mlp", "--memory", "--depth", "1"])
    assert result.exit_code == 2 and "--memory" in result.output
