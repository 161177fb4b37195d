"""What compile time could not decide is checked when a form of batch is new, also by exported models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import archonnx
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.program import Assumption
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.assumptions import METADATA_KEY, as_metadata, check_assumptions, from_metadata
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.step import StepRunner
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

CPU = SessionOptions(device="cpu", threads=1)
FRAMES = """model Frames():
    input x: [B, T, 2]
    target y: [B, K]
    assert T >= 3, "three frames are needed, not {T}"
    assert T % 2 == 1
    assert K == 2 * T
    net = Dense(1)
    m = mean(net(x), axis=2)
    output p = concat([m, m], axis=1)
    loss objective = mse(p, y)
    entry tail(u: [R, 2]) -> [R, 1]:
        assert R >= 4
        return net(u)

train:
    data = generate(frames, n=12)
    epochs = 1
    minimize objective with sgd(lr=0.1)

fn frames(n: int) -> (x: [n, 5, 2], y: [n, 10]):
    x: [n, 5, 2] ~ normal(0, 1)
    y: [n, 10] ~ normal(0, 1)
    return x, y
"""


def batch(frames: int, targets: int | None = None) -> dict[str, Any]:
    width = 2 * frames if targets is None else targets
    return {"x": np.zeros((4, frames, 2), np.float32), "y": np.zeros((4, width), np.float32)}


def broken(code: str, call: Callable[[], object]) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        call()
    (finding,) = caught.value.diagnostics
    assert finding.code == code
    return finding


def test_a_trainer_checks_them_whatever_it_is_asked() -> None:
    trainer = Trainer(program(FRAMES), options=CPU)
    calls: list[Callable[[dict[str, Any]], object]] = [
        trainer.step,
        trainer.evaluate,
        trainer.gradients,
        lambda b: trainer.predict({"x": b["x"]}),
    ]
    for call in calls:
        call(batch(5))
        finding = broken("AX0617", lambda call=call: call(batch(1)))  # type: ignore[misc]
        assert finding.headline == "assertion failed: three frames are needed, not 1"
        assert finding.span is not None and finding.span.text.startswith("assert T >= 3")
        assert "`T % 2 == 1`" in broken("AX0617", lambda call=call: call(batch(4))).headline  # type: ignore[misc]
    assert "axis 1 has 9 elements, not 10" in broken("AX0608", lambda: trainer.step(batch(5, 9))).headline


def test_a_form_of_batch_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(program(FRAMES), options=CPU)
    asked: list[object] = []
    monkeypatch.setattr("archonnx.runtime.device.step.check_assumptions", lambda *given: asked.append(given))
    compiled: list[object] = []
    compile_ = StepRunner._compile
    monkeypatch.setattr(StepRunner, "_compile", lambda self, s: (compiled.append(s), compile_(self, s))[1])
    for frames in (3, 5, 3, 3, 5):
        trainer.step(batch(frames))
    assert len(asked) == len(compiled) == 2


def test_exported_models_carry_and_check_them(tmp_path: Path) -> None:
    run = archonnx.train(parse_spec(Source("frames.arch", FRAMES)), tmp_path / "run", device="cpu")
    model = onnx.load(run.path / "model.onnx")
    recorded = json.loads({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY])
    assert recorded[0] == {"condition": "T >= 3", "message": "three frames are needed, not {T}"}
    assert [entry["condition"] for entry in recorded] == ["T >= 3", "T % 2 == 1"]
    assert run.predict({"x": batch(3)["x"]})["p"].shape == (4, 6)
    headline = broken("AX0617", lambda: run.predict({"x": batch(1)["x"]})).headline
    assert headline == "assertion failed: three frames are needed, not 1"
    assert run.call("tail", u=np.zeros((4, 2), np.float32))["tail"].shape == (4, 1)
    broken("AX0617", lambda: run.call("tail", u=np.zeros((3, 2), np.float32)))


def test_metadata_come_back_as_they_were_and_damage_is_told() -> None:
    t, k = Dim.of("T"), Dim.of("K")
    assumptions = tuple(
        Assumption(op, t // 2 - 3 * k + 1, k * k, "{T // 2} against {K}, {unknown} and {}")
        for op in ("==", "!=", "<", "<=", ">", ">=")
    )
    assert from_metadata(as_metadata(assumptions)) == assumptions
    assert as_metadata(()) == {} and from_metadata({}) == ()
    with pytest.raises(SpecError) as caught:
        check_assumptions(assumptions, {"T": 9, "K": 2})  # -1 against 4
    assert len(caught.value.diagnostics) == 3
    assert caught.value.diagnostics[0].headline == "assertion failed: 4 against 2, {unknown} and {}"
    check_assumptions(assumptions, {"T": 9})  # K is no dim of this graph
    for damaged in (
        "{",
        "[1]",
        '[{"condition": "T", "message": ""}]',
        '[{"condition": "T >= f(T)", "message": ""}]',
        '[{"condition": "T >= __import__(1)", "message": ""}]',
    ):
        assert broken("AX0611", lambda damaged=damaged: from_metadata({METADATA_KEY: damaged}))  # type: ignore[misc]
