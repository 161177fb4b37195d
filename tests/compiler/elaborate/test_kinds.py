"""Kinds of arguments: the table against the language's values, and bools, which are no ints wherever an int is wanted."""

from __future__ import annotations

from typing import Any

import pytest

from archonnx.compiler.elaborate.builtin.table import builtins
from archonnx.compiler.elaborate.core.kinds import DECLARED, KINDS
from archonnx.compiler.elaborate.core.static import is_number, is_size, is_whole
from archonnx.compiler.elaborate.core.values import Builtin, Choice, ConstantSchedule, Results
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.program import TOTAL
from tests.support.elaborated import codes, findings, model

B = Dim.of("B")
VALUES: dict[str, Any] = {
    "1": 1, "1.5": 1.5, "true": True, "B": B, "steps": Dim.of(TOTAL), "none": None, '"a"': "a", "[1, B]": [1, B], "[true]": [True],
    "[1, 2]": [1, 2], "[[1, 2], [3, 4]]": [[1, 2], [3, 4]], "[[1], [2, 3]]": [[1], [2, 3]], "[]": [], "{}": {}, "f32": DType.f32,
    "the word a": Choice("a", ("a", "b")), "two results": Results((1, 2), (None, None)), "0.1 for ever": ConstantSchedule(0.1),
}  # fmt: skip
ACCEPTED = {
    "int": {"1", "steps"},
    "float": {"1", "1.5"},
    "bool": {"true"},
    "string": {'"a"'},
    "list": {"[1, 2]", "[1, B]", "[true]", "[[1, 2], [3, 4]]", "[[1], [2, 3]]", "[]"},
    "dict": {"{}"},
    "dim": {"1", "B", "steps"},
    "dtype": {"f32"},
    "choice": {"the word a"},
    "fn": {"f32", "0.1 for ever"},
    "block": set(),
    "module": {"[]"},
    "schedule": {"1", "1.5", "0.1 for ever"},
    "tensor": {"[1, 2]", "1", "1.5", "true", "B", "steps", "[true]", "[[1, 2], [3, 4]]"},
    "column": set(),
    "vocabulary": {"[1, 2]"},
    "operand": {"1", "1.5", "true", "B", "steps"},
    "whole": {"1"},
    "shape": {"[1, 2]", "[1, B]", "[]"},
    "parts": {"1", "[1, 2]", "[1, B]"},
    "axes": {"[1, 2]", "1", "[]"},
    "ints": {"[1, 2]", "1", "[]"},
    "items": {"[1, 2]", "[1, B]", "[true]", "[[1, 2], [3, 4]]", "[[1], [2, 3]]", "[]", "two results"},
    "sizes": {"{}"},
    "any": set(VALUES),
}


def test_each_kind_takes_what_the_language_says() -> None:
    """The oracle is written out, so a kind that is added without a row is seen, too."""
    actual = {word: {text for text, value in VALUES.items() if kind.accepts(value)} for word, kind in KINDS.items()}
    assert actual == ACCEPTED


def test_every_kind_of_a_builtin_is_in_the_table() -> None:
    used = {p.kind for function in builtins().values() if isinstance(function, Builtin) for p in function.parameters}
    assert used <= set(KINDS)
    assert {word for word in KINDS if word not in DECLARED} <= used


def test_a_bool_is_a_value_of_its_own() -> None:
    taken = {f.__name__: {text for text, value in VALUES.items() if f(value)} for f in (is_whole, is_number, is_size)}
    assert taken == {"is_whole": {"1"}, "is_number": {"1", "1.5"}, "is_size": {"1", "B", "steps"}}


@pytest.mark.parametrize("call", [
    "sum(x, axis=true)",
    "sum(x, axis=[true])",
    "transpose(x, [true, false])",
    "reshape(x, [true, 12])",
    "unsqueeze(x, axis=[false])",
    "max_pool(unsqueeze(x, axis=[0, 1]), kernel=[true, true], stride=1, pads=[[0, 0], [0, 0]], dilation=1)",
    "max_pool(unsqueeze(x, axis=[0, 1]), kernel=2, stride=1, pads=[[true, 0], [0, 0]], dilation=1)",
    "x[true]",
    "x[:true]",
    "pad(x, [[0, 0], [true, 0]])",
])  # fmt: skip
def test_a_bool_is_not_an_int_wherever_one_is_wanted(call: str) -> None:
    assert codes(model(f"output y = {call}")) in (["AX0306"], ["AX0318"], ["AX0321"])


DECLARATION = "fn f(x: [...S], k: {type}) -> [...S]:\n    return x\n"


