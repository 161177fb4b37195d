"""What onnxruntime takes: the tables are measured again, and large weights come back from their own file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from archonnx.compiler import onnx_export
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.lowering import lower
from archonnx.compiler.onnx_export import Target, export
from archonnx.compiler.ops.random import Draw
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.portability import OPSETS, WITHOUT_CUDA, WITHOUT_F64, missing_kernels
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.export.models import write_model
from benchmarks import cuda_kernels
from tests.support.op_cases import Case, cases


def session(model: bytes | str) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def graph_of(case: Case, dtype: DType = DType.f32) -> Graph:
    types = [a.type.with_dtype(dtype) if a.type.dtype.is_float else a.type for a in case.inputs]
    values = [Value(type_, f"x{n}") for n, type_ in enumerate(types)]
    with (builder := Builder()).active():
        outputs = builder.add_many(case.op, *values)
    graph = builder.graph("g", {v.name: v for v in values}, {f"y{n}": y for n, y in enumerate(outputs)})
    return bind(graph, {"B": case.sizes[0]})


# ---------------------------------------------------------------- kernels


def alone(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, bytes]]:
    """Each node that computes with f64, as a model of its own."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    ends = {v.name: v for v in (*inferred.input, *inferred.value_info, *inferred.output)}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        names = [name for name in dict.fromkeys(node.input) if name]
        if not any(n in ends and ends[n].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for n in names):
            continue
        graph = onnx.helper.make_graph(
            [node],
            "alone",
            [ends[n] for n in names if n not in constants],
            [ends[n] for n in node.output if n],
            [constants[n] for n in names if n in constants],
        )
        yield node, onnx.helper.make_model(graph, ir_version=10, opset_imports=model.opset_import).SerializeToString()


@cache
def measured() -> dict[str, bool]:
    """By operator whether the CPU has it for f64."""
    found: dict[str, bool] = {}
    for case in cases():
        try:
            model = export(graph_of(case, DType.f64), check=False)
        except TypeProblem:  # an op that takes f32 alone
            continue
        for node, content in alone(model):
            if node.op_type not in found:
                try:
                    session(content)
                    found[node.op_type] = True
                except Exception as error:
                    assert "NOT_IMPLEMENTED" in str(error), f"{case}: {error}"
                    found[node.op_type] = False
    return found


def test_the_table_says_what_the_cpu_lacks_for_f64() -> None:
    assert {op for op, there in measured().items() if not there} == WITHOUT_F64


def test_the_table_says_what_cuda_leaves_to_the_cpu() -> None:
    library = cuda_kernels.provider()
    if library is None:
        pytest.skip("needs gcc, nm and an onnxruntime with CUDA (but no GPU)")
    table = {(operator, dtype) for operator, dtypes in WITHOUT_CUDA.items() for dtype in dtypes.split()}
    assert cuda_kernels.measured(library) == table


CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_graph_of_f64_is_refused_exactly_where_a_session_fails(case: Case) -> None:
    try:
        graph = graph_of(case, DType.f64)
    except TypeProblem:
        pytest.skip("takes f32 alone")
    refused = missing_kernels(graph, portable=True).failed
    try:
        session(export(graph, check=False).SerializeToString())
    except Exception as error:
        assert refused and "NOT_IMPLEMENTED" in str(error)
    else:
        assert not refused


def test_f16_runs_and_bf16_is_refused_as_a_whole() -> None:
    for dtype, code in ((DType.f16, None), (DType.bf16, "AX0504")):
        spec = parse_spec(Source("m.arch", f"model M():\n    input x: {dtype}[B]\n    output y = gelu(2 * x)\n"))
        found = missing_kernels(elaborate(spec).infer).diagnostics
        assert [d.code for d in found] == ([code] if code else [])


# ---------------------------------------------------------------- opsets


@pytest.mark.parametrize("opset", [OPSETS[0], OPSETS[-1]])
def test_every_op_can_be_written_in_the_first_and_the_last_opset(opset: int) -> None:
    for case in CASES:
        if not case.runtime:
            continue
        graph = graph_of(case)
        model = export(graph, opset=opset)
        assert model.opset_import[0].version == opset
        assert model.ir_version == (7 if opset == 13 else 10)  # what runtimes of the time read
        check_values(case, graph, model)


