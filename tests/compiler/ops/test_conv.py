"""Convolution and its gradients: against loops written here, against ONNX Runtime, against central differences."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.onnx_export import export
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, ConvWeightGrad, conv, conv_transpose
from tests.support.graphs import graph_of, in_numpy, in_onnx, slope


class Setting(NamedTuple):
    """One convolution: what random settings vary."""

    batch: int
    groups: int
    inputs: int
    outputs: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def op(self) -> Conv:
        return Conv(self.strides, self.dilations, self.pads, self.groups)

    def arrays(self, dtype: Any = np.float32) -> tuple[Any, Any]:
        rng = np.random.default_rng(7)
        x = rng.standard_normal((self.batch, self.groups * self.inputs, *self.size))
        w = rng.standard_normal((self.groups * self.outputs, self.inputs, *self.kernel))
        return x.astype(dtype), w.astype(dtype)


def random_settings(count: int) -> list[Setting]:
    rng = np.random.default_rng(20240)
    found: list[Setting] = []
    while len(found) < count:
        n = int(rng.choice([1, 2, 2, 2, 3]))

        def draw(low: int, high: int, size: int = n) -> tuple[int, ...]:
            return tuple(int(k) for k in rng.integers(low, high, size))

        batch, groups, inputs, outputs = (*draw(1, 4, 1), *draw(1, 4, 1), *draw(1, 4, 2))
        inputs += 15 * (groups == 1 and len(found) % 2)  # narrow and wide inputs have forms of their own
        size, kernel, strides, dilations, pads = draw(3, 9), draw(1, 4), draw(1, 4), draw(1, 3), draw(0, 4, 2 * n)
        setting = Setting(batch, groups, inputs, outputs, size, kernel, strides, dilations, pads)
        extents = [d * (k - 1) + 1 for d, k in zip(setting.dilations, setting.kernel, strict=True)]
        fits = all(setting.size[i] + setting.pads[i] + setting.pads[n + i] >= extents[i] for i in range(n))
        if fits:
            found.append(setting)
    return found


def by_loops(setting: Setting, x: Any, w: Any) -> Any:
    """Convolution by its definition: one sum for each element of the result."""
    n = len(setting.size)
    begins, ends = setting.pads[:n], setting.pads[n:]
    padded = np.zeros((*x.shape[:2], *(s + b + e for s, b, e in zip(setting.size, begins, ends, strict=True))))
    padded[(..., *(slice(b, b + s) for b, s in zip(begins, setting.size, strict=True)))] = x
    rows: list[range] = []
    for axis in range(n):
        last = padded.shape[2 + axis] - setting.dilations[axis] * (setting.kernel[axis] - 1)
        rows.append(range(0, last, setting.strides[axis]))
    y = np.zeros((x.shape[0], w.shape[0], *map(len, rows)))
    for o in range(w.shape[0]):
        first = o // setting.outputs * setting.inputs
        for place in product(*(range(len(r)) for r in rows)):
            window = tuple(
                slice(r[p], r[p] + d * (k - 1) + 1, d)
                for r, p, d, k in zip(rows, place, setting.dilations, setting.kernel, strict=True)
            )
            seen = padded[(slice(None), slice(first, first + setting.inputs), *window)]
            y[(slice(None), o, *place)] = (seen * w[o]).reshape(x.shape[0], -1).sum(1)
    return y


SETTINGS = random_settings(200)
ODD = Setting(2, 2, 2, 3, (8, 7), (3, 2), (2, 3), (2, 1), (2, 0, 1, 3))


def type_of(array: Any, batch: str | int = "B") -> TensorType:
    return TensorType.of("f64" if array.dtype == np.float64 else "f32", batch, *array.shape[1:])


def all_three(setting: Setting) -> Any:
    """The graph of a convolution and both its gradients, with a symbolic batch."""
    x, w = setting.arrays()

    def build(x: Any, w: Any) -> Any:
        y = current_builder().add(setting.op, x, w)
        return (y, *setting.op.vjp(y, y, x, w))

    return graph_of(build, x=type_of(x), w=type_of(w, w.shape[0]))


def test_200_settings_against_the_definition() -> None:
    for setting in SETTINGS:
        x, w = setting.arrays(np.float64)
        expected = by_loops(setting, x, w)
        inferred = setting.op.infer(type_of(x, len(x)), type_of(w, len(w)))
        assert inferred.static_shape == expected.shape, setting
        np.testing.assert_allclose(setting.op.evaluate(x, w), expected, atol=1e-12, err_msg=str(setting))


@pytest.mark.parametrize("part", range(4))
def test_200_settings_against_onnxruntime(part: int) -> None:
    """Forward and both gradients; where one is wrong, the other two differ from it."""
    for setting in SETTINGS[part::4]:
        x, w = setting.arrays()
        graph = all_three(setting)
        ours, theirs = in_numpy(graph, {"x": x, "w": w}), in_onnx(graph, {"x": x, "w": w})
        for name, a, b in zip(("y", "dx", "dw"), ours, theirs, strict=True):
            assert a.shape == b.shape, (setting, name)
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3, err_msg=f"{name} of {setting}")


def test_the_form_for_large_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same in each of its settings with small ones, and is taken by images that are as large as it says."""
    monkeypatch.setattr("archonnx.compiler.ops.conv.LARGE", 1)
    for setting in SETTINGS[:80]:
        setting = setting._replace(groups=1, inputs=max(2, setting.inputs), strides=(1,) * len(setting.size))
        x, w = setting.arrays()
        graph = all_three(setting)
        ours, theirs = in_numpy(graph, {"x": x, "w": w})[2], in_onnx(graph, {"x": x, "w": w})[2]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3, err_msg=str(setting))


