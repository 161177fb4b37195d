"""A loss that no program minimises, beside others that are."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0811")
def idle_loss(sight: Sight) -> Iterator[Diagnostic]:
    """It is computed and told in every epoch, and nothing else in the spec names it."""
    model = sight.model
    if any(program.steps is None for program in model.programs):
        return
    minimised = {name for step in sight.steps for name in step.minimized}
    watched = {p.settings.early_stopping.monitor for p in model.programs if p.settings.early_stopping is not None}
    watched |= {model.search.goal} if model.search is not None else set()
    used = minimised | {name.partition(".")[2] for name in watched}
    used |= {name.id for name in sight.syntax(ast.Name)}
    if not minimised:
        return
    for name in model.losses:
        if name not in used:
            first = next(iter(minimised))
            yield warning(
                "AX0811",
                f"no program minimises the loss `{name}`",
                sight.named(name, "loss"),
                f"`{first}` is minimised" if len(minimised) == 1 else "others are minimised",
                help=f"minimise what holds both, `loss total = {first} + {name}`; what is only told is a `metric`",
            )
