"""What the grammar makes can be pickled and copied: by any protocol, to another process, without losing what it says."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import joblib
import pytest
from hypothesis import given, settings

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label, Report, SpecError, Suggestion, did_you_mean
from archonnx.grammar.record import fields
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.parser import MAX_DEPTH, parse
from tests.support.copies import WAYS, by_joblib, raise_
from tests.support.random_ast import files

TEXT = "model M():\n    input x: [B, 4]\n    output y = x @ weihgts\n"
WRONG = "def f(x: [n]):\n    return x\n"


def place(source: Source, word: str) -> Span:
    start = source.text.index(word)
    return Span(source, start, start + len(word))


def an_error() -> SpecError:
    """An error with all that a diagnostic can hold, over two sources."""
    source, library = Source("m.arch", TEXT), Source("std/layers.arch", "block A()(x: [n]) -> [n]:\n    return x\n")
    report = Report()
    report.error(
        "AX0201",
        "`weihgts` is not known",
        place(source, "weihgts"),
        "used here",
        notes=["a note"],
        help=did_you_mean("weihgts", ["weights"]),
        others=[Label(place(source, "input x"), "near"), Label(place(library, "return"), "there")],
    )
    report.add(Diagnostic("AX0602", "no data", severity="warning"))
    return SpecError(report)


@settings(max_examples=30, deadline=None)
@given(files)
def test_random_trees_survive_every_way(tree: ast.File) -> None:
    for way in WAYS:
        again = way(tree)
        assert again == tree and hash(again) == hash(tree) and repr(again) == repr(tree)


def test_spans_stay_and_share_their_source() -> None:
    tree = parse(Source("m.arch", TEXT))
    for way in WAYS:
        again = way(tree)
        before, after = spans(tree), spans(again)
        assert [(s.start, s.end, s.text, str(s)) for s in after] == [(s.start, s.end, s.text, str(s)) for s in before]
        assert len({id(span.source) for span in after}) == 1


def spans(value: Any) -> list[Span]:
    """All spans of a tree, in order."""
    if isinstance(value, Span):
        return [value]
    items = value if isinstance(value, tuple) else ()
    if isinstance(value, ast.Node):
        items = tuple(getattr(value, f.name) for f in fields(value))
    return [span for item in items for span in spans(item)]


def test_the_deepest_tree_that_parses_survives() -> None:
    brackets = "[" * 60 + "1" + "]" * 60
    signs = "-" * (MAX_DEPTH - 4) + "1"
    for value in (brackets, signs, " |> ".join(["x"] * (MAX_DEPTH - 4))):
        tree = parse(Source("deep.arch", f"model M():\n    y = {value}\n"))
        for way in WAYS:
            assert way(tree) == tree


def test_lines_of_a_source_that_have_been_counted_are_not_written() -> None:
    source, fresh = (Source("m.arch", TEXT) for _ in range(2))
    assert source.line_column(12) == (2, 2)
    assert pickle.dumps(source) == pickle.dumps(fresh)
    again = pickle.loads(pickle.dumps(source))
    assert (again.name, again.text, again.line(2)) == (source.name, source.text, source.line(2))


def test_copies_in_one_process_point_into_the_same_source() -> None:
    source = Source("m.arch", TEXT)
    assert copy.copy(source) is copy.deepcopy(source) is source
    error = an_error()
    assert copy.deepcopy(error.diagnostics) == error.diagnostics


@pytest.mark.parametrize("way", WAYS)
def test_errors_read_the_same(way: Callable[[Any], Any]) -> None:
    error = an_error()
    again = way(error)
    assert type(again) is SpecError and str(again) == str(error)
    assert again.report is again.args[0] and again.report.failed
    assert [(d.code, d.severity) for d in again.diagnostics] == [("AX0201", "error"), ("AX0602", "warning")]


@pytest.mark.parametrize("way", WAYS)
def test_suggestions_are_still_edits(way: Callable[[Any], Any]) -> None:
    span = place(Source("m.arch", TEXT), "weihgts")
    for suggestion in (Suggestion.of("write `w`", "weihgts", "w"), Suggestion.of("write `w`", "x", "w", span)):
        again = way(suggestion)
        assert type(again) is Suggestion and again == suggestion
        assert (again.word, again.replacement) == (suggestion.word, suggestion.replacement)
        found, wanted = again.place(span), suggestion.place(span)
        assert (found.start, found.end, found.text) == (wanted.start, wanted.end, wanted.text)


@pytest.fixture(scope="module")
def spawned() -> Iterator[ProcessPoolExecutor]:
    """A fresh process, which shares nothing with this one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def test_another_process_gets_trees_and_raises_errors(spawned: ProcessPoolExecutor) -> None:
    tree = parse(Source("m.arch", TEXT))
    assert spawned.submit(copy.copy, tree).result() == tree
    with pytest.raises(SpecError) as here:
        parse(Source("m.arch", WRONG))
    assert here.value.diagnostics[0].help is not None
    for job in (spawned.submit(raise_, here.value), spawned.submit(parse, Source("m.arch", WRONG))):
        with pytest.raises(SpecError) as there:
            job.result()
        assert str(there.value) == str(here.value)


def test_joblib_writes_files_and_runs_jobs(tmp_path: Any) -> None:
    tree = parse(Source("m.arch", TEXT))
    assert by_joblib(tree) == tree
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(copy.copy)(t) for t in [tree, tree]) == [tree, tree]


@pytest.mark.parametrize(
    "value",
    [
        Source("m.arch", TEXT * 100),
        Span(Source("m.arch", TEXT * 100), 3, 200),
        Label(Span(Source("m.arch", TEXT * 100), 3, 200), "here"),
        an_error().diagnostics[0],
        an_error().report,
        an_error(),
        Suggestion.of("did you mean `weights`?", "weihgts", "weights"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_texts_for_people_who_debug_are_short(value: object) -> None:
    assert len(repr(value)) <= 200
