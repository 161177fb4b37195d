"""Elaborating ``train`` blocks: settings, data sources, feeds, and the statements that train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim, assuming
from archonnx.compiler.ir.graph import Graph, Value
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import SEED, DataSource, Do, Every, Field, Plan, Repeat, TrainProgram, TrainStep
from archonnx.compiler.settings import TrainSettings, read_settings, source_arguments
from archonnx.compiler.train_step import Objective, build_step, build_update, simplified, working_copy
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, SpecError, Suggestion, did_you_mean, fail
from archonnx.grammar.source import Span

from . import calls
from .algebra import is_group, slots_of, tensor_of
from .expressions import evaluate, iterate, problems, unpack
from .frame import POISON, Build, Frame, Scope
from .model import ElaboratedModel, Elaboration
from .statements import NOT_BUILT, check_type
from .tensors import as_tensor
from .values import Configured, Function, Module, OptimizerType, Results, Slot, describe

PLANNED_SOURCES = ("parquet", "images", "text", "gymnasium")


@dataclass
class _Block:
    """A ``train`` block as its statements are read."""

    declaration: ast.Train
    loop: Mapping[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    source: DataSource | None = None
    feeds: dict[str, ast.Feed] = field(default_factory=dict)
    freeze: ast.Expr | None = None
    statements: list[tuple[ast.Minimize, ...] | ast.Update] = field(default_factory=list)
    """What trains, flat: each is one step."""
    plan: Plan = ()


def elaborate_programs(
    scope: Scope,
    declarations: Sequence[ast.Stmt],
    model: str,
    elaborated: ElaboratedModel,
    report: Report,
    known: Mapping[str, Any] | None = None,
    suffix: str = "",
) -> tuple[TrainProgram, ...]:
    """The ``train`` blocks of a model, in order; those inside a static ``for`` once for each item, numbered."""
    programs: list[TrainProgram] = []
    for declaration in declarations:
        if isinstance(declaration, ast.Train) and declaration.model in (None, model):
            program = _elaborate_program(scope, declaration, elaborated, report, known or {}, suffix)
            programs.append(program)
        elif isinstance(declaration, ast.For):
            frame = _frame(scope, report, elaborated.trained, known or {})
            for number, item in enumerate(iterate(frame, declaration.iterable)):
                unpack(frame, [target.id for target in declaration.targets], item, declaration.span)
                inner = {**(known or {}), **{t.id: frame.locals[t.id] for t in declaration.targets}}
                programs += elaborate_programs(
                    scope, declaration.body, model, elaborated, report, inner, f"{suffix}.{number}"
                )
    if not suffix:
        _check_order(programs, report)
    return tuple(programs)


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
    report: Report,
    loop: Mapping[str, Any],
    suffix: str,
) -> TrainProgram:
    """A ``train`` block over an elaborated model; ``loop`` binds the variables of the ``for`` around it."""
    trained = elaborated.trained
    block = _Block(declaration, loop)
    frame = _frame(scope, Report(), trained, loop)
    for statement in declaration.body:
        try:
            block.plan += _read(frame, block, statement)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                report.add(diagnostic)
    for diagnostic in frame.build.report.diagnostics:
        report.add(diagnostic)
    if block.freeze is not None and not report.failed:
        trained = elaborated.retrain(_frozen_modules(scope, trained, block.freeze, report))
    settings = read_settings(block.settings, block.spans, report)
    _check_feeds(block, trained, report)
    if settings is not None:
        _check_monitor(block, settings, trained, report)
    report.finish()
    assert settings is not None

    def feed(data: Mapping[str, Array]) -> dict[str, Array]:
        return _feed(scope, block, trained, data)

    def build(forward: Elaboration, total: int | None, per_epoch: int | None) -> tuple[TrainStep, ...]:
        known = {**loop} | {name: n for name, n in (("steps", total), ("steps_per_epoch", per_epoch)) if n is not None}
        return _steps(scope, block, trained, forward, settings, known)

    def steps(total: int | None, per_epoch: int | None) -> tuple[TrainStep, ...]:
        return build(simplified(trained), total, per_epoch)

    build(trained, 1, 1)  # a mistake in a `minimize` is found before any data is read
    name = f"{declaration.name}{suffix}".removeprefix(".")
    return TrainProgram(name, settings, block.source, feed, steps, block.plan, declaration.name_span)


def part(span: Span, word: str) -> Span:
    """Where a word stands in a span."""
    return Suggestion.of("", word, "").place(span) or span


def _frame(scope: Scope, report: Report, trained: Elaboration, known: Mapping[str, Any]) -> Frame:
    build = Build(report, Module(None, {}, None, None, trained.build.root.made_at), float_type=trained.build.float_type)
    return Frame(build, scope, build.root, kind="train", locals={**trained.arguments, **known}, sealed=True)


# ---------------------------------------------------------------- reading the block


def _read(frame: Frame, block: _Block, statement: ast.Stmt) -> Plan:
    """Take note of a statement; what it adds to the plan of a pass."""
    match statement:
        case ast.Minimize():
            return _add(block, (statement,))
        case ast.Update():
            return _add(block, statement)
        case ast.Together():
            return _add(block, _minimizes(statement))
        case ast.Repeat() | ast.Every():
            count = evaluate(frame, statement.count)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                fail("AX0306", f"a count is a positive int, not {describe(count)}", statement.count.span)
            body: Plan = ()
            for inner in statement.body:
                if not isinstance(inner, ast.Minimize | ast.Update | ast.Together | ast.Repeat | ast.Every):
                    fail(
                        "AX0212",
                        "here stand statements that train: `minimize`, `update`, `together`, `repeat`, `every`",
                        inner.span,
                    )
                body += _read(frame, block, inner)
            return (Repeat(count, body) if isinstance(statement, ast.Repeat) else Every(count, body),)
        case ast.Assign(targets=(ast.Name(id="freeze"),), values=(value,)):
            block.freeze = value
        case ast.Assign(targets=(ast.Name(id="data"),), values=(value,)):
            if block.source is not None:
                fail(
                    "AX0205",
                    "`data` is given twice",
                    statement.span,
                    "again here",
                    others=[Label(block.source.span, "first here")],
                )
            block.source = _source(frame, value)
        case ast.Assign(targets=(ast.Name(id=name),), values=(value,)):
            if name in block.settings:
                fail(
                    "AX0205",
                    f"`{name}` is set twice",
                    statement.span,
                    "again here",
                    others=[Label(block.spans[name], "first here")],
                )
            block.spans[f"{name}:key"] = statement.targets[0].span
            block.settings[name] = _setting(frame, name, value, block.spans)
        case ast.Feed():
            if statement.whole:
                calls.not_built("`feed whole`", statement.span)
            if statement.name in block.feeds:
                fail(
                    "AX0205",
                    f"`{statement.name}` is fed twice",
                    statement.span,
                    "again here",
                    others=[Label(block.feeds[statement.name].span, "first here")],
                )
            block.feeds[statement.name] = statement
        case ast.Data():
            calls.not_built("several data sources", statement.span)
        case ast.For() | ast.If():
            calls.not_built("`for` and `if` in a `train` block", statement.span)
        case _:
            kind = type(statement)
            if kind in NOT_BUILT:
                calls.not_built(NOT_BUILT[kind], statement.span)
            fail(
                "AX0212",
                f"`{kind.__name__.lower()}` does not stand in a `train` block",
                statement.span,
                help="here stand settings (`epochs = 20`), `data`, `feed` and `minimize`",
            )
    return ()


def _add(block: _Block, statement: tuple[ast.Minimize, ...] | ast.Update) -> Plan:
    block.statements.append(statement)
    return (Do(len(block.statements) - 1),)


def _minimizes(together: ast.Together) -> tuple[ast.Minimize, ...]:
    for inner in together.body:
        if not isinstance(inner, ast.Minimize):
            fail("AX0212", "in `together` stand `minimize` statements", inner.span)
    return tuple(inner for inner in together.body if isinstance(inner, ast.Minimize))


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
    value = evaluate(frame, expr)
    if not isinstance(value, int | float | str | list | None):
        fail("AX0306", f"a setting is a number, a word or a list, not {describe(value)}", expr.span)
    return value


def _dotted(expr: ast.Expr) -> str | None:
    if isinstance(expr, ast.Name):
        return expr.id
    if isinstance(expr, ast.Attribute) and (outer := _dotted(expr.value)) is not None:
        return f"{outer}.{expr.name}"
    return None


def _source(frame: Frame, expr: ast.Expr) -> DataSource:
    if not isinstance(expr, ast.Call) or not isinstance(expr.callee, ast.Name):
        fail("AX0705", "a data source is written like a call", expr.span, help='for example `data = sklearn("digits")`')
    kind = expr.callee.id
    if kind in PLANNED_SOURCES:
        calls.not_built(f"the data source `{kind}`", expr.callee.span)
    if kind == "generate":
        return _generated(frame, expr)
    positional = [evaluate(frame, a.value) for a in expr.arguments if a.name is None]
    named = {a.name: evaluate(frame, a.value) for a in expr.arguments if a.name is not None}
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
    function = calls.callee_of(frame, expr.arguments[0].value)
    if not isinstance(function, Function):
        fail(
            "AX0306", f"`generate` takes a fn written in the language, not {describe(function)}", expr.arguments[0].span
        )
    builder = frame.build.builder
    with builder.active():
        result = calls.call(frame, function, expr.arguments[1:], [], expr.span)
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
    from archonnx.compiler.ir.graph import Node
    from archonnx.compiler.ops.shape import Constant

    builder.nodes.insert(0, Node(Constant.of(np.zeros((), np.int64), DType.i64), (), (step,)))


# ---------------------------------------------------------------- feeds


def _check_feeds(block: _Block, trained: Elaboration, report: Report) -> None:
    for name, statement in block.feeds.items():
        if name not in trained.fields:
            report.error(
                "AX0706",
                f"the model has no input or target `{name}`",
                part(statement.span, name),
                help=did_you_mean(name, trained.fields) or f"it has {', '.join(trained.fields)}",
            )


def _check_monitor(block: _Block, settings: TrainSettings, trained: Elaboration, report: Report) -> None:
    """What early stopping watches must be measured."""
    if settings.early_stopping is None:
        return
    monitor = settings.early_stopping.monitor
    known = [f"train.{name}" for name in trained.losses]
    known += [f"valid.{name}" for name in (*trained.losses, *trained.metrics)]
    if monitor not in known:
        span = block.spans.get("early_stopping.monitor") or block.spans.get("early_stopping")
        report.error(
            "AX0703",
            f"`{monitor}` is not measured during training",
            span,
            help=did_you_mean(monitor, known) or f"measured: {', '.join(known)}",
        )


def _feed(scope: Scope, block: _Block, trained: Elaboration, data: Mapping[str, Array]) -> dict[str, Array]:
    """The model's fields from the data's: fed by an expression, or by a field of the same name."""
    report = Report()
    result: dict[str, Array] = {}
    sizes: dict[str, tuple[int, str]] = {}
    for name, wanted in trained.fields.items():
        try:
            array = _fed(scope, block, trained, data, name)
            result[name] = _fitted(array, wanted, block.feeds.get(name), block.declaration, sizes)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                report.add(diagnostic)
    report.finish()
    return result


def _fed(scope: Scope, block: _Block, trained: Elaboration, data: Mapping[str, Array], name: str) -> Array:
    statement = block.feeds.get(name)
    if statement is None:
        if name not in data:
            fail(
                "AX0707",
                f"nothing feeds `{name}`",
                block.declaration.name_span,
                help=f"add `feed {name} = ...`; the data has {', '.join(data)}",
            )
        return data[name]
    report = Report()
    frame = _frame(scope, report, trained, block.loop)
    inputs: dict[str, Value] = {}
    for key, array in data.items():
        if array.dtype.kind in "biuf":
            type_ = TensorType.of(_field_dtype(array, trained.build.float_type), *array.shape)
            inputs[key] = Value(
                type_, key, Origin(f"field `{key}` of the data", block.source.span if block.source else None)
            )
    rows = next(iter(inputs.values())).shape[0].constant if inputs else 0
    builder = frame.build.builder
    with builder.active():
        frame.locals["data"] = {"index": builder.constant(np.arange(rows or 0)), **inputs}
        given = evaluate(frame, statement.value)
        with problems(frame, statement.value.span, [statement.value], [given]):
            value = as_tensor(frame, given)
    report.finish()
    return interpret(Graph("feed", inputs, tuple(builder.nodes), {"value": value}), data)["value"]


def _field_dtype(array: Array, model_float: DType) -> DType:
    """Data enters expressions as the model's float, as i64 or as bool, whatever the file held."""
    return {"b": DType.bool, "f": model_float}.get(array.dtype.kind, DType.i64)


