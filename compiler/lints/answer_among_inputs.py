"""What is to be predicted is fed to the model as well."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.program import TrainProgram
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

KINDS = ("csv", "parquet", "sklearn", "statsmodels")
"""Sources that say which column is to be predicted."""


@lint("AX0824")
def answer_among_inputs(sight: Sight) -> Iterator[Diagnostic]:
    """What a source calls its target among the columns that an input of an output is made of."""
    model = sight.model
    for program in model.programs:
        own = _answers(program)
        answers: dict[str, str] = {}
        for name, feed in program.feeds.items():
            if name in model.fields and model.fields[name].target and not takes_parts(feed.statement.value):
                columns = columns_read(feed.statement.value, program.data)
                answers |= {column: name for column in columns if column in own}
        for name, feed in program.feeds.items():
            field = model.fields.get(name)
            if field is None or field.target or takes_parts(feed.statement.value):
                continue
            for column, node in columns_read(feed.statement.value, program.data).items():
                if column in answers:
                    yield warning(
                        "AX0824",
                        f"the input `{name}` holds `{node.span.text}`, the answer that `{answers[column]}` is to be",
                        node.span,
                        "it is not known when the model is used",
                        help=f"leave it out of the feed of `{name}`",
                    )


def _answers(program: TrainProgram) -> set[str]:
    """The columns that are the answer by what the source says."""
    source = program.source
    if source is None or source.kind not in KINDS:
        return set()
    given = source.arguments.get("target")
    return {"target", *([given] if isinstance(given, str) else [])}


def columns_read(expr: ast.Expr, data: str) -> dict[str, ast.Attribute]:
    """The columns that an expression reads."""
    found = [n for n in walk(expr) if isinstance(n, ast.Attribute) and n.value.span.text == data]
    return {node.name: node for node in found}


def takes_parts(expr: ast.Expr) -> bool:
    """Whether it takes a slice of what it reads, as the words before a word are."""
    subscripts = [s for n in walk(expr) if isinstance(n, ast.Index) for s in n.subscripts]
    return any(isinstance(s, ast.Slice) and (s.start is not None or s.stop is not None) for s in subscripts)
