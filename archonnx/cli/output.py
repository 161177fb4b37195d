"""What verbs print: diagnostics, tables, and the note about a bug. Results go to stdout, the rest to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from archonnx.grammar.diagnostics import Report, render_report
from archonnx.runtime.columns import columns

from .telling import harmless, say

if TYPE_CHECKING:
    from archonnx.runtime.folders.several import Spread
    from archonnx.runtime.measures.set_metrics import Confusion


def coloured(stream: TextIO) -> bool:
    """Whether to use colour: on a terminal, unless NO_COLOR is set."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def show_report(report: Report) -> None:
    """Findings in full, and how to learn more."""

    print(render_report(report, style="full", color=coloured(sys.stderr)), file=sys.stderr, flush=True)
    codes = list(dict.fromkeys(d.code for d in report.diagnostics))
    say(f"\nmore about {'it' if len(codes) == 1 else 'the first'}: archonnx explain {codes[0]}")


def show_memory(error: MemoryError) -> None:
    """That there was not enough memory, for how much if that is known."""
    from archonnx.grammar.diagnostics import make_error

    said = str(error).partition("\n")[0]
    notes = [said] if said.isprintable() and said else []
    help = "take a part of the data, a smaller `batch_size`, or a machine with more memory"
    show_report(Report([make_error("AX0660", "there is not enough memory", None, notes=notes, help=help)]))


def show_long_name(error: OSError) -> None:
    """That the system has no file of such a name."""
    from archonnx.grammar.diagnostics import make_error
    from archonnx.runtime.paths import short

    show_report(
        Report([make_error("AX0601", f"`{short(str(error.filename))}` is too long for the name of a file", None)])
    )


def show_bug(error: Exception, report: Path | None) -> None:
    """An internal error, in a few lines, and where more about it is."""
    from archonnx.compiler.errors import HOW_TO_REPORT, InternalError

    what = str(error) if isinstance(error, InternalError) else f"{type(error).__name__}: {error}\n{HOW_TO_REPORT}"
    say(what if what.startswith("internal error") else f"internal error: {what}")
    if report is not None:
        say(f"What helps to find it is in {report}: no path, no value and no text of yours is in there.")
    say("With --debug, the traceback is shown.")


def figure(value: float) -> str:
    """A loss or metric, as people compare them: four decimals, or three digits where it is very small or large."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e7 else f"{value:.2e}"


def print_table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), *, total: bool = False) -> None:
    """A table on stdout: drawn on a terminal, as plain lines elsewhere.

    Args:
        rows: the first one is the heading.
        left: columns, by number, that are set to the left.
        total: whether the last row is apart from the others.
    """
    rows = [[harmless(cell, "") for cell in row] for row in rows]
    if not sys.stdout.isatty():
        print(columns(rows, left), flush=True)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    head, *body = rows
    foot = body.pop() if total else [""] * len(head)
    drawn = Table(box=box.SIMPLE_HEAD, show_footer=total, pad_edge=False)
    for i, (name, figure) in enumerate(zip(head, foot, strict=True)):
        drawn.add_column(name, figure, justify="left" if i in left else "right", no_wrap=True)
    for row in body:
        drawn.add_row(*row)
    console = Console(markup=False, highlight=False)
    natural = console.measure(drawn, options=console.options.update(max_width=10_000)).maximum
    console.width = max(console.width, natural)  # digits are not cut off
    console.print(drawn)


def metrics_rows(metrics: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Losses and metrics, a row for each part."""
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    rows = [
        [part, *(figure(values[name]) if name in values else "" for name in names)] for part, values in metrics.items()
    ]
    return [["", *names], *rows]


def spread_rows(metrics: Mapping[str, Mapping[str, Spread]]) -> list[list[str]]:
    """Losses and metrics over several runs, a row for each with its part."""
    rows = [["", "", "mean", "deviation", "smallest", "largest"]]
    for part, figures in metrics.items():
        for name, of in figures.items():
            ends = (min(of.values.values()), max(of.values.values()))
            deviation = figure(of.deviation) if len(of.values) > 1 else ""
            rows.append([part, name, figure(of.mean), deviation, *map(figure, ends)])
    return rows


def confusion_rows(confusion: Confusion, names: Sequence[str] | None = None) -> list[list[str]]:
    """Counts, or shares in percent, with the classes (by their names, if they have any) at the side and above."""
    counts = confusion.counts
    shown = [[f"{n}" if counts.dtype.kind == "i" else f"{100 * n:.1f}%" for n in row] for row in counts.tolist()]
    classes = [str(name) for name in names or confusion.classes]
    return [["", *classes], *([name, *row] for name, row in zip(classes, shown, strict=True))]
