"""Formatting: the tree stays the same, comments stay, formatting twice changes nothing; golden pages show the style."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.grammar import ast
from archonnx.grammar.format import WIDTH, format_ast, format_file, format_node
from archonnx.grammar.format.comments import find_comments
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse, parse_expression
from tests.support.golden import Case, Golden, golden_cases
from tests.support.random_ast import exprs, files

ROOT = Path(__file__).parents[2]
SPECS = sorted([*(ROOT / "tests/data/examples").glob("*.arch"), *(ROOT / "specs").rglob("*.arch")])


def source(text: str) -> Source:
    return Source("t.arch", text)


def check(text: str) -> str:
    """The formatted text of a file, after the properties that formatting always has."""
    formatted = format_file(source(text))
    assert parse(source(formatted)) == parse(source(text))
    assert format_file(source(formatted)) == formatted
    assert remarks(formatted) == remarks(text)
    return formatted


def remarks(text: str) -> list[str]:
    """All characters of all comments but blanks, sorted: two comments may have come to one line."""
    return sorted("".join(comment.text for comment in find_comments(source(text))).replace(" ", ""))


@golden_cases("formatting/*.md")
def test_style(case: Case, golden: Golden) -> None:
    golden(case, check(case.source))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_specs_keep_their_trees_and_comments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    formatted = check(text)
    assert format_file(source(text.replace("\n", "\r\n"))) == formatted
    without_docs = [line for line in formatted.splitlines() if '"""' not in line and "#" not in line]
    broken = [line for line in without_docs if len(line) > WIDTH]
    assert broken == [line for line in broken if line in text]


@settings(deadline=None, max_examples=50)
@given(files)
def test_a_tree_is_read_back_from_its_text(file: ast.File) -> None:
    text = format_ast(file)
    assert parse(source(text)) == file
    assert format_file(source(text)) == format_ast(parse(source(text)))


@settings(deadline=None)
@given(exprs)
def test_an_expression_is_read_back_from_its_text(node: ast.Expr) -> None:
    text = format_node(node)
    assert parse_expression(source(text)) == node


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c",
        "(a + b) * c",
        "a - (b - c)",
        "a - b - c",
        "-x ** 2",
        "(-x) ** 2",
        "2 ** -x",
        "a ** b ** c",
        "(a ** b) ** c",
        "not a == b",
        "(not a) == b",
        "a and not b or c",
        "a and (b or c)",
        "(a if b else c) + d",
        "a if b else c if d else e",
        "(a if b else c) if d else e",
        "x |> f |> g",
        "x |> (y |> f)",
        "(x |> f)(y)",
        "(a, b)[0]",
        "(1).real",
        "[f(x) for x in xs if x > 0]",
        "any(x > 0 for x in xs)",
        "f(g)(x)[:, -1, ...].T",
        "(a < b) == c",
        "- -x",
        "x |> f if c else g",
        "(x |> f) if c else g",
        "[...S, n]",
        'f({a: 1, "b c": none})',
    ],
)
def test_parentheses_stand_only_where_they_are_needed(text: str) -> None:
    assert format_node(parse_expression(source(text))) == text.replace("- -", "--")
    assert format_node(parse_expression(source(f"(({text}))"))) == text.replace("- -", "--")


MODEL = """\
model M(width: int = 8):
    \"\"\"Doc.\"\"\"
    input x: [B, 4]
    if width > 2:
        y = x
    elif width == 1:
        y = f(x,
              [1, 2])
    else:
        y = (x + 1)
    h = x
        |> Dense(width)
        |> relu
    return h

fn f(
    x: [B],
    y: [B]
) -> [B]:
    return x
"""


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 3)), max_size=6))
def test_comments_anywhere_stay(places: list[tuple[int, bool, int]]) -> None:
    """A comment at the end of any line or above it, also inside brackets, pipes, headers and between branches."""
    lines = MODEL.split("\n")
    for number, (line, beside, depth) in enumerate(places):
        if beside and not lines[line].strip().startswith("#"):
            lines[line] += f"  # c{number}"
        else:
            lines[line] = f"{'    ' * depth}# c{number}\n{lines[line]}"
    text = "\n".join(lines)
    formatted = format_file(source(text))
    assert parse(source(formatted)) == parse(source(MODEL))
    assert format_file(source(formatted)) == formatted
    for number in range(len(places)):
        assert formatted.count(f"# c{number}") == 1


def test_numbers_keep_their_spelling() -> None:
    text = "train:\n    a = [1e-3, 0.50, 1., .5, 1E5, (7)]\n"
    assert format_file(source(text)) == "train:\n    a = [1e-3, 0.50, 1., .5, 1E5, 7]\n"
    assert format_node(ast.Number(1e-05, span=parse(source("")).span)) == "1e-5"


def test_a_long_chain_of_operators_is_broken_in_parentheses() -> None:
    terms = " + ".join(f"alpha_{i} * beta_{i}" for i in range(9))
    lines = check(f"fn f(x: [n]) -> [n]:\n    y = {terms}\n    return y\n").splitlines()
    assert lines[1:4] == ["    y = (", "        alpha_0 * beta_0", "        + alpha_1 * beta_1"]


def test_random_trees_have_every_kind_of_node() -> None:
    kinds = {kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.Node)}
    abstract = {ast.Node, ast.Expr, ast.Type, ast.Stmt, ast.Declaration}
    text = (ROOT / "tests/support/random_ast.py").read_text(encoding="utf-8")
    assert {kind.__name__ for kind in kinds - abstract} <= set(re.findall(r"\bast\.(\w+)", text))
