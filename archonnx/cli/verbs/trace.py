"""``archonnx trace``: every tensor of a spec, with its value and the gradient of the loss for it."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ..options import (
    MAX_SEED,
    Arguments,
    Device,
    DeviceOption,
    FloatType,
    Inputs,
    ModelName,
    ParametersFrom,
    SpecOrRun,
    key_values,
)
from ..verb import Group, verb


class Format(StrEnum):
    """How a trace is printed."""

    text = "text"
    json = "json"


@verb("trace", Group.insight)
def trace(
    spec: SpecOrRun,
    inputs: Inputs = None,
    graph: Annotated[
        str, typer.Option("--graph", help="`loss` (as training sees it), `infer` (as it is used), or an entry.")
    ] = "",
    loss: Annotated[str | None, typer.Option("--loss", metavar="NAME", help="Which loss; else the first.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Also show what blocks and fns compute inside.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PATTERN", help="Names to show, as in `h*`. Repeatable.")
    ] = None,
    parameters: ParametersFrom = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=MAX_SEED, help="Of the initial parameters and of draws.")
    ] = 0,
    examples: Annotated[
        int, typer.Option("--examples", min=1, help="Examples of the spec's data; for use without `--input`.")
    ] = 1,
    dtype: FloatType = None,
    model: ModelName = None,
    arg: Arguments = None,
    format: Annotated[Format, typer.Option("--format", help="`text` for people, `json` for tools.")] = Format.text,
    elements: Annotated[
        int,
        typer.Option("--elements", min=0, help="Tensors of up to this many numbers are shown in full."),
    ] = 32,
    precision: Annotated[int, typer.Option("--precision", min=1, max=17, help="Significant digits.")] = 6,
    width: Annotated[int | None, typer.Option("--width", min=40, help="Columns; else the terminal's, or 100.")] = None,
    device: Device = DeviceOption.auto,
) -> None:
    """Show every tensor that a spec names: its value, and the gradient of the loss with respect to it.

    Line by line of the model, with the names of the spec: inputs, parameters by path, what modules give, losses. A name
    that is given anew counts: `x#1`, `x#2`. Without `--input`, the first example of the spec's data is taken.

    It runs what training runs, in onnxruntime: forward, loss and gradients in one graph (`training` is true, and
    dropout drops). What needs operators that the CPU lacks for f64 runs in NumPy. The first line says which it was.

        archonnx trace backprop_relu_one_weight
        archonnx trace model.arch --input 'x=[[1, 0.5]]' --input y=[1] --dtype f64
        archonnx trace digits_mlp --examples 4 --only 'dense*' --only logits
        archonnx trace runs/digits_mlp-1 --input digits.npz --graph infer --deep
    """
    from archonnx.runtime.device.session import SessionOptions
    from archonnx.runtime.insight.inputs import checked_inputs
    from archonnx.runtime.insight.trace import trace_model, traced_graph
    from archonnx.runtime.insight.trace_rows import Layout

    from ..opened_model import OpenedModel
    from ..output import coloured

    opened = OpenedModel.open(spec, key_values(arg, "--arg"), dtype, parameters, seed, model)
    chosen = graph or ("loss" if opened.program.losses else "infer")
    traced = traced_graph(opened.program, chosen, loss)
    given, origin = opened.inputs(inputs, traced, chosen, examples)
    checked_inputs(traced, opened.program, given, chosen)
    result = trace_model(
        opened.program,
        given,
        graph=chosen,
        loss=loss,
        parameters=opened.parameters,
        seed=seed,
        options=SessionOptions(device.value),
    )
    color = coloured(sys.stdout)
    layout = Layout(deep, tuple(only or ()), elements, precision, width or _columns(), color)
    if format is Format.json:
        import json

        typer.echo(json.dumps({"inputs": origin, "parameters": opened.origin, **result.as_json(layout)}))
        return
    text = result.text(layout)
    about = f"loss {result.loss} and its gradients" if result.loss is not None else f"`{chosen}`"
    typer.echo(f"{result.model}: {about} in {result.dtype}, by {result.engine}")
    typer.echo(f"inputs: {origin}\nparameters: {opened.origin}\n\n{text}")


def _columns() -> int:
    import shutil

    return max(shutil.get_terminal_size((100, 24)).columns, 60) if sys.stdout.isatty() else 100