def _fitted(
    array: Array, wanted: Field, statement: ast.Feed | None, declaration: ast.Train, sizes: dict[str, tuple[int, str]]
) -> Array:
    """The array in the field's dtype; a diagnostic unless it has the field's shape."""
    span = statement.value.span if statement is not None else declaration.name_span
    given = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
    if array.dtype.kind not in "biuf":
        fail("AX0708", f"`{wanted.name}` is {wanted.type}, and the data given for it is text", span)
    if array.ndim != wanted.type.rank:
        fail("AX0708", f"`{wanted.name}` is {wanted.type}, and the data given for it is {given}", span)
    for axis, (size, dim) in enumerate(zip(array.shape, wanted.type.shape, strict=True)):
        if (symbol := dim.symbol) is not None:
            known = sizes.setdefault(symbol, (size, wanted.name))
            if known[0] != size:
                fail("AX0708", f"dim {symbol} is {known[0]} in `{known[1]}` and {size} in `{wanted.name}`", span)
        elif (
            number := dim.substitute({n: Dim.of(s) for n, (s, _) in sizes.items()}).constant
        ) is not None and number != size:
            fail(
                "AX0708",
                f"axis {axis} of `{wanted.name}` is {number}, and the data given for it has {size}",
                span,
                notes=[f"the data is {given}, and `{wanted.name}` is {wanted.type}"],
            )
    return array.astype(wanted.type.dtype.numpy)


