"""The statements of a ``train`` block that train: ``minimize``, ``together``, ``update``; and what ``freeze`` means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archonnx.compiler.elaborate.core.algebra import is_group, plain, slots_of, tensor_of
from archonnx.compiler.elaborate.core.frame import POISON, Frame
from archonnx.compiler.elaborate.core.problems import problems
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import (
    Builtin,
    Configured,
    ConstantSchedule,
    Function,
    Module,
    OptimizerType,
    Partial,
    Scope,
    Slot,
    describe,
)
from archonnx.compiler.elaborate.meaning.schedules import configure
from archonnx.compiler.elaborate.meaning.typed import check_type
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType, batch_symbol
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import StopGradient
from archonnx.compiler.program import TrainStep
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, SpecError, did_you_mean, fail

from .block import Bound, ProgramBlock, Statement, Syntax, program_frame
from .clipping import Clip
from .draft import Assignment, Objective
from .step import build_step, condition_step, refuse_batch, simplified, working_copy


def build_steps(
    scope: Scope,
    block: ProgramBlock,
    trained: Elaboration,
    settings: TrainSettings,
    known: Callable[[int], Mapping[str, Any]],
    *,
    simplify: bool,
    rates: bool = False,
) -> tuple[TrainStep, ...]:
    """The statements that train, as graphs. SpecError holds all that is wrong in their optimizers and schedules.

    ``known`` gives the names that each statement knows, by its number; ``simplify`` says whether gradients are taken of
    the simplified forward pass, and ``rates`` whether learning rates are inputs of the graphs.
    """
    report = trained.build.report
    with report.collecting():
        minimized = [_loss_name(m.node, trained) for s in block.statements for m in _of(s, ast.Minimize)]
        others = [name for name in trained.losses if name not in minimized]
        wanted = ast.Minimize if minimized else ast.Update
        first = next((n for n, s in enumerate(block.statements) if _of(s, wanted)), None)
        clip, gather = Clip(settings.clip_value, settings.clip_norm), settings.accumulate > 1
        whole = {name for name, feed in block.feeds.items() if feed.statement.whole}
        rows = batch_symbol({name: field.type for name, field in trained.fields.items() if name not in whole})
        forward = simplified(trained)[0] if simplify and minimized else trained
        steps: list[TrainStep] = []
        for number, statement in enumerate(block.statements):
            if asked := _of(statement, ast.Repeat):
                frame = program_frame(scope, report, trained, asked[0].names)
                steps.append(_condition(frame, trained, asked[0].node, f"while.{number}"))
                if gather:
                    condition = asked[0].node.condition
                    assert condition is not None
                    refuse_batch(trained, steps[-1].graph, "this condition", condition.span)
                report.finish()
                continue
            minimizes, updates = _of(statement, ast.Minimize), _of(statement, ast.Update)
            name = f"{'minimize' if minimizes else 'update'}.{number}"
            objectives = [
                _objective(
                    program_frame(scope, report, trained, {**known(number), **m.names}),
                    trained,
                    m.node,
                    name if i == 0 else f"{name}.{i}",
                    rates,
                )
                for i, m in enumerate(minimizes)
            ]
            work, assignments = (working_copy(trained), []) if updates else (forward, [])
            for bound in updates:
                frame = _model_frame(program_frame(scope, report, trained, bound.names), work)
                assignments.append(_assignment(frame, work, bound.node))
            if updates and simplify and objectives:
                work, assignments = simplified(work, assignments)
            also = others if number == first else ()
            steps += build_step(
                name,
                work,
                objectives,
                assignments,
                also=also,
                clip=clip,
                recompute=settings.recompute,
                gather=gather,
                rows=rows,
            )
            report.finish()
        return tuple(steps)
    raise SpecError(report)


def minimizes(statement: Statement) -> bool:
    """Whether a statement follows gradients."""
    return bool(_of(statement, ast.Minimize))


def _of(statement: Statement, kind: type[Syntax]) -> list[Bound[Syntax]]:
    """The parts of a statement of one kind."""
    return [Bound(part.node, part.names) for part in statement if isinstance(part.node, kind)]


def _objective(frame: Frame, trained: Elaboration, statement: ast.Minimize, name: str, rates: bool) -> Objective:
    with frame.build.builder.active():
        optimizer = frame.evaluate(statement.optimizer)
        if isinstance(optimizer, OptimizerType):
            optimizer = configure(frame, optimizer, (), statement.optimizer.span)
    if not isinstance(optimizer, Configured) or not isinstance(optimizer.of, OptimizerType):
        fail(
            "AX0306",
            f"`minimize ... with` takes an optimizer, not {describe(optimizer)}",
            statement.optimizer.span,
            help="for example `adam(lr=1e-3)`",
        )
    slots = None if statement.over is None else _over(frame, trained, statement.over)
    rate = _rate(frame, optimizer, statement) if rates else None
    loss, at = _loss_name(statement, trained), statement.optimizer.span
    return Objective(name, loss, optimizer, statement.span, at, slots, rate)


def _rate(frame: Frame, optimizer: Configured, statement: ast.Minimize) -> Graph | None:
    """From the step ``t`` to the ``value`` of the optimizer's learning rate; None if it has no schedule ``lr``."""
    schedule = optimizer.arguments.get("lr")
    if not isinstance(schedule, Configured | ConstantSchedule):
        return None
    span = statement.optimizer.span
    t = Value(TensorType(DType.i64, ()), "t", Origin("the step", span))
    with frame.build.builder.active(), problems(frame, span, [], []):
        value = as_tensor(frame, frame.call_values(schedule, [t], span), frame.build.float_type)
        return frame.build.builder.graph("rate", {"t": t}, {"value": value})


