"""The text language: what parses, to what, with which spans, and within which bounds."""

from __future__ import annotations

import ast as python
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.record import fields
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.outline import outline
from archonnx.grammar.text.parser import (
    MAX_CHARACTERS,
    parse,
    parse_body,
    parse_declaration,
    parse_expression,
    parse_type,
)
from archonnx.grammar.text.words import FORMS, RESERVED

EXAMPLES = sorted((Path(__file__).parents[1] / "data" / "examples").glob("*.arch"))
WORDS = sorted({*FORMS, "over", "with", "along", "reversed", "of", "whole"} - RESERVED)


def read(path: Path) -> Source:
    return Source(path.name, path.read_text(encoding="utf-8"))


def expression(text: str) -> ast.Expr:
    return parse_expression(Source("e", text))


def diagnostics(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        parse(Source("t.arch", text))
    return caught.value.diagnostics


def nodes(tree: object) -> list[ast.Node]:
    """All nodes of a tree."""
    if isinstance(tree, tuple):
        return [node for item in tree for node in nodes(item)]
    if not isinstance(tree, ast.Node):
        return []
    return [tree, *(node for f in fields(tree) for node in nodes(getattr(tree, f.name)))]


# ---------------------------------------------------------------- whole files


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_parse_with_nested_spans(path: Path) -> None:
    tree = parse(read(path))
    assert len(EXAMPLES) == 10
    for node in nodes(tree):
        assert 0 <= node.span.start < node.span.end <= len(tree.span.text)
        for f in fields(node):
            for child in nodes(getattr(node, f.name)):
                assert node.span.start <= child.span.start <= child.span.end <= node.span.end


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_declaration_alone_is_the_declaration_of_the_file(path: Path) -> None:
    source = read(path)
    tree = parse(source)
    alone = [parse_declaration(source, item.start, item.end) for item in outline(source)]
    assert tuple(alone) == tree.declarations
    assert [node.span for node in alone] == [node.span for node in tree.declarations]
    names = [getattr(node, "name", "") for node in alone]
    assert [item.name for item in outline(source)] == names


def test_names_and_strings_are_where_their_spans_say() -> None:
    tree = parse(read(EXAMPLES[0]))
    for node in nodes(tree):
        if isinstance(node, ast.Name):
            assert node.span.text == node.id
        if isinstance(node, ast.Binary):
            assert node.op_span.text == node.op
        if isinstance(node, ast.Attribute):
            assert node.name_span.text == node.name
        if isinstance(node, ast.Declaration) and node.name:
            assert node.name_span.text == node.name


def test_line_ends_make_no_difference() -> None:
    text = EXAMPLES[0].read_text(encoding="utf-8")
    tree = parse(Source("a", text))
    assert parse(Source("b", text.replace("\n", "\r\n"))) == tree == parse(Source("c", text.rstrip()))


def test_an_empty_file_is_a_file() -> None:
    nothing = ast.File((), span=Span(Source("", ""), 0, 0))
    assert parse(Source("a", "")) == parse(Source("a", "\n# nothing\n    \n")) == nothing


# ---------------------------------------------------------------- expressions

OPERATORS = ["**", "*", "/", "//", "%", "@", "+", "-", "==", "<", ">=", "in", "and", "or"]


def same(ours: ast.Expr, theirs: python.expr) -> bool:
    """Whether Python reads an expression as we do."""
    symbols = {
        python.Pow: "**",
        python.Mult: "*",
        python.Div: "/",
        python.FloorDiv: "//",
        python.Mod: "%",
        python.MatMult: "@",
        python.Add: "+",
        python.Sub: "-",
        python.Eq: "==",
        python.Lt: "<",
        python.GtE: ">=",
        python.In: "in",
        python.And: "and",
        python.Or: "or",
        python.UAdd: "+",
        python.USub: "-",
        python.Not: "not",
    }
    match ours, theirs:
        case ast.Name(name), python.Name(other):
            return name == other
        case ast.Unary(op, operand), python.UnaryOp(sign, inner):
            return op == symbols[type(sign)] and same(operand, inner)
        case ast.Conditional(), python.IfExp():
            parts = (ours.then, theirs.body), (ours.condition, theirs.test), (ours.otherwise, theirs.orelse)
            return all(same(mine, other) for mine, other in parts)
        case ast.Binary(op, left, right), python.BinOp(first, sign, second):
            return op == symbols[type(sign)] and same(left, first) and same(right, second)
        case ast.Binary(op, left, right), python.Compare(first, [sign], [second]):
            return op == symbols[type(sign)] and same(left, first) and same(right, second)
        case ast.Binary(op, left, right), python.BoolOp(sign, [*most, last]):
            first = most[0] if len(most) == 1 else python.BoolOp(sign, most)
            return op == symbols[type(sign)] and same(left, first) and same(right, last)
        case _:
            return False


@given(st.data())
def test_operators_bind_as_in_python(data: st.DataObject) -> None:
    operands = data.draw(st.lists(st.sampled_from(["a", "-b", "not c", "(d + e)", "+f"]), min_size=2, max_size=6))
    words = [operands[0]]
    for operand in operands[1:]:
        words += [data.draw(st.sampled_from([*OPERATORS, "if g else"])), operand]
    text = " ".join(words)
    try:
        theirs = python.parse(text, mode="eval").body
    except SyntaxError:
        theirs = None
    try:
        ours = expression(text)
    except SpecError as error:
        chained = [diagnostic.code for diagnostic in error.diagnostics] == ["AX0114"] * len(error.diagnostics)
        assert theirs is None or chained, text
        return
    assert theirs is not None and same(ours, theirs), text


def test_the_pipe_binds_loosest_and_to_the_left() -> None:
    tree = expression("a + b |> f if c else g |> h")
    assert isinstance(tree, ast.Pipe) and isinstance(tree.value, ast.Pipe)
    assert tree.stage == expression("h")
    assert tree.value == ast.Pipe(expression("a + b"), expression("f if c else g"), span=tree.span)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("70", 70), ("1.", 1.0), (".5", 0.5), ("2.5e-3", 2.5e-3), ("1e3", 1e3), (str(2**63), 2**63)],
)
def test_numbers(text: str, value: float) -> None:
    tree = expression(text)
    assert isinstance(tree, ast.Number)
    assert tree.value == value and type(tree.value) is type(value)


