"""Damaged files, runs and arguments: a few of those that ``make proof`` tries, and that what goes wrong is seen."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from archonnx.grammar.diagnostics import fail
from benchmarks.damaged import examine
from benchmarks.damaged.cases import DRAWS, KINDS, Case, draw_case
from benchmarks.damaged.harm import harm, instead
from benchmarks.damaged.setting import Setting

QUICK = {"predict", "eval", "call", "show", "check", "fmt", "explain", "std"}
LARGE = ("wide", "bad rows", "bomb", "huge", "nuls", "odd picture")
CASES = 25


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting.make(tmp_path_factory.mktemp("setting"))


def test_some_cases(setting: Setting) -> None:
    cases = ((number, draw_case(number)[1]) for number in count(5100))
    quick = ((number, case) for number, case in cases if case.arguments[0] in QUICK and not _is_large(case))
    found = {number: examine.examine(case, setting) for number, case in islice(quick, CASES)}
    assert {number: outcome.problem for number, outcome in found.items() if outcome.problem} == {}
    answers = Counter(outcome.answer for outcome in found.values())
    assert answers["refused"] > 5 and answers["right"] + answers["done"] > 3


def _is_large(case: Case) -> bool:
    """Whether a case takes long, as files of 30,000 columns do."""
    return any(word in case.name for word in LARGE)


def test_a_number_gives_one_case() -> None:
    assert KINDS.keys() == DRAWS.keys() and sum(KINDS.values()) == 100
    drawn = [draw_case(number) for number in range(300)]
    assert {kind for kind, _ in drawn} == {*KINDS}
    again = [draw_case(number) for number in range(300)]
    assert [(kind, case.name, case.arguments) for kind, case in drawn] == [(k, c.name, c.arguments) for k, c in again]
    assert len({case.name for _, case in drawn}) > 80
    assert [harm(Random(1))[1](b"some bytes 123") for _ in range(2)] == [harm(Random(1))[1](b"some bytes 123")] * 2


def test_something_else_stands_in_the_place_of_a_file(tmp_path: Path) -> None:
    seen = set()
    for seed in range(40):
        path = tmp_path / "x"
        path.write_text("x") if not path.is_symlink() and not path.exists() else None
        seen.add(instead(path, Random(seed)))
        assert not path.is_file() or path.is_symlink()
    assert len(seen) == 8


# ---------------------------------------------------------------- what goes wrong is seen


def raising(error: BaseException) -> Callable[[list[str]], None]:
    def do(arguments: list[str]) -> None:
        raise error

    return do


def saying(text: str, status: int = 1) -> Callable[[list[str]], None]:
    def do(arguments: list[str]) -> None:
        print(text, file=sys.stderr)
        sys.exit(status)

    return do


def endless(arguments: list[str]) -> None:
    while True:
        pass


def waiting(arguments: list[str]) -> None:
    time.sleep(60)


def greedy(arguments: list[str]) -> None:
    np.ones(2**22)
    print("too much", file=sys.stderr)
    sys.exit(1)


def refused(arguments: list[str]) -> None:
    fail("AX0604", "it is wrong", None)


@pytest.mark.parametrize(
    ("do", "problem"),
    [
        (raising(KeyError("x")), "KeyError at test_damaged.py, in do: 'x'"),
        (raising(MemoryError()), "MemoryError at test_damaged.py, in do: "),
        (raising(SystemExit(1)), "refused without a word"),
        (saying("x.py:3: UserWarning: odd"), "a library speaks: "),
        (saying("wrong: " + "x" * 30_000), "30,008 characters are said"),
        (saying("wrong: \x1b[31m"), "what is said acts on a terminal: {'\\x1b'}"),
        (saying("wrong"), ""),
        (saying("", 0), "not refused"),
        (endless, "more than 0.4 s"),
        (waiting, "more than 0.4 s"),
        (greedy, "MiB more than before"),
        (refused, ""),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_seen(do: Any, problem: str, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "_run", do)
    monkeypatch.setattr(examine, "BYTES", 2**24)
    if problem == "more than 0.4 s":
        monkeypatch.setattr(examine, "SECONDS", 0.4)
        monkeypatch.setattr(examine, "HANGS", 0.4)
    found = examine.examine(Case("", ("any",), refused=True), setting).problem
    assert problem in found and bool(problem) == bool(found)


@pytest.mark.parametrize(("change", "problem"), [(0.0, ""), (1.0, "`probs` is [["), (np.nan, "read, and these are no")])
def test_outputs_that_are_not_those_of_the_file_are_seen(change: float, problem: str, setting: Setting) -> None:
    def write(folder: Path, setting: Setting) -> None:
        np.save(folder / "x.npy", setting.x)

    arguments = ("predict", "@arrays/run", "--fields", "x=x.npy", "--out", "out.npz")
    case = Case("", arguments, write, lambda folder: {"x": np.load(folder / "x.npy") + np.float32(change)})
    outcome = examine.examine(case, setting)
    assert outcome.answer == "right"
    assert outcome.problem.startswith(problem) and bool(problem) == bool(outcome.problem)


def test_a_run_that_prints_something_else_is_seen(setting: Setting) -> None:
    def write(folder: Path, setting: Setting) -> None:
        run = setting.copy_run(folder)
        (run / "entries" / "scaled.onnx").write_bytes(setting.path("arrays/run/entries/scaled.onnx").read_bytes())

    arguments = ("call", "run", "scaled", "--set", "by=2", "--input", "v=[[1, 2, 3]]")
    assert examine.examine(Case("", arguments, write, same=True), setting).problem == ""
