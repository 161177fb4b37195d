"""``feed whole``: a field that every batch gets as it is, against NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.initial import initial_value
from archonnx.runtime.training.programs import Trained, prepare, run_programs
from tests.support.elaborated import findings, program

CPU = SessionOptions(device="cpu", threads=1)
GRAPH = """model Graph():
    input nodes: i64[B]
    input A: [N, N]
    input features: [N, 3]
    target y: [B]
    net = Dense(1)
    score = sum((A @ net(features))[nodes], axis=1)
    output y_hat = score
    loss objective = mse(score, y)

train:
    data = generate(ring, n=12)
    feed nodes = data.index
    feed whole A = data.A / 2
    feed whole features = data.x
    split = {train: 6, valid: 4, test: 2}
    epochs = 3
    batch_size = BATCH
    shuffle = false
    minimize objective with sgd(lr=0.1)

fn ring(n: int) -> (A: [n, n], x: [n, 3], y: [n]):
    i = arange(n)
    gap = i[:, none] - i[none, :]
    x: [n, 3] ~ normal(0, 1)
    return where(gap * gap == 1, 1.0, 0.0), x, x[:, 0]
"""


def run(batch_size: str) -> Trained:
    return run_programs(program(GRAPH.replace("BATCH", batch_size)), Path(), options=CPU)[0]


@pytest.mark.parametrize("size", [2, 5])
def test_a_graph_convolution_equals_numpy_in_every_part(size: int) -> None:
    trained = run(str(size))
    trainer, of = trained.trainer, trained.trainer.model
    data = prepare(of, trained.program, trained.settings, Path())
    ((_, everything),) = data.examples.batches(np.arange(12), "all")
    A, x, y = (everything[name].astype(np.float64) for name in ("A", "features", "y"))
    assert A.shape == (12, 12) and set(np.unique(A)) == {0.0, 0.5} and data.examples.count == 12
    w, b = (initial_value(p, trained.settings.seed).astype(np.float64) for p in of.parameters.values())
    for _ in range(3):
        for first in range(0, 6, size):
            rows = data.parts.train[first : first + size]
            slope = 2 * ((A @ (x @ w + b))[rows, 0] - y[rows]) / len(rows)
            w, b = w - 0.1 * ((A @ x)[rows].T @ slope)[:, None], b - 0.1 * slope @ A.sum(axis=1)[rows]
    for ours, theirs in zip(trainer.parameters.values(), (w, b), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    for part, values in trained.metrics.items():
        rows = data.parts.of(part)  # type: ignore[arg-type]
        loss = np.mean(((A @ (x @ w + b))[rows, 0] - y[rows]) ** 2)
        assert values["objective"] == pytest.approx(loss, rel=1e-4)


def test_a_whole_field_does_not_share_the_dim_that_counts_examples() -> None:
    wrong = (
        GRAPH.replace("BATCH", "2").replace("features: [N, 3]", "features: [B, 3]").replace("A: [N, N]", "A: [N, B]")
    )
    found = findings(wrong)
    assert [f.code for f in found] == ["AX0708", "AX0708"]
    assert all("B counts the examples of a batch in `nodes" in f.headline for f in found)
    assert [f.span.text for f in found if f.span] == ["A", "features"]


def test_a_batch_size_is_that_of_what_is_cut() -> None:
    whole_first = (
        GRAPH.replace("BATCH", "2")
        .replace("    input nodes: i64[B]\n", "")
        .replace("    target y: [B]\n", "    input nodes: i64[B]\n    target y: [B]\n")
    )
    compiled = archonnx.compile(parse_spec(Source("graph.arch", whole_first)), batch_size=5)
    shapes = {
        value.name: [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]
        for value in compiled.graphs["train_step"].graph.input
    }
    assert (shapes["nodes"], shapes["A"], shapes["features"]) == ([5], ["N", "N"], ["N", 3])
