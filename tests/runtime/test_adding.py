"""What somebody adds stands in one place: a source is a class and its loader, a setting is a field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

import archonnx
from archonnx.compiler.settings import COMPILED, PositiveCount, Settings, TrainSettings, validated
from archonnx.compiler.sources import PLANNED, SOURCES, source
from archonnx.grammar.diagnostics import Report
from archonnx.runtime.data.loader import LOADERS, Loaded, Place, loader_of, loads

SPEC = """
model Line():
    input  x: [B]
    target y: [B]
    param w: [] = 0
    loss l = mean((w * x - y) ** 2)

train:
    data = SOURCE
    feed x = data.x
    feed y = data.y
    epochs = 1
    minimize l with sgd(lr=0.1)
"""


@pytest.fixture
def ramp() -> Iterator[None]:
    """A source ``ramp(n, slope=1)``."""

    @source("ramp")
    class RampSource(Settings):
        n: PositiveCount
        slope: float = 1.0

    @loads(RampSource)
    def load(source: RampSource, place: Place) -> Loaded:
        x = np.arange(source.n, dtype=np.float32) / source.n
        return Loaded({"x": x, "y": np.float32(source.slope) * x}, "the ramp")

    yield
    del SOURCES["ramp"], LOADERS[RampSource]


def written(folder: Path, call: str) -> Path:
    path = folder / "line.arch"
    path.write_text(SPEC.replace("SOURCE", call))
    return path


def test_a_source_is_a_class_and_its_loader(ramp: None, tmp_path: Path) -> None:
    run = archonnx.train(written(tmp_path, "ramp(32, slope=2)"), tmp_path / "run", device="cpu")
    x = np.arange(32) / 32
    (w,) = (float(array) for array in run.parameters.values())
    assert w == pytest.approx(2 * 0.1 * float((x * 2 * x).mean()), rel=1e-5)  # one step from 0


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [("ramp(0)", "AX0702", "`n`"), ("ramp(4, slop=2)", "AX0701", "slope"), ("rmp(4)", "AX0705", "ramp")],
)
def test_its_mistakes_are_told_like_those_of_the_others(
    ramp: None, tmp_path: Path, call: str, code: str, says: str
) -> None:
    with pytest.raises(archonnx.SpecError) as caught:
        archonnx.compile(written(tmp_path, call))
    (found,) = caught.value.diagnostics
    assert found.code == code and says in f"{found.headline} {found.help}" and found.span is not None


def test_every_source_has_one_loader_and_every_loader_a_source() -> None:
    assert all(callable(loader_of(taken)) for taken in SOURCES.values())
    assert LOADERS.keys() == set(SOURCES.values())
    assert not PLANNED & SOURCES.keys()


class Inner(Settings):
    """A setting with settings inside."""

    rate: float = 0.5


class MoreSettings(TrainSettings):
    """Settings with some that are new."""

    warmup: PositiveCount = 3
    inner: Inner = Inner()
    shape: Annotated[int, COMPILED] = 1


def test_a_setting_is_a_field() -> None:
    report = Report()
    changed = MoreSettings().changed({"warmup": 5, "inner.rate": 0.25, "epochs": 2}, report)
    assert not report.diagnostics and isinstance(changed, MoreSettings)
    assert (changed.warmup, changed.inner.rate, changed.epochs) == (5, 0.25, 2)
    MoreSettings().changed({"shape": 2}, report)
    assert validated(MoreSettings, {"warmup": 0, "inner": {"rat": 1}, "warmpu": 1}, {}, None, report) is None
    found = {d.code: f"{d.headline} {d.help}" for d in report.diagnostics if "warmpu" not in d.headline}
    assert found.keys() == {"AX0704", "AX0701", "AX0702"}
    assert "`shape`" in found["AX0704"] and "`warmup`" in found["AX0702"] and "did you mean `rate`" in found["AX0701"]
    assert any("did you mean `warmup`" in (d.help or "") for d in report.diagnostics)
