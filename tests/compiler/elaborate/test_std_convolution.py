"""Convolutions and pools of the library against NumPy, their sizes, and what they refuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import SpecError
from tests.support.elaborated import codes, initial, model, numbers, output, outputs, program


def pairs(padding: str | list[tuple[int, int]], kernel: list[int], dilation: list[int]) -> list[tuple[int, int]]:
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if not isinstance(padding, str):
        return padding
    return {
        "valid": [(0, 0) for _ in spans],
        "same": [(s // 2, s - s // 2) for s in spans],
        "full": [(s, s) for s in spans],
        "causal": [(s, 0) for s in spans],
    }[padding]


def windows(
    x: Array,
    kernel: list[int],
    stride: list[int],
    padding: str | list[tuple[int, int]],
    dilation: list[int],
    fill: float,
) -> Array:
    """``[B, c, *positions, *kernel]``, by going through all positions."""
    x = np.pad(x, [(0, 0), (0, 0), *pairs(padding, kernel, dilation)], constant_values=fill)
    axes = list(zip(x.shape[2:], kernel, stride, dilation, strict=True))
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in axes]
    out = np.empty((*x.shape[:2], *sizes, *kernel), x.dtype)
    for at in itertools.product(*map(range, sizes)):
        cut = tuple(slice(p * s, p * s + d * (k - 1) + 1, d) for p, (_, k, s, d) in zip(at, axes, strict=True))
        out[(slice(None), slice(None), *at)] = x[(slice(None), slice(None), *cut)]
    return out


def convolved(cut: Array, w: Array) -> Array:
    """Windows times kernels: ``[B, out, *positions]``."""
    rank = w.ndim - 2
    return np.moveaxis(np.tensordot(cut, w, ([1, *range(rank + 2, 2 * rank + 2)], [1, *range(2, rank + 2)])), -1, 1)


SHAPES = {1: [7], 2: [7, 6], 3: [5, 4, 6]}


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same", "full"])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (2, 2, 1), (3, 2, 1), (2, 1, 2)])
def test_convolution(rank: int, padding: str, kernel: int, stride: int, dilation: int) -> None:
    dims = ", ".join(map(str, SHAPES[rank]))
    call = f"Conv(3, kernel={kernel}, stride={stride}, padding={padding}, dilation={dilation})"
    of = program(model(f"net = {call}\noutput y = net(x)", f"x: [B, 2, {dims}]"))
    x, w, b = numbers(2, 2, *SHAPES[rank]), numbers(3, 2, *[kernel] * rank, seed=1), numbers(3, seed=2)
    cut = windows(x, [kernel] * rank, [stride] * rank, padding, [dilation] * rank, 0.0)
    expected = np.moveaxis(np.tensordot(cut, w, ([1, *range(rank + 2, 2 * rank + 2)], [1, *range(2, rank + 2)])), -1, 1)
    actual = output(of, {"net.W": w, "net.b": b}, x=x)
    assert str(of.infer.outputs["y"].type) == f"f32[B, {', '.join(map(str, expected.shape[1:]))}]"
    np.testing.assert_allclose(actual, expected + b.reshape(-1, *[1] * rank), rtol=1e-4, atol=1e-5)


def test_convolution_with_lists_and_groups() -> None:
    call = "Conv(4, kernel=[3, 2], stride=[2, 1], groups=2, bias=false)"
    of = program(model(f"net = {call}\noutput y = net(x)", "x: [B, 4, 7, 6]"))
    x, w = numbers(2, 4, 7, 6), numbers(4, 2, 3, 2, seed=1)
    cut = windows(x, [3, 2], [2, 1], "valid", [1, 1], 0.0)
    halves = [np.einsum("bcxyij,ocij->boxy", cut[:, 2 * g : 2 * g + 2], w[2 * g : 2 * g + 2]) for g in range(2)]
    np.testing.assert_allclose(output(of, {"net.W": w}, x=x), np.concatenate(halves, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("arguments", "kernel", "stride", "padding"), [
    ("", 2, 2, "valid"),
    ("3, stride=1, padding=same", 3, 1, "same"),
    ("3", 3, 3, "valid"),
    ("2, 1", 2, 1, "valid"),
])  # fmt: skip
def test_max_pool(rank: int, arguments: str, kernel: int, stride: int, padding: str) -> None:
    dims = ", ".join(map(str, SHAPES[rank]))
    x = numbers(2, 2, *SHAPES[rank])
    cut = windows(x, [kernel] * rank, [stride] * rank, padding, [1] * rank, -np.inf)
    actual = output(model(f"output y = MaxPool({arguments})(x)", f"x: [B, 2, {dims}]"), x=x)
    np.testing.assert_array_equal(actual, cut.max(tuple(range(rank + 2, 2 * rank + 2))))


def test_sizes_may_be_symbolic() -> None:
    of = program(model("output y = x |> Conv(2, kernel=3, padding=same) |> MaxPool(2)", "x: [B, 1, H, W]"))
    assert str(of.infer.outputs["y"].type) == "f32[B, 2, H // 2, W // 2]"
    for height, width in ((6, 4), (9, 5)):
        assert output(of, x=numbers(2, 1, height, width)).shape == (2, 2, height // 2, width // 2)


# ---------------------------------------------------------------- padding by numbers


@pytest.mark.parametrize(("text", "expected"), [
    ("1", [(1, 1), (1, 1)]),
    ("[2, 0]", [(2, 2), (0, 0)]),
    ("[[0, 2], 1]", [(0, 2), (1, 1)]),
    ("causal", "causal"),
])  # fmt: skip
def test_padding_is_a_word_a_number_or_a_list(text: str, expected: str | list[tuple[int, int]]) -> None:
    of = program(
        model(f"net = Conv(3, kernel=[3, 2], padding={text}, bias=false)\noutput y = net(x)", "x: [B, 2, 7, 6]")
    )
    x, w = numbers(2, 2, 7, 6), numbers(3, 2, 3, 2, seed=1)
    cut = windows(x, [3, 2], [1, 1], expected, [1, 1], 0.0)
    np.testing.assert_allclose(output(of, {"net.W": w}, x=x), convolved(cut, w), rtol=1e-4, atol=1e-5)


def test_a_causal_convolution_sees_nothing_later() -> None:
    of = program(model("output y = x |> Conv(2, kernel=3, dilation=2, padding=causal)", "x: [B, 1, T]"))
    assert str(of.infer.outputs["y"].type) == "f32[B, 2, T]"
    x = numbers(1, 1, 9)
    later = np.where(np.arange(9) < 5, x, 7.0).astype(np.float32)
    np.testing.assert_array_equal(output(of, x=x)[..., :5], output(of, x=later)[..., :5])


def test_a_circular_convolution_commutes_with_rolling() -> None:
    of = program(model("net = Conv(2, kernel=[3, 4], padding=circular)\noutput y = net(x)", "x: [B, 1, H, W]"))
    assert str(of.infer.outputs["y"].type) == "f32[B, 2, H, W]"
    x = numbers(1, 1, 6, 5)
    np.testing.assert_allclose(
        output(of, x=np.roll(x, (2, 3), (2, 3))), np.roll(output(of, x=x), (2, 3), (2, 3)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("call", "code", "says"), [
    ("Conv(4, padding=sane)", "AX0208", "`padding` is valid, same, full, causal, circular, an int or a list: not `sane`"),
    ("Conv(4, kernel=1.5)", "AX0306", "`kernel` takes an int or a list of int, not the float 1.5"),
    ("Conv(4, kernel=width)", "AX0201", "unknown name `width`"),
    ("Conv(4, kernel=[3, true])", "AX0306", "`kernel` takes an int or a list of int, not a list"),
    ("Conv(4, padding=1.5)", "AX0208", "not the float 1.5"),
    ("Conv(4, padding=[1])", "AX0319", "a list of paddings has one for each of 2 axes"),
    ("Conv(4, padding=[[1, 2, 3], 1])", "AX0306", "padding is a pair of ints [begin, end] for each spatial axis"),
    ("Conv(4, padding=-1)", "AX0319", "assertion failed: `padding` is at least 0, not -1"),
    ("ConvTranspose(4, output_padding=[0])", "AX0319", "one output padding for each axis"),
    ("ConvTranspose(4, stride=2, output_padding=2)", "AX0319", "an output padding is below the stride: 2 and 2"),
    ("Conv(4, groups=3)", "AX0319", "4 input channels do not divide evenly into 3 groups"),
    ("Conv(6, groups=4)", "AX0319", "6 filters do not divide evenly into 4 groups"),
    ("MaxPool(2, padding=2)", "AX0322", "`max_pool` needs pads smaller than its window"),
    ("MaxPool([2, 2, 2])", "AX0319", "one window size, stride and dilation for each axis"),
    ("AveragePool(3, ceil=true, count_include_pad=true)", "AX0319", "`ceil` pads at the end"),
])  # fmt: skip
def test_what_does_not_fit_is_said(call: str, code: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        program(model(f"output y = {call}(x)", "x: [B, 4, 6, 6]"))
    assert caught.value.diagnostics[0].code == code
    assert says in caught.value.diagnostics[0].headline


def test_depthwise_and_separable_convolution() -> None:
    of = program(model("net = DepthwiseConv(3, padding=1, multiplier=2)\noutput y = net(x)", "x: [B, 3, 5, 6]"))
    x, w, b = numbers(2, 3, 5, 6), numbers(6, 1, 3, 3, seed=1), numbers(6, seed=2)
    cut = windows(x, [3, 3], [1, 1], [(1, 1), (1, 1)], [1, 1], 0.0)
    expected = np.einsum("bcxyij,cmij->bcmxy", cut, w.reshape(3, 2, 3, 3)).reshape(2, 6, 5, 6) + b[:, None, None]
    assert list(of.parameters) == ["net.conv.W", "net.conv.b"]
    actual = output(of, {"net.conv.W": w, "net.conv.b": b}, x=x)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    of = program(model("net = SeparableConv(4, 3, padding=1, multiplier=2)\noutput y = net(x)", "x: [B, 3, 5, 6]"))
    p = {
        "net.depthwise.conv.W": w,
        "net.pointwise.W": numbers(4, 6, 1, 1, seed=3),
        "net.pointwise.b": numbers(4, seed=4),
    }
    assert {path: of.parameters[path].shape for path in of.parameters} == {path: v.shape for path, v in p.items()}
    mixed = np.einsum("bcxy,oc->boxy", expected - b[:, None, None], p["net.pointwise.W"][..., 0, 0])
    mixed += p["net.pointwise.b"][:, None, None]
    np.testing.assert_allclose(output(of, p, x=x), mixed, rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- transposed and unshared


def spread_out(x: Array, w: Array, stride: int, dilation: int, ends: tuple[int, int], more: int, groups: int) -> Array:
    """Each element times the kernel, added where it falls: x [B, c, *S], w [c, out / groups, *k]."""
    rank = w.ndim - 2
    extents = [dilation * (k - 1) + 1 for k in w.shape[2:]]
    full = [(n - 1) * stride + e + more for n, e in zip(x.shape[2:], extents, strict=True)]
    y = np.zeros((x.shape[0], groups * w.shape[1], *full), x.dtype)
    inner, outer = x.shape[1] // groups, w.shape[1]
    for at in np.ndindex(*x.shape[2:]):
        cut = tuple(slice(p * stride, p * stride + e, dilation) for p, e in zip(at, extents, strict=True))
        for g in range(groups):
            part = np.tensordot(
                x[(slice(None), slice(g * inner, (g + 1) * inner), *at)], w[g * inner : (g + 1) * inner], 1
            )
            y[(slice(None), slice(g * outer, (g + 1) * outer), *cut)] += part
    crop = tuple(slice(ends[0], n - ends[1]) for n in full)
    return y[(slice(None), slice(None), *crop)] if rank else y


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("arguments", "kernel", "stride", "dilation", "ends", "more", "groups"), [
    ("3", 3, 1, 1, (0, 0), 0, 1),
    ("3, stride=2, padding=1, output_padding=1", 3, 2, 1, (1, 1), 1, 1),
    ("2, stride=3, output_padding=2, groups=2", 2, 3, 1, (0, 0), 2, 2),
    ("3, stride=2, dilation=2, padding=2", 3, 2, 2, (2, 2), 0, 1),
    ("4, stride=2, padding=same", 4, 2, 1, (1, 1), 0, 1),
    ("3, stride=2, padding=same", 3, 2, 1, (0, 1), 0, 1),
    ("1, stride=2, padding=same", 1, 2, 1, (0, 0), 1, 1),
])  # fmt: skip
def test_transposed_convolution(
    rank: int, arguments: str, kernel: int, stride: int, dilation: int, ends: tuple[int, int], more: int, groups: int
) -> None:
    sizes = [4, 3, 2][:rank]
    dims = ", ".join(map(str, sizes))
    of = program(model(f"net = ConvTranspose(6, {arguments})\noutput y = net(x)", f"x: [B, 4, {dims}]"))
    x, w, b = numbers(2, 4, *sizes), numbers(4, 6 // groups, *[kernel] * rank, seed=1), numbers(6, seed=2)
    expected = spread_out(x, w, stride, dilation, ends, more, groups) + b.reshape(-1, *[1] * rank)
    assert str(of.infer.outputs["y"].type) == f"f32[B, {', '.join(map(str, expected.shape[1:]))}]"
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pads", ["[[0, 0]]", "[[0, 0], [0, 0], [0, 0]]"])
def test_a_transposed_convolution_of_other_axes_is_refused(pads: str) -> None:
    call = f"convolve_transposed(x, ones([4, 2, 3, 3]), stride=[1, 1], pads={pads}, dilation=[1, 1], groups=1"
    assert codes(model(f"output y = {call}, output_padding=[0, 0])", "x: [B, 4, 6, 6]")) == ["AX0322"]
    call = (
        "convolve_transposed(x, ones([4, 2, 3]), stride=1, pads=[[0, 0]], dilation=1, groups=1, output_padding=[0, 1])"
    )
    assert codes(model(f"output y = {call}", "x: [B, 4, 9]")) == ["AX0322"]


def test_a_transposed_convolution_undoes_the_size_of_a_convolution() -> None:
    body = "output y: [B, 1, 2 * H, 2 * W] = x |> Conv(3, 3, 2, padding=1) |> ConvTranspose(1, 4, 2, same)\noutput m = marks"
    of = program(model(body, "marks: [H, W]; x: [B, 1, 2 * H, 2 * W]"))
    assert outputs(of, x=numbers(2, 1, 6, 8), marks=numbers(3, 4))["y"].shape == (2, 1, 6, 8)


@pytest.mark.parametrize(("dims", "arguments", "kernel", "stride", "padding"), [
    ([7], "3, stride=2", [3], [2], [(0, 0)]),
    ([5, 4], "[3, 2], padding=[1, 0]", [3, 2], [1, 1], [(1, 1), (0, 0)]),
    ([3, 4, 3], "2, stride=[1, 2, 1]", [2, 2, 2], [1, 2, 1], [(0, 0)] * 3),
])  # fmt: skip
def test_locally_connected(
    dims: list[int], arguments: str, kernel: list[int], stride: list[int], padding: list[tuple[int, int]]
) -> None:
    of = program(model(f"net = LocallyConnected(5, {arguments})\noutput y = net(x)", f"x: [B, 2, {str(dims)[1:-1]}]"))
    x = numbers(3, 2, *dims)
    cut = windows(x, kernel, stride, padding, [1] * len(dims), 0.0)
    places = cut.shape[2 : 2 + len(dims)]
    count, window = int(np.prod(places)), int(np.prod(kernel))
    w, b = numbers(count, 2 * window, 5, seed=1), numbers(5, *places, seed=2)
    assert {path: p.shape for path, p in of.parameters.items()} == {"net.W": w.shape, "net.b": b.shape}
    patches = cut.reshape(3, 2, count, window)
    expected = np.einsum("bcpk,pckf->bfp", patches, w.reshape(count, 2, window, 5)).reshape(3, 5, *places) + b
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=x), expected, rtol=1e-4, atol=1e-5)
    limit = np.sqrt(6 / (2 * window + 5))
    drawn = initial(of)["net.W"]
    assert 0.8 * limit < abs(drawn).max() <= limit


def test_shared_weights_make_a_convolution_of_an_unshared_layer() -> None:
    of = program(model("net = LocallyConnected(3, bias=false)\noutput y = net(x)", "x: [B, 2, 5, 5]"))
    x, w = numbers(2, 2, 5, 5), numbers(3, 2, 3, 3, seed=1)
    shared = np.broadcast_to(w.reshape(3, 18).T, (9, 18, 3))
    expected = convolved(windows(x, [3, 3], [1, 1], "valid", [1, 1], 0.0), w)
    np.testing.assert_allclose(output(of, {"net.W": shared}, x=x), expected, rtol=1e-4, atol=1e-5)


def test_unfold() -> None:
    x = numbers(2, 3, 6, 5)
    text = "output y = unfold(x, kernel=[2, 3], stride=[2, 1], dilation=[2, 1], pads=[[0, 1], [1, 0]])"
    cut = windows(x, [2, 3], [2, 1], [(0, 1), (1, 0)], [2, 1], 0.0)
    expected = np.moveaxis(cut.reshape(*cut.shape[:4], 6), -1, 2)
    np.testing.assert_array_equal(output(model(text, "x: [B, 3, 6, 5]"), x=x), expected)


# ---------------------------------------------------------------- pools


@pytest.mark.parametrize(("arguments", "kernel", "stride", "padding", "dilation"), [
    ("3, stride=2, padding=1", [3, 3], [2, 2], [(1, 1), (1, 1)], [1, 1]),
    ("[3, 2], stride=2, padding=[[1, 0], 0]", [3, 2], [2, 2], [(1, 0), (0, 0)], [1, 1]),
    ("3, stride=2, ceil=true", [3, 3], [2, 2], [(0, 1), (0, 1)], [1, 1]),
    ("2, stride=1, dilation=[3, 1]", [2, 2], [1, 1], [(0, 0), (0, 0)], [3, 1]),
])  # fmt: skip
def test_max_pool_with_padding_by_numbers(
    arguments: str, kernel: list[int], stride: list[int], padding: list[tuple[int, int]], dilation: list[int]
) -> None:
    x = numbers(2, 2, 7, 6)
    expected = windows(x, kernel, stride, padding, dilation, -np.inf).max((-2, -1))
    actual = output(model(f"output y = MaxPool({arguments})(x)", "x: [B, 2, 7, 6]"), x=x)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("arguments", "kernel", "stride", "ends", "counted"), [
    ("", 2, 2, (0, 0), False),
    ("3, stride=2, padding=1", 3, 2, (1, 1), False),
    ("3, stride=2, padding=1, count_include_pad=true", 3, 2, (1, 1), True),
    ("3, stride=1, padding=same", 3, 1, (1, 1), False),
    ("2, ceil=true", 2, 2, (0, 1), False),
])  # fmt: skip
def test_average_pool(
    rank: int, arguments: str, kernel: int, stride: int, ends: tuple[int, int], counted: bool
) -> None:
    dims = ", ".join(map(str, SHAPES[rank]))
    x = numbers(2, 2, *SHAPES[rank])
    geometry = [kernel] * rank, [stride] * rank, [ends] * rank, [1] * rank
    axes = tuple(range(rank + 2, 2 * rank + 2))
    sums, counts = windows(x, *geometry, 0.0).sum(axes), windows(np.ones_like(x), *geometry, float(counted)).sum(axes)
    actual = output(model(f"output y = AveragePool({arguments})(x)", f"x: [B, 2, {dims}]"), x=x)
    np.testing.assert_allclose(actual, sums / counts, rtol=1e-5, atol=1e-6)


def test_global_pools() -> None:
    x = numbers(2, 3, 4, 5)
    for name, reduced in (("GlobalAveragePool", x.mean((2, 3))), ("GlobalMaxPool", x.max((2, 3)))):
        of = program(model(f"output y: [B, 3] = x |> {name}\noutput z = {name}(keep=true)(x)", "x: [B, 3, H, W]"))
        np.testing.assert_allclose(outputs(of, x=x)["y"], reduced, rtol=1e-5, atol=1e-6)
        assert str(of.infer.outputs["z"].type) == "f32[B, 3, 1, 1]"


@pytest.mark.parametrize(("p", "arguments", "kernel", "stride", "padding"), [
    (1, "", 2, 2, "valid"),
    (2.5, "3, stride=2, padding=1", 3, 2, [(1, 1), (1, 1)]),
])  # fmt: skip
def test_lp_pool(p: float, arguments: str, kernel: int, stride: int, padding: str | list[tuple[int, int]]) -> None:
    x = numbers(2, 2, 7, 6)
    cut = windows(x, [kernel] * 2, [stride] * 2, padding, [1, 1], 0.0)
    actual = output(model(f"output y = LpPool({p}, {arguments})(x)", "x: [B, 2, 7, 6]"), x=x)
    np.testing.assert_allclose(actual, (abs(cut) ** p).sum((-2, -1)) ** (1 / p), rtol=1e-4, atol=1e-5)


def test_the_gradient_of_an_lp_pool_is_finite_where_all_is_zero() -> None:
    body = "output slope = grad(sum(LpPool()(x)), x)"
    x = np.zeros((1, 1, 2, 4), np.float32)
    x[..., 2:] = [[3, 0], [0, 4]]
    np.testing.assert_allclose(
        output(model(body, "x: [B, 1, 2, 4]"), x=x)[0, 0, :, 2:], [[0.6, 0], [0, 0.8]], rtol=1e-5
    )
    assert not output(model(body, "x: [B, 1, 2, 4]"), x=x)[0, 0, :, :2].any()


def test_adaptive_average_pool() -> None:
    x = numbers(2, 3, 7, 5)
    expected = np.empty((2, 3, 3, 5), np.float32)
    for i in range(3):
        expected[:, :, i] = x[:, :, i * 7 // 3 : -((i + 1) * -7 // 3)].mean(2)
    for fields in ("x: [B, 3, 7, 5]", "x: [B, 3, H, W]"):
        text = model("output y: [B, 3, 3, 5] = x |> AdaptiveAveragePool([3, 5])", fields)
        np.testing.assert_allclose(output(text, x=x), expected, rtol=1e-5, atol=1e-6)


def test_max_unpooling_puts_elements_where_the_largest_stood() -> None:
    x, u = numbers(1, 1, 4, 4), np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
    expected = np.zeros_like(x)
    for i, j in np.ndindex(2, 2):
        tile = x[0, 0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        a, b = np.unravel_index(tile.argmax(), (2, 2))
        expected[0, 0, 2 * i + a, 2 * j + b] = u[0, 0, i, j]
    of = program(
        model(
            "output y = max_unpool(u, x)\noutput g = grad(sum(max_unpool(u, x) * x), u)",
            "x: [B, 1, 4, 4]; u: [B, 1, 2, 2]",
        )
    )
    actual = outputs(of, x=x, u=u)
    np.testing.assert_array_equal(actual["y"], expected)
    np.testing.assert_array_equal(actual["g"], windows(x, [2, 2], [2, 2], "valid", [1, 1], 0.0).max((-2, -1)))


def test_average_unpooling_is_undone_by_average_pooling() -> None:
    u = numbers(2, 3, 2, 3)
    of = program(
        model("y = average_unpool(x, [2, 3])\noutput y = y\noutput z = y |> AveragePool([2, 3])", "x: [B, 3, 2, 3]")
    )
    np.testing.assert_array_equal(outputs(of, x=u)["y"], u.repeat(2, 2).repeat(3, 3))
    np.testing.assert_allclose(outputs(of, x=u)["z"], u, rtol=1e-6)
