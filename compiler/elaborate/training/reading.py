"""Reading a ``train`` block: its settings, its source, its feeds, and the order of its statements that train.

What this module does not do: build those statements (``objectives`` does), validate settings (``settings`` does), read
what `start_from` says (``starting`` does), or elaborate a source that a fn makes (``drawing`` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from archonnx.compiler.elaborate.core.control import iterate, truth, unpack
from archonnx.compiler.elaborate.core.frame import STATEMENT, Frame
from archonnx.compiler.elaborate.core.static import is_whole
from archonnx.compiler.elaborate.core.suites import not_built, silenced, worded
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.plan import Do, Every, Plan, Repeat
from archonnx.compiler.program import DATA, DataSource, Feed, Fit
from archonnx.compiler.sources import FRESH, GENERATE, PLANNED, source_arguments
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, at_statement, spend
from archonnx.grammar.diagnostics import Label, Report, fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

from .block import Bound, ProgramBlock, Statement
from .drawing import anew, check_inner, generated
from .starting import dotted, read_start

MAX_SOURCES = 64
"""Sources that a program may have."""
MAX_STATEMENTS = 1_000
"""Statements that train which a program may unroll to, and programs that a file may: each is a graph of its own."""
TRAINING = ast.Minimize | ast.Update | ast.Together | ast.Repeat | ast.Every
"""What may stand in ``repeat`` and ``every``."""


def read_statement(frame: Frame, block: ProgramBlock, statement: ast.Stmt) -> Plan:
    """Take note of a statement; what is wrong with it goes into the report of the frame, and the next one is read."""
    around, loop = frame.locals, block.loop
    report = frame.build.report
    with at_statement(statement.span), report.collecting(report.add_at_place):
        spend(Cost.expressions, STATEMENT)
        return _read(frame, block, statement)
    if frame.build.given_up or len(block.statements) >= MAX_STATEMENTS:
        raise silenced()
    frame.locals, block.loop = around, loop
    return ()


def _read(frame: Frame, block: ProgramBlock, statement: ast.Stmt) -> Plan:
    """Take note of a statement; what it adds to the plan of a pass."""
    match statement:
        case ast.Minimize() | ast.Update():
            return _add(block, (block.bound(statement),), statement.span)
        case ast.Together():
            parts = _together(frame, block, statement.body)
            return _add(block, parts, statement.span) if parts else ()
        case ast.Repeat() | ast.Every():
            return _rounds(frame, block, statement)
        case ast.For() | ast.If():
            return sum((read_statement(frame, block, inner) for inner in _unrolled(frame, block, statement)), start=())
        case ast.Assign(targets=(ast.Name(id="freeze"),), values=(value,)):
            if block.freeze is not None:
                _twice("`freeze` is set twice", statement, block.freeze.node.span)
            block.freeze = block.bound(value)
        case ast.Assign(targets=(ast.Name(id="data"),), values=(value,)):
            _add_source(frame, block, statement, DATA, value)
        case ast.Assign(targets=(ast.Name(id=name),), values=(value,)):
            if name in block.settings:
                _twice(f"`{name}` is set twice", statement, block.spans[name])
            block.spans[f"{name}:key"] = statement.targets[0].span
            block.settings[name] = _setting(frame, name, value, block.spans)
        case ast.Feed():
            if statement.name in block.feeds:
                _twice(f"`{statement.name}` is fed twice", statement, block.feeds[statement.name].statement.span)
            block.feeds[statement.name] = Feed(statement, block.loop)
        case ast.Fit():
            if statement.name in block.fits:
                _twice(f"`{statement.name}` is fitted twice", statement, block.fits[statement.name].statement.span)
            block.fits[statement.name] = Fit(statement, block.loop)
        case ast.Data(name=name, value=value):
            _add_source(frame, block, statement, name, value)
        case _:
            fail(
                "AX0212",
                f"{worded(statement)} cannot stand in a `train` block",
                statement.span,
                help="it contains settings (`epochs = 20`), `data`, `fit`, `feed` and `minimize`",
            )
    return ()


def _add_source(frame: Frame, block: ProgramBlock, statement: ast.Stmt, name: str, value: ast.Expr) -> None:
    """``data = SOURCE`` and ``data NAME = SOURCE``."""
    if name in block.sources:
        _twice(f"`{name}` is given twice", statement, block.sources[name].span)
    if len(block.sources) == MAX_SOURCES:
        fail("AX0215", f"a program has at most {MAX_SOURCES} sources", statement.span)
    if name != DATA and frame.lookup(name) is not None:
        fail(
            "AX0205",
            f"`{name}` is {describe(frame.lookup(name))} already",
            statement.span,
            help="give the source another name",
        )
    block.sources[name] = replace(_source(frame, block, value), name=name)


def _twice(headline: str, statement: ast.Stmt, first: Span) -> NoReturn:
    fail("AX0205", headline, statement.span, "again here", others=[Label(first, "first here")])


def _rounds(frame: Frame, block: ProgramBlock, statement: ast.Repeat | ast.Every) -> Plan:
    """``repeat n [while condition]:`` and ``every n:``, and the statements inside."""
    count = frame.evaluate(statement.count)
    if not is_whole(count) or count < 1:
        fail("AX0306", f"a count is a positive int, not {describe(count)}", statement.count.span)
    body: Plan = ()
    asked: int | None = None
    if isinstance(statement, ast.Repeat) and statement.condition is not None:
        _add(block, (block.bound(statement),), statement.condition.span)
        asked = len(block.statements) - 1
    for inner in _flat(frame, block, statement.body):
        if not isinstance(inner, TRAINING):
            headline = "it contains statements that train: `minimize`, `update`, `together`, `repeat`, `every`"
            fail("AX0212", headline, inner.span)
        body += _read(frame, block, inner)
    return (Repeat(count, body, asked) if isinstance(statement, ast.Repeat) else Every(count, body),)


def _flat(frame: Frame, block: ProgramBlock, suite: Iterable[ast.Stmt]) -> Iterator[ast.Stmt]:
    """The statements of a body, its loops unrolled and its conditions decided."""
    for statement in suite:
        if isinstance(statement, ast.For | ast.If):
            yield from _flat(frame, block, _unrolled(frame, block, statement))
        else:
            yield statement


def _unrolled(frame: Frame, block: ProgramBlock, statement: ast.For | ast.If) -> Iterator[ast.Stmt]:
    """The statements inside that are meant, one after the other; while one is read, the loop's variables are bound."""
    if isinstance(statement, ast.If):
        taken = next((body for condition, body in statement.branches if truth(frame, condition)), statement.otherwise)
        yield from taken
        return
    names = [target.id for target in statement.targets]
    around, loop = frame.locals, block.loop
    for item in iterate(frame, statement.iterable):
        frame.locals = dict(around)
        unpack(frame, names, item, statement.span)
        block.loop = {**loop, **{name: frame.locals[name] for name in names}}
        yield from statement.body
    frame.locals, block.loop = around, loop


