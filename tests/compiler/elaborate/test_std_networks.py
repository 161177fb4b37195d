"""The library's blocks of convolutional networks against NumPy, with running statistics and weights drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import erf

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import expression, model, numbers, output, program

Parameters = Mapping[str, Array]


def convolved(x: Array, w: Array, stride: int = 1, groups: int = 1, padded: bool = True) -> Array:
    """A square kernel over ``[B, c, h, w]``; padded by what keeps the size of an odd kernel."""
    margin = (w.shape[-1] - 1) // 2 if padded else 0
    x = np.pad(x, [(0, 0), (0, 0), (margin, margin), (margin, margin)])
    parts = []
    for part, kernel in zip(np.split(x, groups, 1), np.split(w, groups), strict=True):
        windows = sliding_window_view(part, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
        parts.append(np.einsum("bcyxij,ocij->boyx", windows, kernel))
    return np.concatenate(parts, 1)


def column(v: Array) -> Array:
    return v[:, None, None]


class Net:
    """Reads parameters by path."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def __call__(self, path: str) -> Array:
        return self.parameters[path]

    def norm(self, path: str, x: Array) -> Array:
        p = {name: column(self(f"{path}.{name}")) for name in ("running_mean", "running_variance", "scale", "shift")}
        return (x - p["running_mean"]) / np.sqrt(p["running_variance"] + 1e-5) * p["scale"] + p["shift"]

    def conv_norm(self, path: str, x: Array, stride: int = 1, groups: int = 1) -> Array:
        return self.norm(f"{path}.batch_norm", convolved(x, self(f"{path}.conv.W"), stride, groups))

    def conv(self, path: str, x: Array, groups: int = 1) -> Array:
        return convolved(x, self(f"{path}.W"), groups=groups) + column(self(f"{path}.b"))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


def gelu(x: Array) -> Array:
    return x * (1 + erf(x / np.sqrt(2))) / 2


def pooled(x: Array, stride: int) -> Array:
    """The largest of each 3x3 window, padded to keep the size."""
    x = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    return sliding_window_view(x, (3, 3), (2, 3))[:, :, ::stride, ::stride].max((-1, -2))


def projection(net: Net, x: Array) -> Array:
    h = net.conv_norm("net.conv_norm.1", relu(net.conv_norm("net.conv_norm.0", x, 2)))
    return relu(h + net.conv_norm("net.conv_norm.2", x, 2))


def bottleneck(net: Net, x: Array, name: str = "net", stride: int = 1) -> Array:
    h = relu(net.conv_norm(f"{name}.conv_norm.0", x))
    h = relu(net.conv_norm(f"{name}.conv_norm.1", h, stride))
    h = net.conv_norm(f"{name}.conv_norm.2", h)
    projected = x.shape[1] != h.shape[1] or stride > 1
    return relu(h + (net.conv_norm(f"{name}.conv_norm.3", x, stride) if projected else x))


def resnet(net: Net, x: Array) -> Array:
    x = pooled(relu(net.conv_norm("net.conv_norm", x, 2)), 2)
    x = bottleneck(net, x, "net.bottleneck.0")
    x = bottleneck(net, x, "net.bottleneck.1")
    return bottleneck(net, x, "net.bottleneck.2", 2).mean((2, 3))


def inverted(net: Net, x: Array) -> Array:
    h = relu6(net.conv_norm("net.conv_norm.0", x))
    return x + net.conv_norm("net.conv_norm.2", relu6(net.conv_norm("net.conv_norm.1", h, groups=24)))


def narrowed(net: Net, x: Array) -> Array:
    return net.conv_norm("net.conv_norm.1", relu6(net.conv_norm("net.conv_norm.0", x, 2, groups=4)))


def convnext(net: Net, x: Array) -> Array:
    h = net.conv("net.conv.0", x, groups=4)
    h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-6)
    h = h * column(net("net.channel_norm.scale")) + column(net("net.channel_norm.shift"))
    return x + column(net("net.gamma")) * net.conv("net.conv.2", gelu(net.conv("net.conv.1", h)))


def dense(net: Net, x: Array) -> Array:
    for i in range(2):
        h = relu(net.conv_norm(f"net.conv_norm.{i}", relu(net.norm(f"net.batch_norm.{i}", x))))
        x = np.concatenate([x, convolved(h, net(f"net.conv.{i}.W"))], 1)
    return x


def inception(net: Net, x: Array) -> Array:
    def conv(i: int, x: Array) -> Array:
        return relu(net.conv(f"net.conv.{i}", x))

    return np.concatenate([conv(0, x), conv(2, conv(1, x)), conv(4, conv(3, x)), conv(5, pooled(x, 1))], 1)


BLOCKS: dict[str, Callable[[Net, Array], Array]] = {
    "BasicBlock(8, stride=2)": projection,
    "Bottleneck(1)": bottleneck,
    "ResNet([2, 1], bottleneck=true, width=2)": resnet,
    "InvertedResidual(4)": inverted,
    "InvertedResidual(4, expand=1, stride=2)": narrowed,
    "ConvNeXtBlock(1.0)": convnext,
    "DenseBlock(2, growth=3)": dense,
    "Inception(1, [2, 3], [4, 5], 6)": inception,
}


@pytest.mark.parametrize("call", BLOCKS)
def test_against_numpy(call: str) -> None:
    of = program(model(f"net = {call}\noutput y = net(x)", "x: [B, 4, 11, 11]"))
    rng = np.random.default_rng(1)
    parameters = {
        path: rng.uniform(0.5, 1.5, p.shape) if "variance" in path else rng.normal(0, 0.5, p.shape)
        for path, p in of.parameters.items()
    }
    x = numbers(2, 4, 11, 11)
    expected = BLOCKS[call](Net(parameters), x.astype(np.float64))
    given = {path: value.astype(np.float32) for path, value in parameters.items()}
    np.testing.assert_allclose(output(of, given, x=x), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_residual_blocks_keep_symbolic_sizes() -> None:
    of = program(model("output y = x |> BasicBlock(8, stride=2) |> Bottleneck(2)", "x: [B, 4, H, W]"))
    assert output(of, x=numbers(1, 4, 6, 9)).shape == (1, 8, 3, 5)


def test_enlarged() -> None:
    x = numbers(3, 1, 4, 8)
    actual = expression("enlarged(x, 8, channels=2)", "x: [3, 1, 4, 8]", x=x)
    np.testing.assert_array_equal(actual, np.repeat(np.repeat(x, 2, 2), 2, 1))
    assert expression("relu6(x)", "x: [3]", x=np.array([-1, 2, 7], np.float32)).tolist() == [0, 2, 6]
