"""Parts of what a source holds, and what people should know of them: the rule, and what was left out.

What this module does not do: share examples out (``parts`` does).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import Split
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.grammar.source import Span

from .loader import Loaded
from .overlaps import Spans, sharing
from .parts import PARTS, Parts, examples_in_words, groups_in_words, split


def share_out(
    count: int,
    how: Split,
    loaded: Loaded,
    fields: Mapping[str, Array],
    span: Span | None = None,
    *,
    shuffle: bool = True,
) -> tuple[Parts, str | None]:
    """The same for what a source holds and the fields of a model, and what people should know of the parts."""
    named = {**{f"data.{name}": array for name, array in loaded.fields.items()}, **loaded.fields, **fields}
    for name in (how.stratify, how.group, how.column):
        if name is not None and name not in named and (column := name.removeprefix("data.")) in loaded.problems:
            raise SpecError(Report([loaded.problems[column]]))

    def row(number: int) -> str:
        place = f"row {number}" if loaded.lines is None else f"line {loaded.lines[number]}"
        return f"{place} of {loaded.where}"

    parts = split(count, how, named, span, shuffle=shuffle, row=row, spans=loaded.spans, moments=loaded.moments)
    notes = [described(parts, how, named, shuffle=shuffle)]
    if loaded.spans is not None:
        notes.append(_left_out(count, parts, how) if how.in_order(shuffle) else _shared(parts, loaded.spans))
    if loaded.moments is not None and how.in_order(shuffle) and np.all(loaded.moments[1:] >= loaded.moments[:-1]):
        notes.append(
            "the series stand one after the other, and each part has others: `time=COLUMN` in `windows` is \
their order"
        )
    return parts, "; ".join(filter(None, notes)) or None


def described(parts: Parts, how: Split, fields: Mapping[str, Array], *, shuffle: bool) -> str | None:
    """What people should know of a split that is not by chance alone: the rule, and the sizes that came of it."""
    sizes = {name: parts.of(name) for name in PARTS if len(parts.of(name))}
    shown = ", ".join(f"{name} {len(rows)}" for name, rows in sizes.items())
    if how.group is not None:
        groups = {name: len(np.unique(np.asarray(fields[how.group])[rows])) for name, rows in sizes.items()}
        counted = ", ".join(f"{name} {len(rows)} ({groups_in_words(groups[name])})" for name, rows in sizes.items())
        return f"split by group `{how.group}`: {counted}"
    if how.column is not None:
        return f"split by column `{how.column}`: {shown}"
    if how.in_order(shuffle) and len(sizes) > 1:
        return f"split by order{'' if how.by else ', since `shuffle = false`'}: {shown}"
    return None


def _left_out(count: int, parts: Parts, how: Split) -> str | None:
    """What people should know of the examples that are in no part since they have rows of a later one."""
    wanted = sum(how.parts.values()) if how.counts else count
    left = int(wanted) - sum(len(parts.of(name)) for name in PARTS)
    return f"{examples_in_words(left)} left out, with rows of a later part" if left else None


def _shared(parts: Parts, spans: Spans) -> str | None:
    """What people should know of parts that share rows."""
    for name in ("test", "valid"):
        others = parts.of(name)
        shared = int(np.count_nonzero(sharing(parts.train, others, spans)))
        if shared:
            total = f"{shared} of the {examples_in_words(len(parts.train))} of the train part"
            return f"windows overlap: {total} have rows of the {name} part; `by: order` keeps the parts apart"
    return None
