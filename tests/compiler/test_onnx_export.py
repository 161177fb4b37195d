"""Export: golden pages, and what a model must keep that random graphs do not show."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from archonnx.compiler import onnx_export
from archonnx.compiler.errors import InternalError
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import Emitter, Op
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.parse import parse_dim, parse_graph
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.onnx_export import IR_VERSION, OPSET, ORIGIN_KEY, export
from archonnx.compiler.ops.shape import constant
from archonnx.compiler.ops.sizes import dim_value
from tests.support.golden import Case, Golden, golden_cases
from tests.support.onnx_run import run_onnx
from tests.support.onnx_text import onnx_text

SCALED = """
graph scaled
input x: f32[B, 2]
input w: f32[2]
%0: f32[B, 2] = broadcast(shape=[B, 2]) w
%1: f32[B, 2] = mul x, %0  # gradient of `*` at net.arch:3:9
output y = %1
"""


@golden_cases("export/*.md")
def test_lowering(case: Case, golden: Golden) -> None:
    graph = parse_graph(case.source)
    verify(graph)
    golden(case, onnx_text(export(graph)))


def test_versions_are_explicit() -> None:
    model = export(parse_graph(SCALED), metadata={"spec": "net.arch"})
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (IR_VERSION, [("", OPSET)])
    assert model.producer_name == "archonnx" and model.producer_version
    assert {p.key: p.value for p in model.metadata_props} == {"spec": "net.arch"}


def test_nodes_know_their_origin() -> None:
    (node,) = export(parse_graph(SCALED)).graph.node
    assert {p.key: p.value for p in node.metadata_props} == {ORIGIN_KEY: "gradient of `*` at net.arch:3:9"}


def test_constants_become_initializers() -> None:
    graph, w = parse_graph(SCALED), np.array([2.0, 3.0], np.float32)
    model = export(graph, constants={"w": w})
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == ["x"]
    x = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(run_onnx(model, {"x": x})["y"], interpret(graph, {"x": x, "w": w})["y"])


@pytest.mark.parametrize("dims", ["[5, 4, 1, 1]", "[5, 1]", "[B, 4, 1]"])
@pytest.mark.parametrize("inner", ["[]", "[1]"])
def test_what_is_smaller_has_the_axes_of_a_result_whose_last_axis_is_1(dims: str, inner: str) -> None:
    """Without them onnxruntime takes such tensors, as weights of 1x1 convolutions, an element at a time."""
    graph = parse_graph(f"""
