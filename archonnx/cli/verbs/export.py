"""``archonnx export``: write a model as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archonnx.compiler.program import OPSET

from ..options import Arguments, FloatType, ModelName, Target, key_values, read_spec
from ..verb import Group, verb

if TYPE_CHECKING:
    import onnx

    from archonnx.compiler.ir.graph import Graph
    from archonnx.runtime.export.artifacts import GraphOptions
    from archonnx.runtime.folders.run import Run


@verb("export", Group.onnx)
def export(
    what: Annotated[str, typer.Argument(metavar="RUN|SPEC", help="A run directory, a file, or a name from the zoo.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    graph: Annotated[
        str, typer.Option("--graph", help="`infer`, `evaluate`, an entry, `gradients` or `train_step`.")
    ] = "infer",
    target: Annotated[
        Target, typer.Option("--target", help="`portable`: only ai.onnx operators; `ort`: also onnxruntime's own.")
    ] = Target.portable,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Fix it in `train_step`.")] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Number of passes over the statements, for schedules that need it."),
    ] = None,
    steps_per_epoch: Annotated[int | None, typer.Option("--steps-per-epoch", min=1, help="Likewise.")] = None,
    opset: Annotated[int, typer.Option("--opset", help="Version of the ai.onnx operators: 18 to 26.")] = OPSET,
    raw: Annotated[
        bool, typer.Option("--raw", help="Of a RUN: take the columns of its data, and do what the feed does.")
    ] = False,
    arg: Arguments = None,
    dtype: FloatType = None,
    model: ModelName = None,
) -> None:
    """Write a model as ONNX: opset 21, any batch size.

    The outputs (`infer`) and the entries hold the weights: trained ones of a RUN, initial ones of a SPEC.
    The other graphs take the parameters as inputs. Weights of more than 1.6 GB go to a file beside the model.
    With `--raw` the file takes the data as it was trained on, column by column, texts and pixels too; it is run
    beside the run before it is written.

        archonnx export runs/digits_cnn-1 -o digits.onnx
        archonnx export runs/bikes-1 --raw -o bikes.onnx
        archonnx export digits_cnn --graph train_step --batch-size 64 -o step.onnx
        archonnx export function_fit --graph train_step --steps 1000 -o step.onnx
    """
    from archonnx.runtime.export.artifacts import GraphOptions
    from archonnx.runtime.export.models import write_model

    options = GraphOptions(target.value, opset, batch_size, steps, steps_per_epoch)
    if raw:
        _raw(what, output, graph, options, dtype)
        return
    exported = _model(what, graph, options, key_values(arg, "--arg"), dtype, model)
    size = write_model(output, exported)
    typer.echo(f"{output}: {len(exported.graph.node)} nodes, {size / 1e6:.2f} MB")


def _raw(what: str, output: Path, graph: str, options: GraphOptions, dtype: str | None) -> None:
    """Write a run with its feed, and say what it takes."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.folders.raw import WITHOUT_RAW

    run = _run(what, dtype)
    if run is None:
        fail(
            "AX0513",
            f"{what} is not a run directory, and only a run knows its data",
            None,
            help="train it first: `archonnx train SPEC`",
        )
    _check_rows(graph, options)
    if graph != "infer":
        fail("AX0513", f"`{graph}` does not take the columns of the data; only `infer` does", None, help=WITHOUT_RAW)
    file = run.export_raw(output, target=options.target, opset=options.opset)
    typer.echo(f"{output}: {file.nodes} nodes, {file.size / 1e6:.2f} MB; as the run on {file.checked} {file.on}")
    typer.echo(f"takes {', '.join(map(str, file.columns.values()))}")


def _check_rows(graph: str, options: GraphOptions) -> None:
    """SpecError if a number of rows is given where none can be fixed."""
    from archonnx.grammar.diagnostics import fail

    if options.batch_size is not None and not graph.startswith("train_step"):
        fail(
            "AX0506",
            f"`--batch-size` fixes the number of rows in `train_step`, and this is `{graph}`",
            None,
            help="leave `--batch-size` out",
        )


def _run(what: str, dtype: str | None) -> Run | None:
    """The run of this name, if it is one."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.folders.run import Run

    run = Run(what) if (Path(what) / "run.json").is_file() else None
    if run is not None and dtype not in (None, run.dtype):
        fail("AX0621", f"{what} was trained in {run.dtype}, and is exported in it", None, help="leave `--dtype` out")
    return run


def _model(
    what: str, graph: str, options: GraphOptions, arguments: dict[str, object], dtype: str | None, name: str | None
) -> onnx.ModelProto:
    from archonnx.compiler.pipeline import elaborate
    from archonnx.runtime.export.artifacts import as_onnx, graph_named
    from archonnx.runtime.export.models import inference_model
    from archonnx.runtime.training.trainer import initial_values

    _check_rows(graph, options)
    run = _run(what, dtype)
    spec = run.spec() if run is not None else read_spec(what, arguments, dtype, name)
    model = elaborate(spec)
    if graph == "infer" or graph in model.entries:
        weights = run.parameters if run is not None else initial_values(model.parameters, 0)
        _warn(model.infer if graph == "infer" else model.entries[graph])
        entry = None if graph == "infer" else graph
        metadata = run.token_metadata if run is not None else None
        return inference_model(
            model, weights, entry=entry, target=options.target, opset=options.opset, metadata=metadata
        )
    return as_onnx(graph_named(model, graph, options), model.name, options)


def _warn(graph: Graph) -> None:
    """Say what onnxruntime cannot run of it on the CPU: a GPU may."""
    from archonnx.compiler.passes.manager import optimise
    from archonnx.compiler.portability import missing_kernels

    from ..output import show_report

    report = missing_kernels(optimise(graph), severity="warning")
    if report.diagnostics:
        show_report(report)
