"""A loss that trains the opponent too: a ``minimize`` without ``over`` beside one that has its own parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from archonnx.compiler.program import TrainStep
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0844")
def not_over(sight: Sight) -> Iterator[Diagnostic]:
    """``minimize d over D`` and ``minimize g``, whose gradient reaches all of D and more."""
    for program in sight.model.programs:
        steps = [step for step in program.steps or () if len(step.followed) == 1]
        yield from _opponents(sight, steps)
        own = [step for step in steps if step.followed[0].over]
        for step in steps:
            other = next((one for one in own if _takes_in(step, one)), None)
            if other is None or step.followed[0].over:
                continue
            place = step.followed[0].span
            written = next((m for m in sight.syntax(ast.Minimize) if m.optimizer.span == place), None)
            taken, left = (", ".join(_modules(set(paths))) for paths in (other.gradients, _left(step, other)))
            yield warning(
                "AX0844",
                f"`minimize {step.minimized[0]}` changes `{taken}` too, which `{other.minimized[0]}` trains for itself",
                written.loss.span if written is not None else place,
                "without `over` all parameters change that its gradient reaches",
                help=f"`minimize {step.minimized[0]} over {left}`",
            )


def _opponents(sight: Sight, steps: list[TrainStep]) -> Iterator[Diagnostic]:
    """Two losses of which one makes scores large and the other small, and both train all parameters."""
    losses = {loss.name: dict(_wanted(loss.value)) for loss in sight.syntax(ast.Loss)}
    alone = [step for step in steps if not step.followed[0].over and len(step.minimized) == 1]
    for step, other in combinations(alone, 2):
        first, second = (losses.get(one.minimized[0], {}) for one in (step, other))
        common = [score for score, sign in first.items() if second.get(score) == -sign]
        if common and set(step.gradients) & set(other.gradients):
            yield warning(
                "AX0844",
                f"`{step.minimized[0]}` and `{other.minimized[0]}` want the opposite of `{common[0]}`, and both train "
                "all that makes it",
                other.followed[0].span,
                "without `over` all parameters change that its gradient reaches",
                help=f"say who trains what: `minimize {step.minimized[0]} over ...`, "
                f"`minimize {other.minimized[0]} over ...`",
            )


def _wanted(expr: ast.Expr, sign: int = 1) -> Iterator[tuple[str, int]]:
    """The scores in a loss as they are written, and whether it makes them small (1) or large (-1)."""
    match expr:
        case ast.Unary(op="-"):
            yield from _wanted(expr.operand, -sign)
        case ast.Binary(op="+" | "-"):
            yield from _wanted(expr.left, sign)
            yield from _wanted(expr.right, sign if expr.op == "+" else -sign)
        case ast.Call(callee=ast.Name(id="mean" | "softplus")) if expr.arguments:
            yield from _wanted(expr.arguments[0].value, sign)
        case ast.Call(callee=ast.Name(id="bce_logits")) if len(expr.arguments) > 1:
            label = expr.arguments[1].value.span.text
            if label in ("0", "1", "0.0", "1.0"):
                yield from _wanted(expr.arguments[0].value, sign if float(label) == 0 else -sign)
        case _:
            yield re.sub(r"stop_gradient\((\w+)\)", r"\1", expr.span.text), sign


def _takes_in(step: TrainStep, other: TrainStep) -> bool:
    """Whether a step changes all that another one does for another loss, and more besides."""
    return step.minimized != other.minimized and set(other.gradients) < set(step.gradients)


def _left(step: TrainStep, other: TrainStep) -> set[str]:
    return set(step.gradients) - set(other.gradients)


def _modules(paths: set[str]) -> list[str]:
    """The names of the modules that have these parameters."""
    return sorted({path.partition(".")[0] for path in paths})
