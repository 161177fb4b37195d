"""docs/deploy.md is true: its commands and snippets are run, those of other runtimes where these are installed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archonnx.cli.app import app
from tests.support.node import has_node

PAGE = Path(__file__).parents[1] / "docs/deploy.md"
FENCES = re.findall(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of the page have been run."""
    at, before = tmp_path_factory.mktemp("deploy"), Path.cwd()
    os.chdir(at)
    try:
        for line in next(body for language, _, body in FENCES if language == "bash").splitlines():
            result = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
            assert result.exit_code == 0, result.output
    finally:
        os.chdir(before)
    return at


def test_python_runs_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    exec(next(body for language, tag, body in FENCES if (language, tag) == ("python", "")), {})
    assert "(1, 10)" in capsys.readouterr().out
    assert (folder / "raw.onnx").is_file()


@pytest.mark.proof
def test_openvino_runs_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.chdir(folder)
    exec(next(body for _, tag, body in FENCES if tag == "openvino"), {})
    assert "(1, 10)" in capsys.readouterr().out


@pytest.mark.proof
def test_node_runs_the_file(folder: Path) -> None:
    if not has_node():
        pytest.skip("NODE_PATH does not lead to onnxruntime-node")
    (folder / "predict.js").write_text(next(body for language, _, body in FENCES if language == "javascript"))
    said = subprocess.run(["node", "predict.js"], cwd=folder, check=True, capture_output=True, text=True, timeout=60)
    assert "[ 1, 10 ]" in said.stdout