def _over(frame: Frame, trained: Elaboration, over: ast.Expr) -> list[Slot]:
    """The parameters of the modules after ``over``."""
    frame = _model_frame(frame, trained)
    slots = []
    for item in over.items if isinstance(over, ast.Tuple) else (over,):
        target = plain(frame.evaluate(item))
        slot, target = _slot(trained, target), _modules_among(target)
        if slot is None and not is_group(target):
            fail("AX0306", f"`over` takes modules and parameters, and this is {describe(target)}", item.span)
        slots += [slot] if slot is not None else slots_of(frame, target, item.span)
    return [slot for slot in dict.fromkeys(slots) if slot.trainable]


def _model_frame(frame: Frame, trained: Elaboration) -> Frame:
    """The names of the model, on top of the program's."""
    names = {name: value for name, value in trained.names.items() if value is not POISON}
    return Frame.top(trained.build, frame.scope, "train", locals={**names, **frame.locals}, sealed=True)


def _slot(trained: Elaboration, value: Any) -> Slot | None:
    """The parameter whose tensor this is; inside a frozen module the model has it without its gradient.

    The name of a buffer that the model itself updates stands for what it becomes.
    """
    if not isinstance(value, Value):
        return None
    updated = next((slot for slot, tensor in trained.build.graph.updates.items() if tensor is value), None)
    if updated is not None:
        return updated
    made = next((node for node in trained.build.builder.nodes if value in node.outputs), None)
    if made is not None and isinstance(made.op, StopGradient):
        value = made.inputs[0]
    return next((slot for slot, tensor in trained.build.parameters.items() if tensor is value), None)


def _assignment(frame: Frame, work: Elaboration, statement: ast.Update) -> Assignment:
    """``update PARAM_OR_MODULE = expr`` in a program: its values, added to the graph of ``work``."""
    with work.build.builder.active(), assuming(work.facts):
        target = plain(frame.evaluate(statement.target))
        slot = _slot(work, target)
        if slot is None and not is_group(target):
            fail(
                "AX0221",
                f"`update` changes a parameter, a buffer or a module, and this is {describe(target)}",
                statement.target.span,
            )
        value = plain(frame.evaluate(statement.value))
        if slot is None:
            return Assignment(_group_values(frame, target, value, statement), statement.span)
        with problems(frame, statement.value.span, [statement.value], [value]):
            tensor = as_tensor(frame, value, slot.type.dtype)
        check_type(tensor, slot.type, statement.value.span, slot.statement.type.span)
        return Assignment({slot: tensor}, statement.span)


def _condition(frame: Frame, trained: Elaboration, statement: ast.Repeat, name: str) -> TrainStep:
    """What is asked before each turn of a ``repeat``, as a step that changes nothing."""
    assert statement.condition is not None
    work, span = working_copy(trained), statement.condition.span
    with work.build.builder.active(), assuming(work.facts):
        value = _model_frame(frame, work).evaluate(statement.condition)
    if not isinstance(value, Value) or value.type != TensorType(DType.bool, ()):
        fail(
            "AX0306",
            f"the condition of a `repeat` is a bool[] of the batch, parameters and buffers, not {describe(value)}",
            span,
            help="as in `repeat 10 while critic_loss > 0.1:`",
        )
    return condition_step(name, work, value)


def _group_values(frame: Frame, target: Any, value: Any, statement: ast.Update) -> dict[Slot, Value]:
    if not is_group(value):
        fail("AX0306", f"a module is updated with a module like it, not with {describe(value)}", statement.value.span)
    slots, sources = slots_of(frame, target, statement.target.span), slots_of(frame, value, statement.value.span)
    if [s.type for s in slots] != [s.type for s in sources]:
        fail("AX0304", "the two modules have other parameters", statement.value.span)
    items = value if isinstance(value, list) else [value]
    tensors = [tensor_of(frame, item, slot) for item in items for slot in slots_of(frame, item, None)]
    return dict(zip(slots, tensors, strict=True))


def frozen_modules(scope: Scope, trained: Elaboration, bound: Bound[ast.Expr], report: Report) -> list[Module]:
    """The modules after ``freeze =``."""
    expr = bound.node
    frame = _model_frame(program_frame(scope, report, trained, bound.names), trained)
    value = _modules_among(plain(frame.evaluate(expr)))
    modules: list[Module] = []
    for module in _flat(value):
        if not isinstance(module, Module):
            fail("AX0306", f"`freeze` lists modules, and this is {describe(module)}", expr.span)
        modules.append(module)
    return modules


def _modules_among(value: Any) -> Any:
    """A list that is applied in order, such as ``[Dense(64), relu, Dense(3)]``, without what has no parameters."""
    if not isinstance(value, list):
        return value
    kept = [_modules_among(item) for item in value if not isinstance(item, Function | Builtin | Partial)]
    return kept or value


def _flat(value: Any) -> Iterator[Any]:
    """The items of a list, and of lists in it."""
    for item in value if isinstance(value, list) else [value]:
        yield from _flat(item) if isinstance(item, list) else [item]


def _loss_name(statement: ast.Minimize, trained: Elaboration) -> str:
    name = statement.loss.id if isinstance(statement.loss, ast.Name) else statement.loss.span.text
    if name not in trained.losses:
        computed = "" if isinstance(statement.loss, ast.Name) else f"declare it in the model: `loss total = {name}`"
        fail(
            "AX0218",
            f"the model has no loss `{name}`",
            statement.loss.span,
            help=computed or did_you_mean(name, trained.losses) or f"it has {', '.join(trained.losses) or 'none'}",
        )
    return name
