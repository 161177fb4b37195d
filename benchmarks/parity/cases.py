"""The layers, each as a spec writes it and as a function of PyTorch.

A case states features of an input ``x``; a linear classifier of five classes follows, so that every layer gets a
gradient. PyTorch's functions take our parameters in our layout by their paths, and change the buffers in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  the name that PyTorch's users know
from torch import Tensor

CLASSES = 5
Weights = Mapping[str, Tensor]
Network = Callable[[Weights, Tensor, bool], Tensor]
"""Parameters and buffers, the input, whether it is training -> features."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of layer.

    Attributes:
        name: for people.
        layer: the features as an expression of the language in ``x``, perhaps of several lines.
        shape: of one example.
        network: the features in PyTorch.
        integers: the input holds integers below this number, instead of floats.
        optimizer: as the spec writes it; ``peer.OPTIMIZERS`` has its counterpart.
        declarations: top-level declarations that the layer uses.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    network: Network
    integers: int | None = None
    optimizer: str = "sgd(lr=0.05, momentum=0.9)"
    declarations: str = ""

    def spec(self) -> str:
        """The whole spec."""
        dtype = "f32" if self.integers is None else "i64"
        sizes = ", ".join(["B", *map(str, self.shape)])
        return f"""{self.declarations}
model Parity():
    input  x: {dtype}[{sizes}]
    target label: i64[B]
    features = {self.layer}
    head = Dense({CLASSES})
    logits = head(flatten(features))
    output probs: [B, {CLASSES}] = softmax(logits)
    loss objective = cross_entropy(logits, label)

train:
    minimize objective with {self.optimizer}
"""


def linear(w: Weights, path: str, x: Tensor) -> Tensor:
    """An affine map with our [inputs, outputs] matrix."""
    return F.linear(x, w[f"{path}.W"].T, w[f"{path}.b"])


def _mlp(w: Weights, x: Tensor, training: bool) -> Tensor:
    return torch.tanh(linear(w, "dense.1", F.relu(linear(w, "dense.0", x))))


def _embedding(w: Weights, x: Tensor, training: bool) -> Tensor:
    return F.embedding(x, w["embedding.W"])


def convolution(dims: int, path: str = "conv", **options: int | str) -> Network:
    """A convolution with bias and then tanh."""
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[dims]
    return lambda w, x, training: torch.tanh(convolve(x, w[f"{path}.W"], w[f"{path}.b"], **options))


def after_convolution(rest: Callable[[Weights, Tensor, bool], Tensor]) -> Network:
    """What follows a 3x3 convolution with padding, so that the gradient passes through it."""
    return lambda w, x, training: rest(w, F.conv2d(x, w["conv.W"], w["conv.b"], padding=1), training)


def pooled(pool: Callable[[Tensor], Tensor]) -> Network:
    """A pool after the convolution."""
    return after_convolution(lambda w, y, training: pool(y))


def _batch_norm(w: Weights, y: Tensor, training: bool) -> Tensor:
    mean, variance, scale, shift = (
        w[f"batch_norm.{name}"] for name in ("running_mean", "running_variance", "scale", "shift")
    )
    return F.relu(F.batch_norm(y, mean, variance, scale, shift, training, momentum=0.1, eps=1e-5))


def _separable(w: Weights, x: Tensor, training: bool) -> Tensor:
    y = F.conv2d(x, w["separable_conv.depthwise.conv.W"], padding=1, groups=3)
    return torch.tanh(F.conv2d(y, w["separable_conv.pointwise.W"], w["separable_conv.pointwise.b"]))


def _causal(w: Weights, x: Tensor, training: bool) -> Tensor:
    return torch.tanh(F.conv1d(F.pad(x, (4, 0)), w["conv.W"], w["conv.b"], dilation=2))


def _circular(w: Weights, x: Tensor, training: bool) -> Tensor:
    return torch.tanh(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), w["conv.W"], w["conv.b"]))


def _unshared(w: Weights, x: Tensor, training: bool) -> Tensor:
    patches = F.unfold(x, 3)
    y = torch.einsum("bip,pif->bfp", patches, w["locally_connected.W"])
    return torch.tanh(y.reshape(-1, 2, 6, 6) + w["locally_connected.b"])


def _transposed(w: Weights, x: Tensor, training: bool) -> Tensor:
    y = F.conv_transpose2d(x, w["conv_transpose.W"], w["conv_transpose.b"], stride=2, padding=1, output_padding=1)
    return torch.tanh(y)


def normalised(name: str, norm: Callable[[Tensor, Tensor | None, Tensor | None], Tensor]) -> Network:
    """A normalisation with scale and shift after the convolution, then relu."""
    return after_convolution(lambda w, y, _: F.relu(norm(y, w.get(f"{name}.scale"), w.get(f"{name}.shift"))))


def _channel_norm(y: Tensor, scale: Tensor | None, shift: Tensor | None) -> Tensor:
    return F.layer_norm(y.movedim(1, -1), (4,), scale, shift, eps=1e-6).movedim(-1, 1)


def _attention(w: Weights, x: Tensor, training: bool) -> Tensor:
    q, k, v = (linear(w, f"dense.{i}", x) for i in range(3))
    return F.scaled_dot_product_attention(q, k, v)


def _residual(w: Weights, x: Tensor, training: bool) -> Tensor:
    return x + F.relu(linear(w, "dense.0", F.relu(x))) + linear(w, "dense.1", x)


IMAGE = (3, 8, 8)
CONV = "x |> Conv(4, kernel=3, padding=same)"

