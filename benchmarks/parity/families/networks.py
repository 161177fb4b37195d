"""Blocks of published networks, in use, with random weights and running statistics; and random nets of dense layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.source import Source

from ..analytic import Array, minimum, relu, sigmoid, softplus, tanh
from ..setting import Setting, between, choose, family, normal, number
from .activations import gelu
from .windows import convolved, pooled

Values = Mapping[str, Any]
Activation = Callable[[Any], Any]


@cache
def shapes(module: str, *inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The parameters of a module that is applied to inputs of these shapes, by their path below it."""
    given = "".join(f"    input x{i}: {list(shape)}\n" for i, shape in enumerate(inputs))
    call = ", ".join(f"x{i}" for i in range(len(inputs)))
    text = f"model M():\n{given}    m = {module}\n    result = m({call})\n    output y = x0\n"
    program = elaborate(parse_spec(Source("shapes.arch", text)))
    return {path.removeprefix("m."): p.shape for path, p in program.parameters.items()}


def weights(rng: np.random.Generator, module: str, shape: tuple[int, ...]) -> dict[str, Array]:
    """Random numbers for them, of a size that keeps signals as they are."""
    found = {}
    for path, size in shapes(module, shape).items():
        if path.endswith(("variance", "scale")):
            found[path] = between(rng, 0.5, 2, *size)
        else:
            fan = int(np.prod(size[1:])) if len(size) > 1 else 4
            found[path] = normal(rng, *size, scale=fan**-0.5)
    return found


