"""Every schedule of the library: finite for degenerate arguments, constant after its end, right to the last steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from archonnx.grammar import ast
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from tests.support.elaborated import model, program
from tests.support.pointwise import STD, run

STEPS = [0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 100, 10**6]
SIZES = [(0, 0), (0, 1), (1, 1), (1, 0), (4, 4), (4, 5), (5, 4), (2, 6), (0, 6)]
"""Of a warmup or a period, and in all."""
DEGENERATE: dict[str, list[str]] = {
    "step_decay": [f"step_decay(1.0, {n})" for n in (0, 1, 3)],
    "exponential_decay": [f"exponential_decay(1.0, 0.5, every={n})" for n in (0, 1, 3)],
    "inverse_time_decay": [f"inverse_time_decay(1.0, 1.0, every={n})" for n in (0, 1, 3)],
    "polynomial_decay": [f"polynomial_decay(1.0, {n}, end=0.25, power={p})" for n in (0, 1, 6) for p in (0.5, 1, 2)],
    "cosine_decay": [f"cosine_decay(1.0, {n}, end=0.25)" for n in (0, 1, 6)],
    "cosine_restarts": [f"cosine_restarts(1.0, {n}, growth={g})" for n in (0, 1, 3) for g in (1, 1.5, 2)],
    "piecewise_constant": ["piecewise_constant([], [0.5])", "piecewise_constant([0, 0, 3], [1, 0.5, 0.25, 0.125])"],
    "warmup": [f"warmup({n}, 0.5)" for n in (0, 1, 4)] + ["warmup(2, cosine_decay(1.0, 1))"],
    "warmup_linear": [f"warmup_linear(1.0, {w}, {n})" for w, n in SIZES],
    "warmup_cosine": [f"warmup_cosine(1.0, {w}, {n})" for w, n in SIZES],
    "one_cycle": [f"one_cycle(1.0, {n}, rising={r})" for n in (0, 1, 2, 6) for r in (0.0, 0.3, 1.0)],
    "noam": [f"noam(64, {n})" for n in (0, 1, 4)],
}
"""Calls with arguments at their ends."""
ENDS = {
    "polynomial_decay(1.0, 6, end=0.25, power=2)": (7, 0.25),
    "cosine_decay(1.0, 6, end=0.25)": (7, 0.25),
    "piecewise_constant([2, 5], [1, 0.5, 0.1])": (6, 0.1),
    "warmup(4, 0.5)": (4, 0.5),
    "warmup_linear(1.0, 2, 6)": (6, 0.0),
    "warmup_cosine(1.0, 2, 6)": (6, 0.0),
    "one_cycle(1.0, 6)": (6, 4e-6),
    "one_cycle(1.0, 6, end=0.125)": (6, 0.125),
}
"""The first step of the last value, and that value."""


def rates(call: str, steps: list[int], where: str = "numpy", dtype: DType = DType.f32) -> list[float]:
    graph = program(model(f"output rate = {call}(t)", "t: i64[]"), float_type=dtype).infer
    return [float(run(graph, {"t": t}, where)["rate"]) for t in steps]


def test_every_schedule_of_the_library_is_here() -> None:
    path = STD / "schedules.arch"
    declared = parse(Source(path.name, path.read_text(encoding="utf-8"))).declarations
    assert {d.name for d in declared if isinstance(d, ast.Schedule)} == set(DEGENERATE)


@pytest.mark.parametrize("dtype", [DType.f32, DType.f64])
@pytest.mark.parametrize("call", [call for calls in DEGENERATE.values() for call in calls])
def test_rates_are_finite_and_within_bounds_for_all_arguments(call: str, dtype: DType) -> None:
    found = rates(call, STEPS, dtype=dtype)
    assert np.isfinite(found).all() and min(found) >= 0 and max(found) <= 1 + 1e-6


@pytest.mark.parametrize("name", DEGENERATE)
def test_onnxruntime_agrees(name: str) -> None:
    for call in DEGENERATE[name][:4]:
        np.testing.assert_allclose(rates(call, STEPS, "onnxruntime"), rates(call, STEPS), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("call", ENDS)
def test_the_last_value_holds(call: str) -> None:
    first, last = ENDS[call]
    after = rates(call, [first, first + 1, first + 2, 2 * first, 3 * first, 10 * first, 10**6, 2**40])
    np.testing.assert_allclose(after, last, rtol=1e-6)
    assert set(after) == {after[0]}, "not even by rounding"


@pytest.mark.parametrize(("warmup", "total"), [(4, 4), (5, 4), (1, 1), (1, 0)])
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_warmup_that_is_all_there_is_reaches_the_peak_and_ends(kind: str, warmup: int, total: int) -> None:
    found = rates(f"warmup_{kind}(1.0, {warmup}, {total})", list(range(1, warmup + 3)))
    np.testing.assert_allclose(found, [*(t / warmup for t in range(1, warmup + 1)), 0, 0], rtol=1e-6)


COSINES: dict[str, Any] = {
    "cosine_decay(1.0, 1000000)": lambda t: math.sin(math.pi / 2 * (1e6 + 1 - t) / 1e6) ** 2,
    "warmup_cosine(1.0, 500000, 1000000)": lambda t: math.sin(math.pi / 2 * (1e6 - t) / 5e5) ** 2,
    "one_cycle(1.0, 1000001, rising=0.5, end=0.0)": lambda t: math.sin(math.pi / 2 * (1e6 + 1 - t) / 5e5) ** 2,
}


@pytest.mark.parametrize("call", COSINES)
def test_a_cosine_has_its_digits_up_to_its_end(call: str) -> None:
    """1 + cos(pi u) near u = 1 has none in f32: 3 steps before the end of a million it would be 0."""
    last = [999_000, 999_900, 999_990, 999_997]
    for where in ("numpy", "onnxruntime"):
        np.testing.assert_allclose(rates(call, last, where), [COSINES[call](t) for t in last], rtol=1e-4)
