"""Reads the text language: from a source to its syntax tree, or a report of what is wrong with the syntax.

It reads whole files, and also parts: one declaration (so that the library can be read piece by piece), a body, an
expression or a type (for the YAML spelling and the command line). Names, types and meaning are the compiler's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from threading import Lock
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import fields
from archonnx.grammar.source import Source, Span

from .characters import refuse_controls
from .indentation import NEWLINE, Layout
from .machine import Machine, RefusedError
from .mistakes import describe
from .parser_tables import read_tables
from .recovery import Reading
from .trees import TreeBuilder

MAX_CHARACTERS = 2**20
MAX_DEPTH = 100
INLINE = ("expression", "annotation", "union")
"""Rules in whose texts newlines are free."""
MAX_ERRORS = 20


def parse(source: Source) -> ast.File:
    """The tree of a whole file.

    Raises:
        SpecError: The syntax is wrong. After an error, reading goes on where it can: with a word that is probably
            meant, behind the line, or else at the next declaration. Where only words were misspelt, ``recovered`` is
            the tree of what was probably meant.
    """
    refuse_controls(source)
    reading = Reading(source)
    tree: ast.File | None = None
    while reading.start is not None and len(reading.report.diagnostics) < MAX_ERRORS:
        try:
            tree = _parse("file", Span(reading.text, reading.start, len(source.text)), meant=reading.meant)
            break
        except SpecError as error:
            reading.go_on(error.diagnostics)
    if not reading.report.failed:
        assert tree is not None
        return tree
    raise SpecError(reading.report, _recovered(reading))


def _recovered(reading: Reading) -> ast.File | None:
    """The tree of the whole file, where it has one with the words that are probably meant."""
    if reading.lost or reading.start is None:
        return None
    try:
        tree: ast.File = _parse("file", Span(reading.source, 0, len(reading.source.text)), meant=reading.meant)
    except SpecError:
        return None
    return tree


def parse_declaration(source: Source, start: int, end: int) -> ast.Stmt:
    """The tree of the one top-level declaration at ``source.text[start:end]``; spans are offsets in ``source``."""
    tree: ast.Stmt = _parse("declaration", Span(source, start, end))
    return tree


def parse_declarations(source: Source, start: int = 0, end: int | None = None) -> ast.Suite:
    """The declarations of a part of a file; its first line sets the indentation."""
    tree: ast.File = _parse("file", _part(source, start, end), relative=True)
    return tree.declarations


def parse_body(source: Source, start: int = 0, end: int | None = None) -> ast.Suite:
    """The statements of a body; its first line sets the indentation."""
    tree: ast.Suite = _parse("body", _part(source, start, end), relative=True)
    return tree


def parse_expression(source: Source, start: int = 0, end: int | None = None) -> ast.Expr:
    """The tree of an expression; newlines in it are free."""
    tree: ast.Expr = _parse("expression", _part(source, start, end))
    return tree


def parse_type(source: Source, start: int = 0, end: int | None = None) -> ast.Type:
    """The tree of a type, such as ``f32[B, 784]``; newlines in it are free."""
    tree: ast.Type = _parse("annotation", _part(source, start, end))
    return tree


def parse_union(source: Source, start: int = 0, end: int | None = None) -> ast.Type:
    """The tree of a parameter's type, which may have alternatives: ``choice[valid, same] | int``."""
    tree: ast.Type = _parse("union", _part(source, start, end))
    return tree


def _part(source: Source, start: int, end: int | None) -> Span:
    return Span(source, start, len(source.text) if end is None else end)


class _Parser:
    """The one parser of a process: the machine with the two objects that it drives, used under a lock."""

    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self.layout = Layout()
        self.machine = Machine(read_tables(), self.builder, everywhere=[NEWLINE])
        self.lock = Lock()


_the_parser = cache(_Parser)


def _parse(rule: str, span: Span, *, relative: bool = False, meant: Mapping[int, str] | None = None) -> Any:
    """Parse a text as ``rule`` says.

    ``relative``: its first line sets the indentation; ``meant``: words that are read as others, by their places.
    """
    if span.end - span.start > MAX_CHARACTERS:
        fail(
            "AX0116",
            f"a spec has at most {MAX_CHARACTERS} characters, and this one has {span.end - span.start}",
            Span(span.source, span.start, span.start),
            help="keep weights and data in files of their own",
        )
    parser = _the_parser()
    report = Report()
    with parser.lock:
        parser.builder.begin(span.source, report)
        parser.layout.begin(span, free=rule in INLINE, relative=relative)
        try:
            tree = parser.machine.parse(
                span.source.text, span.start, span.end, rule, parser.layout.process, meant or {}
            )
        except RefusedError as error:
            report.add(describe(error, span, parser.layout))
        except SpecError as error:
            report.add(error.diagnostics[0])
        longest = parser.layout.longest
    report.finish()
    if longest > MAX_DEPTH or rule in INLINE:
        _check_depth(tree)
    return tree


def _check_depth(tree: Any) -> None:
    """Refuse a tree that is too deep for the functions that walk it. The walk itself keeps its own stack."""
    stack: list[tuple[Any, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, tuple):
            stack.extend((item, depth) for item in node)
        elif isinstance(node, ast.Node):
            if depth > MAX_DEPTH:
                fail(
                    "AX0115",
                    f"an expression is nested more than {MAX_DEPTH} deep",
                    node.span,
                    "too deep from here",
                    help="give the inner parts names of their own",
                )
            stack.extend((getattr(node, f.name), depth + 1) for f in fields(node))
