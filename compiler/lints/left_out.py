"""Sizes of parts that leave examples out, and that were probably meant as shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archonnx.grammar.diagnostics import Diagnostic

from .data_rules import DataSight, data_lint
from .rules import Sight, lint, warning

HUNDRED = 100


@lint("AX0822")
def percent(sight: Sight) -> Iterator[Diagnostic]:
    """``{train: 80, valid: 10, test: 10}`` are a hundred examples."""
    for program in sight.model.programs:
        split = program.settings.split
        if split.counts and sum(split.parts.values()) == HUNDRED:
            yield warning(
                "AX0822",
                f"these are {HUNDRED} examples in all, not percentages",
                sight.setting(program, "split"),
                "integers are counts of examples",
                help=f"shares are written `{_as_shares(split.parts)}`",
            )


@data_lint("AX0822")
def left_out(sight: DataSight) -> Iterator[Diagnostic]:
    """Counts that are fewer than the examples there are."""
    split, used = sight.program.settings.split, sum(sight.parts.values())
    if split.counts and used < sight.rows:
        shares = sum(split.parts.values()) == HUNDRED
        yield warning(
            "AX0822",
            f"{sight.rows - used:,} of {sight.rows:,} examples are in no part: {', '.join(sight.described())}",
            sight.place("split"),
            "integers are counts of examples",
            help=f"shares are written `{_as_shares(split.parts)}`"
            if shares
            else "shares, such as `0.8`, take all of them",
        )


def _as_shares(parts: Mapping[str, float]) -> str:
    whole = sum(parts.values())
    return f"{{{', '.join(f'{name}: {size / whole:g}' for name, size in parts.items() if size)}}}"
