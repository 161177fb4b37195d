"""What is to be predicted is fed to the model as well, as the feeds tell it.

What this module does not do: ask sources what they call their target (``answer_among_inputs`` does).
"""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.program import Feed, TrainProgram
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .answer_among_inputs import columns_read, takes_parts
from .rules import Sight, lint, warning

TABLES = ("csv", "parquet")
"""Sources whose columns have a number or a text for each example."""


@lint("AX0842")
def fed_answers(sight: Sight) -> Iterator[Diagnostic]:
    """A column of a table, or of windows of a series, of which both an input and a target are made."""
    for program in sight.model.programs:
        source = program.source
        if source is None or program.others:
            continue
        fields = {name: field for name, field in sight.model.fields.items() if name in program.feeds}
        targets = {name: program.feeds[name] for name, field in fields.items() if field.target}
        inputs = {name: program.feeds[name] for name, field in fields.items() if not field.target}
        for target, asked in targets.items():
            for name, given in inputs.items():
                kind = source.kind
                if kind in TABLES and fields[target].type.rank <= 1:
                    yield from _column(program, target, asked, name, given)
                elif kind == "windows":
                    yield from _window(program, target, asked, name, given)


def _column(program: TrainProgram, target: str, asked: Feed, name: str, given: Feed) -> Iterator[Diagnostic]:
    """A target that is made of one column, and an input that reads it too."""
    answer = columns_read(asked.statement.value, program.data)
    read = columns_read(given.statement.value, program.data)
    if len(answer) == 1 and not takes_parts(given.statement.value):
        for column in answer.keys() & read.keys():
            yield warning(
                "AX0842",
                f"the input `{name}` holds `{read[column].span.text}`, of which the target `{target}` is made",
                read[column].span,
                "the answer is given away: it is not known when the model is used",
                help=f"leave it out of the feed of `{name}`",
            )


def _window(program: TrainProgram, target: str, asked: Feed, name: str, given: Feed) -> Iterator[Diagnostic]:
    """A target that is a stretch of the window that is fed, or the same tokens, where the source has those after it."""
    answer, read = (columns_read(feed.statement.value, program.data) for feed in (asked, given))
    common = answer.keys() & read.keys()
    if len(answer) != 1 or not common or takes_parts(given.statement.value) or _masked(given):
        return
    (column,) = common
    if column.endswith("next"):
        return
    arguments = program.source.arguments if program.source is not None else {}
    after = "next" if column == "ids" else f"{column}_next"
    same = _kept(asked.statement.value) == _kept(given.statement.value)
    if after == "next" and not same:
        return
    if after != "next" and ("horizon" not in arguments or not (same or _last(asked.statement.value))):
        return
    yield warning(
        "AX0842",
        f"the target `{target}` is made of `{answer[column].span.text}`, which the input `{name}` holds",
        answer[column].span,
        "the answer is given away",
        help=f"what comes after the window is `{program.data}.{after}`",
    )


def _kept(expr: ast.Expr) -> str:
    return "".join(expr.span.text.split())


def _masked(feed: Feed) -> bool:
    """Whether something is hidden in an input, so that it can be asked for."""
    return any(isinstance(n, ast.Name) and n.id in ("where", "mask", "masked") for n in walk(feed.statement.value))


def _last(expr: ast.Expr) -> bool:
    """Whether it takes the end of what it reads, as ``data.sales[:, -3:]`` or ``data.sales[:, -1]``."""
    found = [s for n in walk(expr) if isinstance(n, ast.Index) for s in n.subscripts]
    ends = [s.start if isinstance(s, ast.Slice) and s.stop is None else s for s in found]
    return any(end is not None and end.span.text.startswith("-") for end in ends)
