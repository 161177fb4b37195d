"""A class that is measured and not trained: no example of the train part has it."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .data_rules import DataSight, data_lint
from .rules import warning

SHOWN = 4


@data_lint("AX0825")
def missing_class(sight: DataSight) -> Iterator[Diagnostic]:
    """Data that is sorted by its labels, shared out in its order."""
    for field, labels in sight.labels.items():
        missing = sorted(labels.all - labels.train)
        if not missing or len(labels.all) * 2 > sight.rows:  # each example has its own
            continue
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        shown = ", ".join(map(str, missing[:SHOWN])) + more
        one = len(missing) == 1
        yield warning(
            "AX0825",
            f"no example of the train part has the {'label' if one else 'labels'} {shown} of `{field}`, and others do",
            sight.place("split"),
            "what is never seen is never predicted",
            help=f"`stratify: {field}` gives each part its share of each, `by: random` draws",
        )
