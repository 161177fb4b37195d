"""An operator between ``[B, 1]`` and ``[B]`` gives ``[B, B]``: every example meets every other, which nobody means.

Where all pairs are meant, both operands say so, ``a[:, none] - b[none, :]``, or the one with more axes does.
What this module does not do: look at axes that both operands have.
"""

from __future__ import annotations

from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Suggestion


def check_pairs(expr: ast.Binary, left: Value, right: Value) -> None:
    """TypeProblem where a dim would stand on two axes, on one because the tensor with fewer axes is repeated."""
    if left.rank == right.rank:
        return
    longer, shorter, operand, position = (
        (left, right, expr.left, 0) if left.rank > right.rank else (right, left, expr.right, 1)
    )
    new = longer.rank - shorter.rank
    if _says_so(operand):
        return
    for axis, (one, dim) in enumerate(zip(longer.shape[new:], shorter.shape, strict=True), new):
        if one == ONE and dim.symbol is not None and dim in longer.shape[:new]:
            raise TypeProblem(
                "AX0329",
                f"`{expr.op}` would join every pair along {dim}: {longer.type} and {shorter.type} give "
                f"{_joined(longer, shorter)}",
                operands=(position, 1 - position),
                notes=(f"where every pair is meant, say it: `a[:, none] {expr.op} b[none, :]`",),
                help=_without(operand, axis, longer.rank),
            )


def _says_so(operand: ast.Expr) -> bool:
    """Whether an axis of size 1 is written where it is used: ``x[:, none]``."""
    return isinstance(operand, ast.Index) and any(
        isinstance(subscript, ast.Constant) and subscript.value is None for subscript in operand.subscripts
    )


def _joined(longer: Value, shorter: Value) -> TensorType:
    new = longer.rank - shorter.rank
    pairs = zip(longer.shape[new:], shorter.shape, strict=True)
    return longer.type.with_shape((*longer.shape[:new], *(_larger(a, b) for a, b in pairs)))


def _larger(a: Dim, b: Dim) -> Dim:
    return b if a == ONE else a


def _without(operand: ast.Expr, axis: int, rank: int) -> Suggestion:
    """The operand without an axis of size 1."""
    text = operand.span.text
    whole = isinstance(operand, ast.Name | ast.Call | ast.Index) or operand.span.in_brackets
    plain = text if whole else f"({text})"
    new = f"{plain}[{', '.join('0' if i == axis else ':' for i in range(rank))}]"
    return Suggestion.of(f"take the axis of size 1 away: `{new}`", text, new, operand.span)
