"""What was probably not meant is told by ``check --data`` and ``train``; what is denied is not trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.cli.checking import check_specs

SPEC = """
model M():
    input x: [B, 4]
    input z: [B]{comment}
    target y: i64[B]
    loss l = cross_entropy(x |> Dense(3), y)

fn sorted(n: int) -> (x: [n, 4], z: [n], y: i64[n]):
    x: [n, 4] ~ normal(0, 1)
    return x, x[:, 0], arange(n) * 3 // n

train:
    data = generate(sorted, n=30)
    epochs = 1
    {settings}
    minimize l with adam(lr=0.01)
"""


class Listener(archonnx.Observer):
    """Keeps what is said before a training."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def opening(self, line: str) -> None:
        self.lines.append(line)

    @property
    def warnings(self) -> list[str]:
        return [line.split()[1] for line in self.lines if line.startswith("warning")]


def written(folder: Path, settings: str = "shuffle = true", comment: str = "") -> Path:
    path = folder / "m.arch"
    path.write_text(SPEC.format(settings=settings, comment=comment))
    return path


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ("split = {train: 0.6, test: 0.4, by: order}", ["AX0825"]),
        ("split = {train: 0.6, test: 0.4, stratify: y}", []),
        ("split = {train: 12, test: 8, by: random}", ["AX0822"]),
        ("split = {train: 20, test: 10, by: random}", []),
        ("batch_size = 31", ["AX0823"]),
        ("batch_size = 30", []),
        ("batch_size = all", []),
    ],
)
def test_the_data_shows(settings: str, codes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, settings, "  # allow AX0802")
    assert check_specs([str(path)], {}, "concise", data=True)
    told = capsys.readouterr()
    assert [line.split("[")[1][:6] for line in (told.out + told.err).splitlines() if "warning[" in line] == codes
    assert check_specs([str(path)], {}, "concise", data=True, levels=((), ("all",)))
    assert check_specs([str(path)], {}, "concise", data=True, levels=(("all",), ())) == (not codes)


def test_a_training_tells_once_and_goes_on(tmp_path: Path) -> None:
    listener = Listener()
    settings = "split = {train: 0.6, test: 0.4, by: order}"
    runs = archonnx.train(written(tmp_path, settings), tmp_path / "runs", seeds=2, observer=listener)
    assert len(runs) == 2
    assert listener.warnings == ["AX0802", "AX0825", "AX0825"]  # of the spec once, of the data each time
    assert f"warning AX0802 at {tmp_path}/m.arch:4:5: nothing reads the input `z`" in listener.lines


def test_settings_from_outside_count(tmp_path: Path) -> None:
    path = written(tmp_path, "early_stopping = {monitor: valid.l, patience: 1}", "  # allow AX0802")
    listener = Listener()
    run = archonnx.train(path, tmp_path / "run", settings={"split.train": 0.5, "split.valid": 0.5}, observer=listener)
    assert run.metrics and listener.warnings == []


@pytest.mark.parametrize(
    ("settings", "comment", "code"),
    [
        ("shuffle = true", "  # deny AX0802", "AX0802"),
        ("split = {train: 0.6, test: 0.4, by: order}  # deny AX0825", "  # allow AX0802", "AX0825"),
    ],
)
def test_what_is_denied_is_not_trained(settings: str, comment: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(archonnx.SpecError) as caught:
        archonnx.train(written(tmp_path, settings, comment), tmp_path / "run")
    assert [finding.code for finding in caught.value.diagnostics] == [code]
    assert not (tmp_path / "run").exists()


def test_batches_of_a_stream_are_trained_without_a_word(tmp_path: Path) -> None:
    rows = {"x": np.zeros((6, 4), np.float32), "z": np.zeros(6, np.float32), "y": np.arange(6) % 3}
    listener = Listener()
    path = written(tmp_path, comment="  # allow AX0802")
    archonnx.train(path, tmp_path / "run", data=archonnx.Batches([rows]), observer=listener)
    assert listener.warnings == []
