"""Reading a ``search`` block: a space over the model's arguments and the settings of its train programs, and a goal.

What this module does not do: draw from the space (the runtime does), or try whether every value of it elaborates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.elaborate.core.dependence import blocks, methods, names_in
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.signatures import evaluate_argument
from archonnx.compiler.elaborate.core.static import is_number, is_whole
from archonnx.compiler.elaborate.core.suites import worded
from archonnx.compiler.elaborate.core.values import ConstantSchedule, Given, Scope, describe, is_callable
from archonnx.compiler.elaborate.model.model import ElaboratedModel, is_written
from archonnx.compiler.program import Between, Choice, SearchSpace, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, Suggestion, did_you_mean, fail
from archonnx.grammar.source import Span

from .block import program_frame

DISTRIBUTIONS = ("choice", "uniform", "loguniform", "intrange")
SETTINGS = ("epochs", "batch_size", "shuffle", "seed")
"""Settings that may be searched."""
INTEGERS = frozenset({"epochs", "batch_size", "seed"})
PARTS = ("train", "valid")
"""Parts of the data that a goal may be measured on; the test part stays unseen."""
TRIALS = 20


@dataclass(eq=False, repr=False)
class _Block:
    """A ``search`` block as its statements are read."""

    frame: Frame
    parameters: Mapping[str, ast.Parameter]
    own_names: frozenset[str]
    """Names that mean something else in the model: its arguments, fns and blocks."""
    programs: Sequence[TrainProgram]
    measured: Sequence[str]
    drawn: dict[str, Choice | Between] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    trials: int = TRIALS
    maximise: bool = True
    goal: str | None = None


def elaborate_search(
    scope: Scope,
    declarations: Sequence[ast.Stmt],
    model: ast.Model,
    elaborated: ElaboratedModel,
    programs: Sequence[TrainProgram],
) -> SearchSpace | None:
    """The search of a file, if it has one.

    Raises:
        SpecError: with all that is wrong in it.
    """
    searches = [declaration for declaration in declarations if isinstance(declaration, ast.Search)]
    if not searches:
        return None
    first, *others = searches
    if others:
        fail("AX0205", "a file has one `search`", others[0].span, others=[Label(first.span, "first here")])
    judged, report = elaborated.judged, Report()
    block = _Block(
        program_frame(scope, report, elaborated.trained, {}),
        {parameter.name: parameter for parameter in model.parameters},
        frozenset({"self", *(p.name for p in model.parameters), *methods(model), *blocks(model)}),
        programs,
        [f"{part}.{name}" for part in PARTS for name in (*judged.losses, *judged.measured)],
    )
    block.frame.sealed = False  # a module may be an argument; the one that is made here is never applied
    for statement in first.body:
        with report.collecting():
            _read(block, statement)
    if block.goal is None and not report.failed:
        report.error("AX0712", "this search has no goal", first.span, help="add one, as in `maximize valid.accuracy`")
    report.finish()
    assert block.goal is not None
    return SearchSpace(
        {name: drawn for name, drawn in block.drawn.items() if name in block.parameters},
        {name: drawn for name, drawn in block.drawn.items() if name not in block.parameters},
        block.goal,
        block.maximise,
        block.trials,
        first.span,
    )


def _read(block: _Block, statement: ast.Stmt) -> None:
    match statement:
        case ast.Maximize(value=value):
            _once(block, "maximize", statement.span)
            if isinstance(value, ast.Unary) and value.op == "-":
                block.maximise, value = False, value.operand
            block.goal = _goal(block, value)
        case ast.Assign(targets=(ast.Name(id="trials"),), values=(value,)):
            _once(block, "trials", statement.span)
            trials = block.frame.evaluate(value)
            if not is_whole(trials) or trials < 1:
                fail("AX0306", f"a count is a positive int, not {describe(trials)}", value.span)
            block.trials = trials
        case ast.Assign(targets=(ast.Name(id=name) as target,), values=(value,)):
            _once(block, name, statement.span)
            _check_name(block, name, target.span)
            block.drawn[name] = _distribution(block, block.parameters.get(name), value)
            _check_type(block, name, block.drawn[name], value.span)
        case _:
            fail(
                "AX0212",
                f"{worded(statement)} cannot stand in a `search`",
                statement.span,
                help="it contains `NAME = choice(...)` and the like, `maximize valid.NAME`, and `trials = 40`",
            )


def _once(block: _Block, name: str, span: Span) -> None:
    if name in block.spans:
        fail("AX0205", f"`{name}` is given twice", span, "again here", others=[Label(block.spans[name], "first here")])
    block.spans[name] = span


def _check_name(block: _Block, name: str, span: Span) -> None:
    known = list(dict.fromkeys([*block.parameters, *(SETTINGS if block.programs else ())]))
    if name not in known:
        fail(
            "AX0710",
            f"`{name}` is neither an argument of the model nor a setting that can be searched",
            span,
            help=did_you_mean(name, known) or f"known: {', '.join(known) or 'none'}",
        )


def _goal(block: _Block, value: ast.Expr) -> str:
    """``valid.accuracy``."""
    goal = value.span.text
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        goal = f"{value.value.id}.{value.name}"
    if goal not in block.measured:
        part, _, figure = goal.partition(".")
        valid = f"valid.{figure}" if part == "test" and f"valid.{figure}" in block.measured else None
        fail(
            "AX0712",
            f"`{goal}` cannot be the goal of a search",
            value.span,
            help=Suggestion.of(f"a search never sees the test part: `{valid}`", goal, valid)
            if valid is not None
            else did_you_mean(goal, block.measured) or f"measured: {', '.join(block.measured) or 'nothing'}",
        )
    return goal


def _distribution(block: _Block, parameter: ast.Parameter | None, expr: ast.Expr) -> Choice | Between:
    """``choice(16, 32)``, ``uniform(a, b)``, ``loguniform(a, b)`` or ``intrange(a, b)``."""
    if not isinstance(expr, ast.Call) or not isinstance(expr.callee, ast.Name) or expr.callee.id not in DISTRIBUTIONS:
        called = expr.callee.id if isinstance(expr, ast.Call) and isinstance(expr.callee, ast.Name) else ""
        fail(
            "AX0711",
            "a search draws from a distribution",
            expr.span,
            help=did_you_mean(called, DISTRIBUTIONS)
            or "one of choice(...), uniform, loguniform and intrange(low, high)",
        )
    kind = expr.callee.id
    named = next((argument for argument in expr.arguments if argument.name is not None), None)
    if named is not None:
        fail("AX0711", f"`{kind}` takes values without names", named.span)
    if kind == "choice":
        return _choice(block, parameter, expr)
    return _between(kind, [block.frame.evaluate(argument.value) for argument in expr.arguments], expr)


def _choice(block: _Block, parameter: ast.Parameter | None, expr: ast.Call) -> Choice:
    if not expr.arguments:
        fail("AX0711", "`choice` needs values to choose from", expr.span)
    return Choice(tuple(_candidate(block, parameter, argument.value) for argument in expr.arguments))


def _candidate(block: _Block, parameter: ast.Parameter | None, expr: ast.Expr) -> Any:
    """A value to choose, as an argument from outside is given: a word for a choice, its text for a fn or schedule."""
    declared = parameter.type if parameter is not None else None
    if parameter is not None and isinstance(declared, ast.ChoiceType):
        word = evaluate_argument(block.frame, parameter, Given(expr.span, expr))
        return None if word is None else word.word
    if parameter is not None and is_written(declared) and not isinstance(expr, ast.String):
        return _written(block, parameter, expr)
    value = block.frame.evaluate(expr)
    if not _is_plain(value):
        called = parameter is not None and declared is None and is_callable(value)
        help_text = f"declare the argument `{parameter.name}: fn`" if called and parameter is not None else None
        fail("AX0711", f"a search draws numbers, words and lists, not {describe(value)}", expr.span, help=help_text)
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str | None)


def _written(block: _Block, parameter: ast.Parameter, expr: ast.Expr) -> Any:
    """A fn or schedule as its text, which each trial reads anew; a number or none as it is.

    The text must say the same in the model as it does here: it names nothing that the model has of its own.
    """
    from archonnx.grammar.format import format_node  # here, since few specs search over fns

    value = evaluate_argument(block.frame, parameter, Given(expr.span, expr))
    number = block.frame.evaluate(expr) if isinstance(value, ConstantSchedule) else None
    if value is None or is_number(number):
        return number
    own = sorted(names_in(expr) & block.own_names)
    if own:
        fail("AX0711", f"a search draws from what stands outside of the model, and `{own[0]}` is its own", expr.span)
    return format_node(expr)


def _between(kind: str, values: Sequence[Any], expr: ast.Call) -> Between:
    if len(values) != 2:
        fail("AX0711", f"`{kind}` takes two bounds, the lower one first", expr.span)
    fits = is_whole if kind == "intrange" else is_number
    for value, argument in zip(values, expr.arguments, strict=True):
        if not fits(value):
            what = "integers" if kind == "intrange" else "numbers"
            fail("AX0711", f"the bounds of `{kind}` are {what}, not {describe(value)}", argument.span)
    low, high = values
    if low > high:
        fail("AX0711", f"the lower bound comes first: {low} is above {high}", expr.span)
    if kind == "loguniform" and low <= 0:
        fail("AX0711", "a logarithmic scale has no zero: the bounds are positive", expr.arguments[0].span)
    return Between(low, high, log=kind == "loguniform", integer=kind == "intrange")


def _check_type(block: _Block, name: str, drawn: Choice | Between, span: Span) -> None:
    """What takes integers is drawn from integers; settings are tried at once."""
    parameter = block.parameters.get(name)
    declared = parameter.type if parameter is not None else None
    integers = name in INTEGERS
    if parameter is not None:
        integers = isinstance(declared, ast.NamedType) and declared.name == "int"
    if integers and isinstance(drawn, Between) and not drawn.integer:
        fail("AX0711", f"`{name}` is an int", span, help="draw it with `intrange(low, high)` or `choice(...)`")
    if parameter is None:
        for value in drawn.values if isinstance(drawn, Choice) else (drawn.low, drawn.high):
            _try_setting(block.programs, name, value, span)


def _try_setting(programs: Sequence[TrainProgram], name: str, value: Any, span: Span) -> None:
    for program in programs:
        report = Report()
        program.settings.changed({name: value}, report, TrainSettings)
        if report.failed:
            fail("AX0711", report.diagnostics[0].headline, span)
