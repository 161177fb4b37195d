"""The nets of the training steps as PyTorch exports them for inference: a field to the outputs that ours have."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.cases import Case

from .base import Labelled, Module, Peer, assign_statistics
from .convolution import Autoencoder, UNet
from .gpt import GPT, Encoder
from .recurrent import Recurrent
from .steps import make_net


class Predictor(Module):
    """What a net gives for a field."""

    def __init__(self, net: Peer) -> None:
        super().__init__()
        self.net = net
        self.predict: Callable[[Tensor], Tensor] = _prediction(net)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs."""
        return self.predict(x)


def _prediction(net: Peer) -> Callable[[Tensor], Tensor]:
    if isinstance(net, Labelled):
        return lambda x: net.net(x).softmax(-1)
    if isinstance(net, GPT | Encoder | Recurrent):
        return lambda x: net.logits(x).softmax(-1)
    if isinstance(net, UNet):
        return net.logits
    assert isinstance(net, Autoencoder)
    return lambda x: net.net(x)


def export(case: Case, initial: dict[str, Any], name: str, path: Path) -> None:
    """Write the net with our parameters as ONNX, for any batch size of the field that is its input."""
    net = make_net(case, plain=True)
    net.assign(initial)
    assign_statistics(net, initial)
    x = torch.from_numpy(case.batch()[name][:2])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Predictor(net).eval(), (x,), str(path), input_names=["x"], output_names=["y"], external_data=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, verbose=False,
        )  # fmt: skip
