"""Whatever a spec asks for, the command line ends soon, and never as a bug (``make proof`` examines a thousand)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from archonnx.grammar import budget
from benchmarks import hostile
from benchmarks.hostile import Outcome
from benchmarks.hostile_cases import KINDS, Case, make_case

CASES = len(KINDS)


def test_hostile_specs_end_soon_and_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fortieth of the budget, so that the test is quick: what is counted ends by it."""
    monkeypatch.setattr(budget, "WORK", budget.WORK // 40)
    tally = hostile.run(range(CASES))
    assert tally.problems == {}
    assert {one.kind for one in tally.outcomes} == set(KINDS) and len(tally.rows()) == len(KINDS)
    assert "AX0229" in {one.code for one in tally.outcomes}


def test_a_number_gives_the_same_case() -> None:
    for number in range(50):
        (kind, one), (_, again) = make_case(number), make_case(number)
        assert kind in KINDS and (one.text, one.given) == (again.text, again.given)


@pytest.mark.parametrize(
    ("end", "problem"), [(lambda: os.kill(os.getpid(), 9), "exit status -9"), (lambda: 1 / 0, "exit status 70")]
)
def test_an_end_that_must_not_be_is_seen(
    end: Callable[[], object], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archonnx.cli._run", lambda arguments: end())
    monkeypatch.setattr(hostile, "make_case", lambda number: ("text", Case("")))
    assert problem in hostile.examine(0).problem


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (Outcome("text", 1, 4.9, 2**30, "error[AX0101]: x"), ""),
        (Outcome("text", 0, 5.1, 0, "ok"), "5.1 s of processor time: ok"),
        (Outcome("text", 0, 0.1, 2**30 + 2**20, "ok"), "1025 MiB: ok"),
        (Outcome("text", -9, 0.1, 0, ""), "exit status -9: "),
    ],
)
def test_what_is_too_much_is_seen(outcome: Outcome, problem: str) -> None:
    assert outcome.problem == problem
