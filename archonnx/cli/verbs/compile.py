"""``archonnx compile``: every graph of a model as ONNX, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archonnx.compiler.opset import OPSET

from ..options import (
    MAX_SEED,
    Arguments,
    Batch,
    BatchSize,
    FloatType,
    ModelName,
    Opset,
    RateInput,
    Steps,
    StepsPerEpoch,
    Target,
    TargetOption,
    key_values,
)
from ..verb import Group, verb


@verb("compile", Group.onnx)
def compile_(
    what: Annotated[str, typer.Argument(metavar="SPEC|RUN", help="A file, a name from the zoo, or a run directory.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
    target: TargetOption = Target.portable,
    batch_size: BatchSize = None,
    batch: Batch = None,
    steps: Steps = None,
    steps_per_epoch: StepsPerEpoch = None,
    rate_input: RateInput = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="Of the initial weights of a SPEC.")] = 0,
    opset: Opset = OPSET,
    verify: Annotated[bool, typer.Option("--verify", help="Check each graph after every pass.")] = False,
    dump_ir: Annotated[
        bool, typer.Option("--dump-ir", help="Write each graph as text after every pass, into the folder `ir`.")
    ] = False,
    arg: Arguments = None,
    dtype: FloatType = None,
    model: ModelName = None,
) -> None:
    """Write every graph of a model as ONNX, with its weights in one file beside them: those of a RUN are trained.

    The folder is written whole or not at all; one that `compile` wrote before is replaced. It holds

    - `infer.onnx` and one file for each entry, which read their weights from `weights.safetensors`;
    - `evaluate.onnx`: losses and metrics, as they are outside training;
    - `train_step.onnx` for each `minimize` or `update` (`train_step.PROGRAM.N.onnx` where there are several): takes a
      batch and the parameters, gives the losses, and as `next/NAME` the changed parameters and optimizer state;
    - `graphs.json`: what each input is, what is carried, the order of the statements: all that it takes to run them.

    Every graph is checked by onnx, and those of a RUN are run beside it before they stand. `archonnx export -o FOLDER`
    writes the gradients as well.

        archonnx compile digits_cnn -o build/digits
        archonnx compile runs/digits_cnn-1 -o build/digits --batch-size 32
        archonnx compile model.arch -o build/model --dump-ir
    """
    from archonnx.runtime.export.artifacts import GraphOptions
    from archonnx.runtime.export.compiled_folder import WITHOUT_GRADIENTS

    from ..exporting import write_folder

    options = GraphOptions(target.value, opset, batch_size, steps, steps_per_epoch, batch=batch, rates=rate_input)
    given = key_values(arg, "--arg")
    write_folder(
        what, output, options, given, dtype, model, WITHOUT_GRADIENTS, seed=seed, verify=verify, dump_ir=dump_ir
    )
