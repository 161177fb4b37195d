"""A loss or metric is given the target first, or one tensor twice: what it says of predictions is not of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.ops.elementwise import Div, Sub
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

ORDERED = {
    "bce", "bce_logits", "cce", "soft_cross_entropy", "focal", "hinge", "squared_hinge", "quantile_loss",
    "gaussian_nll", "poisson_nll", "binary_accuracy", *SET_FUNCTIONS,
}  # fmt: skip
"""What takes a prediction, and then the target, and gives another number for them in the other order."""
OF_TWO = ORDERED | {
    "mse", "mae", "huber", "smooth_l1", "pseudo_huber", "log_cosh", "dice", "nt_xent", "cosine_embedding", "accuracy",
}  # fmt: skip
"""What compares two tensors: of one tensor with itself it is a constant."""
POSITIVE, NEGATIVE = re.compile(r"\b(?:pos\w*|p)\b"), re.compile(r"\b(?:neg\w*|n)\b")
CONVERTED = {"float", "f32", "i64", "bool", "one_hot", "reshape", "flatten", "stop_gradient"}
"""Functions of a target that leave it a target."""


@lint("AX0835")
def target_first(sight: Sight) -> Iterator[Diagnostic]:
    """``bce_logits(y, score)``: scikit-learn and Keras have the target first."""
    targets = {name for name, field in sight.model.fields.items() if field.target}
    for call in sight.syntax(ast.Call):
        name, given = _positional(call)
        if name not in ORDERED or len(given) < 2:
            continue
        first, second = given[:2]
        if _field(first) in targets and _field(second) not in targets and not isinstance(second, ast.Number):
            yield warning(
                "AX0835",
                f"`{name}` takes the prediction first, and is given the target `{_field(first)}` for it",
                call.span,
                "(prediction, target)",
                help=f"the other way round: `{name}({second.span.text}, {first.span.text})`",
            )
    for call in sight.syntax(ast.Call):
        name, given = _positional(call)
        if name == "triplet" and len(given) >= 3 and NEGATIVE.search(given[1].span.text):
            anchor, negative, positive = (one.span.text for one in given[:3])
            if POSITIVE.search(positive) and not POSITIVE.search(negative):
                yield warning(
                    "AX0835",
                    "`triplet` takes what is alike before what is not, and is given the negative for it",
                    call.span,
                    "(anchor, positive, negative)",
                    help=f"the other way round: `triplet({anchor}, {positive}, {negative})`",
                )


@lint("AX0836")
def one_for_both(sight: Sight) -> Iterator[Diagnostic]:
    """``nt_xent(z, z)``: the second was probably to be another."""
    for call in sight.syntax(ast.Call):
        name, given = _positional(call)
        if name in OF_TWO and len(given) >= 2 and _same(sight, *given[:2]):
            yield warning(
                "AX0836",
                f"`{name}` compares `{given[0].span.text}` with itself",
                call.span,
                "both are the same",
                help="one of them was probably to be another: a loss of a tensor and itself teaches nothing",
            )
    yield from _taken_off_itself(sight)


def _taken_off_itself(sight: Sight) -> Iterator[Diagnostic]:
    """``exp(log_p - log_p)``."""
    for node in sight.nodes(Sub, Div):
        if node.inputs[0] is node.inputs[1] and not node.origin.used:
            yield warning(
                "AX0836",
                f"{node.origin.subject} of a tensor and itself is {0 if isinstance(node.op, Sub) else 1} everywhere",
                node.origin.place,
                "both are the same",
                help="one of them was probably to be another; a constant copy is `stop_gradient(...)`",
            )


def _positional(call: ast.Call) -> tuple[str, list[ast.Expr]]:
    """The name that is called, and what it is given by position."""
    name = call.callee.id if isinstance(call.callee, ast.Name) else ""
    return name, [argument.value for argument in call.arguments if argument.name is None]


def _field(expr: ast.Expr) -> str:
    """The name that an expression is, but for its dtype or shape; empty where it is something else."""
    while isinstance(expr, ast.Call | ast.Index):
        if isinstance(expr, ast.Index):
            expr = expr.value
            continue
        name, given = _positional(expr)
        if name not in CONVERTED or not given:
            return ""
        expr = given[0]
    return expr.id if isinstance(expr, ast.Name) else ""


def _same(sight: Sight, first: ast.Expr, second: ast.Expr) -> bool:
    """Whether two arguments are one tensor: layers that draw make two of what is written alike."""
    if first != second or isinstance(first, ast.Number):
        return False
    return isinstance(first, ast.Name) or not any(
        name.id in ("Dropout", "normal", "uniform") for name in sight.names(sight.tree)
    )
