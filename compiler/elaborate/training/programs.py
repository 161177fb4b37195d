"""Elaborating ``train`` blocks: settings, data sources, feeds, and the statements that train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias

import numpy as np

from archonnx.compiler.elaborate.core.control import iterate, truth, unpack
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import is_whole
from archonnx.compiler.elaborate.core.suites import NOT_BUILT, not_built, silenced
from archonnx.compiler.elaborate.core.values import Function, Results, Scope, describe
from archonnx.compiler.elaborate.meaning.calls import callee_of
from archonnx.compiler.elaborate.model.model import ElaboratedModel, Elaboration
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import Constant
from archonnx.compiler.program import (
    PER_EPOCH,
    SEED,
    TOTAL,
    DataSource,
    Do,
    Every,
    Feed,
    Plan,
    Repeat,
    TrainProgram,
    TrainStep,
)
from archonnx.compiler.settings import TrainSettings, read_settings
from archonnx.compiler.sources import GENERATE, PLANNED, source_arguments
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, SpecError, did_you_mean, fail
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .block import Bound, ProgramBlock, program_frame
from .feeds import check_feeds
from .objectives import build_steps, frozen_modules
from .step import simplified

STATEMENTS = 1_000
"""Statements that train which a program may unroll to, and programs that a file may: each is a graph of its own."""
Lengths: TypeAlias = Mapping[str, tuple[int | None, int | None]]
"""For a program the number of its steps, and of those in an epoch."""
TRAINING = ast.Minimize | ast.Update | ast.Together | ast.Repeat | ast.Every
"""What may stand in ``repeat`` and ``every``."""


class Building(Record):
    """How the steps of programs are built, and where mistakes are kept.

    ``lengths`` says of some programs how many steps they have; the steps of the others are for any number.
    """

    report: Report
    lengths: Lengths
    simplify: bool


def elaborate_programs(
    scope: Scope, declarations: Sequence[ast.Stmt], model: str, elaborated: ElaboratedModel, building: Building
) -> tuple[TrainProgram, ...]:
    """The ``train`` blocks of a model, in order; those inside a static ``for`` once for each item, numbered."""
    programs: list[TrainProgram] = []
    frame = program_frame(scope, building.report, elaborated.trained, {})
    for declaration, names, suffix in _unrolled_programs(frame, declarations, {}, ""):
        if declaration.model in (None, model):
            if len(programs) == STATEMENTS:
                fail("AX0215", f"this file unrolls to more than {STATEMENTS:,} programs", declaration.name_span)
            programs.append(_elaborate_program(scope, declaration, elaborated, building, names, suffix))
    _check_order(programs, building.report)
    return tuple(programs)


def _unrolled_programs(
    frame: Frame, declarations: Sequence[ast.Stmt], names: Mapping[str, Any], suffix: str
) -> Iterator[tuple[ast.Train, Mapping[str, Any], str]]:
    """Each ``train`` block with the variables of the ``for``s around it, and the numbers of their turns."""
    for declaration in declarations:
        if isinstance(declaration, ast.Train):
            yield declaration, names, suffix
        elif isinstance(declaration, ast.For):
            around, targets = frame.locals, [target.id for target in declaration.targets]
            for number, item in enumerate(iterate(frame, declaration.iterable)):
                frame.locals = dict(around)
                unpack(frame, targets, item, declaration.span)
                inner = {**names, **{name: frame.locals[name] for name in targets}}
                yield from _unrolled_programs(frame, declaration.body, inner, f"{suffix}.{number}")
            frame.locals = around


def _check_order(programs: Sequence[TrainProgram], report: Report) -> None:
    """Programs have names of their own, and start from earlier ones."""
    done: dict[str, TrainProgram] = {}
    for program in programs:
        start, span = program.settings.start_from, program.span
        if start is not None and start not in done:
            report.error(
                "AX0709",
                f"`start_from` names no earlier train program: `{start}`",
                span,
                help=did_you_mean(start, done) or f"earlier ones: {', '.join(done) or 'none'}",
            )
        if program.name in done:
            first = done[program.name].span
            report.error(
                "AX0205",
                f"two `train` programs are called `{program.name}`"
                if program.name
                else "two `train` programs have no name",
                span,
                "again here",
                others=[Label(first, "first here")] if first is not None else (),
                help="name them: `train pretrain:`, `train tune:`",
            )
        done[program.name] = program
    report.finish()


def _elaborate_program(
    scope: Scope,
    declaration: ast.Train,
    elaborated: ElaboratedModel,
    building: Building,
    loop: Mapping[str, Any],
    suffix: str,
) -> TrainProgram:
    """A ``train`` block over an elaborated model; ``loop`` binds the variables of the ``for`` around it."""
    trained, report = elaborated.trained, building.report
    block = ProgramBlock(declaration, loop)
    frame = program_frame(scope, Report(), trained, loop)
    with suppress(SpecError):  # it is in the frame's report
        for statement in declaration.body:
            block.plan += _noted(frame, block, statement)
    for diagnostic in frame.build.report.diagnostics:
        report.add(diagnostic)
    if block.freeze is not None and not report.failed:
        trained = elaborated.retrain(frozen_modules(scope, trained, block.freeze, report))
    settings = read_settings(block.settings, block.spans, report)
    check_feeds(block, trained, report)
    if settings is not None:
        _check_monitor(block, settings, trained, report)
    report.finish()
    assert settings is not None

    name = f"{declaration.name}{suffix}".removeprefix(".")
    build = _Steps(scope, block, trained, settings, loop, building.simplify)
    steps = build.known(*building.lengths[name]) if name in building.lengths else build.for_any_number()
    assumed = elaborated.trained.build.observed.assumptions
    assumed += [one for one in trained.build.observed.assumptions if one not in assumed]
    whole = frozenset(name for name, feed in block.feeds.items() if feed.statement.whole)
    return TrainProgram(name, settings, block.source, block.feeds, steps, block.plan, declaration.name_span, whole)


class _Steps(Record):
    """The statements of a block that train, to be built as graphs."""

    scope: Scope
    block: ProgramBlock
    trained: Elaboration
    settings: TrainSettings
    loop: Mapping[str, Any]
    simplify: bool

    def for_any_number(self) -> tuple[TrainStep, ...] | None:
        """The steps with the number of them left open.

        None if something in them is decided by it; then they are right for one step, or SpecError says why not.
        """
        try:
            return self.known(None, None, Report())
        except SpecError:
            self.known(1, 1)
            return None

    def known(self, total: int | None, per_epoch: int | None, report: Report | None = None) -> tuple[TrainStep, ...]:
        """The steps where there are so many in all, and so many an epoch; None leaves a number open."""
        open_ends = {"steps": (total, TOTAL), "steps_per_epoch": (per_epoch, PER_EPOCH)}
        lengths = {name: Dim.of(symbol) if n is None else n for name, (n, symbol) in open_ends.items()}
        trained = self.trained if report is None else _reporting(self.trained, report)
        forward = simplified(trained) if self.simplify else trained
        return build_steps(self.scope, self.block, trained, forward, self.settings, {**self.loop, **lengths})


# ---------------------------------------------------------------- reading the block


def _reporting(trained: Elaboration, report: Report) -> Elaboration:
    """The elaboration, with mistakes going into another report."""
    return replace(trained, build=replace(trained.build, report=report))


def _noted(frame: Frame, block: ProgramBlock, statement: ast.Stmt) -> Plan:
    """Take note of a statement; what is wrong with it goes into the report of the frame, and the next one is read."""
    around, loop = frame.locals, block.loop
    frame.build.spend(statement.span)
    report = frame.build.report
    with report.collecting(report.add_at_place):
        return _read(frame, block, statement)
    if frame.build.exhausted or len(block.statements) >= STATEMENTS:
        raise silenced()
    frame.locals, block.loop = around, loop
    return ()


def _read(frame: Frame, block: ProgramBlock, statement: ast.Stmt) -> Plan:
    """Take note of a statement; what it adds to the plan of a pass."""
    match statement:
        case ast.Minimize():
            return _add(block, (block.bound(statement),), statement.span)
        case ast.Update():
            return _add(block, block.bound(statement), statement.span)
        case ast.Together():
            return _add(block, _minimizes(frame, block, statement.body), statement.span)
        case ast.Repeat() | ast.Every():
            return _rounds(frame, block, statement)
        case ast.For() | ast.If():
            return sum((_noted(frame, block, inner) for inner in _unrolled(frame, block, statement)), start=())
        case ast.Assign(targets=(ast.Name(id="freeze"),), values=(value,)):
            block.freeze = block.bound(value)
        case ast.Assign(targets=(ast.Name(id="data"),), values=(value,)):
            if block.source is not None:
                _twice("`data` is given twice", statement, block.source.span)
            block.source = _source(frame, value)
        case ast.Assign(targets=(ast.Name(id=name),), values=(value,)):
            if name in block.settings:
                _twice(f"`{name}` is set twice", statement, block.spans[name])
            block.spans[f"{name}:key"] = statement.targets[0].span
            block.settings[name] = _setting(frame, name, value, block.spans)
        case ast.Feed():
            if statement.name in block.feeds:
                _twice(f"`{statement.name}` is fed twice", statement, block.feeds[statement.name].statement.span)
            block.feeds[statement.name] = Feed(statement, block.loop)
        case ast.Data():
            not_built("several data sources", statement.span)
        case _:
            kind = type(statement)
            if kind in NOT_BUILT:
                not_built(NOT_BUILT[kind], statement.span)
            fail(
                "AX0212",
                f"`{kind.__name__.lower()}` cannot stand in a `train` block",
                statement.span,
                help="it contains settings (`epochs = 20`), `data`, `feed` and `minimize`",
            )
    return ()


def _twice(headline: str, statement: ast.Stmt, first: Span) -> NoReturn:
    fail("AX0205", headline, statement.span, "again here", others=[Label(first, "first here")])


def _rounds(frame: Frame, block: ProgramBlock, statement: ast.Repeat | ast.Every) -> Plan:
    """``repeat n:`` and ``every n:``, and the statements inside."""
    count = frame.evaluate(statement.count)
    if not is_whole(count) or count < 1:
        fail("AX0306", f"a count is a positive int, not {describe(count)}", statement.count.span)
    body: Plan = ()
    for inner in _flat(frame, block, statement.body):
        if not isinstance(inner, TRAINING):
            headline = "it contains statements that train: `minimize`, `update`, `together`, `repeat`, `every`"
            fail("AX0212", headline, inner.span)
        body += _read(frame, block, inner)
    return (Repeat(count, body) if isinstance(statement, ast.Repeat) else Every(count, body),)


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


def _add(block: ProgramBlock, statement: tuple[Bound[ast.Minimize], ...] | Bound[ast.Update], span: Span) -> Plan:
    if len(block.statements) == STATEMENTS:
        fail("AX0215", f"this program unrolls to more than {STATEMENTS:,} statements", span)
    block.statements.append(statement)
    return (Do(len(block.statements) - 1),)


def _minimizes(frame: Frame, block: ProgramBlock, suite: ast.Suite) -> tuple[Bound[ast.Minimize], ...]:
    """The statements of a ``together``."""
    found = []
    for inner in _flat(frame, block, suite):
        if not isinstance(inner, ast.Minimize):
            fail("AX0212", "`together` contains `minimize` statements", inner.span)
        found.append(block.bound(inner))
    return tuple(found)


def _setting(frame: Frame, name: str, expr: ast.Expr, spans: dict[str, Span]) -> Any:
    """A setting's value; a bare word (``all``, ``valid.objective``) is text."""
    spans[name] = expr.span
    if isinstance(expr, ast.Dict):
        return {key.value: _setting(frame, f"{name}.{key.value}", item, spans) for key, item in expr.items}
    word = _dotted(expr)
    if word is not None and not (
        word in frame.locals and isinstance(frame.locals[word], int | float | str | list | dict)
    ):
        return word
    if name == "start_from" and (member := _member(frame, expr)) is not None:
        return member
    value = frame.evaluate(expr)
    if not isinstance(value, int | float | str | list | None):
        fail("AX0306", f"a setting is a number, a word or a list, not {describe(value)}", expr.span)
    return value


