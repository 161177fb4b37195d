"""Modules of PyTorch beside blocks of the library: values and all gradients, with copied weights, at several lengths.

PyTorch's are in float64 and are the oracle. A spec is compiled once, with a symbolic length and batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import archonnx

from .lengths import LENGTHS, Row

BATCH, WIDTH, HEADS, HIDDEN, OTHER = 3, 16, 4, 24, 10
"""Examples, the width of sequences, heads, units of the nets for single elements, the length of a memory."""
SMALL = 0.1
"""Differences are relative to at least so much of the largest gradient: the bias of keys has the gradient 0."""
Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Case:
    """A module and a block.

    Attributes:
        block: an expression that makes ours.
        call: its application to inputs by name.
        make: makes theirs.
        apply: theirs applied to tensors of the same names.
        copied: our parameters from theirs.
        inputs: their names.
        result: which of several results is compared, and as what.
        prepare: changes theirs before it is copied.
    """

    name: str
    block: str
    call: str
    make: Callable[[], nn.Module]
    apply: Callable[[Any, Tensors], torch.Tensor]
    copied: Callable[[Tensors], Iterator[tuple[str, torch.Tensor]]]
    inputs: tuple[str, ...] = ("x",)
    result: str = ""
    prepare: Callable[[nn.Module], None] | None = None

    def spec(self) -> str:
        """Ours, with a loss whose gradient reaches everything."""
        types = {"x": f"[B, T, {WIDTH}]", "memory": f"[B, U, {WIDTH}]", "n": "i64[B]"}
        types |= dict.fromkeys(("h", "c"), f"[B, {WIDTH}]")
        given = "".join(f"    input {name}: {types[name]}\n" for name in self.inputs)
        floats = [name for name in self.inputs if name != "n"]
        slopes = "".join(f"    output slope_{name} = grad(weighed, {name})\n" for name in floats)
        return (
            f"model Parity():\n{given}    input w: [B, T, {WIDTH}]\n    net = {self.block}\n"
            f"    y = net({self.call}){self.result}\n    weighed = sum(y * w)\n    output value = y\n{slopes}"
            "    loss objective = weighed\ntrain:\n    minimize objective with sgd()\n"
        )


def _dense(ours: str, weight: torch.Tensor, bias: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    yield f"{ours}.W", weight.T
    yield f"{ours}.b", bias


def _attention(theirs: Tensors, at: str = "", ours: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """PyTorch has the matrices of queries, keys and values in one."""
    for i, name in enumerate(("query", "key", "value")):
        rows = slice(i * WIDTH, (i + 1) * WIDTH)
        yield from _dense(f"{ours}{name}", theirs[f"{at}in_proj_weight"][rows], theirs[f"{at}in_proj_bias"][rows])
    yield from _dense(f"{ours}out", theirs[f"{at}out_proj.weight"], theirs[f"{at}out_proj.bias"])


def _layer(theirs: Tensors, at: str = "", ours: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """An encoder's layer or, where there is a second attention, a decoder's."""
    decodes = f"{at}multihead_attn.in_proj_bias" in theirs
    yield from _attention(theirs, f"{at}self_attn.", f"{ours}itself." if decodes else f"{ours}attention.")
    if decodes:
        yield from _attention(theirs, f"{at}multihead_attn.", f"{ours}across.")
    for i in (1, 2):
        yield from _dense(
            f"{ours}feed_forward.dense.{i - 1}", theirs[f"{at}linear{i}.weight"], theirs[f"{at}linear{i}.bias"]
        )
    for i in (1, 2, 3) if decodes else (1, 2):
        yield f"{ours}norm{i}.scale", theirs[f"{at}norm{i}.weight"]
        yield f"{ours}norm{i}.shift", theirs[f"{at}norm{i}.bias"]


def _stack(theirs: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    for i in range(2):
        yield from _layer(theirs, f"layers.{i}.", f"layers.{i}.")
    yield "layer_norm.scale", theirs["norm.weight"]
    yield "layer_norm.shift", theirs["norm.bias"]


def _after(t: int) -> torch.Tensor:
    """PyTorch's masks say what may not be seen."""
    return torch.triu(torch.ones(t, t, dtype=torch.bool), 1)


def _padding(given: Tensors, of: str) -> torch.Tensor:
    return torch.arange(given[of].shape[1])[None] >= given["n"][:, None]


def _self(causal: bool = False, padded: bool = False) -> Callable[[Any, Tensors], torch.Tensor]:
    def apply(net: Any, given: Tensors) -> torch.Tensor:
        x = given["x"]
        mask, padding = _after(x.shape[1]) if causal else None, _padding(given, "x") if padded else None
        y: torch.Tensor
        if isinstance(net, nn.MultiheadAttention):
            y, _ = net(x, x, x, attn_mask=mask, key_padding_mask=padding, need_weights=False)
        else:
            y = net(x, mask, src_key_padding_mask=padding)
        return y

    return apply


def _across(net: Any, given: Tensors) -> torch.Tensor:
    x, memory, padding = given["x"], given["memory"], _padding(given, "memory")
    y: torch.Tensor
    if isinstance(net, nn.MultiheadAttention):
        y, _ = net(x, memory, memory, key_padding_mask=padding, need_weights=False)
    else:
        y = net(x, memory, tgt_mask=_after(x.shape[1]), memory_key_padding_mask=padding)
    return y


def _encoder_layer(**options: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.0, batch_first=True, **options)


