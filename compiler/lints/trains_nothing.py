"""A ``train`` block without a statement that trains."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0808")
def trains_nothing(sight: Sight) -> Iterator[Diagnostic]:
    """It reads data, and changes neither a parameter nor a buffer."""
    for program in sight.model.programs:
        if program.steps == ():
            losses = sight.model.losses
            yield warning(
                "AX0808",
                f"{f'program `{program.name}`' if program.name else 'this program'} trains nothing",
                program.span,
                "it has no `minimize` and no `update`",
                help=f"`minimize {losses[0]} with adam(lr=1e-3)`" if losses else "a model that learns has a `loss`",
            )
