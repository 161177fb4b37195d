"""Early stopping watches a part that the split does not make."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0818")
def no_valid_part(sight: Sight) -> Iterator[Diagnostic]:
    """``monitor: valid.l`` without a valid part: a training refuses it, unless ``--folds`` or ``--set`` makes one."""
    for program in sight.model.programs:
        stopping = program.settings.early_stopping
        if (
            stopping is not None
            and stopping.monitor.startswith("valid.")
            and not program.settings.split.may_have("valid")
        ):
            yield warning(
                "AX0818",
                f"`{stopping.monitor}` needs a valid part, and the split has none",
                sight.setting(program, "early_stopping", "monitor"),
                "a training needs `--folds` for it, or `--set split.valid=...`",
                help="give it one: `split = {train: 0.8, valid: 0.2}`",
            )
