"""``archonnx export``: write a model as ONNX, one graph as a file or all of them as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from archonnx.compiler.opset import OPSET

from ..options import (
    Arguments,
    Batch,
    BatchSize,
    FileFormat,
    FloatType,
    Format,
    ModelName,
    Opset,
    Precision,
    PrecisionOption,
    RateInput,
    Steps,
    StepsPerEpoch,
    Target,
    TargetOption,
    key_values,
    read_spec,
)
from ..telling import tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Graph
    from archonnx.runtime.export.artifacts import GraphOptions


@verb("export", Group.onnx)
def export(
    what: Annotated[str, typer.Argument(metavar="RUN|SPEC", help="A run directory, a file, or a name from the zoo.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, NAME.onnx; or a folder, for all graphs.")
    ],
    graph: Annotated[
        str | None,
        typer.Option(
            "--graph", help="`infer` (so unless said), `evaluate`, an entry, `gradients`, `train_step`, `train_step.1`."
        ),
    ] = None,
    target: TargetOption = Target.portable,
    batch_size: BatchSize = None,
    batch: Batch = None,
    steps: Steps = None,
    steps_per_epoch: StepsPerEpoch = None,
    rate_input: RateInput = False,
    opset: Opset = OPSET,
    precision: PrecisionOption = Precision.f32,
    format: Format = FileFormat.onnx,
    raw: Annotated[
        bool, typer.Option("--raw", help="Of a RUN: take the columns of its data, and do what the feed does.")
    ] = False,
    arg: Arguments = None,
    dtype: FloatType = None,
    model: ModelName = None,
) -> None:
    """Write a model as ONNX: one graph as a file, or every graph as a folder.

    The outputs (`infer`) and the entries hold the weights: trained ones of a RUN, initial ones of a SPEC.
    The other graphs take the parameters as inputs. Weights of more than 1.6 GB go to a file beside the model.
    A folder has every graph over one file of weights, and `graphs.json`, which says what feeds what: all that it takes
    to run them, and to train, without archonnx. Every file says so of itself in its metadata, too.
    With `--raw` the file takes the data as it was trained on, column by column, texts and pixels too.
    Files of a RUN are run beside it before they are put in their places.

        archonnx export runs/digits_cnn-1 -o digits.onnx
        archonnx export runs/digits_cnn-1 -o digits
        archonnx export runs/bikes-1 --raw -o bikes.onnx
        archonnx export digits_cnn --graph train_step --batch-size 64 -o step.onnx
        archonnx export function_fit --graph train_step --steps 1000 -o step.onnx
    """
    from archonnx.runtime.export.artifact import KINDS
    from archonnx.runtime.export.artifacts import GraphOptions
    from archonnx.runtime.export.models import ORT

    from ..exporting import write_folder

    options = GraphOptions(
        target.value,
        opset,
        batch_size,
        steps,
        steps_per_epoch,
        batch=batch,
        rates=rate_input,
        precision=precision.value,
    )
    if (format is FileFormat.ort) is not (output.suffix == ORT):
        _fail_format(output, format)
    given = key_values(arg, "--arg")
    if raw:
        _raw(what, output, graph or "infer", options, dtype)
    elif graph is None and (not output.suffix or output.is_dir()):
        write_folder(what, output, options, given, dtype, model, (*KINDS, "raw"))
    else:
        _one(what, output, graph or "infer", options, given, dtype, model)


def _fail_format(output: Path, format: FileFormat) -> NoReturn:
    from archonnx.grammar.diagnostics import fail

    if format is FileFormat.ort:
        said, better = (
            f"a file of onnxruntime's format ends in .ort, and this is {output.name}",
            output.with_suffix(".ort"),
        )
        fail("AX0505", said, None, help=f"name it `{better}`")
    fail("AX0505", f"{output.name} is named as a file of onnxruntime's format", None, help="add `--format ort`")


def _one(
    what: str,
    output: Path,
    graph: str,
    options: GraphOptions,
    given: dict[str, object],
    dtype: str | None,
    model: str | None,
) -> None:
    """Write one graph, and say how large it is."""
    from archonnx.runtime.export.models import check_name

    from ..exporting import run_named

    check_name(output)
    _check_rows(graph, options)
    again = output.exists()
    run = run_named(what, dtype, given)
    if run is not None:
        nodes, size = run.export_graph(output, graph, options)
    else:
        nodes, size = _of_spec(what, output, graph, options, given, dtype, model)
    replaced = "; an earlier export was there, and has been replaced" if again else ""
    tell(f"{output}: {nodes} nodes, {size / 1e6:.2f} MB{replaced}")


def _of_spec(
    what: str,
    output: Path,
    graph: str,
    options: GraphOptions,
    given: dict[str, object],
    dtype: str | None,
    name: str | None,
) -> tuple[int, int]:
    from archonnx.compiler.pipeline import elaborate
    from archonnx.runtime.export.artifacts import as_onnx, graph_named
    from archonnx.runtime.export.models import fail_without_outputs, write_model
    from archonnx.runtime.training.initial import initial_values

    model = elaborate(read_spec(what, given, dtype, name))
    if graph == "infer" and not model.infer.outputs:
        fail_without_outputs(model.name)
    artifact = graph_named(model, graph, options)
    weights = None
    if artifact.holds_weights:
        weights = initial_values(model.parameters, 0)
        _warn(artifact.make())
    written = as_onnx(artifact, model, options, weights)
    return len(written.graph.node), write_model(output, written)


def _raw(what: str, output: Path, graph: str, options: GraphOptions, dtype: str | None) -> None:
    """Write a run with its feed, and say what it takes."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.folders.raw import WITHOUT_RAW

    from ..exporting import run_named

    run = run_named(what, dtype)
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
    file = run.export_raw(output, options)
    tell(f"{output}: {file.nodes} nodes, {file.size / 1e6:.2f} MB; as the run on {file.checked} {file.on}")
    tell(f"takes {', '.join(map(str, file.columns.values()))}")


def _check_rows(graph: str, options: GraphOptions) -> None:
    """SpecError if a number of rows is given where none can be fixed."""
    from archonnx.grammar.diagnostics import fail

    if options.batch_size is not None and not graph.startswith("train_step"):
        fail(
            "AX0506",
            f"`--batch-size` fixes the number of rows in `train_step`, and this is `{graph}`",
            None,
            help="`--batch` fixes it in every graph but the entries",
        )


def _warn(graph: Graph) -> None:
    """Say what onnxruntime cannot run of it on the CPU: a GPU may."""
    from archonnx.compiler.passes.manager import optimise
    from archonnx.compiler.portability import missing_kernels

    from ..output import show_report

    report = missing_kernels(optimise(graph), severity="warning")
    if report.diagnostics:
        show_report(report)
