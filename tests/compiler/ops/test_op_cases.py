"""Every op against its oracles: its shape rule and its ONNX form against its NumPy meaning, its gradient and the
gradient of that against central differences along a random direction, at two sizes of a symbolic dim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import registry
from tests.support.op_cases import Case, cases
from tests.support.op_slopes import Slopes

CASES = cases()
SIZED = [pytest.param(case, size, id=f"{case} B={size}") for case in CASES for size in case.sizes]


def test_every_op_has_a_case() -> None:
    assert {case.op.name for case in CASES} == set(registry())


def draw(case: Case, size: int, precise: bool = False) -> list[Array]:
    generator = np.random.default_rng(size)
    return [a.draw(generator, {"B": size}, _retyped(a.type, precise).dtype) for a in case.inputs]


def _retyped(type_: TensorType, precise: bool) -> TensorType:
    return type_.with_dtype(DType.f64) if precise and type_.dtype.is_float else type_


def apply(case: Case, builder: Builder) -> tuple[list[Value], tuple[Value, ...]]:
    inputs = [Value(a.type, f"x{i}") for i, a in enumerate(case.inputs)]
    return inputs, builder.add_many(case.op, *inputs)


def named(values: Sequence[Any], prefix: str) -> dict[str, Any]:
    return {f"{prefix}{i}": value for i, value in enumerate(values)}


@pytest.mark.parametrize(("case", "size"), SIZED)
def test_shape_rule_agrees_with_numpy(case: Case, size: int) -> None:
    _, outputs = apply(case, Builder())
    with np.errstate(all="ignore"):
        result = case.op.substitute({"B": Dim.of(size)}).evaluate(*draw(case, size))
    results = result if len(outputs) > 1 else (result,)
    for output, array in zip(outputs, results, strict=True):
        assert np.shape(array) == output.type.substitute({"B": Dim.of(size)}).static_shape
        assert np.asarray(array).dtype == output.type.dtype.numpy


@pytest.mark.parametrize("bound", [False, True], ids=["symbolic", "bound"])
@pytest.mark.parametrize("target", ["portable", "ort"])
@pytest.mark.parametrize("case", [case for case in CASES if case.runtime], ids=str)
def test_onnx_form_agrees_with_numpy(case: Case, target: Any, bound: bool) -> None:
    ort = pytest.importorskip("onnxruntime")
    from archonnx.compiler.onnx_export import export

    if case.machine and target == "ort":
        pytest.skip("the tests of passes run it with this machine's block")
    builder = Builder()
    inputs, outputs = apply(case, builder)
    witness = Value(TensorType.of("f32", "B"), "witness")  # tells B where no other input's shape does
    graph = builder.graph("case", {**named(inputs, "x"), "witness": witness}, named(outputs, "y"))
    for size in case.sizes:
        feeds = named(draw(case, size), "x") | {"witness": np.zeros(size, np.float32)}
        with np.errstate(all="ignore"):
            expected = interpret(graph, feeds)
        model = export(bind(graph, {"B": size}) if bound else graph, target=target)
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for name, array in zip(graph.outputs, session.run(list(graph.outputs), feeds), strict=True):
            assert array.dtype == expected[name].dtype
            np.testing.assert_allclose(array, expected[name], rtol=case.tolerance, atol=case.tolerance)


@pytest.mark.parametrize(
    ("case", "size", "order"),
    [
        pytest.param(case, size, order, id=f"{case} B={size} order={order}")
        for case in CASES
        if case.gradient
        for size in case.sizes
        for order in ((1, 2) if case.smooth else (1,))
    ],
)
def test_gradient_agrees_with_central_differences(case: Case, size: int, order: int) -> None:
    types = [_retyped(a.type, precise=True) for a in case.inputs]
    Slopes(case.op, types, draw(case, size, precise=True), order, sizes={"B": size}).check()