def test_brackets_belong_to_the_span_of_what_they_hold() -> None:
    tree = expression("(a + b) * c")
    assert isinstance(tree, ast.Binary)
    assert tree.span.text == "(a + b) * c" and tree.left.span.text == "(a + b)"


def test_a_type_and_an_expression_may_have_many_lines() -> None:
    assert parse_type(Source("t", "f32[B,\n  ...S]")) == parse_type(Source("t", "f32[B, ...S]"))
    assert expression("a\n+ b\n  |> f") == expression("a + b |> f")


def test_parts_have_offsets_in_their_source() -> None:
    source = Source("s.yaml", "value: a + b # no part\n")
    tree = parse_expression(source, 7, 12)
    assert tree.span == Span(source, 7, 12)
    body = parse_body(Source("s.yaml", "body: |\n    x = 1\n    return x\nend"), 8, 30)
    assert body == parse_body(Source("", "x = 1\nreturn x"))


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("word", WORDS)
def test_statement_words_are_names_elsewhere(word: str) -> None:
    lines = [
        f"{word} = 3",
        f"{word}, x = 3, 4",
        f"x = {word}({word}={word})",
        f"{word}({word})",
        f"{word}.{word} |> {word}",
        f"{word}[0] = {word} if {word} else {word}",
        f"{word}: [{word}] = {word}",
        f"x = [{word} for {word} in {word}]",
    ]
    text = f"fn {word}({word}: [{word}], x: int = {word}) -> ({word}: []):\n    " + "\n    ".join(lines) + "\n"
    fn = parse(Source("w", text)).declarations[0]
    assert isinstance(fn, ast.Fn)
    kinds = [type(statement) for statement in fn.body]
    assert kinds == [ast.Assign] * 3 + [ast.ExprStmt] * 2 + [ast.Assign, ast.TypedAssign, ast.Assign]


def test_a_word_inside_a_longer_name_is_no_word() -> None:
    with pytest.raises(SpecError):
        expression("a inside")
    assert expression("not_a") == ast.Name("not_a", span=expression("x").span)


