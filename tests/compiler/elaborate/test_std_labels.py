"""Labels that are no class, and indices out of range: NaN from every loss and metric of classes, one rule for reading
by index, in NumPy and in onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import DType
from archonnx.compiler.ops.index import FromFront
from archonnx.compiler.passes.manager import optimise
from tests.support.elaborated import model, program
from tests.support.pointwise import run

CLASSES = 3
SCORES = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], np.float32)
OF_LABELS = [
    "cross_entropy(x, k, reduce=none)",
    "cross_entropy(x, k, smoothing=0.1, reduce=none)",
    "cross_entropy(x, k, weight=tensor([1.0, 2.0, 3.0]), reduce=none)",
    "cross_entropy(x, k, 0.1, tensor([1.0, 2.0, 3.0]), reduce=none)",
    "nll(log(x), k, reduce=none)",
    "multiclass_focal(x, k, 0.5, reduce=none)",
    "multiclass_hinge(x, k, reduce=none)",
    "multiclass_hinge(x, k, over=all, reduce=none)",
    "categorical_log_prob(k, x)",
    "of_class(x, k)",
]
"""One number for each label."""
OVERALL = [
    "cross_entropy(x, k)",
    "cross_entropy(x, k, weight=tensor([1.0, 2.0, 3.0]))",
    "cross_entropy(x, k, weight=tensor([1.0, 2.0, 3.0]), reduce=sum)",
    "accuracy(x, k)",
    "top_k_accuracy(x, k, k=2)",
]
NO_CLASS = [-100, -CLASSES - 1, -CLASSES, -1, CLASSES, CLASSES + 1, 1000, 2**40]


def result(call: str, label: list[int], where: str) -> Any:
    graph = program(model(f"output y = {call}", f"x: [n, {CLASSES}]; k: i64[n]")).infer
    return run(graph, {"x": SCORES, "k": np.array(label)}, where)["y"]


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("call", OF_LABELS)
def test_the_loss_of_a_label_that_is_no_class_is_nan(call: str, where: str) -> None:
    for label in NO_CLASS:
        np.testing.assert_array_equal(np.isnan(result(call, [label, 1], where)), [True, False])
    assert np.isfinite(result(call, [0, 2], where)).all()


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("call", OVERALL)
def test_what_is_averaged_over_such_a_label_is_nan(call: str, where: str) -> None:
    for label in NO_CLASS:
        assert np.isnan(result(call, [1, label], where))
    assert np.isfinite(result(call, [0, 2], where))


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
def test_a_hot_vector_is_zero_for_an_index_out_of_range(where: str) -> None:
    for label in NO_CLASS:
        graph = program(model("output y = one_hot(k, 3)", "k: i64[n]")).infer
        hot = run(graph, {"k": np.array([label, 1])}, where)["y"]
        np.testing.assert_array_equal(hot, [[0, 0, 0], [0, 1, 0]])


READS = {
    "gather(t, k)": "t: [3]",
    "gather(t, k, axis=1)[0]": "t: [1, 3]",
    "take_along_axis(t, k, axis=0)": "t: [3]",
    "take_along_axis(t, k[none, :], axis=1)[0]": "t: [1, 3]",
    "t[k]": "t: [3]",
    "scatter_add(zeros([3]), k, t)": "t: [n]",
}


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("call", READS)
def test_an_index_out_of_range_is_an_error_on_both_sides(call: str, where: str) -> None:
    graph = program(model(f"output y = {call}", f"{READS[call]}; k: i64[n]")).infer

    def at(indices: list[int]) -> Any:
        shape = graph.inputs["t"].shape
        t = np.array([1.0, 2.0, 4.0])[: len(indices) if "n" in map(str, shape) else 3]
        return run(graph, {"t": t.reshape([1, 3]) if len(shape) == 2 else t, "k": np.array(indices)}, where)["y"]

    assert np.isfinite(at([2, 0])).all()
    for index in (3, -1, -3, -4, 2**40, -(2**40)):
        with pytest.raises(Exception, match=r"[Oo]ut of|invalid indice"):
            at([index, 0])


WRITTEN = {
    "gather(t, -1)": [4.0],
    "gather(t, tensor([-1, -3, 1]))": [4.0, 1.0, 2.0],
    "t[tensor([-2])]": [2.0],
    "take_along_axis(t, tensor([-1, 0]), axis=0)": [4.0, 1.0],
    "scatter_add(zeros([n]), tensor([-1]), tensor([5.0]))": [0.0, 0.0, 5.0],
    "t[-1]": [4.0],
}
"""Negative indices that a spec writes as numbers: they count from the end."""


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("size", ["3", "n"])
@pytest.mark.parametrize("call", WRITTEN)
def test_a_negative_index_that_is_written_counts_from_the_end(call: str, size: str, where: str) -> None:
    call = call.replace("[n]", f"[{size}]")
    graph = program(model(f"assert {size} >= 3\noutput y = {call}", f"t: [{size}]")).infer
    found = run(graph, {"t": np.array([1.0, 2.0, 4.0])}, where)["y"]
    np.testing.assert_array_equal(np.ravel(found), WRITTEN[call.replace("[3]", "[n]")])


NOT_NEGATIVE = {
    "gather(t, max(k, 0))": True,
    "t[k % 3]": True,
    "t[argmax(x, axis=0)]": True,
    "t[i64(x > 0)]": True,
    "t[top_k(x, 1, axis=0).indices]": True,
    "t[(arange(B) + 2) // 2]": True,
    "t[where(k > 2, 1, 0)]": True,
    "t[k]": False,
    "t[-k]": False,
    "t[k - 1]": False,
    "t[k % -3]": False,
    "t[i64(floor(x))]": False,
}


@pytest.mark.parametrize("call", NOT_NEGATIVE)
def test_an_index_is_looked_at_unless_it_is_certainly_not_negative(call: str) -> None:
    graph = optimise(program(model(f"assert B >= 1\noutput y = {call}", "x: [B]; k: i64[B]; t: [3]")).infer)
    assert any(isinstance(node.op, FromFront) for node in graph.nodes) is not NOT_NEGATIVE[call]


ZERO_TIMES_INFINITY = {
    "nll(x, k)": "finite",
    "cross_entropy(x, k, weight=tensor([1.0, 2.0, 4.0]))": "finite",
    "soft_cross_entropy(x, one_hot(k, 3))": "finite",
    "kl(one_hot(k, 3), x)": "finite",
    "kl(softmax(x), log_softmax(0.5 * x))": "finite",
    "cce(softmax(x), one_hot(k, 3), eps=0.0)": "finite",
    "bce(sigmoid(x), one_hot(k, 3), eps=0.0)": "infinite",
    "poisson_nll(x, one_hot(k, 3))": "finite",
    "cross_entropy(x, k)": "finite",
    "cross_entropy(x, k, smoothing=0.1)": "infinite",
}
"""Losses of a row whose second element is -inf, as where a class is masked out, and whose label is another class: what
the masked class weighs is 0 unless labels are smoothed, or each class is judged by itself."""


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("call", ZERO_TIMES_INFINITY)
def test_a_masked_class_costs_what_its_weight_says(call: str, where: str) -> None:
    graph = program(model(f"y = {call}\noutput y = y\noutput slope = grad(y, x)", "x: [1, 3]; k: i64[1]")).infer
    found = run(graph, {"x": np.array([[0.5, -np.inf, -1.0]]), "k": np.array([0])}, where)
    if ZERO_TIMES_INFINITY[call] == "infinite" and "bce" not in call:
        assert found["y"] == np.inf
        return
    near = run(graph, {"x": np.array([[0.5, -80.0, -1.0]]), "k": np.array([0])}, where)
    np.testing.assert_allclose(found["y"], near["y"], rtol=1e-5)
    np.testing.assert_allclose(found["slope"][0, [0, 2]], near["slope"][0, [0, 2]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("p", [0.0, 1.0])
@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("eps", [0.0, 1e-7])
def test_a_certain_probability_costs_nothing_if_it_is_right(eps: float, target: float, p: float, where: str) -> None:
    body = f"y = bce(p, t, eps={eps})\noutput y = y\noutput slope = grad(y, p)"
    found = run(program(model(body, "p: [1]; t: [1]")).infer, {"p": np.array([p]), "t": np.array([target])}, where)
    wrong = np.inf if eps == 0 else -np.log(eps)
    np.testing.assert_allclose(found["y"], 0 if p == target else wrong, rtol=1e-5, atol=1e-6)
    if p == target:
        assert np.isfinite(found["slope"]).all()


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("dtype", [DType.f32, DType.f64])
@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 1.0, 2.0])
def test_focal_losses_are_finite_and_right_however_sure_the_logits_are(gamma: float, dtype: DType, where: str) -> None:
    if dtype is DType.f64 and where == "onnxruntime":
        pytest.skip("onnxruntime has no Softplus of f64 on the CPU")
    x = np.array([-700.0, -90.0, -18.0, -1.0, 0.0, 1.0, 18.0, 30.0, 90.0, 700.0])
    body = f"y = focal(x, 0 * x + 1, {gamma}, reduce=none)\noutput y = y\noutput slope = grad(sum(y), x)"
    found = run(program(model(body, "x: [n]"), float_type=dtype).infer, {"x": x}, where)
    log_q, log_rest = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    rest = np.exp(log_rest)
    expected = -np.exp(gamma * log_rest) * log_q
    slope = np.exp(gamma * log_rest) * (gamma * (1 - rest) * log_q - rest)
    tolerance = 2e-4 if dtype is DType.f32 else 1e-10
    np.testing.assert_allclose(found["y"], expected, rtol=tolerance, atol=1e-37)
    sigmoid = 2e-7 if dtype is DType.f32 else 1e-37  # onnxruntime's is that far off, of 1
    np.testing.assert_allclose(found["slope"], slope, rtol=tolerance, atol=sigmoid)
    rows = np.stack([x, 0 * x], axis=1)
    body = f"y = multiclass_focal(x, k, {gamma}, reduce=none)\noutput y = y\noutput slope = grad(sum(y), x)"
    graph = program(model(body, "x: [n, 2]; k: i64[n]"), float_type=dtype).infer
    many = run(graph, {"x": rows, "k": np.zeros(len(x), np.int64)}, where)
    np.testing.assert_allclose(many["y"], expected, rtol=tolerance, atol=2e-7)
    np.testing.assert_allclose(many["slope"][:, 0], slope, rtol=tolerance, atol=2e-7)


@pytest.mark.parametrize("where", ["numpy", "onnxruntime"])
def test_zero_times_what_is_not_finite_is_zero(where: str) -> None:
    x, y = np.array([0.0, 0.0, 0.0, 2.0, 2.0]), np.array([0.0, np.inf, np.nan, 3.0, 0.0])
    body = "output a = xlogy(x, y)\noutput b = weighted(x, y)\noutput slope = grad(sum(xlogy(x[:4], y[:4])), y)"
    found = run(program(model(body, "x: [5]; y: [5]")).infer, {"x": x, "y": y}, where)
    np.testing.assert_allclose(found["a"], [0, 0, 0, 2 * np.log(3), -np.inf], rtol=1e-6)
    np.testing.assert_allclose(found["b"], [0, 0, 0, 6, 0])
    np.testing.assert_allclose(found["slope"][:4], [0, 0, 0, 2 / 3], rtol=1e-6)
