"""Layers of Transformers and stacks of them, experts, vision transformers, and temporal convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..analytic import Array, real, relu, sigmoid, softmax
from ..setting import Setting, between, choose, family, normal
from .activations import gelu
from .attention import dense, known, multi_head, rotated
from .networks import shapes
from .windows import convolved

Values = Mapping[str, Any]


def layer_norm(v: Values, path: str, x: Any, eps: float = 1e-5) -> Any:
    """LayerNorm below a path."""
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + eps) * v[f"{path}.scale"] + v[f"{path}.shift"]


def _rms_norm(v: Values, path: str, x: Any) -> Any:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * v[f"{path}.scale"]


def _silu(x: Any) -> Any:
    return x * sigmoid(x)


def feed_forward(v: Values, path: str, x: Any, act: Callable[[Any], Any] = relu) -> Any:
    """FeedForward below a path."""
    return dense(v, f"{path}dense.1", act(dense(v, f"{path}dense.0", x)))


def gated(v: Values, path: str, x: Any, act: Callable[[Any], Any] = _silu) -> Any:
    """GatedFeedForward below a path."""
    return dense(v, f"{path}dense.2", act(dense(v, f"{path}dense.0", x)) * dense(v, f"{path}dense.1", x))


def encoder_layer(
    v: Values, path: str, x: Any, heads: int, pre: bool, seen: Any = True,
    act: Callable[[Any], Any] = relu, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """TransformerEncoderLayer below a path."""
    parts: list[Callable[[Any], Any]] = [
        lambda h: multi_head(v, f"{path}attention.", h, heads, seen=seen),
        lambda h: feed_forward(v, f"{path}feed_forward.", h, act),
    ]
    return _around(v, path, x, parts, pre, eps)


def decoder_layer(v: Values, path: str, x: Any, memory: Any, heads: int, pre: bool, there: Any = True) -> Any:
    """TransformerDecoderLayer below a path."""
    before = np.tril(np.ones((x.shape[1],) * 2, bool))
    parts: list[Callable[[Any], Any]] = [
        lambda h: multi_head(v, f"{path}itself.", h, heads, seen=before),
        lambda h: multi_head(v, f"{path}across.", h, heads, memory, there),
        lambda h: feed_forward(v, f"{path}feed_forward.", h),
    ]
    return _around(v, path, x, parts, pre, 1e-5)


def _around(v: Values, path: str, x: Any, parts: list[Callable[[Any], Any]], pre: bool, eps: float) -> Any:
    for i, part in enumerate(parts, start=1):
        norm = f"{path}norm{i}"
        x = x + part(layer_norm(v, norm, x, eps)) if pre else layer_norm(v, norm, x + part(x), eps)
    return x


def _weights(rng: np.random.Generator, module: str, *inputs: tuple[int, ...]) -> dict[str, Array]:
    """Random numbers for the parameters of a module, of a size that keeps signals as they are."""
    found = {}
    for path, size in shapes(module, *inputs).items():
        fan = size[-2] if len(size) == 2 else int(np.prod(size[1:])) if len(size) > 2 else 4
        found[path] = between(rng, 0.5, 2, *size) if path.endswith("scale") else normal(rng, *size, scale=fan**-0.5)
    return found


LAYERS = 7


@family("layers of Transformers", seeds=15 * LAYERS, sample=LAYERS, units=64)
def layer(rng: np.random.Generator, seed: int) -> Setting:
    """Encoder, decoder and stacks, norm before and after; a layer of Llama; the two nets for single elements."""
    heads, t, u, m = int(choose(rng, 1, 2)), int(rng.integers(2, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 5))
    d, hidden = 4, int(rng.integers(1, 6))
    pre, lengths = bool(rng.integers(0, 2)), rng.integers(1, t + 1, 2)
    norm, there = ("pre" if pre else "post"), rng.integers(1, u + 1, 2)
    x, memory = normal(rng, 2, t, d), normal(rng, 2, u, m)
    seen, before = known(lengths, t)[:, None, None], np.tril(np.ones((t, t), bool))
    there_seen = known(there, u)[:, None, None]

    def stack(v: Values, step: Callable[[str, Any], Any]) -> Any:
        x = v["x"]
        for i in range(2):
            x = step(f"layers.{i}.", x)
        return layer_norm(v, "layer_norm", x) if pre else x

    def llama(v: Values) -> Any:
        x = v["x"]
        x = x + multi_head(v, "attention.", _rms_norm(v, "norm1", x), 2, seen=before, kv_heads=1, turn=rotated)
        return x + gated(v, "feed_forward.", _rms_norm(v, "norm2", x))

    cases: list[tuple[str, str, Callable[[Values], Any]]] = [
        ("$m($x)", f"FeedForward({hidden})", lambda v: feed_forward(v, "", v["x"])),
        ("$m($x)", f"GatedFeedForward({hidden}, activation=gelu)", lambda v: gated(v, "", v["x"], gelu)),
        ("$m($x, lengths=$n)", f"TransformerEncoderLayer({heads}, {hidden}, activation=gelu, norm={norm})",
         lambda v: encoder_layer(v, "", v["x"], heads, pre, seen, gelu)),
        ("$m($x, $memory, memory_lengths=$k)", f"TransformerDecoderLayer({heads}, {hidden}, norm={norm})",
         lambda v: decoder_layer(v, "", v["x"], v["memory"], heads, pre, there_seen)),
        ("$m($x)", f"TransformerEncoder(2, {heads}, {hidden}, norm={norm}, causal=true)",
         lambda v: stack(v, lambda path, x: encoder_layer(v, path, x, heads, pre, before))),
        ("$m($x, $memory)", f"TransformerDecoder(2, {heads}, {hidden}, norm={norm})",
         lambda v: stack(v, lambda path, x: decoder_layer(v, path, x, v["memory"], heads, pre))),
        ("$m($x)", f"LlamaLayer(2, kv_heads=1, hidden={hidden})", llama),
    ]  # fmt: skip
    text, module, f = cases[seed % LAYERS]
    inputs: dict[str, Array] = {"x": x, "memory": memory} if "memory" in text else {"x": x}
    wrt = tuple(inputs)
    parameters = _weights(rng, module, *(value.shape for value in inputs.values()))
    inputs |= {name: value for name, value in (("n", lengths), ("k", there)) if f"${name}" in text}
    return Setting(text, inputs, f, wrt, module, parameters, normwise=True)


def _experts(v: Values, top: int) -> tuple[Any, Any]:
    """Element by element, expert by expert."""
    x = v["x"].reshape(-1, v["x"].shape[-1])
    p = softmax(x @ v["router"])
    best = np.argsort(-real(p), -1, kind="stable")[:, :top]
    y, chosen = np.zeros_like(x), np.zeros(p.shape)
    for n, experts in enumerate(best):
        total = p[n, experts].sum() if top > 1 else 1.0
        for i in experts:
            h = relu(x[n] @ v["W"][i] + v["b"][i])
            y[n] += p[n, i] / total * (h @ v["V"][i] + v["c"][i])
            chosen[n, i] = 1 / top
    return y.reshape(v["x"].shape), p.shape[1] * (chosen.mean(0) * p.mean(0)).sum()


def _vit(v: Values, patch: int, heads: int, depth: int) -> Any:
    x = v["x"]
    B, _, H, W = x.shape
    patches = [
        x[:, :, i : i + patch, j : j + patch].reshape(B, -1) for i in range(0, H, patch) for j in range(0, W, patch)
    ]
    h = dense(v, "dense", np.stack(patches, 1))
    token = np.broadcast_to(v["token"], (B, 1, h.shape[-1]))
    h = np.concatenate([token, h], 1) + v["learned_positions.W"]
    for i in range(depth):
        h = encoder_layer(v, f"transformer_encoder.layers.{i}.", h, heads, True, act=gelu, eps=1e-6)
    return layer_norm(v, "transformer_encoder.layer_norm", h, 1e-6)[:, 0]


def _temporal(v: Values, path: str, x: Any, dilation: int) -> Any:
    h = x
    for i in range(2):
        w = v[f"{path}conv.{i}.W"]
        pads = [(dilation * (w.shape[-1] - 1), 0)]
        h = relu(convolved(h, w, [1], [dilation], pads, 1) + v[f"{path}conv.{i}.b"][:, None])
    if f"{path}conv.2.W" in v:
        x = convolved(x, v[f"{path}conv.2.W"], [1], [1], [(0, 0)], 1) + v[f"{path}conv.2.b"][:, None]
    return relu(x + h)


BLOCKS = 6


@family("experts, images, time", seeds=10 * BLOCKS, sample=BLOCKS, units=64)
def block(rng: np.random.Generator, seed: int) -> Setting:
    """Mixtures of experts and their balance, a vision transformer, temporal convolutions."""
    experts, kernel = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    top, heads, depth = int(rng.integers(1, experts + 1)), int(choose(rng, 1, 2)), int(rng.integers(1, 3))
    if seed % BLOCKS == 1:
        top = min(top, experts - 1)  # if all are chosen the balance is 1, and has no slope
    mixture = f"MixtureOfExperts({experts}, 3, top={top})"
    sequence, image, series = (2, 3, 4), (2, 2, 4, 6), (2, 3, 9)

    def convolutions(v: Values) -> Any:
        return _temporal(v, "temporal_block.1.", _temporal(v, "temporal_block.0.", v["x"], 1), 2)

    cases: list[tuple[str, str, tuple[int, ...], Callable[[Values], Any]]] = [
        ("$m($x).y", mixture, sequence, lambda v: _experts(v, top)[0]),
        ("$m($x).balance", mixture, sequence, lambda v: _experts(v, top)[1]),
        ("$m($x)", f"VisionTransformer(4, {depth}, {heads}, patch=2)", image, lambda v: _vit(v, 2, heads, depth)),
        ("$m($x)", f"TemporalBlock(2, {kernel}, dilation=2)", series, lambda v: _temporal(v, "", v["x"], 2)),
        ("$m($x)", f"TemporalBlock(3, {kernel}, dilation=3)", series, lambda v: _temporal(v, "", v["x"], 3)),
        ("$m($x)", f"TemporalConvNet(2, 2, {kernel})", series, convolutions),
    ]  # fmt: skip
    text, module, shape, f = cases[seed % BLOCKS]
    # what a mixture chooses does not change if x is moved by a rounding: probabilities lie well apart
    return Setting(text, {"x": normal(rng, *shape)}, f, ("x",), module, _weights(rng, module, shape), normwise=True)
