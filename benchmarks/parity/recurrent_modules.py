"""PyTorch's recurrent modules beside the library's: cases of ``modules``.

PyTorch has two biases that are added, and here there is one: theirs of the state is 0, but for a GRU's candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.peers.recurrent import ordered

from .modules import WIDTH, Case, Tensors

HALF = WIDTH // 2
Copied = Callable[[Tensors], Iterator[tuple[str, torch.Tensor]]]


def _layer(
    theirs: Tensors, ours: str = "", of: str = "l0", candidate: bool = False
) -> Iterator[tuple[str, torch.Tensor]]:
    """One layer of one direction; ``candidate`` where the bias of a GRU's candidate stays apart."""
    n = theirs[f"weight_hh_{of}"].shape[1]
    yield f"{ours}W", ordered(theirs[f"weight_ih_{of}"], n).T
    yield f"{ours}U", ordered(theirs[f"weight_hh_{of}"], n).T
    yield f"{ours}b", ordered(theirs[f"bias_ih_{of}"], n)
    if candidate:
        yield f"{ours}c", theirs[f"bias_hh_{of}"].chunk(3)[2]


def _gru(theirs: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    return _layer(theirs, candidate=True)


def _both(candidate: bool = False) -> Copied:
    def copied(theirs: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
        yield from _layer(theirs, "forward.", "l0", candidate)
        yield from _layer(theirs, "backward.", "l0_reverse", candidate)

    return copied


def _two(theirs: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    for i in range(2):
        yield from _layer(theirs, f"layers.{i}.forward.", f"l{i}")
        yield from _layer(theirs, f"layers.{i}.backward.", f"l{i}_reverse")


def _one_bias(net: nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith("bias_hh"):
                kept = 2 * len(parameter) // 3 if isinstance(net, nn.GRU) else len(parameter)
                parameter[:kept] = 0


def _run(last: str = "", padded: bool = False) -> Callable[[Any, Tensors], torch.Tensor]:
    """All states, or the last ``h`` or ``c`` of each example, of the last layer, both directions side by side."""

    def apply(net: Any, given: Tensors) -> torch.Tensor:
        x: Any = given["x"]
        if padded:
            x = pack_padded_sequence(x, given["n"], batch_first=True, enforce_sorted=False)
        first = tuple(given[name][None] for name in ("h", "c") if name in given)
        hs, states = net(x, *((first if len(first) == 2 else first[0],) if first else ()))
        if last:
            state = states["hc".index(last)] if isinstance(net, nn.LSTM) else states
            return torch.cat(list(state[-2 if net.bidirectional else -1 :]), -1)[:, None]
        whole: torch.Tensor = (
            pad_packed_sequence(hs, batch_first=True, total_length=given["x"].shape[1])[0] if padded else hs
        )
        return whole

    return apply


def _case(
    name: str, block: str, make: Callable[[], nn.Module], copied: Copied,
    *, call: str = "x", last: str = "", padded: bool = False, inputs: tuple[str, ...] = ("x",),
) -> Case:  # fmt: skip
    given = (*inputs, "n") if padded else inputs
    result = f".{last}[:, none]" if last else ".hs"
    call += ", lengths=n" if padded else ""
    return Case(name, block, call, make, _run(last, padded), copied, given, result, _one_bias)


def _lstm(**options: Any) -> nn.LSTM:
    return nn.LSTM(WIDTH, options.pop("n", WIDTH), batch_first=True, **options)


def _torch_gru(**options: Any) -> nn.GRU:
    return nn.GRU(WIDTH, options.pop("n", WIDTH), batch_first=True, **options)


def _rnn(**options: Any) -> nn.RNN:
    return nn.RNN(WIDTH, WIDTH, batch_first=True, **options)


CASES = (
    _case("RNN", f"RNN({WIDTH})", _rnn, _layer),
    _case("RNN, relu, from a state", f"RNN({WIDTH}, activation=relu)", lambda: _rnn(nonlinearity="relu"), _layer,
          call="x, start=h", inputs=("x", "h")),
    _case("LSTM", f"LSTM({WIDTH})", _lstm, _layer),
    _case("LSTM, from a state, last cell", f"LSTM({WIDTH})", _lstm, _layer, call="x, start=[h, c]", last="c",
          inputs=("x", "h", "c")),
    _case("LSTM, unequal lengths", f"LSTM({WIDTH})", _lstm, _layer, padded=True),
    _case("LSTM, unequal lengths, last state", f"LSTM({WIDTH})", _lstm, _layer, padded=True, last="h"),
    _case("GRU, reset after the product", f"GRU({WIDTH})", _torch_gru, _gru),
    _case("GRU, from a state, unequal lengths, last state", f"GRU({WIDTH})", _torch_gru, _gru, call="x, start=h",
          padded=True, last="h", inputs=("x", "h")),
    _case("Bidirectional LSTM", f"Bidirectional(LSTM({HALF}), LSTM({HALF}))",
          lambda: _lstm(n=HALF, bidirectional=True), _both()),
    _case("Bidirectional GRU, unequal lengths", f"Bidirectional(GRU({HALF}), GRU({HALF}))",
          lambda: _torch_gru(n=HALF, bidirectional=True), _both(candidate=True), padded=True),
    _case("RecurrentStack of two bidirectional LSTMs, unequal lengths, last state",
          f"RecurrentStack([Bidirectional(LSTM({HALF}), LSTM({HALF})) for _ in range(2)])",
          lambda: _lstm(n=HALF, bidirectional=True, num_layers=2), _two, padded=True, last="h"),
)  # fmt: skip
