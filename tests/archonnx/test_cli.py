"""The command line as people use it: what it prints, where, and with which exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from archonnx.cli import main

SPEC = '''model Line(scale: float = 1.0):
    """A straight line through generated points."""
    input  x: [B, 3]
    target y: [B, 1]

    prediction = scale * (x |> Dense(1))

    output line: [B, 1] = prediction
    loss   objective = mse(prediction, y)

train:
    data   = csv("points.csv", target="y")
    feed x = data.data
    feed y = reshape(data.target, [-1, 1])
    split  = {train: 0.5, valid: 0.25, test: 0.25, seed: 0}
    epochs = 3
    batch_size = 16
    minimize objective with sgd(lr=0.1)
'''


def archonnx(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ""}
    return subprocess.run(
        [sys.executable, "-m", "archonnx", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, its data, and the run that training it leaves."""
    here = tmp_path_factory.mktemp("work")
    (here / "line.arch").write_text(SPEC)
    x = np.random.default_rng(0).normal(size=(80, 3))
    rows = [f"{a},{b},{c},{2 * a - b + 0.5}" for a, b, c in x]
    (here / "points.csv").write_text("\n".join(["a,b,c,y", *rows]))
    result = archonnx("train", "line.arch", "--set", "epochs=8", "--arg", "scale=0.5", "--device", "cpu", cwd=here)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 8 and lines[0].startswith("epoch 1/8  train objective ")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["objective", "train", "valid", "test"]
    assert "archonnx predict runs/line-1" in result.stderr
    return here


def test_a_run_can_be_measured_used_and_exported(folder: Path) -> None:
    record = json.loads((folder / "runs/line-1/run.json").read_text())
    assert record["arguments"] == {"scale": 0.5} and record["settings"]["epochs"] == 8
    measured = archonnx("eval", "runs/line-1", "--on", "valid", cwd=folder)
    assert measured.stderr == ""  # onnxruntime-gpu on a machine without a GPU says nothing
    assert measured.stdout.split() == ["objective", "valid", f"{record['metrics']['valid']['objective']:.4f}"]
    (folder / "new.csv").write_text("a,b,c\n1,2,3\n0,0,0.5\n")
    printed = archonnx("predict", "runs/line-1", "--input", "new.csv", cwd=folder)
    np.save(folder / "x.npy", np.array([[1, 2, 3], [0, 0, 0.5]], np.float32))
    assert archonnx("predict", "runs/line-1", "-i", "x=x.npy", "-o", "out.npz", cwd=folder).returncode == 0
    line = np.load(folder / "out.npz")["line"]
    np.testing.assert_allclose([float(n) for n in printed.stdout.split()[1:]], line[:, 0], rtol=1e-6)
    assert printed.stdout.startswith("line\n")
    assert archonnx("export", "runs/line-1", "-o", "line.onnx", cwd=folder).returncode == 0
    assert len(onnx.load(folder / "line.onnx").graph.initializer) >= 2


def test_each_training_has_a_directory_of_its_own(folder: Path) -> None:
    assert archonnx("train", "line.arch", "--set", "epochs=1", cwd=folder).returncode == 0
    assert (folder / "runs/line-2/run.json").exists()
    refused = archonnx("train", "line.arch", "--out", "runs/line-1", cwd=folder)
    assert refused.returncode == 1 and refused.stderr.startswith("error[AX0614]")


def test_findings_go_to_stderr_with_status_1(folder: Path) -> None:
    (folder / "wrong.arch").write_text(SPEC.replace("mse(prediction, y)", "mse(prediction, z)"))
    result = archonnx("check", "wrong.arch", cwd=folder)
    assert result.returncode == 1 and "`z`" in result.stderr and "wrong.arch:9" in result.stderr
    assert "Traceback" not in result.stderr and result.stdout == ""
    concise = archonnx("check", "wrong.arch", "--format", "concise", cwd=folder)
    assert concise.returncode == 1 and concise.stdout.startswith("wrong.arch:9:")
    listed = archonnx("check", "wrong.arch", "--format", "json", cwd=folder)
    assert json.loads(listed.stdout.splitlines()[0])["labels"][0]["start"]["line"] == 9


