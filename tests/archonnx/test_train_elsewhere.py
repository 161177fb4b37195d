"""``examples/train_elsewhere.py``: an exported folder trains without archonnx, to the bit as a trainer does."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate, load
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.compiled_folder import compile_to
from tests.support.elsewhere import EXAMPLE, ROWS, SHAPES, SPECS, STEPS, batches


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_elsewhere", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    path.write_text(SPECS["several"])
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
