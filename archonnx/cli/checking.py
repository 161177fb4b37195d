"""The work of ``archonnx check``: read specs, prove their shapes, build their training steps; run nothing.

It stands apart from the verb's options, so that a plain check need not wait for the library that reads options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from archonnx.compiler.combining import meetings
from archonnx.compiler.pipeline import elaborate, float_type, load
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import Report, SpecError, render_report
from archonnx.grammar.record import replace

Style = Literal["full", "concise", "json", "github"]


def check_specs(
    specs: Sequence[str], arguments: Mapping[str, Any], style: Style = "full", dtype: str | None = None
) -> bool:
    """Print what is found in each spec (a line where all is well, for people); whether nothing is wrong."""
    good = True
    for name in specs:
        try:
            spec = replace(load(name), arguments=arguments)
            model = elaborate(spec, float_type=None if dtype is None else float_type(dtype), simplify=False)
        except SpecError as error:
            good = False
            _show(error.report, style)
        else:
            if style == "full":
                print(f"{name}: {_summary(model)}", flush=True)
    return good


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
