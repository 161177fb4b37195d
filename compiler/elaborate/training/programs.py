"""Elaborating ``train`` blocks: settings, data sources, feeds, and the statements that train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias

from archonnx.compiler.directions import chosen
from archonnx.compiler.elaborate.core.control import iterate, unpack
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Scope
from archonnx.compiler.elaborate.model.model import ElaboratedModel, Elaboration
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.models import ProgramModels, Stage
from archonnx.compiler.plan import gathering, own_lengths
from archonnx.compiler.program import PER_EPOCH, TOTAL, TrainProgram, TrainStep
from archonnx.compiler.settings import TrainSettings, read_settings
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, SpecError, did_you_mean, fail
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .block import ProgramBlock, block_frame, program_frame
from .feeds import check_feeds
from .objectives import build_steps, frozen_modules, minimizes
from .placing import in_order, placed, stores
from .reading import MAX_STATEMENTS, read_statement
from .starting import resolved_start

FAILED_ASSERT = "AX0319"
Lengths: TypeAlias = Mapping[str, tuple[int | None, int | None]]
"""For a program the number of its passes, and of those in an epoch."""


class _Start(Record):
    """What a program may start from: the earlier ones, with their models, and its own model."""

    earlier: Mapping[str, str]
    model: str


class Building(Record):
    """How the steps of programs are built, and where mistakes are kept.

    ``lengths`` says of some programs how many passes they have; the steps of the others are for any number.
    ``rates`` makes learning rates inputs of the steps.
    """

    report: Report
    lengths: Lengths
    simplify: bool
    rates: bool = False


def elaborate_programs(
    scope: Scope, declarations: Sequence[ast.Stmt], models: ProgramModels, elaborated: ElaboratedModel, how: Building
) -> tuple[TrainProgram, ...]:
    """The ``train`` blocks of a model, in order; those inside a static ``for`` once for each item, numbered."""
    programs: list[TrainProgram] = []
    found: list[tuple[str, Span]] = []
    earlier: dict[str, str] = {}
    known = {} if models.several else elaborated.trained.arguments
    build = elaborated.trained.build
    frame = block_frame(scope, how.report, build.root.made_at, build.float_type, known)
    for declaration, names, suffix in unrolled_programs(frame, declarations, {}, ""):
        if len(found) == MAX_STATEMENTS:
            fail("AX0215", f"this file unrolls to more than {MAX_STATEMENTS:,} programs", declaration.name_span)
        if models.of(declaration) == models.meant:
            start = _Start(dict(earlier), models.meant)
            programs.append(_elaborate_program(scope, declaration, elaborated, how, names, suffix, start))
        name = program_name(declaration, suffix)
        found.append((name, declaration.name_span))
        earlier[name] = models.of(declaration)
    _check_names(found, how.report)
    return tuple(programs)


def elaborate_stages(scope: Scope, declarations: Sequence[ast.Stmt], models: ProgramModels, at: Span) -> list[Stage]:
    """The programs of a file in order, those of one model that follow each other together."""
    frame = block_frame(scope, Report(), at, DType.f32, {})
    stages: list[Stage] = []
    with Builder().active():
        for declaration, _, suffix in unrolled_programs(frame, declarations, {}, ""):
            model, name = models.of(declaration), program_name(declaration, suffix)
            if stages and stages[-1].model == model:
                stages[-1] = Stage(model, (*stages[-1].programs, name))
            else:
                stages.append(Stage(model, (name,)))
    return stages


def unrolled_programs(
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
                yield from unrolled_programs(frame, declaration.body, inner, f"{suffix}.{number}")
            frame.locals = around


def program_name(declaration: ast.Train, suffix: str) -> str:
    """What a program is called: the name of its block, with the numbers that the ``for``s around it give."""
    return f"{declaration.name}{suffix}".removeprefix(".")


def _check_names(programs: Sequence[tuple[str, Span]], report: Report) -> None:
    """Programs have names of their own."""
    done: dict[str, Span] = {}
    for name, span in programs:
        if name in done:
            report.error(
                "AX0205",
                f"two `train` programs are called `{name}`" if name else "two `train` programs have no name",
                span,
                "again here",
                others=[Label(done[name], "first here")],
                help="name them: `train pretrain:`, `train tune:`",
            )
        done[name] = span
    for name, span in programs:
        outer, _, turn = name.rpartition(".")
        if turn.isdigit() and outer in done:  # a number behind a name is also that of a statement: `train_step.a.1`
            report.error(
                "AX0205",
                "a `train` program that a `for` numbers has the name of another one",
                span,
                others=[Label(done[outer], "the other one")],
                help="give one of them another name",
            )
            break
    report.finish()


def _elaborate_program(
    scope: Scope,
    declaration: ast.Train,
    elaborated: ElaboratedModel,
    building: Building,
    loop: Mapping[str, Any],
    suffix: str,
    start: _Start,
) -> TrainProgram:
    """A ``train`` block over an elaborated model; ``loop`` binds the variables of the ``for`` around it."""
    trained, report = elaborated.trained, building.report
    block = ProgramBlock(declaration, loop)
    frame = program_frame(scope, Report(), trained, loop)
    with suppress(SpecError):  # it is in the frame's report
        for statement in declaration.body:
            block.plan += read_statement(frame, block, statement)
    for diagnostic in frame.build.report.diagnostics:
        report.add(diagnostic)
    if block.freeze is not None and not report.failed:
        trained = elaborated.retrain(frozen_modules(scope, trained, block.freeze, report))
    settings = read_settings(block.settings, block.spans, report)
    check_feeds(block, trained, program_frame(scope, report, trained, loop), report)
    if settings is not None:
        _check_monitor(block, settings, trained, report)
        _check_buckets(block, settings, trained, report)
        settings = _with_start(block, settings, start, report)
        sources = in_order(block, settings, report)
        feeds, fits = placed(block, next(iter(sources), None), report)
    report.finish()
    assert settings is not None

    name = program_name(declaration, suffix)
    build = _Steps(scope, block, trained, settings, loop, building.simplify, building.rates)
    steps = build.known(*building.lengths[name]) if name in building.lengths else build.for_any_number()
    plan = gathering(block.plan, [*map(minimizes, block.statements)]) if settings.accumulate > 1 else block.plan
    assumed = elaborated.trained.build.observed.assumptions
    assumed += [one for one in trained.build.observed.assumptions if one not in assumed]
    whole = frozenset(name for name, feed in block.feeds.items() if feed.statement.whole)
    return TrainProgram(
        name,
        settings,
        next(iter(sources), None),
        feeds,
        steps,
        plan,
        declaration.name_span,
        fits=fits,
        given=declaration.arguments,
        whole=whole,
        others=sources[1:],
        stores=frozenset(stores(block)),
    )


class _Steps(Record):
    """The statements of a block that train, to be built as graphs."""

    scope: Scope
    block: ProgramBlock
    trained: Elaboration
    settings: TrainSettings
    loop: Mapping[str, Any]
    simplify: bool
    rates: bool

    def for_any_number(self) -> tuple[TrainStep, ...] | None:
        """The steps with the number of them left open.

        None if something in them is decided by it. Then SpecError says what is wrong for a training of one step, except
        for an ``assert``, which waits for the number.
        """
        opened, single = Report(), Report()
        with opened.collecting():
            return self.known(None, None, Report())
        with single.collecting():
            self.known(1, 1, Report())
        always = {(d.code, d.span) for d in opened.diagnostics}
        wrong = [d for d in single.diagnostics if d.code != FAILED_ASSERT or (d.code, d.span) in always]
        if wrong:
            report = self.trained.build.report
            for diagnostic in wrong:
                report.add(diagnostic)
            raise SpecError(report)
        return None

    def known(self, total: int | None, per_epoch: int | None, report: Report | None = None) -> tuple[TrainStep, ...]:
        """The steps where there are so many passes in all, and so many an epoch; None leaves a number open."""

        def names(statement: int) -> Mapping[str, Any]:
            own = own_lengths(self.block.plan, statement, total, per_epoch)
            steps, steps_in_epoch = (
                Dim.of(s) if n is None else n for n, s in zip(own, (TOTAL, PER_EPOCH), strict=True)
            )
            return {**self.loop, "steps": steps, "steps_per_epoch": steps_in_epoch}

        trained = self.trained if report is None else _reporting(self.trained, report)
        return build_steps(
            self.scope, self.block, trained, self.settings, names, simplify=self.simplify, rates=self.rates
        )


def _reporting(trained: Elaboration, report: Report) -> Elaboration:
    """The elaboration, with mistakes going into another report."""
    return replace(trained, build=replace(trained.build, report=report))


def _with_start(block: ProgramBlock, settings: TrainSettings, start: _Start, report: Report) -> TrainSettings:
    """The settings, with the names of earlier programs apart from the paths of their parts."""
    if settings.start_from is None:
        return settings
    span = block.spans["start_from"]
    found = resolved_start(settings.start_from, start.earlier, start.model, span, report)
    return settings.model_copy(update={"start_from": found})


def _check_buckets(block: ProgramBlock, settings: TrainSettings, trained: Elaboration, report: Report) -> None:
    """What tells the lengths must be a field of integers, and the dim that of other fields."""
    if settings.buckets is None:
        return
    by, dim, types = settings.buckets.by, settings.buckets.dim, {n: f.type for n, f in trained.fields.items()}
    span = block.spans["buckets"]
    if by not in types:
        fields = did_you_mean(by, types) or f"it has {', '.join(types)}"
        report.error("AX0702", f"`buckets.by` is `{by}`, which is not a field of the model", span, help=fields)
    elif types[by].rank != 1 or not types[by].dtype.is_integer:
        what = f"`buckets.by` is `{by}: {types[by]}`, and a length is an integer for each example"
        report.error("AX0702", what, span, help="as in `input count: i64[B]`, fed by `lengths`")
    having = {name: type_ for name, type_ in types.items() if dim in type_.symbols()}
    dims = dict.fromkeys(symbol for type_ in types.values() for d in type_.shape[1:] if (symbol := d.symbol))
    if dim not in dims:
        known = did_you_mean(dim, dims) or (f"dims: {', '.join(dims)}" if dims else None)
        report.error("AX0702", f"`buckets.dim` is `{dim}`, which is not a dim of a row of a field", span, help=known)
    for name, type_ in having.items():
        if any(dim in d.symbols() and d.symbol != dim for d in type_.shape):
            report.error("AX0702", f"`{name}: {type_}` cannot be cut where {dim} ends", span)


def _check_monitor(block: ProgramBlock, settings: TrainSettings, trained: Elaboration, report: Report) -> None:
    """What early stopping watches must be measured, and it must be known which of its values are good."""
    if settings.early_stopping is None:
        return
    monitor = settings.early_stopping.monitor
    known = [f"train.{name}" for name in trained.losses]
    known += [f"valid.{name}" for name in (*trained.losses, *trained.measured)]
    span = block.spans.get("early_stopping.monitor") or block.spans.get("early_stopping")
    if monitor in known:
        chosen(monitor, settings.early_stopping.mode, trained.directions, report, span)
    else:
        report.error(
            "AX0703",
            f"`{monitor}` is not measured during training",
            span,
            help=did_you_mean(monitor, known) or f"measured: {', '.join(known)}",
        )
