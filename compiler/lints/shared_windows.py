"""Parts that are drawn from windows which overlap: what is tested was seen in training."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0843")
def shared_windows(sight: Sight) -> Iterator[Diagnostic]:
    """A random split of windows that begin before the last one has ended."""
    for program in sight.model.programs:
        source, split = program.source, program.settings.split
        if source is None or source.kind != "windows" or split.in_order(program.settings.shuffle):
            continue
        by_rule = split.column is not None or split.group is not None
        if by_rule or sum(bool(size) for size in split.parts.values()) < 2:
            continue
        given = source.arguments
        context = given.get("context")
        held = context or given.get("length") or 1
        rows = held + 1 if context else held + given.get("horizon", 1)
        stride = given.get("stride") or (context if context else 1)
        if stride < held:
            yield warning(
                "AX0843",
                f"windows of {rows} rows, one every {stride}, overlap, and the split draws them at random",
                sight.setting(program, "split"),
                "the test part has rows that were trained on",
                help="`by: order` keeps the parts apart",
            )
