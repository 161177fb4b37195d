"""Metrics over a set in a spec: ``metric NAME over set = FUNCTION(prediction, target)``, which function, which tensors.

Which functions there are is in ``compiler.set_metrics``. What this module does not do: compute the metric. It is not a
tensor but a number, known at the end of a part: ``runtime.measures.set_metrics`` computes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from archonnx.compiler.directions import Direction
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import provenance
from archonnx.compiler.elaborate.core.signatures import assign_arguments, bare_word
from archonnx.compiler.elaborate.core.static import is_number
from archonnx.compiler.elaborate.core.values import Given, describe
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import SetMetric
from archonnx.compiler.set_metrics import ARGUMENTS, SET_FUNCTIONS
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span


class ElaboratedSetMetric(Record):
    """A metric over a set, and the tensors that are gathered for it, by the names of graph outputs."""

    metric: SetMetric
    arguments: Mapping[str, Value]
    span: Span

    @property
    def better(self) -> Direction | None:
        """Which values are good; a table has none."""
        function = SET_FUNCTIONS[self.metric.function]
        return None if function.table else function.better


def elaborate_set_metric(frame: Frame, statement: ast.Metric) -> ElaboratedSetMetric:
    """What a ``metric ... over set`` declares; a diagnostic unless it is one of the functions, of fitting tensors."""
    if statement.over != "set":
        fail("AX0225", f"a metric is `over set`, not over `{statement.over}`", statement.span)
    function, call = _function(statement.value)
    options = SET_FUNCTIONS[function].options
    given = assign_arguments(f"`{function}`", (*ARGUMENTS, *options), call.arguments, (), len(ARGUMENTS))
    arguments: dict[str, tuple[Value, ast.Expr]] = {}
    for name in ARGUMENTS:
        expr = given[name].expr if name in given else None
        if expr is None:
            fail("AX0203", f"`{function}` needs `{name}`", call.span, help=f"`{function}({', '.join(ARGUMENTS)})`")
        arguments[name] = _tensor(frame, function, name, expr), expr
    outputs = {f"{statement.name}/{name}": value for name, (value, _) in arguments.items()}
    told = {name: _option(frame, function, name, given[name]) for name in options if name in given}
    _check(function, told, *arguments.values())
    return ElaboratedSetMetric(SetMetric(function, tuple(outputs), told), outputs, statement.value.span)


def _option(frame: Frame, function: str, name: str, given: Given) -> str | float:
    """An option: a bare word of those it has, or a number."""
    words, expr = SET_FUNCTIONS[function].options[name].words, given.expr
    assert expr is not None, "the piped value is not an option"
    if words is None:
        value = frame.evaluate(expr)
        if not is_number(value) or value <= 0:
            fail("AX0306", f"`{name}` of `{function}` is a number above 0, not {describe(value)}", given.span)
        return float(value)
    word = bare_word(expr)
    if word is None or word not in words:
        fail(
            "AX0208",
            f"`{name}` is one of {', '.join(words)}: not `{expr.span.text}`",
            given.span,
            help=did_you_mean(word, words) if word else None,
        )
    return word


def _function(expr: ast.Expr) -> tuple[str, ast.Call]:
    known = ", ".join(SET_FUNCTIONS)
    if not isinstance(expr, ast.Call) or not isinstance(expr.callee, ast.Name):
        fail(
            "AX0225",
            "a metric over a set is one call of a function of the set",
            expr.span,
            help="as in `metric auc over set = roc_auc(score, label)`; its arguments may be any expressions",
            notes=[f"functions of a set: {known}"],
        )
    name = expr.callee.id
    if name not in SET_FUNCTIONS:
        fail(
            "AX0225",
            f"`{name}` is not a function of a set",
            expr.callee.span,
            help=did_you_mean(name, SET_FUNCTIONS) or f"functions of a set: {known}",
        )
    return name, expr


def _tensor(frame: Frame, function: str, name: str, expr: ast.Expr) -> Value:
    value = frame.evaluate(expr)
    if not isinstance(value, Value):
        fail("AX0328", f"the {name} of `{function}` is a tensor, not {describe(value)}", expr.span)
    if not value.rank or value.shape[0].symbol is None:
        fail(
            "AX0328",
            f"the {name} of `{function}` has a value for each example, and this is {value.type}",
            expr.span,
            provenance(value),
            help="its first axis counts the examples, as in `[B]` or `[B, 1]`",
        )
    return value


def _check(function: str, options: Mapping[str, str | float], *arguments: tuple[Value, ast.Expr]) -> None:
    """The two fit each other and the function: classes where classes are needed, columns where there may be some."""
    wanted = SET_FUNCTIONS[function]
    (one, at), (other, expr) = arguments
    columns = wanted.columns != "never" and one.rank == other.rank + 1 and one.shape[-1].constant != 1
    if columns and not wanted.is_binary(options, columns):
        _needs_classes(function, "target", other, expr)
    for kind, name, (value, where) in zip((wanted.prediction, wanted.target), ARGUMENTS, arguments, strict=True):
        if kind == "classes":
            _needs_classes(function, name, value, where)
    shape = one.shape[:-1] if columns else one.shape
    if wanted.columns == "always" and not columns:
        fail(
            "AX0328",
            f"`{function}` takes a column for each class, and these are {one.type} and {other.type}",
            at.span,
            provenance(one),
            help="as `softmax(logits)` is, where the labels are `i64[B]`",
        )
    if len(shape) != other.rank or not all(map(same, shape, other.shape)):
        fail(
            "AX0328",
            f"`{function}` compares tensors of one shape, and these are {one.type} and {other.type}",
            expr.span,
            provenance(other),
            help="drop an axis of size 1 with `[:, 0]`",
        )


def _needs_classes(function: str, name: str, value: Value, expr: ast.Expr) -> None:
    if value.type.dtype.is_float:
        fail(
            "AX0328",
            f"the {name} of `{function}` names classes by integers or bools, and this is {value.type}",
            expr.span,
            provenance(value),
            help="decide first: `logits > 0` of two classes, `argmax(logits, axis=1)` of several",
        )
