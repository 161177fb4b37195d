"""``archonnx profile``: where a training step spends its time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Arguments, Device, DeviceOption, FloatType, Inputs, ModelName, SpecOrRun, key_values
from ..telling import say, tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.runtime.insight.profile import Profile

TEXT = 60
"""Characters of a line of the spec that are shown."""


@verb("profile", Group.insight)
def profile(
    what: SpecOrRun,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="That of the settings if left out.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Steps that are measured, after two that are not.")] = 20,
    program: Annotated[
        str | None, typer.Option("--program", metavar="NAME", help="Which `train` block; the last one if left out.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Lines that are shown at most.")] = 20,
    operators: Annotated[bool, typer.Option("--operators", help="Also show the time by ONNX operator.")] = False,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Number of CPU threads.")] = None,
    input_: Inputs = None,
    json_: Annotated[bool, typer.Option("--json", help="Print every kernel, as JSON.")] = False,
    arg: Arguments = None,
    dtype: FloatType = None,
    model: ModelName = None,
    device: Device = DeviceOption.auto,
) -> None:
    """Show where a training step spends its time, by line of the spec.

    The step is run as a training runs it, on the first examples of the data (or on `--input`), under onnxruntime's
    profiler. Each kernel carries the line from which it came: what it takes is told apart into computing the model,
    its gradient, and the update. What is between kernels (handing over batches, the profiler itself) is not counted.

        archonnx profile digits_cnn
        archonnx profile runs/digits_cnn-1 --batch-size 256 --operators
        archonnx profile model.arch --input batch.npz --json
    """
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.insight.profile import profile_step
    from archonnx.runtime.training.named import program_named

    from ..opened_model import OpenedModel

    opened = OpenedModel.open(what, key_values(arg, "--arg"), dtype, None, 0, model)
    if not opened.program.programs:
        fail("AX0615", f"{opened.program.name} has no `train` block, and so no training step", None)
    chosen = program_named(opened.program, program) if program is not None else opened.program.programs[-1]
    size = chosen.settings.batch_size
    count = batch_size or (256 if size == "all" else size)
    batch, origin = opened.batch(chosen, input_, count)
    found = profile_step(
        opened.program, chosen, batch, opened.parameters, runs=runs, options=SessionOptions(device.value, threads)
    )
    if json_:
        typer.echo(json.dumps(_record(found), indent=2))
        return
    say(f"{found.runs} steps on {origin}: {', '.join(f'{name} {type_}' for name, type_ in found.batch.items())}")
    show(found, top, operators)


def show(found: Profile, top: int, operators: bool) -> None:
    """The table of lines, and the one of operators."""
    from archonnx.runtime.insight.profile import PHASES

    from ..output import print_table

    total = found.total or 1.0
    lines = found.lines()
    shown = [phase for phase in PHASES if any(line.phases[phase] for line in lines)]
    rows = [["line", "", *shown, "all", "", "kernels"]]
    for line in lines[:top]:
        text = line.text if len(line.text) <= TEXT else f"{line.text[: TEXT - 1]}…"
        times = [_time(line.phases[phase]) for phase in shown]
        rows.append([line.place, text, *times, _time(line.microseconds), f"{line.microseconds / total:.1%}",
                     f"{line.kernels:g}"])  # fmt: skip
    sums = [_time(sum(line.phases[phase] for line in lines)) for phase in shown]
    kernels = sum(line.kernels for line in lines)
    rows.append(["a step", f"{len(lines)} lines", *sums, _time(found.total), "100.0%", f"{kernels:g}"])
    print_table(rows, (0, 1), total=True)
    if operators:
        tell()
        named = [[name, f"{count:g}", _time(time), f"{time / total:.1%}"] for name, count, time in found.operators()]
        print_table([["operator", "kernels", "all", ""], *named[:top]])


def _time(microseconds: float) -> str:
    return f"{microseconds / 1000:.3f} ms"


def _record(found: Profile) -> dict[str, Any]:
    kernels = [
        {
            "operator": kernel.operator,
            "shapes": kernel.shapes,
            "microseconds": kernel.microseconds,
            "count": kernel.count,
            "phase": kernel.phase,
            "origin": None if kernel.origin is None else str(kernel.origin),
            "place": None if kernel.origin is None or kernel.origin.place is None else str(kernel.origin.place),
            "module": "" if kernel.origin is None else kernel.origin.path,
        }
        for kernel in found.kernels
    ]
    return {"runs": found.runs, "batch": dict(found.batch), "microseconds": found.total, "kernels": kernels}