# ---------------------------------------------------------------- statements that train


def _steps(
    scope: Scope,
    block: _Block,
    trained: Elaboration,
    forward: Elaboration,
    settings: TrainSettings,
    known: Mapping[str, Any],
) -> tuple[TrainStep, ...]:
    """The statements that train, as graphs. SpecError holds all that is wrong in their optimizers and schedules."""
    report = trained.build.report
    try:
        return _built_steps(scope, block, trained, forward, settings, known)
    except SpecError as error:
        for diagnostic in error.diagnostics:
            report.add(diagnostic)
        raise SpecError(report) from None


def _built_steps(
    scope: Scope,
    block: _Block,
    trained: Elaboration,
    forward: Elaboration,
    settings: TrainSettings,
    known: Mapping[str, Any],
) -> tuple[TrainStep, ...]:
    report = trained.build.report
    minimized = [_loss_name(m, trained) for s in block.statements if isinstance(s, tuple) for m in s]
    others = [name for name in trained.losses if name not in minimized]
    steps: list[TrainStep] = []
    for number, statement in enumerate(block.statements):
        if isinstance(statement, ast.Update):
            steps.append(_update(scope, trained, statement, f"update.{number}"))
            report.finish()
            continue
        names = [f"minimize.{number}" if i == 0 else f"minimize.{number}.{i}" for i in range(len(statement))]
        frame = _frame(scope, report, trained, known)
        objectives = [_objective(frame, trained, m, name) for m, name in zip(statement, names, strict=True)]
        also = others if not any(step.minimized for step in steps) else ()
        steps.append(build_step(forward, objectives, also=also, clip_norm=settings.clip_norm))
        report.finish()
    return tuple(steps)


