"""Mutated data files: a variant of each mutation (``make proof`` tries several), and that the examiner sees faults."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from benchmarks.mutated_data.cases import BASE, MUTATIONS, SAME, Expected, Right, case, refused
from benchmarks.mutated_data.examine import BENCHES, PEOPLE, Bench, cases_of


@pytest.mark.parametrize("kind", BENCHES)
def test_mutated_files_are_read_right_or_refused(kind: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, BENCHES[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, on what is damaged
        found = [one for number, case in enumerate(cases_of(kind)) for one in bench.examine(case, number)]
    assert list(map(str, found)) == []


def test_there_are_several_variants_and_none_twice() -> None:
    names = {kind: [case.name for case in cases_of(kind, 8)] for kind in BENCHES}
    assert MUTATIONS.keys() == BENCHES.keys()
    assert sum(map(len, names.values())) >= 300
    assert all(case.name == again.name for case, again in zip(cases_of("csv"), cases_of("csv"), strict=True))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), PEOPLE)


@pytest.mark.parametrize(
    ("column", "cell", "expected", "problem"),
    [
        ("age", "99", SAME, "`x` is "),
        ("score", "", SAME, "`x` is "),
        ("city", "lima", SAME, "`city` is "),
        ("age", "x", SAME, "refused: AX0603"),
        ("age", "99", refused("`age`"), "not refused"),
        ("age", "x", refused("`age`", "another word"), "the message lacks 'another word'"),
        ("member", "false" if BASE.truth["member"][20] else "true", SAME, "`member` is "),
    ],
)
def test_what_goes_wrong_is_seen(
    column: str, cell: str, expected: Expected, problem: str, bench: Bench, tmp_path: Path
) -> None:
    bench.folder = tmp_path
    found = bench.examine(case("", BASE.column(column, {20: cell}), expected))
    assert [one.verb for one in found] == ["train", "predict", "eval"]
    assert all(one.problem.startswith(problem) for one in found)


def test_a_difference_of_the_last_bit_is_seen(bench: Bench, tmp_path: Path) -> None:
    bench.folder = tmp_path
    nearly = BASE.column("income", {20: str(float(BASE.cells["income"][20]) * (1 + 2**-22))})
    problems = [one.problem for one in bench.examine(case("", nearly, Right(BASE, SAME.order)))]
    assert set(problems) == {"`x` is not the same to the bit"} and len(problems) == 3
