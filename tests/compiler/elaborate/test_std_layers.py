"""The library's blocks against NumPy."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.grammar.source import Source
from archonnx.grammar.text.outline import outline
from tests.support.elaborated import initial, model, numbers, output, program

X = numbers(3, 4)


def test_dense() -> None:
    w, b = numbers(4, 2, seed=1), numbers(2, seed=2)
    of = program(model("net = Dense(2)\noutput y = net(x)"))
    assert initial(of)["net.b"].tolist() == [0, 0]
    np.testing.assert_allclose(output(of, {"net.W": w, "net.b": b}, x=X), X @ w + b, rtol=1e-5, atol=1e-6)
    of = program(model("net = Dense(2, bias=false, init=normal(0, 0.02))\noutput y = net(x)", "x: [B, T, 4]"))
    assert list(of.parameters) == ["net.W"]
    x = numbers(3, 5, 4)
    np.testing.assert_allclose(output(of, {"net.W": w}, x=x), x @ w, rtol=1e-5, atol=1e-6)


def test_mlp() -> None:
    of = program(model("net = MLP([8, 8, 2], activation=tanh)\noutput y = net(x)"))
    p = initial(of)
    h = X
    for i in range(3):
        h = h @ p[f"net.dense.{i}.W"] + p[f"net.dense.{i}.b"]
        h = np.tanh(h) if i < 2 else h
    np.testing.assert_allclose(output(of, p, x=X), h, rtol=1e-4, atol=1e-5)


def test_embedding() -> None:
    of = program(model("net = Embedding(6, 3)\noutput y = net(k)", "k: i64[B, T]"))
    w, k = numbers(6, 3), np.array([[0, 5], [2, 2]])
    np.testing.assert_array_equal(output(of, {"net.W": w}, k=k), w[k])


def test_dropout_in_use_is_the_identity() -> None:
    np.testing.assert_array_equal(output(model("output y = Dropout(0.9)(x)"), x=X), X)


# ---------------------------------------------------------------- the whole library


def test_every_declaration_of_the_library_has_a_case() -> None:
    """Its name stands in a text of the language in one of these files, which is run against NumPy."""
    here = Path(__file__).parent
    oracles = (here.parents[1] / "support" / "oracles").glob("*.py")  # their tables are the cases of such tests
    files = [*here.glob("test_std_*.py"), here / "test_optimizers.py", *oracles]
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    texts = [n.value for t in trees for n in ast.walk(t) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    tested = set(re.findall(r"\w+", " ".join(texts)))
    through_others = {
        "ConvNorm",
        "TemporalBlock",
        "batch_norm",
        "check_mask",
        "each_expert",
        "cut",
        "moved",
        "near",
        "dropped",
        "glorot_unshared",
        "noisy",
        "at_step",
        "atan2_pair",
        "correction",
        "count_over",
        "delayed",
        "edges_reached",
        "edge_list",
        "eliminate",
        "end_of_ceil",
        "falling_cosine",
        "first_state",
        "fmod_pair",
        "gap",
        "gates",
        "hypot_pair",
        "log_cosh_of",
        "huber_of",
        "lambert_tanh",
        "logaddexp_pair",
        "multiply",
        "on_diagonal",
        "output_size",
        "padding_pairs",
        "part_filled",
        "per_axis",
        "per_channel",
        "pooling_pairs",
        "resized",
        "root",
        "running",
        "scaled",
        "shortcut",
        "since_start",
        "solve_columns",
        "spread",
        "start_vector",
        "still_ahead",
        "transposed_pairs",
        "wrap",
    }
    names = {
        item.name
        for path in sorted((SPECS / "std").glob("*.arch"))
        for item in outline(Source(path.name, path.read_text("utf-8")))
    }
    assert sorted(names - through_others - tested) == []
