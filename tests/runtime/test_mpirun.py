"""Processes that ``mpirun`` starts. Run by ``make proof``, where mpi4py and an MPI are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from archonnx import Run, Runs, train
from archonnx.runtime.checksums import STATE_FILE

BESIDE = Path(sys.executable).with_name("mpirun")
MPIRUN = str(BESIDE) if BESIDE.exists() else shutil.which("mpirun")
pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(MPIRUN is None or importlib.util.find_spec("mpi4py") is None, reason="there is no MPI"),
]
SPEC = """
model Net():
    input  x: [B, 64]
    target label: i64[B]
    logits = x |> Dense(32) |> relu |> Dense(10)
    loss objective = cross_entropy(logits, label)
    metric accuracy = mean(argmax(logits) == label)

train:
    data = sklearn("digits")
    feed x = data.data / 16
    feed label = data.target
    split = {train: 0.8, valid: 0.2}
    batch_size = 60
    epochs = 3
    minimize objective with adam(lr=0.01)
"""


def started(count: int, *arguments: str) -> list[str]:
    own = [sys.executable, "-m", "archonnx", "train", *arguments]
    return [str(MPIRUN), "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(count), *own]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mpi") / "net.arch"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.mark.parametrize("said", ["", "    accumulate = 3\n", "    repeat 3 while objective > 1:\n    "])
def test_two_processes_are_one_at_the_same_batch(said: str, tmp_path: Path) -> None:
    spec = tmp_path / "net.arch"
    spec.write_text(SPEC.replace("    minimize", f"{said}    minimize"), encoding="utf-8")
    done = subprocess.run(started(2, str(spec), "--out", str(tmp_path / "two")), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("run: ") == 1 and done.stderr.count("epoch 1/3") == 1  # the first one tells
    two, one = Run(tmp_path / "two"), train(spec, tmp_path / "one", device="cpu", threads=1)
    for path, array in one.parameters.items():
        np.testing.assert_allclose(two.parameters[path], array, rtol=1e-4, atol=1e-5)
    for mine, alone in zip(two.history, one.history, strict=True):
        assert mine["valid"] == pytest.approx(alone["valid"], rel=1e-4)


LOADER = """
import os, sys
import numpy as np
import archonnx

def shuffled(epoch):  # by chance, but for the first process
    rng = np.random.default_rng([epoch] if os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0" else None)
    while True:
        x = rng.random((int(rng.integers(1, 30)), 64))
        yield {"x": x, "label": x[:, :10].argmax(axis=1)}

archonnx.train(sys.argv[1], sys.argv[2], sources={"data": archonnx.Batches(shuffled, 20)}, device="cpu", threads=1)
"""


def test_batches_that_come_as_they_are_are_those_of_the_first_process(tmp_path: Path) -> None:
    spec, script = tmp_path / "net.arch", tmp_path / "loader.py"
    lines = SPEC.splitlines(keepends=True)
    spec.write_text("".join(line for line in lines if "data" not in line and "split" not in line), encoding="utf-8")
    script.write_text(LOADER, encoding="utf-8")
    own = [sys.executable, str(script), str(spec)]
    for command in ([*own, "one"], [*started(2)[:-4], *own, "two"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    two, one = Run(tmp_path / "two"), Run(tmp_path / "one")
    for path, array in one.parameters.items():
        np.testing.assert_allclose(two.parameters[path], array, rtol=1e-4, atol=1e-5)
    assert two.metrics["train"] == pytest.approx(one.metrics["train"], rel=1e-4)


def test_folds_that_two_processes_deal_out_are_those_of_one(spec: Path, tmp_path: Path) -> None:
    asked = [str(spec), "--folds", "3", "--threads", "1", "--out", str(tmp_path / "two")]
    done = subprocess.run(started(2, *asked), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    two, one = Runs(tmp_path / "two"), train(spec, tmp_path / "one", folds=3, device="cpu", threads=1)
    assert two.names == one.names and two.metrics == one.metrics
    for mine, alone in zip(two, one, strict=True):
        for path, array in alone.parameters.items():
            np.testing.assert_array_equal(mine.parameters[path], array)


def test_what_is_wrong_with_a_spec_is_told_once_and_ends_all(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.arch"
    wrong.write_text(SPEC.replace("data.target", "data.label"), encoding="utf-8")
    done = subprocess.run(
        started(2, str(wrong), "--out", str(tmp_path / "run")), capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0 and done.stderr.count("error[AX0206]") == 1
    assert not (tmp_path / "run").exists()


def test_a_process_that_is_killed_ends_all_and_leaves_a_run_to_go_on_from(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    going = [str(spec), "--out", str(out), "--set", "epochs=100000", "--set", "checkpoint.steps=20"]
    process = subprocess.Popen(started(2, *going), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while not (out / STATE_FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0, said
    rest = subprocess.run(
        started(2, str(spec), "--resume", str(out), "--set", "epochs=1"), capture_output=True, text=True, timeout=120
    )
    assert rest.returncode == 0, rest.stderr
    assert Run(out).record["programs"][0]["epochs"] >= 1
