"""``examples/train_elsewhere.py``: an exported folder trains without archonnx, to the bit as a trainer does."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate, load
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.compiled_folder import compile_to

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


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_elsewhere", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def batches(shape: tuple[int, ...]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [
        {"x": rng.normal(size=(ROWS, *shape)).astype(np.float32), "label": rng.integers(0, 3, ROWS)}
        for _ in range(STEPS)
    ]


def test_the_example_imports_nothing_else() -> None:
    tree = ast.parse(EXAMPLE.read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported - sys.stdlib_module_names == {"numpy", "onnxruntime"}


@pytest.mark.parametrize("name", SPECS)
def test_an_exported_folder_trains_as_a_trainer_does_to_the_bit(name: str, example: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(SPECS[name])
    for target in ("exact", "portable"):
        out = tmp_path / target
        compile_to(out, elaborate(load(path)), GraphOptions(target, batch_size=ROWS, steps=STEPS), seed=7)
        trainer = archonnx.Trainer(path, batch_size=ROWS, seed=7, steps=STEPS)
        elsewhere = example.Program(out)
        for batch in batches(SHAPES[name]):
            ours, theirs = trainer.step(batch), elsewhere.step(batch)
            if target == "exact":
                assert theirs == ours or name == "groups"
        assert list(elsewhere.parameters) == list(trainer.parameters)
        for key, array in trainer.parameters.items():
            if target == "exact":
                np.testing.assert_array_equal(elsewhere.parameters[key], array, err_msg=key)
            else:
                np.testing.assert_allclose(elsewhere.parameters[key], array, rtol=1e-3, atol=1e-5, err_msg=key)


def test_what_it_writes_is_read_again(example: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "net.arch"
    path.write_text(SEVERAL)
    compile_to(tmp_path / "out", elaborate(load(path)), GraphOptions(batch_size=ROWS))
    program = example.Program(tmp_path / "out", "first")
    program.step(batches((12,))[0])
    example.save(tmp_path / "t.safetensors", program.parameters)
    from safetensors.numpy import load_file

    read = load_file(tmp_path / "t.safetensors")
    trainer = archonnx.Trainer(path, parameters=read)
    for key, array in trainer.parameters.items():
        np.testing.assert_array_equal(program.parameters[key], array)
        np.testing.assert_array_equal(example.load(tmp_path / "t.safetensors")[key], array)
