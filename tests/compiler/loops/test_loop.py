"""Loops whose length is known when they run: in NumPy and in onnxruntime, against Python's own loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.manager import optimise
from tests.support.elaborated import findings, initial, model, program
from tests.support.onnx_run import run_onnx


def run(entry: str, **inputs: Any) -> dict[str, Any]:
    """The results of an entry, equal in NumPy and in onnxruntime, before passes and after them."""
    of = program(model("output y = x\nW = Dense(4)\noutput z = W(x)\n" + entry))
    (name,) = of.entries
    graph = of.entries[name]
    small = optimise(graph, verify=True)
    again = parse_graph(print_graph(small, origins=False))
    verify(again)
    assert print_graph(again, origins=False) == print_graph(small, origins=False)
    known = {"seed": np.int64(3), "step": np.int64(0), **initial(of), **inputs}
    given = {key: np.asarray(known[key], graph.inputs[key].type.dtype.numpy) for key in graph.inputs}
    expected = interpret(graph, given, {k: int(v) for k, v in inputs.items() if np.ndim(v) == 0})
    for other in (graph, small):
        for target in ("ort", "portable"):
            found = run_onnx(export(other, target=target), given)  # type: ignore[arg-type]
            for key, value in expected.items():
                np.testing.assert_allclose(found[key], value, rtol=1e-5)
    return expected


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_dim_says_how_often(n: int) -> None:
    entry = (
        "entry e(z: [B], n: dim) -> [B]:\n    loop i in range(n), r = z:\n        r = r * 2 + float(i)\n    return r"
    )
    r = np.array([1.0, -0.5])
    found = run(entry, z=r, n=n)["e"]
    for i in range(n):
        r = r * 2 + i
    np.testing.assert_allclose(found, r, rtol=1e-6)


@pytest.mark.parametrize("n", [0, 5, 50])
def test_a_number_and_a_condition_say_how_often(n: int) -> None:
    entry = (
        "entry e(z: [B], n: i64[]) -> (r: [B], k: i64[]):\n"
        "    loop i in range(2, n), r = z, k = 0 while r[0] + float(i) < 20:\n"
        "        r = r + float(i)\n"
        "        k = k + 1\n"
        "    return r, k"
    )
    r, k, i = np.array([1.0, 2.0]), 0, 2
    found = run(entry, z=r, n=n)
    while i < n and r[0] + i < 20:
        r, k, i = r + i, k + 1, i + 1
    np.testing.assert_allclose(found["r"], r, rtol=1e-6)
    assert found["k"] == k


def test_a_condition_alone() -> None:
    entry = "entry e(z: [B]) -> [B]:\n    loop z = z while any(z > 1):\n        z = z / 2\n    return z"
    np.testing.assert_array_equal(run(entry, z=[5.0, 0.3])["e"], np.array([5.0, 0.3], np.float32) / 8)
    np.testing.assert_array_equal(run(entry, z=[0.5, 0.3])["e"], np.array([0.5, 0.3], np.float32))


def test_lists_modules_and_scans_inside() -> None:
    entry = (
        "entry e(z: [B, 4], n: dim) -> [B, 4]:\n"
        "    loop i in range(n), parts = [z, 0 * z]:\n"
        "        scan v in parts[0] along 1, s = zeros([B]) -> sums along 1:\n"
        "            s = s + v\n"
        "            emit s\n"
        "        parts[1] = parts[0]\n"
        "        parts[0] = W(sums)\n"
        "    return parts[0] - parts[1]"
    )
    of = program(model("output y = x\nW = Dense(4)\noutput z = W(x)\n" + entry))
    kernel, bias = (initial(of)[name] for name in ("W.W", "W.b"))
    now, before = np.ones((2, 4)), np.zeros((2, 4))
    found = run(entry, z=now, n=3)["e"]
    for _ in range(3):
        now, before = np.cumsum(now, 1) @ kernel + bias, now
    np.testing.assert_allclose(found, now - before, rtol=1e-4)


def test_each_round_draws_anew() -> None:
    entry = (
        "entry e(z: [B], n: dim) -> [n]:\n"
        "    loop i in range(n), all = zeros([n]):\n"
        "        u: [1] ~ uniform(0, 1)\n"
        "        all = put(all, i, u, axis=0)\n"
        "    return all"
    )
    drawn = run(entry, z=[0.0], n=60)["e"]
    assert len(np.unique(drawn)) == 60 and 0.35 < drawn.mean() < 0.65


WRONG = {
    "no end": ("loop r = z:\n    r = r + 1\nreturn r", "AX0334"),
    "no state": ("loop i in range(3):\n    r = z\nreturn z", "AX0334"),
    "a tensor": ("loop v in z along 0, r = z:\n    r = r + v\nreturn r", "AX0334"),
    "many conditions": ("loop r = z while r < 3:\n    r = r + 1\nreturn r", "AX0334"),
    "a float for a length": ("loop i in range(1.5), r = z:\n    r = r + 1\nreturn r", "AX0334"),
    "another shape": ("loop i in range(3), r = 0.0:\n    r = r + z\nreturn r", "AX0331"),
    "an outer name": ("t = sum(z)\nloop i in range(3), r = z:\n    t = t + 1\n    r = r + t\nreturn r", "AX0227"),
    "emit": ("loop i in range(3), r = z:\n    r = r + 1\n    emit r\nreturn r", "AX0228"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_said_once(name: str) -> None:
    body, code = WRONG[name]
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    found = findings(model("output y = x\nentry e(z: [B]) -> [B]:\n" + lines.rstrip()))
    assert [d.code for d in found] == [code], [d.headline for d in found]


def test_a_loop_has_no_gradient_and_scan_is_named() -> None:
    found = findings(
        model("param w: [] = 2\nloop i in range(3), r = x:\n    r = r * w\nloss l = sum(r)\noutput y = r")
        + "train:\n    minimize l with sgd(lr=0.1)\n"
    )
    assert [d.code for d in found] == ["AX0401"]
    assert "scan" in found[0].headline + str(found[0].help)
