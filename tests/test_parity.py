"""Functions of the library beside oracles: a sample of the parity suite, and that the suite would see what it is for.

All of it runs in `make proof`: see ``python -m benchmarks.parity --help``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from benchmarks.parity import __main__ as command
from benchmarks.parity.conventions import ABSOLUTE, CONVENTIONS, OPEN
from benchmarks.parity.judging import compare, job, outcomes
from benchmarks.parity.running import run
from benchmarks.parity.setting import FAMILIES, Outcome, Setting, single
from benchmarks.parity.suite import NOT_COMPARED, declarations, named, sampled, uncovered

NUMBERS = Path(__file__).parents[1] / "docs" / "numbers.md"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sample_of_every_family_is_right_up_to_rounding(name: str) -> None:
    found = sampled(name)
    assert found.checks > 0
    new = [one for one in found.unstated if not any(o.fits(name, one.shown, one.outcome.what) for o in OPEN)]
    assert [str(failure) for failure in new] == []


def test_every_declaration_of_the_library_is_in_a_family() -> None:
    assert uncovered() == [], "a family should try these, or NOT_COMPARED should say why not"


def test_what_is_excused_is_of_the_library_and_is_not_compared() -> None:
    assert set(NOT_COMPARED) <= set(declarations())
    assert "elu" in named("activations", 30) and "mse" not in named("activations", 30)


def test_conventions_are_stated_in_the_docs() -> None:
    text = NUMBERS.read_text("utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    assert {one.anchor for one in (*CONVENTIONS, *ABSOLUTE)} <= anchors


# ---------------------------------------------------------------- a wrong function is seen

X = single(np.array([-2.0, -0.5, 0.25, 1.5]))
ONE = Setting("$x * sigmoid($x)", {"x": X}, lambda v: v["x"] / (1 + np.exp(-v["x"])), elementwise=True, second=True)


def judged(setting: Setting, dtype: DType = DType.f32) -> dict[str, Outcome]:
    """What the suite says of a setting, by what was compared."""
    posed = job(setting, np.random.default_rng(0))
    (result,) = run([posed], dtype)
    return {one.what: one for one in outcomes(posed, result, dtype, np.random.default_rng(0))}


def test_a_right_function_is_within_some_units() -> None:
    found = judged(ONE)
    assert set(found) == {"value f32", "slope x f32", "second f32"}
    assert all(one.units < 8 for one in found.values())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("$x * sigmoid($x) * 1.0001", "value f32"),
        ("$x * sigmoid($x) + 0.0001", "value f32"),
        ("($x * sigmoid($x) + 100) - 100", "value f32"),  # the same function, computed by a cancellation
        ("stop_gradient($x) * sigmoid($x)", "slope x f32"),
        ("$x * stop_gradient(sigmoid($x)) + stop_gradient($x) * sigmoid($x) * 1.0", "second f32"),
    ],
)
def test_a_wrong_value_or_gradient_is_seen(text: str, what: str) -> None:
    found = judged(replace(ONE, text=text))
    seen = [name for name, one in found.items() if one.units > 100]
    assert seen and seen[0] == (what if what != "second f32" else seen[0])


def test_an_expression_that_is_refused_is_seen_and_others_of_its_batch_run() -> None:
    wrong = replace(ONE, text="$x @ $x @ $x")
    jobs = [job(one, np.random.default_rng(0)) for one in (ONE, wrong, ONE)]
    found = [
        outcomes(posed, result, DType.f32, np.random.default_rng(0))
        for posed, result in zip(jobs, run(jobs, DType.f32), strict=True)
    ]
    assert [max(one.units for one in some) == math.inf for some in found] == [False, True, False]


@pytest.mark.parametrize(
    ("got", "want", "seen"),
    [
        (1.0, 1.0, False),
        (1 + 2.0**-23, 1.0, False),
        (1.001, 1.0, True),
        (math.nan, 1.0, True),
        (1.0, math.nan, True),
        (math.nan, math.nan, False),
        (math.inf, math.inf, False),
        (-math.inf, math.inf, True),
        (3e38, math.inf, True),
        (math.inf, 1e39, False),
        (0.0, 1e-45, False),
    ],
)
def test_comparing_numbers(got: float, want: float, seen: bool) -> None:
    expected = np.array([want])
    outcome = compare("value", np.array([got], np.float32), expected, np.abs(np.nan_to_num(expected, posinf=0)))
    assert (outcome.units > 16) is seen


def test_shapes_and_whole_numbers_are_compared_exactly() -> None:
    zeros = np.zeros(2)
    assert compare("value", np.zeros((2, 1)), zeros, zeros).units == math.inf
    assert compare("value", np.array([1, 2]), np.array([1, 3]), zeros).units == math.inf
    assert compare("value", np.array([True]), np.array([True]), zeros[:1]).units == 0


@pytest.mark.parametrize("f", [np.sin, np.exp, lambda x: x * x * x])
def test_complex_steps_are_derivatives(f: Callable[[Any], Any]) -> None:
    """The slope that an oracle gives is that of PyTorch's rule, here of closed forms."""
    found = judged(Setting("sin($x) * 0 + exp($x)", {"x": X}, lambda v: np.exp(v["x"]), elementwise=True))
    assert found["slope x f32"].units < 8
    close = (f(X + 1e-6) - f(X - 1e-6)) / 2e-6
    assert np.allclose(np.imag(f(X + 1e-30j)) / 1e-30, close, rtol=1e-8)


def test_a_seed_makes_the_same_setting_again() -> None:
    for name in ("einsum", "losses of classes", "convolutions"):
        one, two = FAMILIES[name].setting(5), FAMILIES[name].setting(5)
        assert isinstance(one, Setting) and isinstance(two, Setting)
        assert one.shown == two.shown and all(np.array_equal(one.inputs[k], two.inputs[k]) for k in one.inputs)


# ---------------------------------------------------------------- the command


def test_one_setting_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--family", "metrics", "--seed", "0"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("metrics, seed 0: accuracy(x, k)") and "value f32" in said


def test_a_family_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--family", "metrics", "--seeds", "3", "--processes", "1"]) == 0
    assert "3 settings in 1 families, 0 results beyond rounding" in capsys.readouterr().out


def test_a_family_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--family", "nonsense"]) == 2
    assert "no family's name holds `nonsense`" in capsys.readouterr().out


def test_the_families_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FAMILIES)
