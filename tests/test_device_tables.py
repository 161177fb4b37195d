"""What other devices have, as written down: real operators, and nodes that they lack are found."""

from __future__ import annotations

import onnx

from benchmarks.device_tables import Table, lacking, tables

OLD = {"Affine"}
"""Operators of onnxruntime that ONNX has dropped."""


def test_every_operator_of_the_tables_is_one() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    for device, table in tables().items():
        assert table.operators - known <= OLD, device
        assert table.constants.keys() <= table.operators and set().union(*table.without.values()) <= table.operators


def test_a_node_is_lacking_by_its_name_its_dtype_or_an_input_that_varies() -> None:
    text = """<ir_version: 10, opset_import: ["": 21]>
        g (float[2, 2] x, float[2, 2] w, int64[2] n, bool c) => (float[2, 2] y, int64[2] m, float[2, 2] z)
        <float[2, 2] k = {1, 2, 3, 4}> {
            h = Tanh(x)
            y = Gemm(h, w)
            a = Gemm(h, k)
            m = Mod(n, n)
            b = Mod(x, x)
            z = If <then_branch = g1 () => (float[2, 2] s) { s = Sinh(a) },
                    else_branch = g2 () => (float[2, 2] t) { t = Add(a, b) }> (c)
        }"""
    table = Table(frozenset({"Gemm", "Mod", "Add", "If"}), {"INT64": frozenset({"Mod"})}, {"Gemm": [1]})
    assert lacking(onnx.parser.parse_model(text), table) == {"Tanh": 1, "Gemm": 1, "Mod": 1, "Sinh": 1}
