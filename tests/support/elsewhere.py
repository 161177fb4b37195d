"""Specs and batches with which the examples that train elsewhere are tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples/train_elsewhere.py"
MLP = """
model Net():
    input  x: [B, 12]
    target label: i64[B]
    logits = x |> Dense(16) |> relu |> Dense(3)
    loss objective = cross_entropy(logits, label)
train:
    minimize objective with adam(lr=cosine_decay(0.02, steps))
"""
CNN = """
model Net():
    input  x: [B, 2, 6, 6]
    target label: i64[B]
    h = x |> Conv(16, 3) |> BatchNorm |> relu |> flatten
    loss objective = cross_entropy(h |> Dense(3), label)
train:
    minimize objective with sgd(lr=0.05, momentum=0.9)
"""
DROPOUT = """
model Net():
    input  x: [B, 12]
    target label: i64[B]
    h = x |> Dense(16) |> relu |> Dropout(0.5)
    noisy = h + 0.1 * normal(shape_of(h))
    loss objective = cross_entropy(noisy |> Dense(3), label)
train:
    clip_norm = 1.0
    minimize objective with adam(lr=0.02)
"""
LSTM = """
model Net():
    input  x: [B, 6, 2]
    target label: i64[B]
    h = x |> LSTM(8)
    loss objective = cross_entropy(h.hs[:, -1] |> Dense(3), label)
train:
    minimize objective with adam(lr=0.02)
"""
SEVERAL = """
model Net():
    input  x: [B, 12]
    target label: i64[B]
    body = Dense(16)
    logits = x |> body |> relu |> Dense(3)
    loss objective = cross_entropy(logits, label)
    loss small = mean(body(x) ** 2)
train first:
    minimize small over body with sgd(lr=0.01)
train second:
    repeat 2:
        minimize small over body with sgd(lr=0.01)
    minimize objective with adam(lr=0.02)
    every 2:
        update body = 0.99 * body
"""
GROUPS = MLP.replace("train:", "train:\n    accumulate = 3").replace("cosine_decay(0.02, steps)", "0.02")
SHAPES = {"mlp": (12,), "cnn": (2, 6, 6), "dropout": (12,), "lstm": (6, 2), "several": (12,), "groups": (12,)}
SPECS = {"mlp": MLP, "cnn": CNN, "dropout": DROPOUT, "lstm": LSTM, "several": SEVERAL, "groups": GROUPS}
ROWS, STEPS = 8, 6


def batches(shape: tuple[int, ...]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [
        {"x": rng.normal(size=(ROWS, *shape)).astype(np.float32), "label": rng.integers(0, 3, ROWS)}
        for _ in range(STEPS)
    ]