@pytest.mark.parametrize(("type_", "given", "headline"), [
    ("int", "1.5", "`k` takes an int, not the float 1.5"),
    ("int", "true", "`k` takes an int, not the bool true"),
    ("float", '"a"', '`k` takes a float, not the string "a"'),
    ("list[int]", "[1, 1.5]", "`k` is a list of int: this has the float 1.5"),
    ("list[dim]", "[B, true]", "`k` is a list of dim: this has the bool true"),
    ("schedule", '"a"', '`k` takes a schedule, not the string "a"'),
    ("int | list[float]", "[true]", "`k` takes an int or a list of float, not a list of 1"),
    ("choice[a, b] | int", "true", "`k` is a, b or an int: not the bool true"),
    ("choice[a, b]", "c", "`k` is one of a, b: not `c`"),
    ("list[list[int]]", "[[1], [1.5]]", "`k` is a list of list[int]: this has a list of 1"),
    ("list[choice[a, b]]", '["a", "c"]', '`k` is a list of choice[a, b]: this has the string "c"'),
    ("int | list[list[int]]", "[[1.5]]", "`k` takes an int or a list of list[int], not a list of 1"),
    ("number", "1", "`number` is not a type of a parameter"),
    ("f33[B]", "1", "`f33` is not a type of a parameter"),
    ("int[3]", "1", "`int[3]` is not a type of a parameter"),
])  # fmt: skip
def test_what_is_said_of_an_argument_of_another_kind(type_: str, given: str, headline: str) -> None:
    (finding,) = findings(model(f"output y = f(x, {given})", before=DECLARATION.format(type=type_)))
    assert finding.headline == headline


def test_a_schedule_in_a_list_of_schedules() -> None:
    before = DECLARATION.format(type="list[schedule]") + (
        "schedule halved(start: float = 1.0)(t: i64[]) -> []:\n    return start / 2\n"
    )
    assert codes(model("output y = f(x, [halved(), halved(start=2.0)])", before=before)) == []


@pytest.mark.parametrize(("call", "at_fault"), [
    ("sum(x, axis=2)", "axis=2"),
    ("transpose(x, [0, 2])", "[0, 2]"),
    ("transpose(x, axes=[0, 0])", "axes=[0, 0]"),
    ("squeeze(x, axis=1)", "axis=1"),
    ("stack([x, x], axis=4)", "axis=4"),
    ("reshape(W, [5, 2])", "[5, 2]"),
    ("zeros([-1])", "[-1]"),
    ("eye(-1)", "-1"),
    ("arange(-1)", "-1"),
    ("linspace(0, 1, n=0)", "n=0"),
    ("split(x, 3)[0]", "3"),
    ("split(x, parts=0, axis=1)[0]", "parts=0"),
    ("top_k(x, 9, axis=1).values", "9"),
    ('einsum("b n -> b k", x)', '"b n -> b k"'),
    ('rearrange(x, "b n c -> b n c")', '"b n c -> b n c"'),
    ("max_pool(images, kernel=[9, 9], stride=1, pads=[[0, 0], [0, 0]], dilation=1)", "kernel=[9, 9]"),
    ("resize_nearest(images, [-1, 2])", "[-1, 2]"),
])  # fmt: skip
def test_a_problem_is_shown_at_the_argument_at_fault(call: str, at_fault: str) -> None:
    body = f"param W: [3, 4] = 0.0\nimages = reshape(x, [-1, 1, 2, 2])\noutput y = {call}"
    (finding,) = findings(model(body))
    assert finding.span is not None
    assert finding.span.text == at_fault


@pytest.mark.parametrize("call", ["x |> sum(axis=2)", "[2] |> total"])
def test_an_argument_that_is_not_written_in_the_call_is_not_shown(call: str) -> None:
    before = "fn total(axis: list[int]) -> []:\n    return sum(zeros([2]), axis=axis)\n"
    (finding,) = findings(model(f"output y = {call}", before=before))
    assert finding.code == "AX0320"
    assert finding.span is not None and "axis" in finding.span.text


@pytest.mark.parametrize(("word", "expected"), [("a", []), ("c", ["AX0208"])])
def test_the_word_of_another_choice_is_checked_where_it_is_handed_on(word: str, expected: list[str]) -> None:
    before = (
        "fn inner(m: choice[a, b], x: [...S]) -> [...S]:\n    return x\n"
        "fn outer(m: choice[a, c], x: [...S]) -> [...S]:\n    return (m, x) |> inner\n"
    )
    assert codes(model(f"output y = outer({word}, x)", before=before)) == expected
