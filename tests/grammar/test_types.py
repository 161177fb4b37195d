"""The types of declarations: each text is a tree of its own kind, and what cannot stand in the brackets is said."""

from __future__ import annotations

import pytest

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.format import format_node
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.parser import parse_type, parse_union

AT = Span(Source("", ""), 0, 0)
B, N = ast.Name("B", span=AT), ast.Number(3, span=AT)
INT = ast.NamedType("int", span=AT)


def words(*texts: str) -> ast.ChoiceType:
    return ast.ChoiceType(tuple(ast.Name(text, span=AT) for text in texts), span=AT)


@pytest.mark.parametrize(("text", "tree"), [
    ("[]", ast.TensorType(None, (), span=AT)),
    ("[B, 3]", ast.TensorType(None, (B, N), span=AT)),
    ("f32[B]", ast.TensorType("f32", (B,), span=AT)),
    ("any[...S]", ast.TensorType("any", (ast.Dots("S", span=AT),), span=AT)),
    ("int", INT),
    ("list", ast.NamedType("list", span=AT)),
    ("list[int]", ast.ListType(INT, span=AT)),
    ("list[list[int]]", ast.ListType(ast.ListType(INT, span=AT), span=AT)),
    ("list[choice[a, none]]", ast.ListType(words("a", "none"), span=AT)),
    ("list[f32[B]]", ast.ListType(ast.TensorType("f32", (B,), span=AT), span=AT)),
    ("list[[B, 3]]", ast.ListType(ast.TensorType(None, (B, N), span=AT), span=AT)),
    ("choice[a]", words("a")),
    ("choice[a, none, b]", words("a", "none", "b")),
    ("choice[a] | int", ast.UnionType((words("a"), INT), span=AT)),
    ("int | list[int] | choice[a]", ast.UnionType((INT, ast.ListType(INT, span=AT), words("a")), span=AT)),
])  # fmt: skip
def test_a_type_says_its_kind(text: str, tree: ast.Type) -> None:
    assert parse_union(Source("t", text)) == tree
    assert format_node(tree) == text


@pytest.mark.parametrize(("text", "at_fault"), [
    ("choice", "choice"),
    ("choice[]", "choice[]"),
    ("choice[a, 3]", "3"),
    ("choice[a, true]", "true"),
    ("choice[a, ...]", "..."),
    ("list[]", "list[]"),
    ("list[int, float]", "list[int, float]"),
    ("list[3]", "3"),
    ("list[none]", "none"),
    ("list[choice]", "choice"),
])  # fmt: skip
def test_what_cannot_stand_in_the_brackets_of_a_type(text: str, at_fault: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_type(Source("t", text))
    (finding,) = caught.value.diagnostics
    assert finding.code == "AX0209"
    assert finding.span is not None and finding.span.text == at_fault