def _objective(frame: Frame, trained: Elaboration, statement: ast.Minimize, name: str) -> Objective:
    optimizer = evaluate(frame, statement.optimizer)
    if isinstance(optimizer, OptimizerType):
        optimizer = calls.configure(frame, optimizer, (), statement.optimizer.span)
    if not isinstance(optimizer, Configured) or not isinstance(optimizer.of, OptimizerType):
        fail(
            "AX0306",
            f"`minimize ... with` takes an optimizer, not {describe(optimizer)}",
            statement.optimizer.span,
            help="for example `adam(lr=1e-3)`",
        )
    slots = None if statement.over is None else _over(frame, trained, statement.over)
    return Objective(name, _loss_name(statement, trained), optimizer, statement.span, slots)


def _over(frame: Frame, trained: Elaboration, over: ast.Expr) -> list[Slot]:
    """The parameters of the modules after ``over``."""
    frame = _model_frame(frame, trained)
    slots = []
    for item in over.items if isinstance(over, ast.Tuple) else (over,):
        target = evaluate(frame, item)
        slot = _slot(trained, target)
        if slot is None and not is_group(target):
            fail("AX0306", f"after `over` stand modules and parameters, and this is {describe(target)}", item.span)
        slots += [slot] if slot is not None else slots_of(frame, target, item.span)
    return [slot for slot in dict.fromkeys(slots) if slot.trainable]


