"""Published convolutional networks, with the number of parameters that is known of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.oracles.activations import softmax

from ..facts import Measured, Row
from ..windows import convolved, square_windows

COUNTS = {
    "lenet5": 61_706,
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
    "inception_v1": 6_998_552,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "densenet121": 7_978_856,
    "mobilenet_v2": 3_504_872,
    "convnext_tiny": 28_589_128,
    "unet": 31_030_658,
}
"""Parameters of each network; running statistics are none."""
SLOW = 40_000_000
"""Networks with more parameters are measured by `make proof` alone."""
ROW = Row("2.2", "Published convolutional networks", "002 4; 003 7; 004 14, 19", tuple(COUNTS))


@cache
def elaborated(name: str) -> ModelProgram:
    """A network of the zoo."""
    return elaborate(load(name))


def _count(name: str, expected: int) -> Measured:
    count = elaborated(name).parameter_count
    return Measured(f"{count:,}", count == expected)


def _infers(name: str) -> Measured:
    """One image of the size of the paper, by the initial parameters, in onnxruntime."""
    model = elaborated(name)
    shape = model.infer.inputs["image"].type.substitute({"B": Dim.of(1)}).static_shape
    image = np.random.default_rng(0).random(shape or (), np.float32)
    trainer = Trainer(model, options=SessionOptions(device="cpu"), batch_size=1)
    (values,) = trainer.predict({"image": image}).values()
    sums = values.sum(axis=-1)
    good = bool(np.isfinite(values).all() and np.abs(sums - 1).max() < 1e-4)
    return Measured(f"{' x '.join(map(str, values.shape))}", good)


for name, count in COUNTS.items():
    ROW.fact(f"{name} has {count:,} parameters", slow=count > SLOW)(partial(_count, name, count))
for name in COUNTS:
    ROW.fact(f"{name} gives probabilities for an image of the paper's size", slow=name != "lenet5")(
        partial(_infers, name)
    )


@ROW.fact("U-Net gives the classes of the inner 388 x 388 of 572 x 572 pixels")
def unet_size() -> Measured:
    """As the compiler proves it."""
    shape = elaborated("unet").infer.outputs["probs"].type.shape
    return Measured(" x ".join(map(str, shape)), [str(d) for d in shape] == ["B", "388", "388", "2"])


# ---------------------------------------------------------------- against NumPy

Array: TypeAlias = npt.NDArray[np.float64]
Net = Callable[[Mapping[str, Array], Array], Array]


def _convolved(x: Array, w: Array, stride: int = 1, margin: int = 0) -> Array:
    y: Array = convolved(square_windows(x, w.shape[-1], stride, margin), w)
    return y


def _largest(x: Array, window: int, stride: int, margin: int = 0) -> Array:
    y: Array = square_windows(x, window, stride, margin, -np.inf).max((-1, -2))
    return y


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _lenet(p: Mapping[str, Array], x: Array) -> Array:
    for i, margin in enumerate((2, 0)):
        y = _convolved(x, p[f"conv.{i}.W"], margin=margin) + p[f"conv.{i}.b"][:, None, None]
        x = _largest(_relu(y), 2, 2)
    x = x.reshape(len(x), -1)
    for i in range(3):
        x = x @ p[f"dense.{i}.W"] + p[f"dense.{i}.b"]
        x = _relu(x) if i < 2 else x
    return softmax(x)


def _resnet18(p: Mapping[str, Array], x: Array) -> Array:
    def conv_norm(path: str, x: Array, stride: int = 1) -> Array:
        w = p[f"res_net.{path}.conv.W"]
        y = _convolved(x, w, stride, w.shape[-1] // 2)
        names = ("running_mean", "running_variance", "scale", "shift")
        mean, variance, scale, shift = (p[f"res_net.{path}.batch_norm.{name}"][:, None, None] for name in names)
        return np.add((y - mean) / np.sqrt(variance + 1e-5) * scale, shift)

    x = _largest(_relu(conv_norm("conv_norm", x, 2)), 3, 2, 1)
    for block in range(8):
        path, stride = f"basic_block.{block}", 2 if block in (2, 4, 6) else 1
        y = conv_norm(f"{path}.conv_norm.1", _relu(conv_norm(f"{path}.conv_norm.0", x, stride)))
        x = _relu(y + (conv_norm(f"{path}.conv_norm.2", x, stride) if stride > 1 else x))
    return softmax(x.mean((2, 3)) @ p["dense.W"] + p["dense.b"])


def _gap(name: str, net: Net, shape: Sequence[int], **arguments: Any) -> Measured:
    """The largest difference from NumPy in f64, relative to the largest probability; running statistics are drawn."""
    rng = np.random.default_rng(0)
    trainer = Trainer(elaborate(load(name, **arguments)), options=SessionOptions(device="cpu"), batch_size=shape[0])
    for path in trainer.parameters:
        if "running" in path or path.endswith((".b", ".shift")):
            trainer.parameters[path] = rng.uniform(0.5, 1.5, trainer.parameters[path].shape).astype(np.float32)
    x = rng.normal(size=shape)
    expected = net({path: trainer.parameters[path].astype(np.float64) for path in trainer.parameters}, x)
    actual = trainer.predict({"image": x.astype(np.float32)})["probs"].astype(np.float64)
    gap = np.abs(actual - expected).max() / expected.max()
    return Measured(f"{gap:.0e}", bool(gap < 1e-4))


@ROW.fact("LeNet-5 computes what NumPy computes: relative gap below 1e-4")
def lenet_values() -> Measured:
    """On noise, with biases drawn."""
    return _gap("lenet5", _lenet, (2, 1, 28, 28))


@ROW.fact("ResNet-18 computes what NumPy computes: relative gap below 1e-4", slow=True)
def resnet_values() -> Measured:
    """At its full width on images of 64 x 64."""
    return _gap("resnet18", _resnet18, (2, 3, 64, 64), size=64)
