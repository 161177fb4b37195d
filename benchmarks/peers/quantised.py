"""PyTorch's own static quantisation of a net with our parameters: graph mode, scales of channels, kernels of fbgemm.

Its default for processors without VNNI takes 7 bits for what comes out of a layer, so that no sum of two products
leaves 16 bits; weights have 8.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.cases import Case

from .base import assign_statistics
from .steps import make_net

ENGINE = "fbgemm"


def accuracy(case: Case, parameters: Mapping[str, Any], calibration: Any, fields: Mapping[str, Any]) -> float:
    """The part of the labels that a quantised net finds.

    Args:
        case: the net, which has one field and labels.
        parameters: ours, with the statistics.
        calibration: examples by which ranges are chosen.
        fields: examples and their labels.
    """
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    net = make_net(case, plain=True)
    net.assign(parameters)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assign_statistics(net, parameters)
        torch.backends.quantized.engine = ENGINE
        examples = torch.from_numpy(calibration)
        prepared = prepare_fx(net.net.eval(), get_default_qconfig_mapping(ENGINE), (examples[:1],))
        for rows in examples.split(64):
            prepared(rows)
        scores = convert_fx(prepared)(torch.from_numpy(fields["image"]))
    return float((scores.argmax(1).numpy() == fields["label"]).mean())
