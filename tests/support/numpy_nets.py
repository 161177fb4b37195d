"""The zoo's digit classifiers and their optimizers once more, by hand in NumPy float64: an oracle for training steps.

Nothing here uses archonnx: forward and backward passes are written out, layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Weights = dict[str, Any]


def softmax_cross_entropy(logits: Any, label: Any) -> tuple[float, Any]:
    """The mean loss, and its gradient with respect to the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(label))
    d = np.exp(log_probs)
    d[rows, label] -= 1
    return float(-log_probs[rows, label].mean()), d / len(label)


def mlp(w: Weights, image: Any, label: Any) -> tuple[float, Weights]:
    """Loss and gradients of digits_mlp (no dropout)."""
    h0 = image @ w["dense.0.W"] + w["dense.0.b"]
    r0 = np.maximum(h0, 0)
    h1 = r0 @ w["dense.1.W"] + w["dense.1.b"]
    r1 = np.maximum(h1, 0)
    loss, d2 = softmax_cross_entropy(r1 @ w["dense.2.W"] + w["dense.2.b"], label)
    d1 = (d2 @ w["dense.2.W"].T) * (h1 > 0)
    d0 = (d1 @ w["dense.1.W"].T) * (h0 > 0)
    return loss, {
        "dense.0.W": image.T @ d0, "dense.0.b": d0.sum(axis=0),
        "dense.1.W": r0.T @ d1, "dense.1.b": d1.sum(axis=0),
        "dense.2.W": r1.T @ d2, "dense.2.b": d2.sum(axis=0),
    }  # fmt: skip


def convolve3(x: Any, w: Any, b: Any) -> Any:
    """A 3x3 convolution with one zero around, by nine products."""
    n, _, height, width = x.shape
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    y = np.zeros((n, len(w), height, width))
    for i in range(3):
        for j in range(3):
            y += np.einsum("ncij,oc->noij", padded[:, :, i : i + height, j : j + width], w[:, :, i, j])
    return y + b[:, None, None]


def convolve3_backward(x: Any, w: Any, dy: Any) -> tuple[Any, Any, Any]:
    """Gradients of ``convolve3`` with respect to x, w and b."""
    height, width = x.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(3):
        for j in range(3):
            window = (slice(None), slice(None), slice(i, i + height), slice(j, j + width))
            dw[:, :, i, j] = np.einsum("noij,ncij->oc", dy, padded[window])
            dx[window] += np.einsum("noij,oc->ncij", dy, w[:, :, i, j])
    return dx[:, :, 1:-1, 1:-1], dw, dy.sum(axis=(0, 2, 3))


def pool2(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """2x2 max pooling, and its backward pass (ties share)."""
    n, c, height, width = x.shape
    tiles = x.reshape(n, c, height // 2, 2, width // 2, 2)
    y = tiles.max(axis=(3, 5), keepdims=True)
    mask = (tiles == y) / (tiles == y).sum(axis=(3, 5), keepdims=True)
    return y[:, :, :, 0, :, 0], lambda dy: (mask * dy[:, :, :, None, :, None]).reshape(x.shape)


def cnn(w: Weights, image: Any, label: Any) -> tuple[float, Weights]:
    """Loss and gradients of digits_cnn (no dropout)."""
    c0 = convolve3(image, w["conv.0.W"], w["conv.0.b"])
    p0, unpool0 = pool2(np.maximum(c0, 0))
    c1 = convolve3(p0, w["conv.1.W"], w["conv.1.b"])
    p1, unpool1 = pool2(np.maximum(c1, 0))
    flat = p1.reshape(len(p1), -1)
    loss, d = softmax_cross_entropy(flat @ w["dense.W"] + w["dense.b"], label)
    d_c1 = unpool1((d @ w["dense.W"].T).reshape(p1.shape)) * (c1 > 0)
    d_p0, dw1, db1 = convolve3_backward(p0, w["conv.1.W"], d_c1)
    _, dw0, db0 = convolve3_backward(image, w["conv.0.W"], unpool0(d_p0) * (c0 > 0))
    return loss, {
        "conv.0.W": dw0, "conv.0.b": db0, "conv.1.W": dw1, "conv.1.b": db1,
        "dense.W": flat.T @ d, "dense.b": d.sum(axis=0),
    }  # fmt: skip


class Sgd:
    """Gradient descent, with heavy-ball momentum."""

    def __init__(self, lr: float, momentum: float = 0.0) -> None:
        self.lr, self.momentum = lr, momentum
        self.v: Weights = {}

    def __call__(self, w: Weights, g: Mapping[str, Any]) -> None:
        for name in w:
            self.v[name] = self.momentum * self.v.get(name, 0) + g[name]
            w[name] = w[name] - self.lr * self.v[name]


class Adam:
    """Adam, Algorithm 1 of Kingma and Ba (2015)."""

    def __init__(self, lr: float) -> None:
        self.lr, self.t = lr, 0
        self.m: Weights = {}
        self.v: Weights = {}

    def __call__(self, w: Weights, g: Mapping[str, Any]) -> None:
        self.t += 1
        for name in w:
            self.m[name] = 0.9 * self.m.get(name, 0) + 0.1 * g[name]
            self.v[name] = 0.999 * self.v.get(name, 0) + 0.001 * g[name] ** 2
            m, v = self.m[name] / (1 - 0.9**self.t), self.v[name] / (1 - 0.999**self.t)
            w[name] = w[name] - self.lr * m / (np.sqrt(v) + 1e-8)
