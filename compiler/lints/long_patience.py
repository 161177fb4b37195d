"""A patience that no training of so many epochs can lose."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0820")
def long_patience(sight: Sight) -> Iterator[Diagnostic]:
    """``patience: 50`` in ten epochs: the training is never stopped."""
    for program in sight.model.programs:
        stopping, epochs = program.settings.early_stopping, program.settings.epochs
        if stopping is not None and stopping.patience > epochs > 0:
            yield warning(
                "AX0820",
                f"a patience of {stopping.patience} epochs is longer than the training, which has {epochs}",
                sight.setting(program, "early_stopping", "patience"),
                "it is never stopped early",
                help=f"train longer, `epochs = {4 * stopping.patience}`, or have less patience",
            )