def _dotted(expr: ast.Expr) -> str | None:
    if isinstance(expr, ast.Name):
        return expr.id
    if isinstance(expr, ast.Attribute) and (outer := _dotted(expr.value)) is not None:
        return f"{outer}.{expr.name}"
    return None


def _member(frame: Frame, expr: ast.Expr) -> str | None:
    """``member[k - 1]``: the name of an earlier program that a ``for`` numbered, ``member.0``."""
    if not isinstance(expr, ast.Index) or len(expr.subscripts) != 1:
        return None
    outer = _dotted(expr.value) or _member(frame, expr.value)
    number = frame.evaluate(expr.subscripts[0])
    if outer is None or outer in frame.locals or not is_whole(number):
        return None
    return f"{outer}.{number}"


def _source(frame: Frame, expr: ast.Expr) -> DataSource:
    if not isinstance(expr, ast.Call) or not isinstance(expr.callee, ast.Name):
        fail("AX0705", "a data source is written like a call", expr.span, help='for example `data = sklearn("digits")`')
    kind = expr.callee.id
    if kind in PLANNED:
        not_built(f"the data source `{kind}`", expr.callee.span)
    if kind == GENERATE:
        return _generated(frame, expr)
    positional = [frame.evaluate(a.value) for a in expr.arguments if a.name is None]
    named = {a.name: frame.evaluate(a.value) for a in expr.arguments if a.name is not None}
    report = Report()
    arguments = source_arguments(kind, positional, named, expr.span, report)
    report.finish()
    return DataSource("data", kind, arguments or {}, expr.span)


