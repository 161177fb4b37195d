"""Cases of draws: onnxruntime and NumPy agree bit for bit, so there is no tolerance."""

from __future__ import annotations

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ops.random import DiscreteDraw, RandomBernoulli, RandomUniform

from .op_cases import Case, arg

B = Dim.of("B")
SEED = arg("i64", low=-(2**62), high=2**62)
P = arg("f32", low=0, high=1)


def draws(op: RandomUniform | RandomBernoulli) -> Case:
    parameters = (P,) if isinstance(op, RandomBernoulli) else ()
    return Case(op, (SEED, SEED, *parameters), gradient=False, tolerance=0, sizes=(2, 512))


CASES = (
    draws(RandomUniform((B, Dim.of(3)), 0)),
    draws(RandomUniform((B, Dim.of(7)), 1, DType.f64)),
    draws(RandomUniform((Dim.of(1024), Dim.of(2)), 2**63 + 5)),
    draws(RandomUniform((), 3)),
    draws(RandomBernoulli((Dim.of(3), B), 4)),
    draws(RandomBernoulli((Dim.of(1025),), 5)),
    Case(DiscreteDraw(), (arg("i64", "B", 3), arg("f32", "B", 3)), gradient=False),
)