def _decoder_layer(**options: Any) -> nn.TransformerDecoderLayer:
    return nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, 0.0, batch_first=True, **options)


def _heads() -> nn.Module:
    return nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)


OURS = f"{HEADS}, {HIDDEN}"
CASES = (
    Case("MultiHeadAttention", f"MultiHeadAttention({HEADS})", "x", _heads, _self(), _attention),
    Case("MultiHeadAttention, causal", f"MultiHeadAttention({HEADS}, causal=true)", "x", _heads, _self(causal=True),
         _attention),
    Case("MultiHeadAttention, padding", f"MultiHeadAttention({HEADS})", "x, lengths=n", _heads, _self(padded=True),
         _attention, ("x", "n")),
    Case("MultiHeadAttention, cross, padding", f"MultiHeadAttention({HEADS})", "x, memory=memory, lengths=n", _heads,
         _across, _attention, ("x", "memory", "n")),
    Case("TransformerEncoderLayer, padding", f"TransformerEncoderLayer({OURS})", "x, lengths=n", _encoder_layer,
         _self(padded=True), _layer, ("x", "n")),
    Case("TransformerEncoderLayer, norm before, gelu, causal",
         f"TransformerEncoderLayer({OURS}, norm=pre, activation=gelu, causal=true)", "x",
         lambda: _encoder_layer(norm_first=True, activation="gelu"), _self(causal=True), _layer),
    Case("TransformerDecoderLayer, padding", f"TransformerDecoderLayer({OURS})", "x, memory, memory_lengths=n",
         _decoder_layer, _across, _layer, ("x", "memory", "n")),
    Case("TransformerDecoderLayer, norm before, padding", f"TransformerDecoderLayer({OURS}, norm=pre)",
         "x, memory, memory_lengths=n", lambda: _decoder_layer(norm_first=True), _across, _layer, ("x", "memory", "n")),
    Case("TransformerEncoder, norm before", f"TransformerEncoder(2, {OURS}, norm=pre)", "x",
         lambda: nn.TransformerEncoder(_encoder_layer(norm_first=True), 2, nn.LayerNorm(WIDTH), False), _self(),
         _stack),
    Case("TransformerDecoder, norm before, padding", f"TransformerDecoder(2, {OURS}, norm=pre)",
         "x, memory, memory_lengths=n",
         lambda: nn.TransformerDecoder(_decoder_layer(norm_first=True), 2, nn.LayerNorm(WIDTH)), _across, _stack,
         ("x", "memory", "n")),
)  # fmt: skip


def compare(case: Case) -> Row:
    """Both at every length, the largest differences."""
    torch.manual_seed(0)
    net = case.make().double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=WIDTH**-0.5)  # biases and scales as well, so that each of them matters
    if case.prepare is not None:
        case.prepare(net)
    theirs = dict(net.named_parameters())
    copied = {f"net.{path}": value for path, value in case.copied(theirs)}
    trainer = _trainer(case, {path: value.detach().numpy() for path, value in copied.items()})
    value, slope = 0.0, 0.0
    for length in LENGTHS:
        given = _batch(case, length)
        tensors = {name: _tensor(array) for name, array in given.items()}
        y = case.apply(net, tensors)
        net.zero_grad()
        (y * tensors["w"]).sum().backward()
        got = trainer.predict(given)
        value = max(value, _apart(got["value"], y.detach().numpy()))
        found = trainer.gradients(given, loss="objective")
        expected = {f"net.{path}": part for path, part in case.copied({n: _grad(p) for n, p in theirs.items()})}
        pairs = [(found[path], part.numpy()) for path, part in expected.items()]
        pairs += [(got[f"slope_{name}"], _grad(tensors[name]).numpy()) for name in case.inputs if name != "n"]
        assert set(found) == set(expected)
        floor = SMALL * max(float(np.abs(part).max()) for _, part in pairs)
        slope = max(slope, *(_apart(ours, part, floor) for ours, part in pairs))
    return Row(case.name, value, slope)


def _grad(p: torch.Tensor) -> torch.Tensor:
    return p.grad if p.grad is not None else torch.zeros_like(p)


def _tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    if array.dtype == np.int64:
        return torch.from_numpy(array)
    return torch.tensor(array.astype(np.float64), requires_grad=True)


def _apart(ours: Any, theirs: Any, floor: float = 0.0) -> float:
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), floor))


def _batch(case: Case, length: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(length)
    keys = OTHER if "memory" in case.inputs else length
    all_of: dict[str, np.ndarray[Any, Any]] = {
        "x": rng.normal(size=(BATCH, length, WIDTH)).astype(np.float32),
        "memory": rng.normal(size=(BATCH, OTHER, WIDTH)).astype(np.float32),
        "n": rng.integers(1, keys + 1, BATCH),
        "h": rng.normal(size=(BATCH, WIDTH)).astype(np.float32),
        "c": rng.normal(size=(BATCH, WIDTH)).astype(np.float32),
    }
    weights = rng.normal(size=(BATCH, length, WIDTH)).astype(np.float32)
    return {**{name: all_of[name] for name in case.inputs}, "w": weights}


def _trainer(case: Case, weights: Mapping[str, np.ndarray[Any, Any]]) -> archonnx.Trainer:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parity.arch"
        path.write_text(case.spec(), encoding="utf-8")
        trainer = archonnx.Trainer(path, batch_size=BATCH, device="cpu")
    assert set(trainer.parameters) == set(weights)
    for name, array in weights.items():
        trainer.parameters[name] = array.astype(np.float32)
    return trainer
