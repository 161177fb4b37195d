"""The work of ``archonnx check``: read specs, prove their shapes, build their training steps; run nothing.

It stands apart from the verb's options, so that a plain check need not wait for the library that reads options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from archonnx.compiler.checking import warnings
from archonnx.compiler.combining import meetings
from archonnx.compiler.helps.proposals import proposed
from archonnx.compiler.helps.trial import tried
from archonnx.compiler.lints.data_rules import DataSight
from archonnx.compiler.lints.finding import codes
from archonnx.compiler.lints.levels import Levels, check_codes
from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate, float_type, load, parse_source, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import OverBudget
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, render_report
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from archonnx.grammar.text.characters import confusable_names

Style = Literal["full", "concise", "json", "github"]


def check_specs(
    specs: Sequence[str],
    arguments: Mapping[str, Any],
    style: Style = "full",
    dtype: str | None = None,
    *,
    data: bool = False,
    levels: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> bool:
    """Print what is found in each spec (a line where all is well, for people); whether nothing is wrong.

    ``data`` opens their data as well; ``levels`` are codes of warnings that are errors, and that are left out.
    """
    good, asked = True, Levels(*levels)
    check_codes(asked, codes())
    for name in specs:
        spec: Spec | None = None
        try:
            with bounded():
                spec = _asked(load(name), arguments, dtype)
                found = [_checked(one, data) for one in specs_of_models(spec)]
            if any(isinstance(p.settings.start_from, tuple) for model, *_ in found for p in model.programs):
                from archonnx.runtime.training.transfer import check_starts

                check_starts([model for model, *_ in found], _base(spec))
        except SpecError as error:
            good = False
            _show(error.report if not data or spec is None else _tried_on_data(spec, error), style)
        else:
            told = Report(list(confusable_names(spec.source, spec.file)))
            for model, _, seen in found:
                for finding in warnings(model, asked, seen):
                    told.add_at_place(finding)
            if told.diagnostics:
                _show(told, style)
            if told.failed:
                good = False
            elif style == "full":
                for model, lines, _ in found:
                    print("\n".join([f"{name}: {_summary(model)}", *lines]), flush=True)
    return good


def fix_first(
    specs: Sequence[str],
    arguments: Mapping[str, Any],
    levels: tuple[tuple[str, ...], tuple[str, ...]],
    dtype: str | None,
    *,
    yes: bool,
    data: bool = False,
) -> None:
    """Offer the fixes of each file before it is checked."""
    from .fixing import fix_specs

    with_data = (lambda source, path: of_data(source, path, arguments, dtype)) if data else None
    fix_specs(specs, arguments, Levels(*levels), dtype, yes=yes, with_data=with_data)


def _checked(spec: Spec, data: bool) -> tuple[ModelProgram, list[str], list[DataSight]]:
    """A model of a spec, and what is to be said and what is known of its data, if that is opened."""
    lines: list[str] = []
    seen: list[DataSight] = []
    if data:
        spec, lines = _with_data(spec)
    model = elaborate(spec, simplify=False)
    if data:
        told, seen = _data_lines(model, spec)
        lines += told
    return model, lines, seen


SLOW = 3.0
"""Seconds that checks of data may take which try edits."""


def of_data(source: Source, path: Path, arguments: Mapping[str, Any], dtype: str | None) -> list[Diagnostic]:
    """What is wrong with the data of a text, with edits that were tried on it."""
    spec = _asked(parse_spec(source, path=path), arguments, dtype)
    try:
        _check_data(spec)
    except SpecError as error:
        return _tried(spec, error).diagnostics
    return []


def _asked(spec: Spec, arguments: Mapping[str, Any], dtype: str | None) -> Spec:
    """A spec with the arguments and the type of floats of the command line."""
    spec = replace(spec, arguments=arguments)
    return spec if dtype is None else replace(spec, float_type=float_type(dtype))


def _check_data(spec: Spec) -> None:
    with bounded():
        for one in specs_of_models(spec):
            _checked(one, True)


def _tried_on_data(spec: Spec, error: SpecError) -> Report:
    """What was found with the data open, with edits that were tried on it, where reading it does not take long."""
    if any(one.fixes for one in error.diagnostics):
        return error.report  # they are of the text, and were tried
    return _tried(spec, error)


def _tried(spec: Spec, error: SpecError) -> Report:
    taken = 0.0

    def found_with(source: Source) -> list[Diagnostic]:
        nonlocal taken
        if taken > SLOW:
            raise OverBudget
        start = perf_counter()
        try:
            _check_data(replace(spec, source=source, file=parse_source(source)))
        except SpecError as failed:
            return failed.diagnostics
        finally:
            taken += perf_counter() - start
        return []

    return tried(spec.source, Report(proposed(error.diagnostics, spec.file)), found_with)


def _with_data(spec: Spec) -> tuple[Spec, list[str]]:
    """The spec with what its data decides, which is told."""
    from archonnx.runtime.insight.data import decided_line
    from archonnx.runtime.training.deciding import decided

    known = decided(spec, _base(spec))
    found = {name: value for name, value in known.arguments.items() if name not in spec.arguments}
    return known, [decided_line(found)] if found else []


def _data_lines(model: ModelProgram, spec: Spec) -> tuple[list[str], list[DataSight]]:
    """What the programs of a model make of their data."""
    from archonnx.runtime.insight.data import described_data
    from archonnx.runtime.training.preparing import prepare
    from archonnx.runtime.training.seeing import seen_data

    lines: list[str] = []
    seen: list[DataSight] = []
    for program in model.programs:
        if program.source is not None:
            data = prepare(model, program, program.settings, _base(spec))
            lines += ["", *([f"program {program.name}"] if program.name else [])]
            lines += described_data(model, program, data)
            seen.append(seen_data(model, program, program.settings, data))
    return lines, seen


def _base(spec: Spec) -> Path:
    """The folder in which data files are looked for."""
    return spec.path.parent if spec.path is not None else Path.cwd()


def _summary(model: ModelProgram) -> str:
    buffers = [parameter for parameter in model.parameters.values() if parameter.buffer]
    parts = [f"{len(model.parameters) - len(buffers)} parameters with {model.parameter_count:,} numbers"]
    if buffers:
        parts.append(f"{len(buffers)} buffers with {sum(buffer.size for buffer in buffers):,}")
    parts += [
        f"{kind} {', '.join(names)}"
        for kind, names in (
            ("outputs", list(model.infer.outputs)),
            ("losses", list(model.losses)),
            ("metrics", list(model.metrics)),
            ("entries", list(model.entries)),
            ("averaged over batches, in which examples meet:", [f"{name} ({at.what})" for name, at in meetings(model)]),
        )
        if names
    ]
    return f"ok ({model.name}: {'; '.join(parts)})"


def _show(report: Report, style: Style) -> None:
    if style == "full":
        from .output import show_report

        show_report(report)
    else:
        print(render_report(report, style=style), flush=True)
