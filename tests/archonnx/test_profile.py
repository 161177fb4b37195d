"""Time by line of the spec: what onnxruntime measured is all there, at the lines from which it came."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from archonnx.cli.app import app
from archonnx.compiler import blockwise
from archonnx.compiler.pipeline import elaborate, load, parse_spec
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.insight.profile import PHASES, Profile, known_name, profile_step

SPEC = """\
model Two():
    input x: [B, 256]
    target y: [B, 4]
    small = x[:, :4] |> Dense(4)
    large = x |> Dense(1500, bias=false) |> tanh
    out = small + (large |> Dense(4))
    loss objective = mse(out, y)

train:
    minimize objective with adam(lr=0.01)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path = tmp_path_factory.mktemp("profile") / "two.arch"
    path.write_text(SPEC, "utf-8")
    model = elaborate(load(path))
    batch = {"x": np.ones((64, 256), np.float32), "y": np.ones((64, 4), np.float32)}
    return profile_step(model, model.programs[0], batch, runs=3)


def test_lines_and_operators_are_all_that_was_measured(found: Profile) -> None:
    lines = found.lines()
    assert sum(line.microseconds for line in lines) == pytest.approx(found.total)
    assert sum(time for _, _, time in found.operators()) == pytest.approx(found.total)
    kernels = sum(count for _, count, _ in found.operators())
    assert kernels == pytest.approx(sum(line.kernels for line in lines)) and kernels == int(kernels) > 10
    assert [line.microseconds for line in lines] == sorted((line.microseconds for line in lines), reverse=True)


def test_each_line_of_the_spec_has_its_kernels(found: Profile) -> None:
    spent = {line.number: line for line in found.lines() if line.source.endswith("two.arch")}
    assert {5, 6, 10} <= set(spent) <= {2, 4, 5, 6, 7, 10}
    assert spent[5].text == "large = x |> Dense(1500, bias=false) |> tanh"
    assert spent[5].phases["forward"] > 0 and spent[5].phases["backward"] > 0 and spent[5].phases["update"] == 0
    assert spent[10].phases["update"] > 0 and spent[10].phases["forward"] == 0


def test_what_changes_in_blocks_is_counted_in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise, "WORTH", 1)
    model = elaborate(parse_spec(Source("two.arch", SPEC)))
    batch = {"x": np.ones((64, 256), np.float32), "y": np.ones((64, 4), np.float32)}
    options = SessionOptions(device="cpu", threads=2)
    apart = profile_step(model, model.programs[0], batch, runs=3, options=options)
    counts = {one.shapes: one.count for one in apart.kernels if one.operator == "Sqrt"}
    assert counts["[48000]"] == 8, "eighths of 256 * 1500 elements"


def test_kernels_that_onnxruntime_made_of_ours_are_known(found: Profile) -> None:
    products = [kernel for kernel in found.kernels if "MatMul" in kernel.operator or "Gemm" in kernel.operator]
    assert len(products) >= 6 and all(kernel.origin is not None for kernel in products)
    assert {kernel.phase for kernel in products} == {"forward", "backward"}
    assert {kernel.phase for kernel in found.kernels} <= set(PHASES)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("G.dense.0/mat_mul", "G.dense.0/mat_mul"),
        ("fused G.dense.0/mat_mul/MatMulAddFusion", "G.dense.0/mat_mul"),
        ("max_pool.0/max_pool_nchwc", "max_pool.0/max_pool"),
        ("ReorderOutput_token_22", ""),
        ("G.dense.01/mat_mul", ""),
    ],
)
def test_names_lead_back_to_the_node(name: str, own: str) -> None:
    assert known_name(name, {"G.dense.0/mat_mul", "max_pool.0/max_pool"}) == own


def test_the_verb_prints_lines_or_every_kernel(tmp_path: Path) -> None:
    text = CliRunner().invoke(app, ["profile", "xor", "--runs", "2", "--operators"], catch_exceptions=False)
    assert text.exit_code == 0 and "xor.arch:" in text.output and "a step" in text.output and "100.0%" in text.output
    said = CliRunner().invoke(app, ["profile", "xor", "--runs", "2", "--json"], catch_exceptions=False)
    record = json.loads(said.stdout)
    assert record["runs"] == 2 and record["microseconds"] == pytest.approx(
        sum(kernel["microseconds"] for kernel in record["kernels"])
    )


def test_a_spec_without_data_wants_a_batch(tmp_path: Path) -> None:
    (tmp_path / "two.arch").write_text(SPEC, "utf-8")
    np.savez(tmp_path / "batch.npz", x=np.ones((8, 256), np.float32), y=np.ones((8, 4), np.float32))
    spec = str(tmp_path / "two.arch")
    without = CliRunner().invoke(app, ["profile", spec])
    assert without.exception is not None and "no batch was given" in str(without.exception)
    given = CliRunner().invoke(app, ["profile", spec, "--runs", "1", "-i", str(tmp_path / "batch.npz")])
    assert given.exit_code == 0, given.output
