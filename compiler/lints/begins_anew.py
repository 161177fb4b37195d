"""A program after another of the same model that does not take over what that one learned."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from archonnx.compiler.program import TrainProgram
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0853")
def begins_anew(sight: Sight) -> Iterator[Diagnostic]:
    """``train pretrain`` of one loss and ``train tune`` of another, without ``start_from``."""
    programs = sight.model.programs
    for before, program in pairwise(programs):
        begun = [one.settings.start_from for one in programs]
        common = _changed(before) & _changed(program)
        if any(begun) or not common or _losses(before) & _losses(program) or not before.name:
            continue
        yield warning(
            "AX0853",
            f"`{program.name}` begins with new parameters, and what `{before.name}` learned is left behind",
            program.span,
            f"both change `{sorted(common)[0]}`, for different losses",
            help=f"write `start_from = {before.name}`",
        )


def _changed(program: TrainProgram) -> set[str]:
    """The parameters that its statements change."""
    return {path for step in program.steps or () for path in step.gradients}


def _losses(program: TrainProgram) -> set[str]:
    return {name for step in program.steps or () for name in step.minimized}
