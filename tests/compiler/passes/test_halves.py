"""f16 where it serves: what overflows or underflows there stays f32, and results are those of f32 but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.export.artifacts import GraphOptions, Precision, as_onnx, graphs_of, held
from archonnx.runtime.training.initial import initial_values
from tests.support.onnx_run import run_onnx

ENDS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def model(body: str, inputs: str = "x: [B, 8]") -> ModelProgram:
    text = f"model M():\n    input {inputs}\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    return elaborate(parse_spec(Source("m.arch", text)))


def written(program: ModelProgram, precision: Precision, weights: dict[str, Array] | None = None) -> onnx.ModelProto:
    known = {**initial_values(program.parameters, 0), **(weights or {})}
    return as_onnx(held(program, None), program, GraphOptions(precision=precision), known)


def both(program: ModelProgram, weights: dict[str, Array] | None = None, **given: Any) -> list[dict[str, Any]]:
    return [run_onnx(written(program, precision, weights), given) for precision in ("f32", "f16")]


NETS = {
    "conv": (
        "output y = x |> Conv(6, 3, padding=same) |> BatchNorm() |> relu |> MaxPool(2) |> flatten |> Dense(5) |> softmax",
        "x: [B, 3, 8, 8]",
        (4, 3, 8, 8),
    ),
    "norms": ("output y = x |> Dense(16) |> LayerNorm() |> gelu |> Dense(4)", "x: [B, 8]", (4, 8)),
    "attention": ("output y = x |> TransformerEncoderLayer(heads=2, hidden=16)", "x: [B, 5, 8]", (4, 5, 8)),
    "recurrent": ("output y = mean((x |> LSTM(8)).hs, axis=1) |> Dense(3)", "x: [B, 6, 4]", (4, 6, 4)),
}


@pytest.mark.parametrize("name", NETS)
def test_results_are_those_of_f32_and_weights_are_halves(name: str) -> None:
    body, inputs, shape = NETS[name]
    program = model(body, inputs)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    wide, narrow = both(program, x=x)
    apart = np.abs(wide["y"] - narrow["y"]).max()
    assert narrow["y"].dtype == np.float32 and 0 < apart < 1e-2 * max(1, np.abs(wide["y"]).max())
    matrices = [t for t in written(program, "f16").graph.initializer if len(t.dims) > 1 and t.dims[-1] > 1]
    assert matrices and {t.data_type for t in matrices} == {onnx.TensorProto.FLOAT16}


def test_a_schedule_keeps_the_digits_that_a_difference_leaves() -> None:
    """1 - 0.9999 is 0 in f16, and what a diffusion divides by."""
    body = "left = cumprod(1 - linspace(1e-4, 0.05, 100))\noutput y = (x |> Dense(8)) / sqrt(1 - left[t])[:, none]"
    given = {"x": np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32), "t": np.arange(4)}
    wide, narrow = both(model(body, "x: [B, 8]\n    input t: i64[B]"), **given)
    np.testing.assert_allclose(narrow["y"], wide["y"], rtol=0, atol=2e-3 * np.abs(wide["y"]).max())


def test_what_edges_bring_adds_up_in_f32() -> None:
    body = "output y = GCN(3)(x |> Dense(6), edges(source, target, 5))"
    program = model(body, "x: [5, 8]\n    input source: i64[E]\n    input target: i64[E]")
    given = {"x": np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32), "source": np.arange(5)}
    wide, narrow = both(program, **given, target=np.arange(5)[::-1].copy())
    assert 0 < np.abs(wide["y"] - narrow["y"]).max() < 1e-2 * np.abs(wide["y"]).max()


@pytest.mark.parametrize(
    ("body", "scale"),
    [
        ("h = x |> Dense(8)\noutput y = h / sqrt(mean(h * h, axis=-1, keep=true) + 1e-6)", 1000.0),  # squares overflow
        ("h = x |> Dense(8)\noutput y = h / sqrt(mean(h * h, axis=-1, keep=true) + 1e-12)", 1e-4),  # and vanish
        ("h = x |> Dense(8)\noutput y = softmax(where(h > 0.0, h, -1e9))", 1.0),  # f16 has no 1e9
        ("output y = softplus(x |> Dense(8)) |> log", 1.0),
        ("output y = (x |> Dense(8)) * 1e-9 * 1e9", 1.0),
        ("output y = sum(exp(x |> Dense(8)), axis=-1)", 8.0),  # e ** 12
        ("output y = (x - 70000.0) / 10000.0 |> Dense(8)", 90000.0),  # an input that f16 has not
    ],
)
def test_nothing_overflows_or_vanishes(body: str, scale: float) -> None:
    x = (scale * np.random.default_rng(1).normal(size=(4, 8))).astype(np.float32)
    wide, narrow = both(model(body), x=x)
    assert np.isfinite(narrow["y"]).all()
    np.testing.assert_allclose(narrow["y"], wide["y"], rtol=2e-2, atol=1e-2 * np.abs(wide["y"]).max())


def test_a_weight_that_f16_has_not_stays_as_it_is() -> None:
    program = model("output y = x |> Dense(3) |> Dense(2)")
    first = next(path for path in program.parameters if path.endswith(".W"))
    large = {first: np.full(program.parameters[first].shape, 1e5, np.float32)}
    held_in = {t.dims[0]: t.data_type for t in written(program, "f16", large).graph.initializer if len(t.dims) == 2}
    assert held_in == {8: onnx.TensorProto.FLOAT, 3: onnx.TensorProto.FLOAT16}


def test_ends_are_halves_if_that_is_asked() -> None:
    program = model("output y = x |> Dense(3)")
    found = {precision: written(program, precision).graph for precision in ("f32", "f16", "f16-io")}
    ends = {p: {v.type.tensor_type.elem_type for v in (*g.input, *g.output)} for p, g in found.items()}
    assert ends == {"f32": {ENDS[0]}, "f16": {ENDS[0]}, "f16-io": {ENDS[1]}}


def test_what_takes_its_weights_is_refused() -> None:
    program = model("output y = x |> Dense(3)\nloss l = mean(y)")
    options = GraphOptions(precision="f16")
    (evaluate,) = graphs_of(program, options, ("evaluate",))
    with pytest.raises(SpecError) as refused:
        as_onnx(evaluate, program, options)
    assert refused.value.diagnostics[0].code == "AX0515"
