"""``archonnx compile``: every graph of a model as ONNX, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archonnx.compiler.program import OPSET

from ..options import MAX_SEED, Arguments, FloatType, ModelName, Target, key_values, read_spec
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.runtime.export.compiled_folder import Written


@verb("compile", Group.onnx)
def compile_(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A file, or a name from the zoo.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
    target: Annotated[
        Target, typer.Option("--target", help="`portable`: only ai.onnx operators; `ort`: also onnxruntime's own.")
    ] = Target.portable,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Fix the number of rows in the training steps.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Number of passes over the statements, for schedules that need it."),
    ] = None,
    steps_per_epoch: Annotated[int | None, typer.Option("--steps-per-epoch", min=1, help="Likewise.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="Of the initial weights.")] = 0,
    opset: Annotated[int, typer.Option("--opset", help="Version of the ai.onnx operators: 18 to 26.")] = OPSET,
    verify: Annotated[bool, typer.Option("--verify", help="Check each graph after every pass.")] = False,
    dump_ir: Annotated[
        bool, typer.Option("--dump-ir", help="Write each graph as text after every pass, into the folder `ir`.")
    ] = False,
    arg: Arguments = None,
    dtype: FloatType = None,
    model: ModelName = None,
) -> None:
    """Write every graph of a model as ONNX, with its initial weights in one file beside them.

    The folder is written whole or not at all; one that `compile` wrote before is replaced. It holds

    - `infer.onnx` and one file for each entry, which read their weights from `weights.safetensors`;
    - `evaluate.onnx`: losses and metrics, as they are outside training;
    - `train_step.onnx` for each `minimize` or `update` (`train_step.PROGRAM.N.onnx` where there are several): takes a
      batch and the parameters, gives the losses, and as `next/NAME` the changed parameters and optimizer state;
    - `graphs.json`: inputs, outputs and initial state of each, for whoever runs them.

    Every graph is checked by onnx; its gradients alone are written by `archonnx export --graph gradients`.

        archonnx compile digits_cnn -o build/digits
        archonnx compile resnet50 -o build/resnet50 --batch-size 32 --verify
        archonnx compile model.arch -o build/model --dump-ir
    """
    from archonnx.compiler.pipeline import elaborate
    from archonnx.runtime.export.artifacts import GraphOptions
    from archonnx.runtime.export.compiled_folder import WEIGHTS, check_free, compile_to

    check_free(output)
    program = elaborate(read_spec(spec, key_values(arg, "--arg"), dtype, model))
    options = GraphOptions(target.value, opset, batch_size, steps, steps_per_epoch)
    compile_to(output, program, options, seed=seed, verify=verify, dump_ir=dump_ir, observer=_tell)
    weights = output / WEIGHTS
    typer.echo(f"{weights}: {program.parameter_count:,} parameters, {weights.stat().st_size / 1e6:.2f} MB")


def _tell(graph: Written) -> None:
    typer.echo(f"{graph.name}: {graph.nodes:,} nodes, {graph.size / 1e6:.2f} MB, {graph.seconds:.2f} s")