graph g
input x: f32{dims}
input s: f32{inner}
%0: f32{dims} = broadcast(shape={dims}) s
%1: f32{dims} = mul x, %0
%2: f32[] = constant(0.5)
%3: f32{dims} = broadcast(shape={dims}) %2
%4: f32{dims} = add %3, %1
%5: f32{dims} = sub %4, %0
output y = %5
""")
    model = export(graph)
    shapes = {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.input}
    shapes |= {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    known = {dim: int(dim) if dim.isdigit() else 3 for dim in dims.strip("[]").split(", ")}
    x = np.random.default_rng(0).normal(size=[*map(known.get, dims.strip("[]").split(", "))]).astype(np.float32)
    given = {"x": x, "s": np.full((1,) if inner == "[1]" else (), 3.0, np.float32)}
    np.testing.assert_array_equal(run_onnx(model, given)["y"], interpret(graph, given)["y"])
    shaped = {name for node in model.graph.node if node.op_type == "Reshape" for name in node.output}
    assert len(shaped) == 1, "once for both readers"
    elementwise = [node for node in model.graph.node if node.op_type in ("Mul", "Add", "Sub")]
    ranks = [x.ndim if name in shaped else shapes.get(name, x.ndim) for node in elementwise for name in node.input]
    assert ranks == [x.ndim] * 6


@pytest.mark.parametrize(("name", "shape"), [("w", (3,)), ("v", (2,))])
def test_constants_that_do_not_fit(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InternalError, match=f"`{name}`"):
        export(parse_graph(SCALED), constants={name: np.ones(shape, np.float32)})


@pytest.mark.parametrize("dtype", DType, ids=str)
def test_every_dtype_has_its_onnx_form(dtype: DType) -> None:
    graph = parse_graph(f"graph g\ninput x: {dtype}[2]\n%0: {dtype}[2] = constant([0, 1])\noutput c = %0\noutput y = x")
    model = export(graph)
    (tensor,) = model.graph.initializer
    assert (
        onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        == {
            "f16": "float16",
            "bf16": "bfloat16",
            "f32": "float",
            "f64": "double",
            "i8": "int8",
            "u8": "uint8",
            "i32": "int32",
            "i64": "int64",
            "u32": "uint32",
            "u64": "uint64",
            "bool": "bool",
        }[str(dtype)]
    )
    np.testing.assert_array_equal(numpy_helper.to_array(tensor).astype(np.float64), [0, 1])


def test_bf16_constants_are_rounded_to_nearest_even() -> None:
    numbers = np.array([1.0, -0.1, 3.14159, 1 + 2**-8, 1 + 3 * 2**-8, 1e38, np.inf, -np.inf, np.nan], np.float32)
    with (builder := Builder()).active():
        value = constant(numbers, DType.bf16)
    (tensor,) = export(builder.graph("g", {}, {"c": value})).graph.initializer
    expected = numpy_helper.from_array(numbers.astype(numpy_helper.to_array(tensor).dtype))
    assert tensor.raw_data == expected.raw_data


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "2 * B - T",
        "(T - 7) // 2",
        "(B - 9) % 4",
        "B // (T + 1)",
        "min(B, T) * max(B, 2)",
        "B ** 3 - T ** 2",
        "-(B // 2)",
        "(B * T + 1) // 3 % 2",
    ],
)
def test_dims_are_computed_as_python_computes_them(text: str) -> None:
    builder, x = Builder(), Value(TensorType.of("f32", "B", "T"), "x")
    with builder.active():
        y = dim_value(parse_dim(text))
    model = export(builder.graph("g", {"x": x}, {"y": y}))
    for b, t in ((1, 1), (2, 8), (7, 3)):
        assert run_onnx(model, {"x": np.zeros((b, t), np.float32)})["y"] == parse_dim(text).evaluate({"B": b, "T": t})


def test_a_dim_that_nothing_tells_is_an_internal_error() -> None:
    builder, x = Builder(), Value(TensorType.of("f32", 2 * Dim.of("B")), "x")
    with builder.active():
        y = dim_value(Dim.of("B"))
    with pytest.raises(InternalError, match="dim `B`"):
        export(builder.graph("g", {"x": x}, {"y": y}))


class Wrong(Op):
    """Says that it keeps the shape, and transposes."""

    def infer(self, x: TensorType) -> TensorType:
        return x

    def lower(self, emit: Emitter, inputs: object, types: object, results: object) -> str:
        assert isinstance(inputs, list)
        return emit.node("Transpose", *inputs, perm=[1, 0])


class Fused(Wrong):
    """An op of onnxruntime alone."""

    def lower(self, emit: Emitter, inputs: object, types: object, results: object) -> str:
        assert isinstance(inputs, list)
        return emit.node("FusedMatMul", inputs[0], inputs[0], domain="com.microsoft", transB=1)


class Pooled(Op):
    """An op of two results, of which the second is optional in ONNX."""

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        return x, x.with_dtype(DType.i64)

    def lower(self, emit: Emitter, inputs: object, types: object, results: object) -> list[str]:
        assert isinstance(inputs, list)
        return emit.nodes("MaxPool", *inputs, outputs=2, kernel_shape=[1])


def applied(op: Op) -> Graph:
    builder, x = Builder(Origin("`wrong`")), Value(TensorType.of("f32", 2, 3), "x")
    return builder.graph("g", {"x": x}, {"y": builder.add(op, x)})


def test_a_shape_that_onnx_infers_otherwise_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="bug in archonnx"):
        export(applied(Wrong()))
    export(applied(Wrong()), check=False)


def test_other_domains_need_their_target() -> None:
    with pytest.raises(InternalError, match=r"com\.microsoft\.FusedMatMul in a portable graph"):
        export(applied(Fused()))
    model = export(applied(Fused()), target="ort")
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET), ("com.microsoft", 1)]


@pytest.mark.parametrize(("read", "written"), [(1, ["y0"]), (2, ["y0", "y1"])])
def test_optional_results_that_nothing_reads_are_left_out(read: int, written: list[str]) -> None:
    builder, x = Builder(), Value(TensorType.of("f32", 1, 2, 3), "x")
    values = builder.add_many(Pooled(), x)
    model = export(builder.graph("g", {"x": x}, {f"y{i}": value for i, value in enumerate(values[:read])}))
    assert [list(node.output) for node in model.graph.node] == [written]


def test_results_that_may_be_left_out_are_those_of_onnx() -> None:
    found = {}
    for name in {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}:
        with contextlib.suppress(onnx.defs.SchemaError):  # it came later
            optional = [o.option is o.option.Optional for o in onnx.defs.get_schema(name, OPSET).outputs]
            if any(optional):
                found[name] = optional.index(True)
                assert all(optional[found[name] :]), "from there on all may be left out"
    assert found == onnx_export._OPTIONAL


def test_importing_the_compiler_does_not_import_onnx() -> None:
    code = (
        "import sys, archonnx.compiler.onnx_export, archonnx.compiler.passes.manager as m; m.standard_passes();"
        "sys.exit('onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_thousand_nodes_have_unique_names() -> None:
    builder, x = Builder(), Value(TensorType.of("f32", "B"), "x")
    with builder.active():
        y = x
        for _ in range(500):
            y = y * x + y
    graph = export(builder.graph("long", {"x": x}, {"y": y})).graph
    names = [output for node in graph.node for output in node.output]
    assert len(names) == len(set(names)) == 1000
    assert [node.name for node in graph.node] == names


def test_sums_and_products_of_a_column_and_a_row_are_valid() -> None:
    """onnx's propagation of shapes as data (1.23) stumbles over them."""
    graph = parse_graph(
        """graph outer
input v: f32[4]
input w: f32[5]
%0: f32[4, 1] = unsqueeze(axes=[1]) v
%1: f32[1, 5] = unsqueeze(axes=[0]) w
%2: f32[4, 5] = broadcast(shape=[4, 5]) %0
%3: f32[4, 5] = broadcast(shape=[4, 5]) %1
%4: f32[4, 5] = mul %2, %3
output y = %4
"""
    )
    v, w = np.arange(4, dtype=np.float32), np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(run_onnx(export(graph), {"v": v, "w": w})["y"], np.outer(v, w))