@pytest.mark.parametrize("text", ["emit -x", "emit (a, b)", 'emit "s"', "emit [a]", "emit .5", "emit not x"])
def test_emit_takes_any_expression(text: str) -> None:
    (statement,) = parse_body(Source("b", text))
    assert isinstance(statement, ast.Emit)


@pytest.mark.parametrize("text", ["emit - x", "emit(a)", "emit |> f", "emit in xs", "emit[0]"])
def test_emit_as_a_name(text: str) -> None:
    (statement,) = parse_body(Source("b", text))
    assert isinstance(statement, ast.ExprStmt)


HEADER = "x in xs along 1, y in ys, h = z -> a along 1, b"
"""Of a scan on one line."""


@pytest.mark.parametrize("word", ["scan", "scan reversed"])
@pytest.mark.parametrize(
    "header",
    [
        "(x in xs along 1, y in ys, h = z) -> a along 1, b",
        "(x in xs along 1, y in ys, h = z,) -> (a along 1, b)",
        "(\n  # first\n\n  x in xs along 1,  # slices\n  y in ys,\nh = z\n) -> (\n  a along 1,\n  b,\n  )",
        "x in xs along 1, y in ys, h = z -> (\n  a along 1,\n  b,\n  )",
    ],
)
def test_the_header_of_a_loop_may_have_many_lines(word: str, header: str) -> None:
    body = "\n    emit x, h\n"
    assert parse_body(Source("b", f"{word} {header}:{body}")) == parse_body(Source("b", f"{word} {HEADER}:{body}"))
    taken, _, _ = header.partition(" ->")
    rounds, (one,) = "loop x in xs, h = z while c:\n    h = x", parse_body(Source("b", f"{word} {taken}:{body}"))
    assert isinstance(one, ast.Scan) and not one.collects and len(one.bindings) == 3
    assert parse_body(Source("b", rounds.replace("x in xs, h = z", "(\nx in xs,\nh = z,\n)"))) == parse_body(
        Source("b", rounds)
    )


# ---------------------------------------------------------------- bounds and recovery


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "x" + ")" * 5000,
        "[" * 5000,
        "-" * 5000 + "x",
        "not " * 5000 + "x",
        " + ".join("x" * 5000),
        " |> ".join("x" * 5000),
        "f" + "()" * 5000,
        "x" + ".y" * 5000,
        "**".join("x" * 5000),
        "x" + "[0]" * 5000,
        " if c else ".join("x" * 5000),
        " or ".join("x" * 5000),
    ],
    ids=lambda text: text[:8],
)
def test_nesting_is_bounded(text: str) -> None:
    (diagnostic,) = diagnostics(f"fn f():\n    return {text}\n")
    assert diagnostic.code == "AX0115"
    with pytest.raises(SpecError, match="AX0115"):
        expression(text)


def test_bodies_are_bounded() -> None:
    text = "fn f():\n" + "".join(" " * depth + "if a:\n" for depth in range(1, 1000)) + " " * 1000 + "x = 1\n"
    (diagnostic,) = diagnostics(text)
    assert diagnostic.code == "AX0115"


def test_long_is_not_deep() -> None:
    parse(Source("t", "fn f():\n    return [" + ", ".join(["1.0"] * 5000) + "]\n" + "    x = 1\n" * 200))


def test_text_is_bounded() -> None:
    (diagnostic,) = diagnostics("#" * (MAX_CHARACTERS + 1))
    assert diagnostic.code == "AX0116"


def test_each_wrong_declaration_is_told_once() -> None:
    wrong = [
        "fn a(:\n    x = 1\n",
        "fn b():\n  x = (1\n",
        "fn c():\nx = 1\n",
        'fn d():\n    x = "\n',
        "model e()\n    x = 1\n",
    ]
    found = diagnostics("fn ok():\n    return 1\n\n".join(["", *wrong]))
    assert [d.code for d in found] == ["AX0101", "AX0109", "AX0108", "AX0103", "AX0107"]


def test_a_docstring_that_looks_like_code_is_no_declaration() -> None:
    source = Source("t", 'fn f():\n    """\nfn g():\n    """\n    return 1\n\nfn h():\n    return 2\n')
    assert [item.name for item in outline(source)] == ["f", "h"]
