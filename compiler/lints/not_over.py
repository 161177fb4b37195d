"""A loss that trains the opponent too: a ``minimize`` without ``over`` beside one that has its own parameters."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.program import TrainStep
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0844")
def not_over(sight: Sight) -> Iterator[Diagnostic]:
    """``minimize d over D`` and ``minimize g``, whose gradient reaches all of D and more."""
    for program in sight.model.programs:
        steps = [step for step in program.steps or () if len(step.followed) == 1]
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


def _takes_in(step: TrainStep, other: TrainStep) -> bool:
    """Whether a step changes all that another one does for another loss, and more besides."""
    return step.minimized != other.minimized and set(other.gradients) < set(step.gradients)


def _left(step: TrainStep, other: TrainStep) -> set[str]:
    return set(step.gradients) - set(other.gradients)


def _modules(paths: set[str]) -> list[str]:
    """The names of the modules that have these parameters."""
    return sorted({path.partition(".")[0] for path in paths})