def _model_frame(frame: Frame, trained: Elaboration) -> Frame:
    """The names of the model, on top of the program's."""
    names = {name: value for name, value in trained.names.items() if value is not POISON}
    return Frame(
        trained.build, frame.scope, trained.build.root, kind="train", locals={**names, **frame.locals}, sealed=True
    )


def _slot(trained: Elaboration, value: Any) -> Slot | None:
    """The parameter whose tensor this is."""
    if not isinstance(value, Value):
        return None
    return next((slot for slot, tensor in trained.build.parameters.items() if tensor is value), None)


def _update(scope: Scope, trained: Elaboration, statement: ast.Update, name: str) -> TrainStep:
    """``update PARAM_OR_MODULE = expr`` in a program."""
    work = working_copy(trained)
    build = work.build
    frame = _model_frame(_frame(scope, build.report, trained, {}), work)
    with build.builder.active(), assuming(work.facts):
        target = evaluate(frame, statement.target)
        slot = _slot(work, target)
        if slot is None and not is_group(target):
            fail(
                "AX0221",
                f"`update` changes a parameter or a module, and this is {describe(target)}",
                statement.target.span,
            )
        value = evaluate(frame, statement.value)
        if slot is not None:
            with problems(frame, statement.value.span, [statement.value], [value]):
                tensor = as_tensor(frame, value, slot.type.dtype)
            check_type(tensor, slot.type, statement.value.span, slot.statement.type.span)
            values = {slot: tensor}
        else:
            values = _group_values(frame, target, value, statement)
    return build_update(name, values, work)


def _group_values(frame: Frame, target: Any, value: Any, statement: ast.Update) -> dict[Slot, Value]:
    if not is_group(value):
        fail("AX0306", f"a module is updated with a module like it, not with {describe(value)}", statement.value.span)
    slots, sources = slots_of(frame, target, statement.target.span), slots_of(frame, value, statement.value.span)
    if [s.type for s in slots] != [s.type for s in sources]:
        fail("AX0304", "the two modules have other parameters", statement.value.span)
    items = value if isinstance(value, list) else [value]
    tensors = [tensor_of(frame, item, slot) for item in items for slot in slots_of(frame, item, None)]
    return dict(zip(slots, tensors, strict=True))


def _frozen_modules(scope: Scope, trained: Elaboration, expr: ast.Expr, report: Report) -> list[Module]:
    """The modules after ``freeze =``."""
    frame = _model_frame(_frame(scope, report, trained, {}), trained)
    value = evaluate(frame, expr)
    items = value if isinstance(value, list) else [value]
    modules = []
    for item in items:
        for module in item if isinstance(item, list) else [item]:
            if not isinstance(module, Module):
                fail("AX0306", f"`freeze` lists modules, and this is {describe(module)}", expr.span)
            modules.append(module)
    return modules


def _loss_name(statement: ast.Minimize, trained: Elaboration) -> str:
    name = statement.loss.id if isinstance(statement.loss, ast.Name) else statement.loss.span.text
    if name not in trained.losses:
        fail(
            "AX0218",
            f"the model has no loss `{name}`",
            statement.loss.span,
            help=did_you_mean(name, trained.losses) or f"it has {', '.join(trained.losses) or 'none'}",
        )
    return name