CASES = (
    Case("Dense, relu, tanh", "x |> Dense(16) |> relu |> Dense(8) |> tanh", (12,), _mlp),
    Case("residual", "x + relu(Dense(12)(relu(x))) + Dense(12)(x)", (12,), _residual),
    Case("Embedding", "x |> Embedding(11, 6)", (4,), _embedding, integers=11),
    Case("PRelu", "x |> Dense(16) |> PRelu", (12,), lambda w, x, _: F.prelu(linear(w, "dense", x), w["p_relu.slope"])),
    Case("Conv, 1-D, valid", "x |> Conv(4, kernel=3) |> tanh", (2, 12), convolution(1)),
    Case("Conv, 2-D, same", f"{CONV} |> tanh", IMAGE, convolution(2, padding=1)),
    Case("Conv, 2-D, full", "x |> Conv(4, kernel=3, padding=full) |> tanh", IMAGE, convolution(2, padding=2)),
    Case("Conv, 2-D, stride 2", "x |> Conv(4, kernel=3, stride=2) |> tanh", IMAGE, convolution(2, stride=2)),
    Case("Conv, 2-D, dilation 2", "x |> Conv(4, kernel=3, dilation=2) |> tanh", IMAGE, convolution(2, dilation=2)),
    Case("Conv, 2-D, 2 groups", "x |> Conv(6, kernel=3, groups=2) |> tanh", (4, 8, 8), convolution(2, groups=2)),
    Case("Conv, 2-D, depthwise", "x |> Conv(3, kernel=3, groups=3) |> tanh", IMAGE, convolution(2, groups=3)),
    Case("Conv, 3-D", "x |> Conv(3, kernel=2) |> tanh", (2, 4, 5, 4), convolution(3)),
    Case("Conv, 1-D, causal, dilation 2", "x |> Conv(4, kernel=3, padding=causal, dilation=2) |> tanh", (2, 12),
         _causal),
    Case("Conv, 2-D, circular", "x |> Conv(4, kernel=3, padding=circular) |> tanh", IMAGE, _circular),
    Case("SeparableConv", "x |> SeparableConv(5, padding=same) |> tanh", IMAGE, _separable),
    Case("LocallyConnected", "x |> LocallyConnected(2) |> tanh", IMAGE, _unshared),
    Case("ConvTranspose, stride 2", "x |> ConvTranspose(4, stride=2, padding=1, output_padding=1) |> tanh", IMAGE,
         _transposed),
    Case("Upsample, nearest", f"{CONV} |> Upsample(2)", IMAGE,
         pooled(lambda y: F.interpolate(y, scale_factor=2, mode="nearest"))),
    Case("Upsample, bilinear", f"{CONV} |> Upsample(2, mode=linear)", IMAGE,
         pooled(lambda y: F.interpolate(y, scale_factor=2, mode="bilinear"))),
    Case("MaxPool", f"{CONV} |> MaxPool(2)", IMAGE, pooled(lambda y: F.max_pool2d(y, 2))),
    Case("MaxPool, overlapping", f"{CONV} |> MaxPool(3, stride=2, padding=1)", IMAGE,
         pooled(lambda y: F.max_pool2d(y, 3, 2, 1))),
    Case("AveragePool", f"{CONV} |> AveragePool(2)", IMAGE, pooled(lambda y: F.avg_pool2d(y, 2))),
    Case("AveragePool, overlapping", f"{CONV} |> AveragePool(3, stride=2, padding=1)", IMAGE,
         pooled(lambda y: F.avg_pool2d(y, 3, 2, 1, count_include_pad=False))),
    Case("LpPool", f"{CONV} |> LpPool(2)", IMAGE, pooled(lambda y: F.avg_pool2d(y * y, 2).mul(4).sqrt())),
    Case("AdaptiveAveragePool", f"{CONV} |> AdaptiveAveragePool(3)", IMAGE,
         pooled(lambda y: F.adaptive_avg_pool2d(y, 3))),
    Case("GlobalAveragePool", f"{CONV} |> GlobalAveragePool", IMAGE, pooled(lambda y: y.mean((2, 3)))),
    Case("GlobalMaxPool", f"{CONV} |> GlobalMaxPool", IMAGE, pooled(lambda y: y.amax((2, 3)))),
    Case("BatchNorm", f"{CONV} |> BatchNorm |> relu", IMAGE, after_convolution(_batch_norm)),
    Case("GroupNorm", f"{CONV} |> GroupNorm(2) |> relu", IMAGE,
         normalised("group_norm", lambda y, scale, shift: F.group_norm(y, 2, scale, shift))),
    Case("InstanceNorm", f"{CONV} |> InstanceNorm |> relu", IMAGE,
         normalised("instance_norm", lambda y, scale, shift: F.instance_norm(y))),
    Case("ChannelNorm", f"{CONV} |> ChannelNorm |> relu", IMAGE, normalised("channel_norm", _channel_norm)),
    Case("LayerNorm", "x |> Dense(16) |> LayerNorm |> relu", (12,), lambda w, x, _: F.relu(
        F.layer_norm(linear(w, "dense", x), (16,), w["layer_norm.scale"], w["layer_norm.shift"]))),
    Case("RMSNorm", "x |> Dense(16) |> RMSNorm |> relu", (12,), lambda w, x, _: F.relu(
        F.rms_norm(linear(w, "dense", x), (16,), w["rms_norm.scale"], eps=1e-6))),
    Case("scaled dot-product attention", "attend(Dense(6)(x), Dense(6)(x), Dense(4)(x))", (7, 5), _attention),
)  # fmt: skip


def optimized(optimizer: str) -> Case:
    """A small net trained by an optimizer."""
    return Case(f"`{optimizer}`", "x |> Dense(16) |> relu |> Dense(8) |> tanh", (12,), _mlp, optimizer=optimizer)