def test_usage_errors_have_status_2(folder: Path) -> None:
    wrong = (("frobnicate",), ("check", "--colour"), ("train", "line.arch", "--set", "epochs"), ("explain", "A"))
    for arguments in wrong:
        usage = archonnx(*arguments, cwd=folder)
        assert usage.returncode == 2 and "Traceback" not in usage.stderr


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("fit line.arch --set epochs=1", "`archonnx train line.arch --set epochs=1`"),
        ("train line.arch --set epochs = 5", "`--set epochs=5`"),
        ("train line.arch --set epochs= 5", "`--set epochs=5`"),
        ("train line.arch --set epochs =5", "`--set epochs=5`"),
        ("train line.arch --set epochs 5", "`--set epochs=5`"),
        ("train line.arch mine", "`--out mine`"),
        ("train line.arch --fp16", "`--precision bf16`"),
        ("export line.arch --bf16", "`--precision f16`"),
        ("train line.arch --precision 16-mixed", "Did you mean `bf16`?"),
    ],
)
def test_a_wrong_line_is_told_the_right_one(
    line: str, meant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.argv", ["archonnx", *line.split()])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and meant in capsys.readouterr().err


def test_good_specs_are_summed_up_in_a_line(folder: Path) -> None:
    result = archonnx("check", "line.arch", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "line.arch: ok (Line: 2 parameters with 4 numbers; outputs line; losses objective)\n"
    (folder / "norm.arch").write_text("model M():\n    input x: [B, 3]\n    output y = x |> Dense(2) |> BatchNorm\n")
    with_buffers = archonnx("check", "norm.arch", cwd=folder).stdout
    assert "4 parameters with 12 numbers; 2 buffers with 4;" in with_buffers


def test_without_a_spec_check_lists_the_zoo_and_near_names_are_proposed(folder: Path) -> None:
    listed = archonnx("check", cwd=folder).stdout.splitlines()
    words = ["digits_cnn", "A", "small", "convolutional", "classifier", "for", "8x8", "grey", "digits."]
    assert words in [line.split() for line in listed] and "  convolution" in listed
    (over_two_lines,) = [line for line in listed if "karate_club" in line]
    assert over_two_lines.endswith("the instructor and the president (Zachary 1977).")
    assert "`archonnx check` lists the zoo" in archonnx("check", "wholly_other", cwd=folder).stderr
    assert "did you mean `digits_cnn`?" in archonnx("check", "digits_cn", cwd=folder).stderr


def test_the_version_the_pages_of_codes_and_the_help(folder: Path) -> None:
    assert archonnx("--version", cwd=folder).stdout.startswith("archonnx 0.")
    assert archonnx("explain", "ax0614", cwd=folder).stdout.startswith("AX0614 run-exists (error)")
    for verb in ("check", "train", "predict", "call", "eval", "compile", "export", "explain"):
        assert f"archonnx {verb} " in archonnx(verb, "--help", cwd=folder).stdout


def test_a_bug_is_told_without_a_traceback_unless_asked_for(tmp_path: Path) -> None:
    program = (
        "import sys, archonnx.compiler.pipeline as p\n"
        "def broken(*a, **k): raise ZeroDivisionError('boom')\n"
        "p.load = broken\n"
        "from archonnx.cli import main\n"
        "main()\n"
    )
    results = [
        subprocess.run(
            [sys.executable, "-c", program, "check", "x.arch", *more],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
        for more in ([], ["--debug"])
    ]
    assert results[0].returncode == 70 and "Traceback" not in results[0].stderr
    assert "ZeroDivisionError: boom" in results[0].stderr and "report" in results[0].stderr
    assert "Traceback" in results[1].stderr


def test_checking_imports_nothing_that_only_running_needs(folder: Path) -> None:
    program = (
        "import sys\n"
        "from archonnx.cli import main\n"
        "sys.argv = ['archonnx', 'check', 'line.arch']\n"
        "main()\n"
        "print([m for m in ('onnx', 'onnxruntime', 'sklearn', 'scipy', 'rich', 'safetensors') if m in sys.modules])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stdout.splitlines()[-1] == "[]", result