def test_which_images_are_large() -> None:
    for size, large in [((32, 33), True), ((31, 32), False), ((10, 11, 10), True), ((10, 10, 10), False)]:
        n = len(size)
        setting = Setting(2, 1, 2, 3, size, (3,) * n, (1,) * n, (1,) * n, (1,) * 2 * n)
        x, w = setting.arrays()
        graph = all_three(setting)
        transposed = [n.attribute[0].ints for n in export(graph).graph.node if n.op_type == "Transpose"]
        assert ([0, 2, 1] in [list(perm) for perm in transposed]) == large, size
        for ours, theirs in zip(in_numpy(graph, {"x": x, "w": w}), in_onnx(graph, {"x": x, "w": w}), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("setting", [ODD, *SETTINGS[:40]], ids=str)
def test_the_gradients_are_the_adjoints(setting: Setting) -> None:
    """<dy, conv(x, w)> = <conv_input_grad(dy, w), x> = <conv_weight_grad(x, dy), w>, exactly, as all is bilinear."""
    x, w = setting.arrays(np.float64)
    graph = graph_of(
        lambda x, w, dy: setting.op.vjp(dy, dy, x, w),
        x=type_of(x),
        w=type_of(w, len(w)),
        dy=setting.op.infer(type_of(x), type_of(w, len(w))),
    )
    y = by_loops(setting, x, w)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx, dw = in_numpy(graph, {"x": x, "w": w, "dy": dy})
    np.testing.assert_allclose([np.vdot(dx, x), np.vdot(dw, w)], np.vdot(dy, y))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("which", [Conv, ConvInputGrad, ConvWeightGrad])
def test_each_vjp_against_central_differences(which: Any, batch: int) -> None:
    x, w = ODD._replace(batch=batch).arrays(np.float64)
    y = ODD.op.evaluate(x, w)
    geometry = (ODD.strides, ODD.dilations, ODD.pads, ODD.groups)
    op, inputs = {
        Conv: (ODD.op, [x, w]),
        ConvInputGrad: (ConvInputGrad(*geometry, type_of(x).shape[2:]), [y, w]),
        ConvWeightGrad: (ConvWeightGrad(*geometry, ODD.kernel), [x, y]),
    }[which]
    rng = np.random.default_rng(3)
    direction = [rng.standard_normal(a.shape) for a in inputs]
    dy = rng.standard_normal(op.evaluate(*inputs).shape)
    types = [type_of(a, len(a)) for a in inputs]
    graph = graph_of(lambda a, b, dy: op.vjp(dy, dy, a, b), a=types[0], b=types[1], dy=op.infer(*types))
    grads = in_numpy(graph, {"a": inputs[0], "b": inputs[1], "dy": dy})
    expected = np.vdot(slope(op.evaluate, inputs, direction, 1e-4), dy)
    np.testing.assert_allclose(sum(np.vdot(g, d) for g, d in zip(grads, direction, strict=True)), expected, rtol=1e-8)


def test_symbolic_spatial_axes() -> None:
    """One graph for all sizes: its gradients are right where the stride does not divide the size, and where it does."""
    rng = np.random.default_rng(5)
    w = rng.standard_normal((4, 2, 3, 3)).astype(np.float32)

    def build(x: Any, w: Any) -> Any:
        y = conv(x, w, strides=2, pads=(1, 0, 1, 2))
        op = Conv((2, 2), (1, 1), (1, 0, 1, 2))
        return (y, *op.vjp(y, y, x, w))

    graph = graph_of(build, x=TensorType.of("f32", "B", 2, "H", "W"), w=TensorType.of("f32", 4, 2, 3, 3))
    assert str(graph.outputs["0"].type) == "f32[B, 4, (H + 1) // 2, (W + 1) // 2]"
    for height, width in ((5, 5), (6, 8), (7, 6)):
        x = rng.standard_normal((2, 2, height, width)).astype(np.float32)
        for a, b in zip(in_numpy(graph, {"x": x, "w": w}), in_onnx(graph, {"x": x, "w": w}), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


def test_transposed_convolution_reaches_each_size() -> None:
    """Sizes 2 s - 1 + k - 2 p and one more, with stride 2; the result is the adjoint of conv from that size."""
    for extra in (0, 1):
        graph = graph_of(
            lambda x, w, extra=extra: conv_transpose(x, w, strides=2, pads=1, output_pads=extra),
            x=TensorType.of("f32", "B", 4, 5, 6),
            w=TensorType.of("f32", 4, 3, 3, 3),
        )
        assert graph.outputs["0"].type == TensorType.of("f32", "B", 3, 9 + extra, 11 + extra)
        rng = np.random.default_rng(2)
        x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 4, 5, 6), (4, 3, 3, 3)))
        (y,), (also,) = in_numpy(graph, {"x": x, "w": w}), in_onnx(graph, {"x": x, "w": w})
        u = rng.standard_normal(y.shape).astype(np.float32)
        back = by_loops(Setting(2, 1, 3, 4, y.shape[2:], (3, 3), (2, 2), (1, 1), (1, 1, 1, 1)), u, w)
        np.testing.assert_allclose(np.vdot(y, u), np.vdot(x, back), rtol=1e-3)
        np.testing.assert_allclose(y, also, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "w", "groups", "code", "headline"),
    [
        (
            ("B", 3, 8, 8),
            (4, 2, 3, 3),
            1,
            "AX0302",
            "takes 2 input channels by its weight f32[4, 2, 3, 3], and is given 3",
        ),
        (("B", "C", 8, 8), (4, 2, 3, 3), 1, "AX0305", "cannot tell whether C equals 2"),
        (("B", 3, 8), (4, 3, 3, 3), 1, "AX0321", "needs [N, C] and 2 axes more, not f32[B, 3, 8]"),
        (("B", 4, 8, 8), (3, 2, 3, 3), 2, "AX0322", "3 output channels do not divide evenly into 2 groups"),
        (
            ("B", 3, 2, 8),
            (4, 3, 3, 3),
            1,
            "AX0322",
            "has a window of 3, and axis 2 of f32[B, 3, 2, 8] is 2 with its pads",
        ),
    ],
)
def test_what_does_not_fit(x: Any, w: Any, groups: int, code: str, headline: str) -> None:
    with pytest.raises(TypeProblem) as problem:
        Conv((1, 1), (1, 1), (0, 0, 0, 0), groups).infer(TensorType.of("f32", *x), TensorType.of("f32", *w))
    assert problem.value.code == code
    assert headline in str(problem.value)
