"""``archonnx show``: what a model is made of, counted by module."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Arguments, FloatType, ModelName, key_values, spec_or_run
from ..telling import tell
from ..verb import Group, verb

if TYPE_CHECKING:
    from archonnx.summary import Summary


class ShowFormat(StrEnum):
    """How the table is written."""

    text = "text"
    json = "json"
    csv = "csv"


@verb("show", Group.insight)
def show(
    spec: Annotated[str, typer.Argument(metavar="SPEC|RUN", help="A file, a name from the zoo, or a run.")],
    arg: Arguments = None,
    dims: Annotated[
        list[str] | None,
        typer.Option("--dims", metavar="NAME=SIZE,...", help="Sizes of open dims, as in `--dims B=32,T=100`."),
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=0, help="Show modules down to this depth; 1 shows the outermost.")
    ] = None,
    graph: Annotated[
        str | None, typer.Option("--graph", help="Whose operations are counted: `infer`, `evaluate` or an entry.")
    ] = None,
    dtype: FloatType = None,
    model: ModelName = None,
    memory: Annotated[
        bool, typer.Option("--memory", help="What a training step takes of memory, and what holds the most of it.")
    ] = False,
    format_: Annotated[ShowFormat, typer.Option("--format", help="`text`, `json` or `csv`.")] = ShowFormat.text,
) -> None:
    """Count parameters, multiplications, additions and bytes, module by module.

    A row has the figures of its module with all inside; `itself` is what a model does between its modules. Counts are
    those of the formulas in the spec, before any optimisation: a sum of n terms has n - 1 additions, divisions count
    as multiplications and subtractions as additions, comparisons and functions (`relu`, `exp`) as neither. They are
    for one example unless `--dims` says otherwise; dims that stay open stand in the counts.

        archonnx show digits_cnn
        archonnx show digits_cnn --arg width=64 --dims B=32
        archonnx show model.arch --graph sample --depth 1 --format csv
        archonnx show model.arch --memory --dims B=64
    """
    if memory:
        from archonnx.memory import memory as predict

        if graph is not None or depth is not None or format_ is ShowFormat.csv:
            raise typer.BadParameter("goes with --dims and --format json alone", param_hint="--memory")
        used = predict(spec_or_run(spec, key_values(arg, "--arg"), dtype, model), dims=sizes(dims))
        typer.echo(used.dumps() if format_ is ShowFormat.json else str(used))
        return
    from archonnx.summary import dumps
    from archonnx.summary import show as count

    summary = count(spec_or_run(spec, key_values(arg, "--arg"), dtype, model), graph, dims=sizes(dims))
    if format_ is ShowFormat.json:
        typer.echo(dumps(summary, depth))
    elif format_ is ShowFormat.csv:
        typer.echo(summary.as_csv(depth), nl=False)
    elif sys.stdout.isatty():
        _draw(summary, depth)
    else:
        tell(summary.text(depth))


def sizes(texts: list[str] | None) -> dict[str, int]:
    """``["B=32,T=10"]`` as a dict. A usage error where a size is not an integer."""
    found = key_values([part for text in texts or () for part in text.split(",")], "--dims")
    for name, size in found.items():
        if isinstance(size, bool) or not isinstance(size, int):
            raise typer.BadParameter(f"`{name}={size}` gives no integer", param_hint="--dims")
    return found


def _draw(summary: Summary, depth: int | None) -> None:
    """The table on a terminal."""
    from archonnx.summary import LEFT

    from ..output import print_table

    tell(summary.heading)
    print_table(summary.cells(depth), range(LEFT), total=True)
    for note in summary.notes:
        tell(note)