def check_values(case: Case, graph: Graph, model: onnx.ModelProto) -> None:
    """A model gives what the ops mean."""
    generator = np.random.default_rng(0)
    feeds = {
        name: a.draw(generator, {"B": case.sizes[0]}, value.type.dtype)
        for a, (name, value) in zip(case.inputs, graph.inputs.items(), strict=True)
    }
    opened = session(model.SerializeToString())
    expected = interpret(graph, feeds)
    for name, actual in zip((o.name for o in opened.get_outputs()), opened.run(None, feeds), strict=True):
        np.testing.assert_allclose(actual, expected[name], rtol=case.tolerance, atol=case.tolerance, err_msg=str(case))


def written(graph: Graph, opset: int, target: Target) -> list[tuple[str, int, tuple[str, ...]]]:
    """The operators of a graph, each with how many inputs it has, and its attributes."""
    nodes = lower(graph, portable=True, everywhere=target == "portable", opset=opset).nodes
    return [(node.op_type, len(node.inputs), tuple(sorted(node.attributes))) for node in nodes]


def test_wherever_the_form_of_an_op_changes_between_two_opsets_it_has_its_meaning() -> None:
    """The forms of the first and the last one are tried above, for any client."""
    changes = set()
    for case in CASES:
        if not case.runtime or isinstance(case.op, Draw):
            continue  # their forms are long, and the same in all
        graph = graph_of(case)
        first, last = (written(graph, opset, "portable") for opset in (OPSETS[0], OPSETS[-1]))
        if first == last:
            continue
        seen: dict[Target, Any] = {"portable": first, "onnx": None}
        for target, opset in itertools.product(seen, OPSETS[:-1]):
            form = written(graph, opset, target)
            if form != seen[target]:
                check_values(case, graph, export(graph, opset=opset, target=target))
                changes.add((case.op.name, opset))
            seen[target] = form
    assert {("layer_norm", 17), ("scatter_add", 16), ("scatter_max", 18), ("reduce_mean", 18), ("gelu", 20)} <= changes


def test_what_an_opset_has_not_is_told_at_the_line_of_the_spec() -> None:
    text = "model M():\n    input x: bf16[B]\n    input y: bf16[B]\n    output z = where(x > y, x, y)\n"
    graph = elaborate(parse_spec(Source("m.arch", text))).infer
    export(graph, opset=16)
    with pytest.raises(SpecError) as refused:
        export(graph, opset=15)
    (found,) = refused.value.diagnostics
    assert (found.code, found.help) == ("AX0502", "choose opset 16 or a later one")
    assert found.span is not None and found.span.start == text.index("where")


# ---------------------------------------------------------------- large weights


SPEC = """\
model M():
    input x: [B, 40]
    output y = x |> Dense(50) |> Dense(3)
"""


def small_and_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The same model in one file, and in two."""
    program = elaborate(parse_spec(Source("m.arch", SPEC)))
    generator = np.random.default_rng(0)
    weights = {path: generator.normal(size=p.shape).astype(np.float32) for path, p in program.parameters.items()}
    whole, parted = folder / "whole.onnx", folder / "parted.onnx"
    write_model(whole, export(program.infer, constants=weights))
    monkeypatch.setattr(onnx_export, "LARGE", 4000)
    write_model(parted, export(program.infer, constants=weights))
    return whole, parted


def test_large_weights_stand_in_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parted = small_and_large(tmp_path, monkeypatch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parted.onnx", "parted.onnx.data", "whole.onnx"]
    onnx.checker.check_model(str(parted), full_check=True)
    assert parted.stat().st_size < 4000 < 8000 < parted.with_name("parted.onnx.data").stat().st_size
    x = np.random.default_rng(1).normal(size=(4, 40)).astype(np.float32)
    np.testing.assert_array_equal(session(str(parted)).run(None, {"x": x}), session(str(whole)).run(None, {"x": x}))


def test_a_model_in_two_files_can_be_read_and_written_under_another_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, parted = small_and_large(tmp_path, monkeypatch)
    (tmp_path / "other").mkdir()
    write_model(tmp_path / "other" / "name.onnx", onnx.load(parted))
    parted.with_name("parted.onnx.data").unlink()
    x = np.zeros((1, 40), np.float32)
    assert session(str(tmp_path / "other" / "name.onnx")).run(None, {"x": x})[0].shape == (1, 3)


def test_weights_are_aligned_so_that_they_can_be_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, parted = small_and_large(tmp_path, monkeypatch)
    for tensor in onnx.load(parted, load_external_data=False).graph.initializer:
        places = {entry.key: entry.value for entry in tensor.external_data}
        assert not places or int(places["offset"]) % 4096 == 0
