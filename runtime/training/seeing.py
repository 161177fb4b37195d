"""What rules over data ask of it: how many examples are in each part, and which labels there are.

What this module does not do: judge (``compiler.lints`` does), or prepare data (``preparing`` does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archonnx.compiler.lints.data_rules import DataSight, Labels
from archonnx.compiler.lints.finding import findings
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.ranges import model_ranges
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Diagnostic, Report
from archonnx.grammar.record import replace
from archonnx.runtime.data.parts import PARTS

from .lengths import steps_per_epoch
from .preparing import Prepared
from .streaming import StreamedExamples

LOOKED_AT = 2_000
"""Examples that are looked at for bounds, evenly over the train part: a fault of scale is one of all examples."""
CLASSES = 10_000
"""Labels with more different numbers than this name no classes that a part could lack."""


def seen_data(model: ModelProgram, program: TrainProgram, settings: TrainSettings, data: Prepared) -> DataSight:
    """What is known of the data of a program; of data that comes in batches, what is known of any."""
    program = replace(program, settings=settings)
    parts: dict[str, int] = {name: len(data.parts.of(name)) for name in PARTS}
    per_epoch = steps_per_epoch(parts["train"], settings)
    if isinstance(data.examples, StreamedExamples):
        return DataSight(model, program, sum(parts.values()), parts, per_epoch=per_epoch)
    labels, bounds = {}, {}
    classes = {r.field for r in model_ranges(model) if r.noun == "classes" and r.selection is None}
    for name, field in model.fields.items():
        numbers = data.examples.rows(name) if field.target and name in classes else None
        if numbers is not None and numbers.ndim == 1 and len(data.parts.train):
            used = np.concatenate([data.parts.of(part) for part in PARTS])
            every, trained = _different(numbers[used]), _different(numbers[data.parts.train])
            if len(every) <= CLASSES:
                labels[name] = Labels(every, trained)
        own = (name not in program.feeds or program.feeds[name].source == program.data) and name not in program.whole
        rows = data.examples.rows(name) if own and (field.target or field.type.dtype.is_float) else None
        if rows is not None and len(data.parts.train):
            bounds[name] = _bounds(rows, data.parts.train)
    return DataSight(model, program, len(data.loaded.fields["index"]), parts, labels, per_epoch, bounds)


def _bounds(numbers: Any, rows: Any) -> tuple[float, float]:
    """The smallest and the largest number of some rows, as far as they are looked at."""
    seen = numbers[np.sort(rows[:: max(1, len(rows) // LOOKED_AT)])]
    return float(seen.min(initial=0)), float(seen.max(initial=0))


def _different(numbers: Any) -> frozenset[int]:
    return frozenset(np.unique(numbers).tolist())


def tell_of_model(
    model: ModelProgram, changed: Callable[[TrainProgram], TrainSettings], tell: Callable[[str], None]
) -> None:
    """Say in a line each what was probably not meant in a model; SpecError with what is denied.

    ``changed`` gives the settings of a program that count.
    """
    programs = tuple(replace(program, settings=changed(program)) for program in model.programs)
    told(findings(replace(model, programs=programs)), tell)


def told(found: list[Diagnostic], tell: Callable[[str], None]) -> None:
    """Say warnings in a line each; SpecError with those that are errors."""
    report = Report()
    for finding in found:
        if finding.severity == "error":
            report.add(finding)
        else:
            at = f" at {finding.span}" if finding.span is not None else ""
            tell(f"warning {finding.code}{at}: {finding.headline}")
    report.finish()
