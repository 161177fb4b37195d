"""Early stopping or a search wants the opposite of what is known of a loss or metric to be good."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.directions import chosen
from archonnx.grammar.diagnostics import Diagnostic, Report

from .rules import Sight, lint, warning


@lint("AX0819")
def against_the_metric(sight: Sight) -> Iterator[Diagnostic]:
    """``mode: min`` of an accuracy, ``maximize valid.loss``: the worst epoch or trial would be kept."""
    model = sight.model
    for program in model.programs:
        stopping = program.settings.early_stopping
        if stopping is None or stopping.mode is None:
            continue
        better = chosen(stopping.monitor, stopping.mode, model.directions, Report(), None).instead_of
        if better is not None:
            other = "max" if stopping.mode == "min" else "min"
            yield warning(
                "AX0819",
                f"`mode: {stopping.mode}` keeps the worst epoch: of `{stopping.monitor}`, {better} is better",
                sight.setting(program, "early_stopping", "mode"),
                help=f"leave it out, since the metric says it, or write `mode: {other}`",
            )
    space = model.search
    if space is None:
        return
    good = model.directions.get(space.goal.partition(".")[2])
    if good is not None and (good == "larger") != space.maximise:
        wanted, meant = ("", "-") if space.maximise else ("-", "")
        yield warning(
            "AX0819",
            f"`maximize {wanted}{space.goal}` keeps the worst trial: of `{space.goal}`, {good} is better",
            space.span,
            help=f"write `maximize {meant}{space.goal}`",
        )
