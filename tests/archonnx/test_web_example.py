"""examples/web: what needs no browser here, and the page itself clicked in Chromium (proof)."""

from __future__ import annotations

import functools
import json
import os
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app

ROOT = Path(__file__).parents[2]
WEB = ROOT / "examples/web"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_pieces_that_need_no_browser() -> None:
    done = subprocess.run(["node", "--test"], cwd=WEB, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def cli(*command: str) -> None:
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.proof
def test_the_page_trains_draws_keeps_and_hands_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (WEB / "node_modules/playwright-core").is_dir() or CHROMIUM is None:
        pytest.skip("`npm ci` has not been run in examples/web, or there is no chromium")
    site = tmp_path / "site"
    shutil.copytree(WEB, site, ignore=shutil.ignore_patterns("node_modules", "model"))
    cli("export", "digits_cnn", "-o", str(site / "model"))
    monkeypatch.setattr(sys, "argv", ["data.py", "digits_cnn", str(site / "model")])
    runpy.run_path(str(WEB / "data.py"), run_name="__main__")

    with served(site) as address:
        environment = os.environ | {"WEB_EXAMPLE": str(WEB), "CHROMIUM": CHROMIUM}
        command = ["node", str(ROOT / "tests/support/click_page.mjs"), address, str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["wrong"] == [] and seen["foreign"] == []
    accuracy = float(seen["progress"].split("accuracy ")[1].split(" %")[0])
    assert accuracy > 95 and len(seen["curve"].split()) == 20
    most = {name: max(shares, key=shares.get) for name, shares in seen.items() if isinstance(shares, dict) and shares}
    assert (most["seven"], most["zero"]) == ("7", "0") and "7" in seen["answer"]
    assert seen["cleared"] == {} and seen["of"].endswith(most["example"])
    assert seen["exampleAgain"] == seen["opened"] == seen["example"] != seen["fresh"]
    assert seen["again"] == seen["progress"] and "20 epochs" in seen["kept"]
    assert "not a .safetensors file" in seen["refused"] and "archonnx export" in seen["lost"]
    assert "could not be started" in seen["withoutWasm"]

    file = tmp_path / seen["file"]
    out = tmp_path / "run"
    cli("train", "digits_cnn", "--from", str(file), "--set", "epochs=0", "--out", str(out))
    run = archonnx.Run(out)
    assert abs(100 * run.metrics["test"]["accuracy"] - accuracy) < 0.051  # as it is shown
    fields, _ = run.examples("test", 1)
    (ours,) = run.predict_fields({"image": fields["image"]})["probs"]
    np.testing.assert_allclose([seen["example"][str(i)] / 100 for i in range(10)], ours, atol=0.0051)
    cli("export", str(out), "-o", str(tmp_path / "digits.onnx"))
