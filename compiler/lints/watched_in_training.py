"""Early stopping watches the part that trains, where another part is held back for it."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0834")
def watched_in_training(sight: Sight) -> Iterator[Diagnostic]:
    """``monitor: train.l`` beside a valid part: what is learned by heart counts as better."""
    for program in sight.model.programs:
        stopping, split = program.settings.early_stopping, program.settings.split
        part, _, figure = stopping.monitor.partition(".") if stopping is not None else ("", "", "")
        if part == "train" and split.parts["valid"] and split.column is None:
            yield warning(
                "AX0834",
                f"early stopping watches `train.{figure}`, and the split has a valid part",
                sight.setting(program, "early_stopping", "monitor"),
                "what is learned by heart counts as better here",
                help=f"watch what is not trained on: `valid.{figure}`",
            )
