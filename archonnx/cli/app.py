"""The verbs, gathered, and the options that all of them share."""

from __future__ import annotations

from typing import Annotated

import typer

from . import (
    call,
    check,
    compile,
    convert,
    evaluate,
    explain,
    export,
    fmt,
    gradcheck,
    new,
    predict,
    search,
    show,
    trace,
    train,
)

app = typer.Typer(
    name="archonnx",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"archonnx {version('archonnx')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
) -> None:
    """Neural networks as checked specifications, trained as ordinary ONNX graphs.

    A first session:

        archonnx check digits_cnn
        archonnx show digits_cnn
        archonnx train digits_cnn --out runs/digits
        archonnx eval runs/digits
        archonnx export runs/digits -o digits.onnx

    Each verb has a help of its own, with examples: `archonnx train --help`.
    """


app.command("check")(check.check)
app.command("show")(show.show)
app.command("train")(train.train)
app.command("search")(search.search)
app.command("predict")(predict.predict)
app.command("call")(call.call)
app.command("eval")(evaluate.evaluate)
app.command("compile")(compile.compile_)
app.command("trace")(trace.trace)
app.command("gradcheck")(gradcheck.gradcheck)
app.command("export")(export.export)
app.command("new")(new.new)
app.command("fmt")(fmt.fmt)
app.command("convert")(convert.convert)
app.command("explain")(explain.explain)
