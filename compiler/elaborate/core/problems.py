"""Problems of ops, told where they arise: at the expressions of the spec, with where their tensors came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.value import Value
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.source import Span

from .frame import Frame
from .values import Given, describe


class problems:  # noqa: N801 - reads as a statement: `with problems(...)`
    """Turns an op's TypeProblem into a diagnostic: its operands are these expressions, with these values."""

    def __init__(
        self,
        frame: Frame,
        span: Span,
        operands: list[ast.Expr],
        values: list[Any],
        arguments: Mapping[str, Given] | None = None,
    ) -> None:
        self.frame, self.span, self.operands, self.values = frame, span, operands, values
        self.arguments = arguments or {}

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, TypeProblem):
            return
        labels = []
        for position in error.operands:
            if position < len(self.operands):
                value = self.values[position]
                labels.append(Label(self.operands[position].span, provenance(value)))
        blamed = self.arguments.get(error.argument)
        if blamed is not None and blamed.expr is not None:
            fail(error.code, error.headline, blamed.span, "", notes=error.notes, help=error.help, others=labels)
        single = len(error.operands) == 1 and len(labels) == 1
        span = labels[0].span if single else self.span
        text = labels[0].text if single else ""
        fail(
            error.code, error.headline, span, text, notes=error.notes, help=error.help, others=() if single else labels
        )


def provenance(value: Any) -> str:
    """``f32[768, hidden], from `param W` at mlp.arch:12:5 (1 * 28 * 28)``."""
    if not isinstance(value, Value):
        return describe(value)
    notes = [note for note in value.type.notes if note]
    written = f" ({', '.join(notes)})" if notes else ""
    if value.origin.place is None:
        return f"{value.type}{written}"
    return f"{value.type}, from {value.origin.subject} at {value.origin.place}{written}"
