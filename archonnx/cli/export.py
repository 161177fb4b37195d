"""``archonnx export``: write a model as ONNX."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Arguments, key_values

if TYPE_CHECKING:
    import onnx


class Target(StrEnum):
    """Which operators may be used."""

    portable = "portable"
    ort = "ort"


def export(
    what: Annotated[str, typer.Argument(metavar="RUN|SPEC", help="A run directory, a file, or a name from the zoo.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    graph: Annotated[
        str, typer.Option("--graph", help="`infer`, an entry, `train_step`, `gradients` or `evaluate`.")
    ] = "infer",
    target: Annotated[
        Target, typer.Option("--target", help="`portable`: ai.onnx operators alone; `ort`: onnxruntime's own, too.")
    ] = Target.portable,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Fix it in `train_step`.")] = None,
    arg: Arguments = None,
) -> None:
    """Write a model as ONNX: opset 21, any batch size.

    The outputs (`infer`) and the entries hold the weights: trained ones of a RUN, initial ones of a SPEC.
    The other graphs take the parameters as inputs.

        archonnx export runs/digits_cnn-1 -o digits.onnx
        archonnx export digits_cnn --graph train_step --batch-size 64 -o step.onnx
    """
    from archonnx.runtime.checkpoint import write_atomically

    model = _model(what, graph, target.value, batch_size, key_values(arg, "--arg"))
    write_atomically(output, model.SerializeToString())
    typer.echo(f"{output}: {len(model.graph.node)} nodes, {output.stat().st_size / 1e6:.2f} MB")


def _model(
    what: str, graph: str, target: Literal["portable", "ort"], batch_size: int | None, arguments: dict[str, object],
) -> onnx.ModelProto:
    from archonnx import api
    from archonnx.compiler.pipeline import elaborate
    from archonnx.grammar.diagnostics import did_you_mean, fail
    from archonnx.runtime.run import Run, inference_model
    from archonnx.runtime.trainer import initial_value

    run = Run(what) if (Path(what) / "run.json").is_file() else None
    spec = run.spec() if run is not None else api.load(what, **arguments)
    model = elaborate(spec)
    if graph == "infer" or graph in model.entries:
        weights = run.parameters if run is not None else {
            path: initial_value(parameter, 0) for path, parameter in model.parameters.items()}
        return inference_model(model, weights, entry=None if graph == "infer" else graph, target=target)
    graphs = api.compile(spec, batch_size, target=target).graphs
    if graph not in graphs:
        fail("AX0607", f"{model.name} has no graph `{graph}`", None,
             help=did_you_mean(graph, graphs) or f"graphs: {', '.join(graphs)}")
    return graphs[graph]
