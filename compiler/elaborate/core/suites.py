"""What can be said of statements before they run: the names they bind, where they stand, what relies on them."""

from __future__ import annotations

from typing import NoReturn

from archonnx.compiler.ir.op import TypeProblem
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.source import Span

from .dependence import statements_of

HOME = {
    ast.Train: "the file", ast.Import: "the file", ast.Input: "a model", ast.Target: "a model", ast.Output: "a model",
    ast.Loss: "a model", ast.Metric: "a model", ast.Entry: "a model", ast.State: "an optimizer",
    ast.Feed: "a `train` block", ast.Fit: "a `train` block", ast.Data: "a `train` block",
    ast.Minimize: "a `train` block",
    ast.Maximize: "a `search` block", ast.Repeat: "a `train` block", ast.Every: "a `train` block",
    ast.Together: "a `train` block", ast.Search: "the file", ast.Block: "the file, a block or a model",
}  # fmt: skip


def misplaced(statement: ast.Stmt, body: str) -> NoReturn:
    """The diagnostic for a statement that has no meaning in this kind of body."""
    home = HOME.get(type(statement), "a file")
    fail("AX0212", f"{worded(statement)} stands in {home}, not in a {body}", statement.span)


def worded(statement: ast.Stmt) -> str:
    """The kind of a statement, as a spec writes it."""
    match statement:
        case ast.ExprStmt():
            return "an expression by itself"
        case ast.Assign() | ast.TypedAssign():
            return "`NAME = VALUE`"
        case ast.Draw():
            return "a draw (`NAME ~ VALUE`)"
    return f"`{type(statement).__name__.lower()}`"


class RefutedError(SpecError):
    """An assertion failed, as the report says already: the bodies that called its body rely on it."""


def silenced(error: SpecError | TypeProblem | None = None) -> SpecError:
    """An error whose findings are in the report already; what follows from it says nothing."""
    refuted = isinstance(error, SpecError) and any(one.code == "AX0319" for one in error.diagnostics)
    return (RefutedError if refuted or isinstance(error, RefutedError) else SpecError)(Report())


def not_built(what: str, span: Span) -> NoReturn:
    """The one diagnostic for what parses but is not built yet."""
    fail("AX0001", f"not built yet: {what}", span)


def ends_body(statement: ast.Stmt, error: SpecError | TypeProblem, *, called: bool) -> bool:
    """Whether what follows relies on a statement that failed.

    It relies on an assert, on anything with a ``return``, and in a body that was called on anything in which an assert
    failed, be it in another body.
    """
    kinds = set(map(type, statements_of(statement)))
    if isinstance(statement, ast.Assert) or ast.Return in kinds:
        return True
    return isinstance(error, RefutedError) and (called or ast.Assert in kinds)


def first_line(span: Span) -> Span:
    """The part of a span on its first line: the header of a statement with a body."""
    return Span(span.source, span.start, span.start + len(span.text.partition("\n")[0].rstrip()))


def bound_names_of(target: ast.Expr) -> list[str]:
    """The name that an assignment to this target changes."""
    name = target.value if isinstance(target, ast.Index) else target
    return [name.id] if isinstance(name, ast.Name) else []


def bound_names(statement: ast.Stmt) -> list[str]:
    """The names that a statement would bind."""
    match statement:
        case ast.Assign():
            return [name for t in statement.targets for name in bound_names_of(t)]
        case ast.For():
            inner = [name for s in statement.body for name in bound_names(s)]
            return [*(t.id for t in statement.targets), *inner]
        case ast.If():
            suites = [*(body for _, body in statement.branches), statement.otherwise]
            return [name for body in suites for s in body for name in bound_names(s)]
        case ast.Scan():
            return [*(b.name for b in statement.bindings if not b.each), *(c.name for c in statement.collects)]
        case ast.Loop():
            return [b.name for b in statement.bindings if not b.each]
    name = getattr(statement, "name", None)
    return [name] if isinstance(name, str) else []
