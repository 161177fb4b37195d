"""Reading the data that decides arguments of a model, before the model is elaborated.

What this module does not do: elaborate (``compiler.pipeline`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archonnx.compiler.feeding import INDEX
from archonnx.compiler.pipeline import decided_arguments, deciding_programs
from archonnx.compiler.program import DATA, TrainProgram
from archonnx.compiler.settings import Split
from archonnx.compiler.spec import Spec
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, fail
from archonnx.grammar.record import replace
from archonnx.runtime.data.feeding import Learner, sample_of
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.parts import RULES
from archonnx.runtime.data.sharing_out import share_out

from .preparing import DataChoice, load_data


def decided(
    spec: Spec,
    base: Path,
    changes: Mapping[str, Any] | None = None,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Spec:
    """The spec with the arguments of its model that its data decides; those that are given stay.

    Args:
        spec: what was read.
        base: the folder in which data files are looked for.
        changes: settings to replace, by dotted name: those of the split decide what is learned from.
        choice: what takes the place of the data that the spec names.
        known: what a run remembers of its data.
    """
    found: dict[str, Any] = {}
    for program in deciding_programs(spec):
        report = Report()
        settings = program.settings.changed(changes or {}, report) if changes else program.settings
        report.finish()
        loaded = load_data(spec.name, program, settings, base, choice, known)
        count = len(loaded.fields[INDEX])
        how = _by_columns(settings.split, program)
        parts, _ = share_out(count, how, loaded, {}, program.span, shuffle=settings.shuffle)
        keys = Learner(loaded, parts.train, known.fitted.keys if known is not None else None)
        sizes = decided_arguments(spec, program, sample_of(loaded, spec.float_type), keys)
        for name, value in sizes.items():
            if found.setdefault(name, value) != value:
                fail(
                    "AX0702",
                    f"the data of two programs decides `{name}`: {found[name]} and {value}",
                    program.span,
                    help=f"give it: `--arg {name}=...`",
                )
    return replace(spec, arguments={**found, **spec.arguments}) if found else spec


def _by_columns(how: Split, program: TrainProgram) -> Split:
    """A split by fields that are fed as columns are: the model that has the fields is not there yet."""
    columns = {}
    for rule in RULES:
        feed = program.feeds.get(getattr(how, rule) or "")
        value = feed.statement.value if feed is not None else None
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == program.data:
            columns[rule] = f"{DATA}.{value.name}"
    return how.model_copy(update=columns) if columns else how