def _generated(frame: Frame, expr: ast.Call) -> DataSource:
    """``generate(fn, n=2000)``: the fn's named results are the fields."""
    if not expr.arguments or expr.arguments[0].name is not None:
        fail(
            "AX0203",
            "`generate` needs the fn that makes the data",
            expr.span,
            help="`data = generate(two_moons, n=2000)`",
        )
    function = callee_of(frame, expr.arguments[0].value)
    if not isinstance(function, Function):
        fail(
            "AX0306", f"`generate` takes a fn written in the language, not {describe(function)}", expr.arguments[0].span
        )
    builder = frame.build.builder
    with builder.active():
        result = frame.call(function, expr.arguments[1:], [], expr.span)
    fields = dict(zip(result.names, result.items, strict=True)) if isinstance(result, Results) else {}
    outputs = {name: value for name, value in fields.items() if name and isinstance(value, Value)}
    if not outputs:
        where = function.declaration.result.span if function.declaration.result else function.declaration.name_span
        fail(
            "AX0307",
            f"fn `{function.declaration.name}` makes data, so its results need names",
            where,
            help="as in `-> (x: [n, 2], label: i64[n])`",
        )
    inputs = {name: value for name, value in frame.build.inputs.items() if name == SEED}
    if "step" in frame.build.inputs:
        _fix_step(builder, frame.build.inputs["step"])
    return DataSource("data", "generate", {}, expr.span, builder.graph("data", inputs, outputs))


def _fix_step(builder: Builder, step: Value) -> None:
    """Data is drawn at step 0."""
    builder.nodes.insert(0, Node(Constant.of(np.zeros((), np.int64), DType.i64), (), (step,)))


def _check_monitor(block: ProgramBlock, settings: TrainSettings, trained: Elaboration, report: Report) -> None:
    """What early stopping watches must be measured."""
    if settings.early_stopping is None:
        return
    monitor = settings.early_stopping.monitor
    known = [f"train.{name}" for name in trained.losses]
    known += [f"valid.{name}" for name in (*trained.losses, *trained.measured)]
    if monitor not in known:
        span = block.spans.get("early_stopping.monitor") or block.spans.get("early_stopping")
        report.error(
            "AX0703",
            f"`{monitor}` is not measured during training",
            span,
            help=did_you_mean(monitor, known) or f"measured: {', '.join(known)}",
        )
