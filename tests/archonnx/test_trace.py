"""``archonnx trace`` and ``archonnx gradcheck`` as people use them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.cli import main
from tests.support.golden import Case, Golden, golden_cases

SPEC = """model Line(units: int = 1):
    input  x: [B, 2]
    target y: [B, units]
    h = x |> Dense(units)
    output guess: [B, units] = h
    loss near = mse(h, y)
    loss far = mae(h, y)
    entry twice(v: [n]) -> [n]:
        w = 2 * v
        return w

fn points() -> (x: [32, 2], y: [32, 1]):
    x: [32, 2] ~ normal(0, 1)
    return x, sum(x, axis=1, keep=true)

train:
    data = generate(points)
    epochs = 1
    minimize near with adam(lr=0.1)
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that runs a command in a folder with a spec: exit status, stdout and stderr."""
    (tmp_path / "line.arch").write_text(SPEC)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["archonnx", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


@golden_cases("traces/exercises.md")
def test_trace_of_an_exercise(
    case: Case, golden: Golden, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", case.source.split())
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (None, 0)
    golden(case, capsys.readouterr().out)


def values(text: str) -> dict[str, Any]:
    return {value["name"]: value for value in json.loads(text)["values"]}


def test_inputs_come_from_the_data_from_literals_or_from_files(typed: Any, tmp_path: Path) -> None:
    _, out, _ = typed("trace", "line.arch", "--examples", "3", "--format", "json")
    assert values(out)["x"]["shape"] == [3, 2] and "train part of generate(points)" in json.loads(out)["inputs"]
    x = [[1.0, 2.0], [3.0, 4.0]]
    np.save(tmp_path / "x.npy", np.array(x))
    (tmp_path / "x.json").write_text(json.dumps(x))
    np.savez(tmp_path / "both.npz", x=x, y=[[0.0], [1.0]])
    for given in (
        ["x=[[1, 2], [3, 4]]", "y=[[0], [1]]"],
        ["x=x.npy", "y=[[0],[1]]"],
        ["x=x.json", "y=[[0],[1]]"],
        ["both.npz"],
    ):
        arguments = [part for text in given for part in ("--input", text)]
        status, out, _ = typed("trace", "line.arch", *arguments, "--format", "json")
        assert status == 0 and values(out)["x"]["value"] == x


def test_losses_graphs_and_arguments_are_chosen(typed: Any) -> None:
    _, out, _ = typed("trace", "line.arch", "--loss", "far", "--format", "json")
    assert json.loads(out)["loss"] == "far" and values(out)["near"]["gradient"] is None
    status, _, err = typed("trace", "line.arch", "--loss", "farr")
    assert status == 1 and "did you mean `far`?" in err
    _, out, _ = typed("trace", "line.arch", "--graph", "twice", "-i", "v=[1, 2.5]", "--format", "json")
    assert values(out)["w"]["value"] == [2, 5] and json.loads(out)["loss"] is None
    status, _, err = typed("trace", "line.arch", "--graph", "twice")
    assert status == 1 and "`--input 'v=[0]'`" in err
    _, out, _ = typed("trace", "line.arch", "--arg", "units=2", "-i", "x=[[1,2]]", "-i", "y=[[0,0]]", "--dtype", "f64")
    assert "f64[1, 2]" in out and "in f64" in out


def test_deep_shows_what_blocks_compute_with_the_lines_of_the_library(typed: Any) -> None:
    _, shallow, _ = typed("trace", "line.arch")
    _, deep, _ = typed("trace", "line.arch", "--deep")
    assert "dense.y#1" not in shallow and "dense.W" in shallow and "std/" not in shallow
    assert "dense.y#1" in deep and "std/layers.arch:" in deep and "y = x @ W" in deep


def test_a_run_and_its_parameters(typed: Any, tmp_path: Path) -> None:
    run = archonnx.train("line.arch", tmp_path / "run", device="cpu")
    weights = run.parameters["dense.W"].tolist()
    for arguments in (
        ["run"],
        ["line.arch", "--parameters", "run"],
        ["line.arch", "--parameters", "run/weights.safetensors"],
    ):
        _, out, _ = typed("trace", *arguments, "--format", "json")
        np.testing.assert_allclose(values(out)["dense.W"]["value"], weights)
    _, out, _ = typed("trace", "run", "--dtype", "f64", "--format", "json")
    assert values(out)["dense.W"]["dtype"] == "f64"
    assert typed("gradcheck", "run")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x=[1, 2"], "neither a file nor numbers in JSON"),
        (["x=weights"], "neither a file nor numbers in JSON"),
        (['x={"a": 1}'], "not made of numbers"),
        (["x=[[1, 2], [3]]", "y=[[0]]"], "its rows differ in length"),
        (["x=[[1, 2, 3]]", "y=[[0]]"], "axis 1 has 3 elements, not 2"),
        (["x=[[1, 2], [3, 4]]", "y=[[0]]"], "B is 1 here and 2 in `x`"),
        (["x=[[1, -1e39]]", "y=[[0]]"], "-1e+39 in row 0 at [1] is beyond f32"),
        (["x=no.npy"], "there is no file no.npy"),
        (["x=no.json"], "there is no file no.json"),
        (["X=[[1, 2]]", "y=[[0]]"], "there is no field `X`"),
        (["x=" + "[" * 5000, "y=[[0]]"], "neither a file nor numbers in JSON"),
    ],
)
def test_bad_inputs_are_told(typed: Any, arguments: list[str], said: str) -> None:
    status, out, err = typed("trace", "line.arch", *(part for text in arguments for part in ("--input", text)))
    assert status == 1 and said in err and "Traceback" not in err and out == ""


def test_nothing_is_printed_before_a_name_is_known(typed: Any) -> None:
    status, out, err = typed("trace", "line.arch", "--input", "x=[[1, 2]]", "--input", "y=[[0]]", "--only", "zzz")
    assert status == 1 and "no tensor of" in err and out == ""


def test_a_model_without_inputs(typed: Any, tmp_path: Path) -> None:
    (tmp_path / "bowl.arch").write_text("model Bowl():\n    param w: [2] = 1\n    loss l = sum(w * w)\n")
    assert "inputs: none" in typed("trace", "bowl.arch")[1]
    assert "inputs: none" in typed("gradcheck", "bowl.arch")[1]
    np.save(tmp_path / "x.npy", np.ones(2))
    for given in ("x.npy", "x=3"):
        status, out, err = typed("trace", "bowl.arch", "--input", given)
        assert status == 1 and "there is no field `x`" in err and "there are none" in err and out == ""


def test_a_name_without_its_numbers_is_told_how_to_give_them(typed: Any) -> None:
    status, _, err = typed("trace", "line.arch", "--input", "x")
    assert status == 1 and "there is no file x" in err and "--input 'x=[1, 2]'" in err


def test_gradcheck_has_an_exit_status(typed: Any, tmp_path: Path) -> None:
    status, out, err = typed("gradcheck", "line.arch", "--directions", "1")
    assert status == 0 and err == "" and "loss near = " in out and "loss far = " in out
    assert out.rstrip().endswith("8 gradients agree")
    wrong = "\nfn own(x: [...S]) -> [...S]:\n    return 2 * x\nbackward(dy):\n    return dy\n"
    (tmp_path / "wrong.arch").write_text(SPEC.replace("x |> Dense(units)", "own(x |> Dense(units))") + wrong)
    status, out, err = typed("gradcheck", "wrong.arch", "--loss", "near")
    assert status == 1 and "are wrong" in out and "error[AX0622]" in err and "wrong.arch:23" in err
    assert typed("gradcheck", "line.arch", "--dtype", "bf16")[0] == 1


def test_the_helps_teach(typed: Any) -> None:
    for verb in ("trace", "gradcheck"):
        status, out, _ = typed(verb, "--help")
        assert status == 0 and f"archonnx {verb} model.arch" in out


def test_traces_in_python() -> None:
    trace = archonnx.trace("xor", device="cpu")
    assert isinstance(trace, archonnx.Trace) and trace["logit"].value.shape == (1, 1)
    assert "dobjective/dlogit" in str(trace)
    assert archonnx.gradcheck("xor", {"x": [[0, 1]], "y": [[1]]}, directions=1).ok
