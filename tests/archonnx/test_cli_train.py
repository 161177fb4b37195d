"""``archonnx train`` with several programs and in parts, and ``archonnx call``: as people use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SPEC = """model Pair(width: int = 2):
    input x: [B, 3]
    enc = Dense(width)
    head = Dense(3)
    output copy = head(enc(x))  # allow AX0807
    loss objective = mse(copy, x)
    entry sample(n: dim) -> [n, 3]:
        z: [n, width] ~ normal(0, 1)
        return head(z)
    entry codes(x: [R, 3], scale: f32[]) -> [R, width]:
        return scale * enc(x)

train rough:
    data = generate(points, n=20)
    epochs = 2
    minimize objective with adam(lr=0.1)

train fine:
    data = generate(points, n=20)
    epochs = 4
    start_from = rough
    minimize objective with sgd(lr=0.01)

fn points(n: int) -> (x: [n, 3]):
    x: [n, 3] ~ normal(0, 1)
    return x
"""


def archonnx(*arguments: str, cwd: Path, fails: bool = False) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "archonnx", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode == 0) != fails, result.stderr
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("work")
    (here / "pair.arch").write_text(SPEC)
    trained = archonnx("train", "pair.arch", "--out", "run", "--device", "cpu", "--arg", "width=3", cwd=here)
    lines = trained.stderr.splitlines()
    assert lines[0] == "program rough (1 of 2)" and lines[3] == "program fine (2 of 2)"
    assert "rough: finished after 2 epochs" in trained.stderr and "fine: finished after 4 epochs" in trained.stderr
    assert "archonnx call run sample" in trained.stderr
    return here


def test_a_training_in_two_parts_ends_where_the_whole_one_does(folder: Path) -> None:
    options = ("--device", "cpu", "--arg", "width=3")
    archonnx("train", "pair.arch", "--out", "parts", "--set", "epochs=2", *options, cwd=folder)
    rest = archonnx("train", "pair.arch", "--resume", "parts", "--set", "epochs=4", "--device", "cpu", cwd=folder)
    assert "going on after epoch 2" in rest.stderr and "program rough" not in rest.stderr
    weights = [(folder / run / "weights.safetensors").read_bytes() for run in ("run", "parts")]
    assert weights[0] == weights[1]
    refused = archonnx("train", "pair.arch", "--resume", "nowhere", cwd=folder, fails=True)
    assert refused.returncode == 1 and refused.stderr.startswith("error[AX0618]")


def test_one_program_alone(folder: Path) -> None:
    archonnx("train", "pair.arch", "--program", "rough", "--out", "rough", "--device", "cpu", cwd=folder)
    record = json.loads((folder / "rough" / "run.json").read_text())
    assert [program["name"] for program in record["programs"]] == ["rough"] and record["program"] == "rough"
    assert archonnx("eval", "rough", "--on", "train", cwd=folder).stdout.startswith("       objective")


def test_entries_are_listed_and_called(folder: Path) -> None:
    assert archonnx("call", "run", cwd=folder).stdout == "sample(n: i64[])\ncodes(x: f32[R, 3], scale: f32[])\n"
    drawn = [archonnx("call", "run", "sample", "--set", "n=4", "--seed", seed, cwd=folder).stdout for seed in "112"]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0].splitlines()[0] == "sample.0,sample.1,sample.2" and len(drawn[0].splitlines()) == 5
    np.save(folder / "x.npy", np.eye(3, dtype=np.float32))
    called = archonnx("call", "run", "codes", "-i", "x=x.npy", "--set", "scale=2", "-o", "codes.npz", cwd=folder)
    assert called.stdout == "codes.npz: codes [3, 3]\n"
    assert np.load(folder / "codes.npz")["codes"].shape == (3, 3)
    near = archonnx("call", "run", "code", cwd=folder, fails=True)
    assert near.returncode == 1 and "did you mean `codes`?" in near.stderr
    exported = archonnx("export", "run", "--graph", "sample", "-o", "sample.onnx", cwd=folder)
    assert exported.stdout.startswith("sample.onnx: ")
