"""Arguments of a model that its data decides: ``train of Rent(cities=size(city)):``.

They are known before there is a model, so a ``train`` block is read for its data alone. What this module does not do:
look at data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from archonnx.compiler.elaborate.core.values import Scope
from archonnx.compiler.elaborate.meaning.invocation import bind_arguments
from archonnx.compiler.elaborate.model.model import given_arguments
from archonnx.compiler.ir.types import DType
from archonnx.compiler.models import ProgramModels, train_blocks
from archonnx.compiler.program import TrainProgram
from archonnx.compiler.settings import read_settings
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, SpecError, did_you_mean, fail
from archonnx.grammar.source import Span

from .block import ProgramBlock, block_frame
from .placing import in_order, placed
from .programs import program_name, unrolled_programs
from .reading import read_statement

UNDECIDED = "is decided by the data, which is not read here"
"""What is said of an argument of a model where nobody opens the data."""


def deciding_programs(
    scope: Scope,
    declarations: Sequence[ast.Stmt],
    model: ast.Model,
    models: ProgramModels,
    arguments: Mapping[str, Any],
    float_type: DType,
) -> list[TrainProgram]:
    """The programs whose data decides arguments of the model, without the statements that train.

    Args:
        scope: of the file.
        declarations: its declarations.
        model: the model.
        models: whose programs the blocks are.
        arguments: those of its arguments that are given.
        float_type: the model's.
    """
    report = Report()
    decided = {str(argument.name) for train in _own(declarations, models) for argument in train.arguments}
    if not decided:
        return []
    outer = block_frame(scope, report, model.name_span, float_type, {})
    known = tuple(p for p in model.parameters if p.name in arguments or p.name not in decided)
    given = {
        name: value for name, value in given_arguments(model, arguments).items() if name in {p.name for p in known}
    }
    with outer.build.builder.active():
        bind_arguments(outer, outer, f"model `{model.name}`", known, given, model.name_span)
    found = []
    for declaration, loop, suffix in unrolled_programs(outer, declarations, {}, ""):
        if not declaration.arguments or models.of(declaration) != models.meant:
            continue
        block = ProgramBlock(declaration, loop)
        frame = block_frame(scope, Report(), declaration.name_span, float_type, {**outer.locals, **loop})
        with suppress(SpecError):
            for statement in declaration.body:
                read_statement(frame, block, statement)
        for diagnostic in frame.build.report.diagnostics:
            report.add(diagnostic)
        settings = read_settings(block.settings, block.spans, report)
        report.finish()
        assert settings is not None
        first = next(iter(in_order(block, settings, Report())), None)
        feeds, fits = placed(block, first, Report())
        if first is not None and first.reads:
            fail(
                "AX0708",
                f"`{first.name}` is made of other sources, and cannot decide arguments of the model",
                declaration.arguments[0].span,
                help="give them: `--arg NAME=VALUE`, or a default",
            )
        if first is not None and len(block.sources) > 1:
            feeds = {name: feed for name, feed in feeds.items() if feed.source == first.name}
            fits = {name: fit for name, fit in fits.items() if fit.source == first.name}
        name = program_name(declaration, suffix)
        found.append(
            TrainProgram(
                name,
                settings,
                first,
                feeds,
                None,
                span=declaration.name_span,
                fits=fits,
                given=declaration.arguments,
            )
        )
    return found


def check_decided(declarations: Sequence[ast.Stmt], model: ast.Model, models: ProgramModels, report: Report) -> None:
    """What a program says that its data decides must be arguments of the model, each of them once."""
    names = [parameter.name for parameter in model.parameters]
    for train in _own(declarations, models):
        first: dict[str | None, Span] = {}
        for argument in train.arguments:
            if argument.name in first:
                at = [Label(first[argument.name], "first here")]
                report.error("AX0205", f"`{argument.name}` is given twice", argument.span, "again here", others=at)
            first.setdefault(argument.name, argument.span)
            if argument.name not in names:
                report.error(
                    "AX0202",
                    f"model `{model.name}` has no argument `{argument.name}`",
                    argument.span,
                    help=did_you_mean(str(argument.name), names)
                    or (f"it has {', '.join(names)}" if names else "it has none"),
                )


def fail_undecided(
    declarations: Sequence[ast.Stmt], model: ast.Model, models: ProgramModels, given: Mapping[str, Any]
) -> None:
    """SpecError if an argument without a default is to be decided by data that nobody has read."""
    decided = {str(argument.name): argument for train in _own(declarations, models) for argument in train.arguments}
    for parameter in model.parameters:
        if parameter.default is None and parameter.name in decided and parameter.name not in given:
            fail(
                "AX0203",
                f"`{parameter.name}` of model `{model.name}` {UNDECIDED}",
                decided[parameter.name].span,
                help=f"`check --data` and `train` read it; or give it: `--arg {parameter.name}=10`, or a default",
            )


def _own(declarations: Sequence[ast.Stmt], models: ProgramModels) -> list[ast.Train]:
    """The ``train`` blocks of the model that is meant."""
    return [block for block in train_blocks(declarations) if models.of(block) == models.meant]
