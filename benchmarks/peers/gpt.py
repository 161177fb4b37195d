"""The GPT of ``benchmarks/specs`` in PyTorch, with one product for queries, keys and values and its fused attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  the name that PyTorch's users know
from torch import Tensor, nn

from .base import Batch, Module, Peer


class Layer(Module):
    """Norm, attention, norm, a net for each place; both beside the identity."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.out = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.norm2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
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


class GPT(Peer):
    """Logits of the next token at every place."""

    def __init__(self, vocabulary: int, context: int, d: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(vocabulary, d), nn.Parameter(0.02 * torch.randn(context, d))
        self.layers = nn.ModuleList(Layer(d, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(d)

    def forward(self, batch: Batch) -> Tensor:
        """Cross-entropy of the next tokens."""
        return F.cross_entropy(self.logits(batch["ids"]).flatten(0, 1), batch["next"].flatten())

    def logits(self, ids: Tensor) -> Tensor:
        """[B, T] to [B, T, vocabulary]."""
        x = self.embedding(ids) + self.positions[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return F.linear(self.norm(x), self.embedding.weight)

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


class Encoder(Peer):
    """PyTorch's own encoder with norms after its parts, and a linear layer for every place."""

    def __init__(self, vocabulary: int = 256, context: int = 64, d: int = 128, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(vocabulary, d), nn.Parameter(torch.zeros(context, d))
        layer = nn.TransformerEncoderLayer(d, heads, 4 * d, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.head = nn.Linear(d, vocabulary)

    def forward(self, batch: Batch) -> Tensor:
        """Cross-entropy of the next tokens."""
        return F.cross_entropy(self.logits(batch["ids"]).flatten(0, 1), batch["next"].flatten())

    def logits(self, ids: Tensor) -> Tensor:
        """[B, T] to [B, T, vocabulary]."""
        result: Tensor = self.head(self.encoder(self.embedding(ids) + self.positions))
        return result

    def assign(self, ours: Mapping[str, Any]) -> None:
        """By their paths."""
        given = {path: torch.from_numpy(array) for path, array in ours.items()}
        pairs = [(self.embedding.weight, given["embedding.W"]), (self.positions, given["learned_positions.W"]),
                 (self.head.weight, given["dense.W"].T), (self.head.bias, given["dense.b"])]  # fmt: skip
        for i, layer in enumerate(self.encoder.layers):
            at, parts = f"transformer_encoder.layers.{i}", ("query", "key", "value")
            own = layer.self_attn
            pairs += [(own.in_proj_weight, torch.cat([given[f"{at}.attention.{part}.W"].T for part in parts])),
                      (own.in_proj_bias, torch.cat([given[f"{at}.attention.{part}.b"] for part in parts]))]  # fmt: skip
            linears = {"attention.out": own.out_proj, "feed_forward.dense.0": layer.linear1,
                       "feed_forward.dense.1": layer.linear2}  # fmt: skip
            for path, linear in linears.items():
                pairs += [(linear.weight, given[f"{at}.{path}.W"].T), (linear.bias, given[f"{at}.{path}.b"])]
            for path, norm in (("norm1", layer.norm1), ("norm2", layer.norm2)):
                pairs += [(norm.weight, given[f"{at}.{path}.scale"]), (norm.bias, given[f"{at}.{path}.shift"])]
        with torch.no_grad():
            for parameter, value in pairs:
                parameter.copy_(value)
