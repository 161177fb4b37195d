"""Reports: which findings are kept, and what ends where a finding is collected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError

FOUND = st.lists(st.sampled_from([Diagnostic("AX0201", word) for word in "abc"]), max_size=4)


@given(before=FOUND, raised=FOUND)
def test_what_is_collected_is_what_would_be_added(before: list[Diagnostic], raised: list[Diagnostic]) -> None:
    report, added = Report(), Report()
    for diagnostic in before:
        report.add(diagnostic)
    for diagnostic in [*before, *raised]:
        added.add(diagnostic)
    error, after = SpecError(Report(raised)), []
    with report.collecting() as collected:
        raise error
    after.append("reached")
    assert report == added
    assert collected.error is error
    assert after == ["reached"]


def test_nothing_is_collected_where_nothing_is_raised() -> None:
    report = Report()
    with report.collecting() as collected:
        value = 3
    assert (value, collected.error, report) == (3, None, Report())


def test_another_exception_passes() -> None:
    report = Report()
    with pytest.raises(ZeroDivisionError), report.collecting() as collected:
        raise ZeroDivisionError
    assert (collected.error, report) == (None, Report())


def test_the_way_of_keeping_may_add_to_the_same_report() -> None:
    """Each finding is kept by ``add`` once, even if the error's report is the one that collects."""
    report = Report([Diagnostic("AX0201", "a")])
    with report.collecting(lambda found: report.add(Diagnostic(found.code, f"{found.headline}!"))):
        report.finish()
    assert [d.headline for d in report.diagnostics] == ["a", "a!"]
