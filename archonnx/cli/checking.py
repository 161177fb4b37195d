"""The work of ``archonnx check``: read specs, prove their shapes, build their training steps; run nothing.

It stands apart from the verb's options, so that a plain check need not wait for the library that reads options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from archonnx.compiler.checking import warnings
from archonnx.compiler.combining import meetings
from archonnx.compiler.directions import chosen
from archonnx.compiler.lints.finding import codes
from archonnx.compiler.lints.levels import Levels, check_codes
from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate, float_type, load
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.bounded import bounded
from archonnx.grammar.diagnostics import Report, SpecError, render_report
from archonnx.grammar.record import replace
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
        try:
            with bounded():
                spec = replace(load(name), arguments=arguments)
                if dtype is not None:
                    spec = replace(spec, float_type=float_type(dtype))
                found = [_checked(one, data) for one in specs_of_models(spec)]
            if any(isinstance(p.settings.start_from, tuple) for model, _ in found for p in model.programs):
                from archonnx.runtime.training.transfer import check_starts

                check_starts([model for model, _ in found], _base(spec))
        except SpecError as error:
            good = False
            _show(error.report, style)
        else:
            told = Report(list(confusable_names(spec.source, spec.file)))
            for model, _ in found:
                for finding in warnings(model, asked):
                    told.add_at_place(finding)
            if told.diagnostics:
                _show(told, style)
            if told.failed:
                good = False
            elif style == "full":
                for model, lines in found:
                    print("\n".join([f"{name}: {_summary(model)}", *lines]), flush=True)
    return good


def _checked(spec: Spec, data: bool) -> tuple[ModelProgram, list[str]]:
    """A model of a spec, and what is to be said of its data, if that is opened."""
    lines: list[str] = []
    if data:
        spec, lines = _with_data(spec)
    model = elaborate(spec, simplify=False)
    return model, [*lines, *_data_lines(model, spec)] if data else lines


def _with_data(spec: Spec) -> tuple[Spec, list[str]]:
    """The spec with what its data decides, which is told."""
    from archonnx.runtime.insight.data import decided_line
    from archonnx.runtime.training.deciding import decided

    known = decided(spec, _base(spec))
    found = {name: value for name, value in known.arguments.items() if name not in spec.arguments}
    return known, [decided_line(found)] if found else []


def _data_lines(model: ModelProgram, spec: Spec) -> list[str]:
    """What the programs of a model make of their data."""
    from archonnx.runtime.insight.data import described_data
    from archonnx.runtime.training.preparing import prepare

    lines: list[str] = []
    for program in model.programs:
        if program.source is not None:
            lines += ["", *([f"program {program.name}"] if program.name else [])]
            lines += described_data(model, program, prepare(model, program, program.settings, _base(spec)))
    return lines


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
            ("against what the metric says:", _against(model)),
            ("averaged over batches, in which examples meet:", [f"{name} ({at.what})" for name, at in meetings(model)]),
        )
        if names
    ]
    return f"ok ({model.name}: {'; '.join(parts)})"


def _against(model: ModelProgram) -> list[str]:
    """Where early stopping or a search wants the opposite of what is known of a loss or metric to be good."""
    found = []
    for settings in (program.settings.early_stopping for program in model.programs):
        if settings is not None and settings.mode is not None:
            choice = chosen(settings.monitor, settings.mode, model.directions, Report(), None)
            found += [f"`mode: {settings.mode}` of {settings.monitor}"] if choice.instead_of else []
    if (space := model.search) is not None:
        better = model.directions.get(space.goal.partition(".")[2])
        wrong = better == ("smaller" if space.maximise else "larger")
        found += [f"`maximize {'' if space.maximise else '-'}{space.goal}`"] if wrong else []
    return found


def _show(report: Report, style: Style) -> None:
    if style == "full":
        from .output import show_report

        show_report(report)
    else:
        print(render_report(report, style=style), flush=True)
