"""The GPT of ``benchmarks/specs`` in PyTorch, with one product for queries, keys and values and its fused attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  the name that PyTorch's users know
from torch import Tensor, nn


class Layer:
    """Norm, attention, norm, a net for each place; both beside the identity."""

    def __init__(self, d: int, heads: int) -> None:
        self.heads = heads
        self.norm1, self.qkv, self.out = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.norm2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def __call__(self, x: Tensor) -> Tensor:
        """[B, T, d] to the same."""
        x = x + self.attention(self.norm1(x))
        result: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return result

    def attention(self, x: Tensor) -> Tensor:
        """Causal, of several heads."""
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        result: Tensor = self.out(y.transpose(1, 2).reshape(b, t, d))
        return result

    def parameters(self) -> Iterator[Tensor]:
        """All of them."""
        for part in (self.norm1, self.qkv, self.out, self.norm2, self.up, self.down):
            yield from part.parameters()


class GPT:
    """Logits of the next token at every place."""

    def __init__(self, vocabulary: int, context: int, d: int, depth: int, heads: int) -> None:
        self.embedding, self.positions = nn.Embedding(vocabulary, d), nn.Parameter(0.02 * torch.randn(context, d))
        self.layers = [Layer(d, heads) for _ in range(depth)]
        self.norm = nn.LayerNorm(d)

    def __call__(self, ids: Tensor) -> Tensor:
        """[B, T] to [B, T, vocabulary]."""
        x = self.embedding(ids) + self.positions[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return F.linear(self.norm(x), self.embedding.weight)

    def parameters(self) -> Iterator[Tensor]:
        """All of them."""
        yield from (self.embedding.weight, self.positions, *self.norm.parameters())
        for layer in self.layers:
            yield from layer.parameters()

    def assign(self, ours: Mapping[str, Any]) -> None:
        """Take the parameters of the spec, by their paths."""
        given = {path: torch.from_numpy(array) for path, array in ours.items()}
        stack = "transformer_encoder"
        pairs = [(self.embedding.weight, given["embedding.W"]), (self.positions, given["learned_positions.W"])]
        norms = {f"{stack}.layer_norm": self.norm}
        linears: dict[str, nn.Linear] = {}
        for i, layer in enumerate(self.layers):
            at, parts = f"{stack}.layers.{i}", ("query", "key", "value")
            norms |= {f"{at}.norm1": layer.norm1, f"{at}.norm2": layer.norm2}
            linears |= {f"{at}.attention.out": layer.out}
            linears |= {f"{at}.feed_forward.dense.0": layer.up, f"{at}.feed_forward.dense.1": layer.down}
            pairs += [(layer.qkv.weight, torch.cat([given[f"{at}.attention.{part}.W"].T for part in parts])),
                      (layer.qkv.bias, torch.cat([given[f"{at}.attention.{part}.b"] for part in parts]))]  # fmt: skip
        for path, norm in norms.items():
            pairs += [(norm.weight, given[f"{path}.scale"]), (norm.bias, given[f"{path}.shift"])]
        for path, linear in linears.items():
            pairs += [(linear.weight, given[f"{path}.W"].T), (linear.bias, given[f"{path}.b"])]
        with torch.no_grad():
            for parameter, value in pairs:
                parameter.copy_(value)


def written(net: GPT, ids: Tensor, new: int) -> Tensor:
    """A prompt [B, P] and the most probable tokens after it, one at a time; keys and values are kept."""
    with torch.inference_mode():
        return _written(net, ids, new)


def _written(net: GPT, ids: Tensor, new: int) -> Tensor:
    rows, length = ids.shape
    d = net.positions.shape[1]
    caches = [torch.empty(2, rows, layer.heads, length + new, d // layer.heads) for layer in net.layers]
    tokens = torch.cat([ids, ids.new_zeros(rows, new)], 1)
    at, chunk = 0, ids
    for place in range(length, length + new):
        x = net.embedding(chunk) + net.positions[at:place]
        for layer, cache in zip(net.layers, caches, strict=True):
            b, t, _ = x.shape
            q, k, v = layer.qkv(layer.norm1(x)).view(b, t, 3, layer.heads, d // layer.heads).permute(2, 0, 3, 1, 4)
            cache[0, :, :, at:place], cache[1, :, :, at:place] = k, v
            y = F.scaled_dot_product_attention(q, cache[0, :, :, :place], cache[1, :, :, :place], is_causal=t > 1)
            x = x + layer.out(y.transpose(1, 2).reshape(b, t, d))
            x = x + layer.down(F.gelu(layer.up(layer.norm2(x))))
        chunk = F.linear(net.norm(x[:, -1:]), net.embedding.weight).argmax(-1)
        tokens[:, place] = chunk[:, 0]
        at = place
    return tokens
