"""Operators that would join every example with every other: refused, unless it is written."""

from __future__ import annotations

import pytest

from archonnx.compiler.elaborate.core.tensors import BINARY_OPS
from archonnx.grammar.diagnostics import SpecError
from tests.support.elaborated import model, program

INPUTS = "column: [B, 1]; row: [B]; grid: [B, T, 1]; steps: [T]; fixed: [8, 1]; eight: [8]; both: [1, B]"


def refused(expression: str) -> str | None:
    """The help where an expression is refused for its pairs, None where it is not."""
    try:
        program(model(f"output y = {expression}", INPUTS))
    except SpecError as error:
        (found,) = error.diagnostics
        assert found.code == "AX0329"
        return str(found.help)
    return None


@pytest.mark.parametrize("op", [op for op in BINARY_OPS if op not in ("and", "or")])
def test_every_operator_is_looked_at_on_both_sides(op: str) -> None:
    assert refused(f"column {op} row") == "take the axis of size 1 away: `column[:, 0]`"
    assert refused(f"row {op} column") == "take the axis of size 1 away: `column[:, 0]`"
    assert refused(f"column[:, 0] {op} row") is None


@pytest.mark.parametrize(
    ("expression", "help"),
    [
        ("grid + steps", "`grid[:, :, 0]`"),
        ("-row * (column + 1)", "`(column + 1)[:, 0]`"),
        ("mean((column - row) ** 2)", "`column[:, 0]`"),
        ("row + (column) * (column)", "`((column) * (column))[:, 0]`"),
        ("(column > 0) == (row > 0)", "`(column > 0)[:, 0]`"),
        ("(column > 0) and (row > 0)", "`(column > 0)[:, 0]`"),
    ],
)
def test_the_help_takes_the_axis_away(expression: str, help: str) -> None:
    assert help in (refused(expression) or "")


@pytest.mark.parametrize(
    "expression",
    [
        "row[:, none] - row",
        "row - row[:, none]",
        "row[:, none] - row[none, :]",
        "column - both",
        "column - transpose(column)",
        "column - row[:, none]",
        "column - mean(row)",
        "column * 2",
        "fixed + eight",
        "grid + eight[0]",
        "(row[:, none] - mean(row)) * column",
    ],
)
def test_what_is_written_or_joins_no_pairs_is_kept(expression: str) -> None:
    assert refused(expression) is None


@pytest.mark.parametrize("loss", ["cross_entropy(x, k)", "nll(x, k)", "accuracy(x, k)", "multiclass_hinge(x, k)"])
@pytest.mark.parametrize(("classes", "code"), [("1", ["AX0330"]), ("2", [])])
def test_labels_of_one_class_are_refused(loss: str, classes: str, code: list[str]) -> None:
    try:
        program(model(f"loss l = {loss}", f"x: [B, {classes}]; k: i64[B]"))
        found = []
    except SpecError as error:
        found = [diagnostic.code for diagnostic in error.diagnostics]
    assert found == code
