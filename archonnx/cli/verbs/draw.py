"""``archonnx draw``: a picture of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import Arguments, FloatType, ModelName, key_values, spec_or_run
from ..telling import tell
from ..verb import Group, verb

KINDS = (".svg", ".png")


@verb("draw", Group.insight)
def draw(
    spec: Annotated[str, typer.Argument(metavar="SPEC|RUN", help="A file, a name from the zoo, or a run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .svg, or .png.")],
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=1, help="Draw modules down to this depth; 1 draws the outermost as one each."),
    ] = None,
    graph: Annotated[
        str | None, typer.Option("--graph", help="`infer`, `evaluate` or an entry; all that the model gives otherwise.")
    ] = None,
    programs: Annotated[
        bool, typer.Option("--programs/--no-programs", help="Also draw the data and what is minimised.")
    ] = True,
    arg: Arguments = None,
    dtype: FloatType = None,
    model: ModelName = None,
) -> None:
    """Draw a model: its modules as boxes in boxes, types on the edges, what repeats itself once.

    A blue box is a module, with its path and its parameters; a white one is a formula between modules; green are inputs
    and targets, yellow outputs, red losses, violet metrics. `x 12` is drawn once and stands twelve times, one behind
    the other. Dashed lines lead from the data to the fields, and from a loss to the statement that minimises it.
    Pointing at a thing shows the line of the spec (in an SVG). Modules are opened as far as the picture stays readable;
    `--depth` says how far. Of a file that trains several models all are drawn, unless `--model` names one.

        archonnx draw gpt2_small -o gpt2.svg
        archonnx draw resnet50 --depth 3 -o resnet50.svg
        archonnx draw vae --graph sample -o sample.svg
        archonnx draw runs/digits_cnn-1 --no-programs -o digits.png

    It needs `pip install 'archonnx[pictures]'`, which brings Graphviz along.
    """
    from archonnx.pictures.drawing import draw_spec, rasterised
    from archonnx.runtime.files import write_atomically

    if output.suffix.lower() not in KINDS:
        raise typer.BadParameter(f"`{output}` ends in neither .svg nor .png", param_hint="--output")
    loaded = spec_or_run(spec, key_values(arg, "--arg"), dtype, model)
    drawn = draw_spec(loaded, graph, depth=depth, programs=programs)
    content = drawn.encode() if output.suffix.lower() == ".svg" else rasterised(drawn)
    write_atomically(output, content)
    tell(f"wrote {output}")
