"""``archonnx train --tune``: as people use it, with a folder of caches of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from archonnx import Run
from archonnx.cli.app import app
from archonnx.compiler.passes.crossings import Crossings, crossings
from archonnx.runtime.device import session, tuning
from archonnx.runtime.device.crossing import LADDERS, Rung, measured
from archonnx.runtime.device.session import SessionOptions

SPEC = """model Net():
    input x: [B, 64]
    target label: i64[B]
    logits = x |> Dense(32) |> relu |> Dense(10)
    loss objective = cross_entropy(logits, label)

train:
    data = sklearn("digits")
    feed x = data.data / 16
    feed label = data.target
    epochs = 1
    minimize objective with sgd(lr=0.1)
"""


def test_a_machine_is_measured_by_the_first_training_and_remembered_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ladder of two rungs; what is damaged is measured again; graphs are put by what was found."""
    found: list[Crossings] = []
    followed: list[Crossings] = []
    one = replace(LADDERS[-1], sizes=(64, 8192), widths=(16,))

    def measure(options: SessionOptions) -> tuple[Crossings, dict[str, list[Rung]]]:
        made, rungs = measured(options, [one])
        found.append(made)
        return made, rungs

    put = session.for_kernels
    monkeypatch.setattr(tuning, "measured", measure)
    monkeypatch.setattr(session, "for_kernels", lambda *a, **k: (followed.append(crossings()), put(*a, **k))[1])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(SPEC, encoding="utf-8")

    def trained(name: str, extra: Sequence[str] = ("--tune",)) -> Run:
        followed.clear()
        arguments = ["train", "net.arch", "--threads", "1", "--device", "cpu", "--out", name, *extra]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return Run(tmp_path / name)

    plain = trained("plain", ())
    caches = tmp_path / "caches" / "archonnx"
    assert not list(caches.glob("crossings-*")) and not found
    first = trained("first")
    (cache,) = caches.glob("crossings-*")
    content = cache.read_bytes()
    assert len(found) == 1 and followed[-1] == found[0]
    trained("second")
    assert len(found) == 1 and set(followed) == {found[0]} and cache.read_bytes() == content
    cache.write_bytes(content[: len(content) // 2])
    trained("third")
    assert len(found) == 2 and tuning.remembered(cache) == found[1]
    for path, array in plain.parameters.items():
        np.testing.assert_allclose(first.parameters[path], array, rtol=1e-5, atol=1e-6)