def _add(block: ProgramBlock, statement: Statement, span: Span) -> Plan:
    if len(block.statements) == MAX_STATEMENTS:
        fail("AX0215", f"this program unrolls to more than {MAX_STATEMENTS:,} statements", span)
    block.statements.append(statement)
    return (Do(len(block.statements) - 1),)


def _together(frame: Frame, block: ProgramBlock, suite: ast.Suite) -> Statement:
    """The statements of a ``together``."""
    found: list[Bound[ast.Minimize | ast.Update | ast.Repeat]] = []
    for inner in _flat(frame, block, suite):
        if not isinstance(inner, ast.Minimize | ast.Update):
            way = f"write `update {inner.span.text}`" if isinstance(inner, ast.Assign) else None
            fail("AX0212", "`together` contains `minimize` and `update` statements", inner.span, help=way)
        found.append(block.bound(inner))
    return tuple(found)


def _setting(frame: Frame, name: str, expr: ast.Expr, spans: dict[str, Span]) -> Any:
    """A setting's value; a bare word (``all``, ``valid.objective``) is text."""
    spans[name] = expr.span
    if name == "start_from" and (start := read_start(frame, expr)) is not None:
        return start
    if isinstance(expr, ast.Dict):
        spans |= {f"{name}.{key.value}:key": key.span for key, _ in expr.items}
        return {key.value: _setting(frame, f"{name}.{key.value}", item, spans) for key, item in expr.items}
    word = dotted(expr)
    if word is not None and not (
        word in frame.locals and isinstance(frame.locals[word], int | float | str | list | dict)
    ):
        return word
    value = frame.evaluate(expr)
    if not isinstance(value, int | float | str | list | None):
        fail("AX0306", f"a setting is a number, a word or a list, not {describe(value)}", expr.span)
    return value


def _source(frame: Frame, block: ProgramBlock, expr: ast.Expr) -> DataSource:
    if not isinstance(expr, ast.Call) or not isinstance(expr.callee, ast.Name):
        fail("AX0705", "a data source is written like a call", expr.span, help='for example `data = sklearn("digits")`')
    kind = expr.callee.id
    if kind in PLANNED:
        not_built(f"the data source `{kind}`", expr.callee.span)
    if kind == GENERATE:
        return generated(frame, block, expr)
    if kind == FRESH:
        one = _argument(frame, block, expr.arguments[0].value) if expr.arguments else None
        return anew(expr, one if isinstance(one, DataSource) else None)
    positional = [_argument(frame, block, a.value) for a in expr.arguments if a.name is None]
    named = {a.name: _argument(frame, block, a.value) for a in expr.arguments if a.name is not None}
    inner = [value for value in (*positional, *named.values()) if isinstance(value, DataSource)]
    for source in inner:
        check_inner(kind, source, expr)
    positional = [_plain(value) for value in positional]
    named = {name: _plain(value) for name, value in named.items()}
    report = Report()
    arguments = source_arguments(kind, positional, named, expr.span, report)
    report.finish()
    drawn = next((source for source in inner if source.graph is not None), None)
    graph, reads = (None, ()) if drawn is None else (drawn.graph, drawn.reads)
    return DataSource(DATA, kind, arguments or {}, expr.span, graph, reads)


def _plain(value: Any) -> Any:
    """A source that another one takes, as an argument."""
    return {"kind": value.kind, "arguments": value.arguments} if isinstance(value, DataSource) else value


def _argument(frame: Frame, block: ProgramBlock, expr: ast.Expr) -> Any:
    """What a source is given: a static value, another source, or a bare word (``colour=grey``).

    A word is text unless it names a static value; a call is a source unless it calls something of the spec.
    """
    if isinstance(expr, ast.Dict):
        return {key.value: _argument(frame, block, item) for key, item in expr.items}
    if isinstance(expr, ast.List) and not any(isinstance(item, ast.Dots) for item in expr.items):
        return [_argument(frame, block, item) for item in expr.items]
    if isinstance(expr, ast.Name):
        known = frame.lookup(expr.id)
        return known if isinstance(known, int | float | str | list | dict) else expr.id
    if isinstance(expr, ast.Call) and isinstance(expr.callee, ast.Name) and frame.lookup(expr.callee.id) is None:
        return _source(frame, block, expr)
    return frame.evaluate(expr)
