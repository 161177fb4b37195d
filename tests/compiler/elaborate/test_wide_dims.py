"""Dims of large numbers: what a spec computes of sizes is what Python's integers give, or a diagnostic; never a wrap."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, model, program

CPU = SessionOptions(device="cpu", threads=1)
LARGE = [2**31 - 1, 2**31, 2**53 - 1, 2**53 + 1, 2**60 + 3, 2**62, 2**63 - 1]
EXPRESSIONS = [
    "B * {k}", "B * {k} - B * ({k} - 1)", "(B * {k} + 1) // 3", "(B * {k} + B) % 7", "(B * {k}) // (B + 1)",
    "min(B * {k}, {k})", "max(B * {k}, B * B) - B * {k} + B", "B * B * {k}", "B ** 16", "-B * {k}", "(B * {k}) % (T * {k} + 1)",
    "((B * {k}) // (T + 1)) % 5", "sum([B * {k}, T])", "prod([B, T, {k}])",
]  # fmt: skip


@pytest.mark.parametrize("k", LARGE)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_number_of_dims_is_exact_or_refused(expression: str, k: int) -> None:
    text = expression.format(k=k)
    spec = model(f"output y = f64({text}) + 0.0 * sum(x) + 0.0 * sum(z)", "x: f64[B]; z: f64[T]")
    if found := codes(spec):
        assert found == ["AX0311"]
        assert 2 * max(map(abs, _computed(text, 1, 1))) >= 2**63, (
            "what fits for the smallest sizes is not refused at once"
        )
        return
    trainer = Trainer(program(spec), options=CPU)
    for b, t in ((1, 1), (2, 3), (5, 2), (16, 1)):
        computed = _computed(text, b, t)
        try:
            given = trainer.predict({"x": np.zeros(b), "z": np.zeros(t)})["y"]
        except SpecError as error:
            assert error.diagnostics[0].code == "AX0617"
            assert "does not fit 64 bits" in error.diagnostics[0].headline
            assert max(map(abs, computed)) >= 2**63
        else:
            assert given == np.float64(np.int64(computed[-1]))


def _computed(text: str, b: int, t: int) -> list[int]:
    """Every number on the way to the value of an expression, and last the value, in Python's integers."""
    found: list[int] = []

    def value(tree: ast.expr) -> int:
        match tree:
            case ast.Constant(value=int(number)):
                return number
            case ast.Name(id=name):
                return {"B": b, "T": t}[name]
            case ast.UnaryOp(operand=operand):
                found.append(-value(operand))
            case ast.BinOp(left=left, op=op, right=right):
                found.append(PYTHON[type(op)](value(left), value(right)))
            case ast.Call(func=ast.Name(id=name), args=[ast.List(elts=items)] | items):
                found.append(FOLDS[name]([value(item) for item in items]))
        return found[-1]

    value(ast.parse(text, mode="eval").body)
    return found


PYTHON: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
FOLDS: Mapping[str, Callable[[list[int]], int]] = {"sum": sum, "prod": math.prod, "min": min, "max": max}


def test_a_size_that_the_graph_cannot_hold_is_refused_where_it_is_written() -> None:
    assert codes(model(f"output y = x * f32(B * {2**62} * 2)")) == ["AX0311"]
    assert codes(model(f"output y = reshape(x, [B * {2**62} * 2 - 1, 4])")) == ["AX0311"]


def test_sizes_that_tensors_have_are_not_checked() -> None:
    """No assumption is recorded for what is far from 64 bits at any size that memory holds."""
    of = program(model("output y = x * f32(B * T) + f32((T + 3) // 2)", "x: [B, T]"))
    assert of.assumptions == ()
