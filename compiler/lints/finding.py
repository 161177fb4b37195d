"""All rules at once: what was probably not meant in a model, its programs and their data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import Diagnostic, Report
from archonnx.grammar.source import Source

from . import (  # noqa: F401 - importing a rule registers it
    affine_twice,
    against_the_metric,
    answer_among_inputs,
    asked_in_use,
    batch_of_one,
    begins_anew,
    channels_counted,
    channels_last,
    conditional_before_pipe,
    dense_of_an_image,
    drawn_beyond,
    empty_slice,
    equal_weights,
    far_source,
    fed_answers,
    fixed_batch,
    idle_buffer,
    idle_loss,
    idle_mask,
    large_batch,
    large_rate,
    left_out,
    lone_argument,
    long_patience,
    looks_ahead,
    loss_of_probabilities,
    lost_examples,
    masked_scores,
    mean_of_padding,
    missing_class,
    moving_target,
    no_valid_part,
    not_over,
    other_axis,
    other_than_output,
    out_of_reach,
    over_examples,
    padding_seen,
    picked_examples,
    root_of_any_number,
    scaled_wrong,
    scan_of_examples,
    scan_of_one_step,
    scan_without_state,
    schedules,
    second_name,
    shadowed_dim,
    shared_windows,
    side_by_side,
    single_class,
    swapped_arguments,
    trains_nothing,
    unknown_in_unused,
    unshifted,
    untrained,
    unused,
    watched_in_training,
    wrong_sign,
)
from .data_rules import DATA_RULES, DataSight
from .levels import Levels, judged
from .rules import RULES, Sight

UNLEVELLED = Levels()


def findings(model: ModelProgram, levels: Levels = UNLEVELLED, data: Collection[DataSight] = ()) -> list[Diagnostic]:
    """Warnings, and errors where a level says so, in the order of their places.

    Args:
        model: what is looked at.
        levels: of the command line.
        data: what is known of the data of its programs, where that is open.
    """
    sight, report = Sight(model), Report()
    _look(DATA_RULES, data, report)
    _look(RULES, [sight], report)
    return _levelled(report, levels, [model.spec.source])


def data_findings(data: Collection[DataSight]) -> list[Diagnostic]:
    """The same of the data alone."""
    report = Report()
    _look(DATA_RULES, data, report)
    return _levelled(report, UNLEVELLED, [])


def _look(rules: Mapping[str, Callable[[Any], Iterator[Diagnostic]]], seen: Collection[Any], report: Report) -> None:
    for one in seen:
        for code in sorted(rules):
            for diagnostic in rules[code](one):
                report.add_at_place(diagnostic)


def _levelled(report: Report, levels: Levels, own: list[Source]) -> list[Diagnostic]:
    """What is to be told, in the order of places."""
    found = [d for d in report.diagnostics if d.span is None or not d.span.source.library]
    found.sort(key=lambda d: (d.span is None, d.span.start if d.span is not None else 0))
    return judged(found, levels, own, codes())


def codes() -> tuple[str, ...]:
    """The codes of all rules."""
    return tuple(sorted({*RULES, *DATA_RULES}))
