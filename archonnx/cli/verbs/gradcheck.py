"""``archonnx gradcheck``: compiled gradients beside central differences."""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import MAX_SEED, Arguments, Inputs, ModelName, ParametersFrom, SpecOrRun, key_values
from ..telling import tell
from ..verb import Group, verb


@verb("gradcheck", Group.insight)
def gradcheck(
    spec: SpecOrRun,
    inputs: Inputs = None,
    loss: Annotated[str | None, typer.Option("--loss", metavar="NAME", help="This loss alone.")] = None,
    directions: Annotated[
        int,
        typer.Option(
            "--directions", min=1, max=10_000, help="Random directions along which each gradient is compared."
        ),
    ] = 2,
    parameters: ParametersFrom = None,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=MAX_SEED, help="Of initial parameters, draws, drawn inputs and directions."),
    ] = 0,
    examples: Annotated[
        int, typer.Option("--examples", min=1, help="Examples of the spec's data; for use without `--input`.")
    ] = 4,
    dtype: Annotated[
        str,
        typer.Option("--dtype", metavar="f64|f32", help="The float type of the check; f32 shows only large errors."),
    ] = "f64",
    arg: Arguments = None,
    model: ModelName = None,
) -> None:
    """Compare the gradients of every loss with central differences, for every parameter and every float input.

    It is for specs that state a gradient of their own (`backward`): where one is wrong, its line is named, and the exit
    status is 1. All is computed in NumPy, in float64, with the draws of one seed. Where the loss has a kink, as `relu`
    has at 0, the comparison is made a little to the side. Inputs are the first examples of the spec's data, or drawn
    where it has none; integers must then be given.

        archonnx gradcheck model.arch
        archonnx gradcheck digits_mlp --directions 5 --seed 1
        archonnx gradcheck model.arch --input 'x=[[1, 0.5]]' --input 'label=[2]'
    """
    from archonnx.grammar.diagnostics import Report
    from archonnx.runtime.insight.gradcheck import check_gradients
    from archonnx.runtime.insight.trace import traced_graph

    from ..opened_model import OpenedModel
    from ..output import show_report

    opened = OpenedModel.open(spec, key_values(arg, "--arg"), dtype, parameters, seed, model)
    given, origin = opened.inputs(inputs, traced_graph(opened.program, "loss", loss), "loss", examples)
    result = check_gradients(
        opened.program,
        given or None,
        loss=loss,
        parameters=opened.parameters,
        directions=directions,
        seed=seed,
    )
    tell(f"{result.model}: gradients beside central differences in {result.dtype}")
    drawn = f"drawn, seed {seed}" if opened.program.fields else "none"
    tell(f"inputs: {origin if given else drawn}\nparameters: {opened.origin}\n\n{result}")
    if not result.ok:
        show_report(Report(result.findings))
        raise typer.Exit(1)
