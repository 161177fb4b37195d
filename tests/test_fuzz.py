"""Whatever is written, the answer is a model or a diagnostic: 800 mutated specs (``make proof`` examines 100,000)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archonnx.grammar.diagnostics import Diagnostic, Label, Report, SpecError
from archonnx.grammar.source import Source, Span
from benchmarks import fuzz

ROOT = Path(__file__).parents[1]
SOURCE = Source("any.arch", "model M():\n    input x: [B]\n    output y = x\n")
CASES = 50
SAVED = sorted(path for path in fuzz.SAVED.iterdir() if path.suffix in (".arch", ".yaml"))


@pytest.mark.parametrize("first", range(0, CASES, CASES // 2))
def test_mutated_specs_are_models_or_diagnostics(first: int) -> None:
    tally = fuzz.Tally()
    for number, outcome in fuzz.run_here(range(first, first + CASES // 2)):
        tally.add(number, outcome)
    assert tally.problems == {}
    assert tally.cases == CASES // 2 and tally.reached >= 0.3


def test_workers_find_the_same() -> None:
    tally = fuzz.run(4, processes=1)
    assert (tally.cases, tally.problems) == (4, {})
    assert tally.stages == Counter(outcome.stage for _, outcome in fuzz.run_here(range(4)))


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_what_once_failed(path: Path) -> None:
    assert fuzz.examine(Source(path.name, path.read_text("utf-8"))).problem == ""


def test_a_number_gives_the_same_text_in_every_process() -> None:
    """In one whose sets have another order as well; this one's order is that of chance."""
    program = "from tests.test_fuzz import digest; print(digest())"
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": other},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == digest()


def digest() -> str:
    """One for the texts of a hundred cases."""
    texts = [fuzz.make_case(number).source.text for number in range(30)]
    return hashlib.sha256(repr(texts).encode()).hexdigest()


# ---------------------------------------------------------------- the fuzzer sees what it looks for


def raising(error: Exception) -> Any:
    def elaborate(_: object) -> Any:
        raise error

    return elaborate


def finding(code: str, start: int, end: int) -> SpecError:
    label = Label(Span(SOURCE, start, end), "", primary=True)
    return SpecError(Report([Diagnostic(code, "a finding", (label,))]))


def endless(_: object) -> Any:
    while True:
        pass


def greedy(_: object) -> Any:
    return SimpleNamespace(programs=[bytearray(2 * fuzz.BYTES)])


@pytest.mark.parametrize(
    ("elaborate", "problem"),
    [
        (raising(KeyError("x")), "KeyError at test_fuzz.py, in elaborate: 'x'"),
        (raising(SpecError(Report())), "an empty report"),
        (raising(finding("AX9999", 0, 1)), "the code AX9999 is not in the catalogue"),
        (raising(finding("AX0201", 0, 1000)), "AX0201 points outside its file"),
        (raising(finding("AX0201", 0, 5)), ""),
        (endless, "more than 0.1 s of processor time"),
    ],
)
def test_problems_are_seen(elaborate: Any, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "elaborate", elaborate)
    monkeypatch.setattr(fuzz, "SECONDS", 0.1)
    assert fuzz.examine(SOURCE).problem == problem


def test_memory_is_limited_in_workers() -> None:
    program = (
        "from benchmarks import fuzz; from tests.test_fuzz import SOURCE, greedy; fuzz._start_worker(); "
        "fuzz.elaborate = greedy; print(fuzz.examine(SOURCE).problem)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("MemoryError at test_fuzz.py, in greedy")


@pytest.mark.parametrize(
    ("codes", "stage"),
    [
        (("AX0101",), "syntax"),
        (("AX0001", "AX0101"), "syntax"),
        (("AX0001",), "not built yet"),
        (("AX0203",), "names"),
        (("AX0203", "AX0301"), "shapes and later"),
        (("AX0405",), "shapes and later"),
        (("AX0701",), "shapes and later"),
    ],
)
def test_a_case_came_as_far_as_its_latest_finding(codes: tuple[str, ...], stage: str) -> None:
    assert fuzz._stage(codes) == stage


def test_a_failing_text_is_cut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(spec: Any) -> Any:
        if "Dense(3)" in spec.source.text:
            raise ValueError(f"{len(spec.source.text)} characters")
        return SimpleNamespace(programs=[])

    monkeypatch.setattr(fuzz, "elaborate", wrong)
    text = "model M():\n    input x: [B, 4]\n    h = x |> relu\n    y = h |> Dense(3)\n    output z = y\n"
    source = Source("any.arch", text)
    assert fuzz.shrunk(source, fuzz.examine(source).problem).text == "model M():\n    y = h |> Dense(3)\n"