class Net:
    """Parameters of a module, read below a path."""

    def __init__(self, v: Values, path: str = "") -> None:
        self.v, self.path = v, path

    def __truediv__(self, name: str) -> Net:
        return Net(self.v, f"{self.path}{name}.")

    def __getitem__(self, name: str) -> Any:
        return self.v[self.path + name]

    def conv(self, x: Any, stride: int = 1, same: bool = True, groups: int = 1) -> Any:
        """A convolution of images, with its bias if it has one."""
        w = self["W"]
        axes = w.ndim - 2
        spans = [size - 1 if same else 0 for size in w.shape[2:]]
        y = convolved(x, w, [stride] * axes, [1] * axes, [(s // 2, s - s // 2) for s in spans], groups)
        return y + self["b"][:, None, None] if f"{self.path}b" in self.v else y

    def norm(self, x: Any) -> Any:
        """Batch normalisation by the running statistics."""
        c = (slice(None), None, None)
        n = (x - self["running_mean"][c]) / np.sqrt(self["running_variance"][c] + 1e-5)
        return n * self["scale"][c] + self["shift"][c]

    def conv_norm(self, x: Any, act: Activation, stride: int = 1, groups: int = 1) -> Any:
        """ConvNorm."""
        return act((self / "batch_norm").norm((self / "conv").conv(x, stride, groups=groups)))


def _same(x: Any) -> Any:
    return x


def _relu6(x: Any) -> Any:
    return minimum(relu(x), 6.0)


def _shortcut(m: Net, name: str, x: Any, filters: int, stride: int) -> Any:
    return x if x.shape[1] == filters and stride == 1 else (m / name).conv_norm(x, _same, stride)


def _basic(m: Net, x: Any, filters: int, stride: int) -> Any:
    h = (m / "conv_norm.0").conv_norm(x, relu, stride)
    h = (m / "conv_norm.1").conv_norm(h, _same)
    return relu(_shortcut(m, "conv_norm.2", x, filters, stride) + h)


def _bottleneck(m: Net, x: Any, filters: int, stride: int) -> Any:
    h = (m / "conv_norm.0").conv_norm(x, relu)
    h = (m / "conv_norm.1").conv_norm(h, relu, stride)
    h = (m / "conv_norm.2").conv_norm(h, _same)
    return relu(_shortcut(m, "conv_norm.3", x, 4 * filters, stride) + h)


def _inception(m: Net, x: Any) -> Any:
    def conv(i: int, h: Any) -> Any:
        return relu((m / f"conv.{i}").conv(h))

    largest = pooled(x, [3, 3], [1, 1], [1, 1], [(1, 1), (1, 1)], "max")
    return np.concatenate([conv(0, x), conv(2, conv(1, x)), conv(4, conv(3, x)), conv(5, largest)], 1)


def _dense_block(m: Net, x: Any, layers: int) -> Any:
    for i in range(layers):
        h = (m / f"conv_norm.{i}").conv_norm(relu((m / f"batch_norm.{i}").norm(x)), relu)
        x = np.concatenate([x, (m / f"conv.{i}").conv(h)], 1)
    return x


def _inverted(m: Net, x: Any, filters: int, expand: int, stride: int) -> Any:
    c, h = x.shape[1], x
    names = iter(["conv_norm.0", "conv_norm.1", "conv_norm.2"])
    if expand > 1:
        h = (m / next(names)).conv_norm(h, _relu6)
    h = (m / next(names)).conv_norm(h, _relu6, stride, groups=expand * c)
    h = (m / next(names)).conv_norm(h, _same)
    return x + h if c == filters and stride == 1 else h


def _convnext(m: Net, x: Any) -> Any:
    c = (slice(None), None, None)
    h = (m / "conv.0").conv(x, groups=x.shape[1])
    d = h - h.mean(1, keepdims=True)
    h = d / np.sqrt((d * d).mean(1, keepdims=True) + 1e-6)
    h = h * m["channel_norm.scale"][c] + m["channel_norm.shift"][c]
    h = (m / "conv.2").conv(gelu((m / "conv.1").conv(h)))
    return x + m["gamma"][c] * h


def _resnet(m: Net, x: Any, depths: Sequence[int], width: int) -> Any:
    h = (m / "conv_norm").conv_norm(x, relu, 2)
    h = pooled(h, [3, 3], [2, 2], [1, 1], [(1, 1), (1, 1)], "max")
    i = 0
    for stage, depth in enumerate(depths):
        for block in range(depth):
            stride = 2 if stage > 0 and block == 0 else 1
            name = f"basic_block.{i}" if sum(depths) > 1 else "basic_block"
            h = _basic(m / name, h, width * 2**stage, stride)
            i += 1
    return h.mean((2, 3))


BLOCKS = 8


@family("published blocks", seeds=6 * BLOCKS, sample=2, units=64)
def block(rng: np.random.Generator, seed: int) -> Setting:
    """Residual, dense, inverted and inception blocks, and a small ResNet."""
    c, filters, stride = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    shape = (2, c, 4, 5)
    expand = int(rng.integers(1, 3))
    cases: list[tuple[str, Callable[[Net, Any], Any]]] = [
        (f"ConvNorm({filters}, stride={stride})", lambda m, x: m.conv_norm(x, relu, stride)),
        (f"BasicBlock({filters}, stride={stride})", lambda m, x: _basic(m, x, filters, stride)),
        (f"Bottleneck({filters}, stride={stride})", lambda m, x: _bottleneck(m, x, filters, stride)),
        (f"Inception({filters}, [1, 2], [2, 1], {filters})", lambda m, x: _inception(m, x)),
        (f"DenseBlock({stride + 1}, growth={filters})", lambda m, x: _dense_block(m, x, stride + 1)),
        (f"InvertedResidual({filters}, expand={expand}, stride={stride})",
         lambda m, x: _inverted(m, x, filters, expand, stride)),
        ("ConvNeXtBlock(0.5)", lambda m, x: _convnext(m, x)),
        (f"ResNet([1, {stride}], width=2)", lambda m, x: _resnet(m, x, [1, stride], 2)),
    ]  # fmt: skip
    module, f = cases[seed % BLOCKS]
    shape = (1, c, 9, 8) if "ResNet" in module else shape
    parameters = weights(rng, module, shape)
    return Setting("$m($x)", {"x": normal(rng, *shape)},
                   lambda v: f(Net(v), v["x"]), ("x",), module, parameters,
                   normwise=True)  # fmt: skip


@family("enlarged and shortcut", seeds=20, sample=2)
def enlarged(rng: np.random.Generator, seed: int) -> Setting:
    """Images from the nearest element above and to the left; a shortcut that changes nothing."""
    h, size = int(rng.integers(1, 6)), int(rng.integers(1, 9))
    if seed % 2:
        x = normal(rng, 2, 3, 4, 4)
        return Setting("shortcut($x, 3, 1)", {"x": x}, lambda v: v["x"] + 0)
    at = np.arange(size) * h // size
    return Setting(f"enlarged($x, {size}, 3)", {"x": normal(rng, 2, 1, h, h)},
                   lambda v: np.repeat(v["x"][:, :, at][:, :, :, at], 3, 1))  # fmt: skip


NETS: dict[str, Activation] = {
    "tanh": tanh, "sigmoid": sigmoid, "softplus": softplus, "relu": relu, "gelu": lambda x: gelu(x), "sin": np.sin,
}  # fmt: skip


@family("random nets", seeds=120, sample=6, units=32)
def net(rng: np.random.Generator, seed: int) -> Setting:
    """Chains of matrix products, activations and residuals of random depth, with all gradients."""
    depth, n = int(rng.integers(1, 6)), int(rng.integers(2, 6))
    layers = [(choose(rng, *NETS), choose(rng, "plain", "residual", "scaled"), number(rng, 0.3, 2))
              for _ in range(depth)]  # fmt: skip
    inputs = {"x": normal(rng, 3, n)} | {f"W{i}": normal(rng, n, n, scale=n**-0.5) for i in range(depth)}
    text = "$x"
    for i, (name, how, a) in enumerate(layers):
        text = {
            "plain": f"{name}({text} @ $W{i})",
            "residual": f"($x + {name}({text} @ $W{i}))",
            "scaled": f"({a} * {name}({text} @ $W{i}) * $x)",
        }[how]

    def f(v: Values) -> Any:
        y = v["x"]
        for i, (name, how, a) in enumerate(layers):
            h = NETS[name](y @ v[f"W{i}"])
            y = h if how == "plain" else v["x"] + h if how == "residual" else a * h * v["x"]
        return y

    smooth = "relu" not in text
    return Setting(text, inputs, f, tuple(inputs), normwise=True, second=smooth and seed % 2 == 0)
