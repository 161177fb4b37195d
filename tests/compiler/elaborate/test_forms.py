"""Every form of the syntax has a meaning, or a list says why it has none: what a new form needs cannot be forgotten."""

from __future__ import annotations

from archonnx.compiler.elaborate import builtin, meaning
from archonnx.compiler.elaborate.builtin import table
from archonnx.compiler.elaborate.core.forms import ASSIGNED, CALLABLES, FORMS, FUNCTION_FORMS, STATEMENTS
from archonnx.compiler.elaborate.core.suites import HOME
from archonnx.grammar import ast
from archonnx.grammar.text.words import FORMS as SPELLINGS

assert meaning and builtin and table  # they fill the tables
PARTS = {ast.Slice, ast.Dots}
"""Expressions that stand only inside others, which read them."""
NOT_RUN = {ast.Doc, ast.Model, ast.Optimizer, ast.Schedule}
"""What says something to people, and what stands only in a file."""


def kinds(base: type) -> set[type]:
    """The classes of nodes below one, which are in the module of the tree and are not bases of others."""
    found = {cls for name in dir(ast) if isinstance(cls := getattr(ast, name), type) and issubclass(cls, base)}
    return {cls for cls in found if not any(cls in other.__bases__ for other in found)}


def test_every_expression_has_a_meaning() -> None:
    assert kinds(ast.Expr) - FORMS.keys() == PARTS
    assert FORMS.keys() <= kinds(ast.Expr) and FUNCTION_FORMS.keys() <= FORMS.keys()


def test_every_statement_has_a_meaning_or_a_place() -> None:
    assert kinds(ast.Stmt) - STATEMENTS.keys() - HOME.keys() <= NOT_RUN


def test_statements_with_bodies_are_those_that_suites_and_dependence_know() -> None:
    """`core/suites.bound_names` and `core/dependence._Marker` walk these bodies: a new one must be told to both."""
    bodies = {cls for cls in STATEMENTS if any("Suite" in text for text in cls.__annotations__.values())}
    assert bodies == {ast.For, ast.If, ast.Fn, ast.Block, ast.Scan, ast.Loop}


def test_what_takes_arguments_by_name_can_be_called() -> None:
    assert ASSIGNED.keys() <= CALLABLES.keys()


def test_every_soft_word_of_a_statement_has_its_form_for_messages() -> None:
    words = {cls.__name__.lower() for cls in kinds(ast.Stmt)} & {
        "param",
        "buffer",
        "update",
        "assert",
        "for",
        "if",
        "scan",
    }
    assert words <= set(SPELLINGS)
