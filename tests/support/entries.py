"""Entries of specs, run twice: in NumPy, and exported, in plain onnxruntime. Both must agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.export.models import inference_model

from .elaborated import SEED, initial, program
from .onnx_run import run_onnx


def entry(
    of: ModelProgram | str,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    /,
    *,
    seed: int = SEED,
    tolerance: float = 1e-5,
    **inputs: Any,
) -> dict[str, Array]:
    """What an entry gives, with the model's initial parameters unless others are given.

    The exported model holds the parameters; of what its draws need, only the seed is left to give.
    """
    of = program(of) if isinstance(of, str) else of
    graph = of.entries[name]
    weights = {
        path: np.asarray(value, of.parameters[path].type.dtype.numpy)
        for path, value in {**initial(of), **(parameters or {})}.items()
    }
    given = {
        key: np.asarray(value, graph.inputs[key].type.dtype.numpy)
        for key, value in {**inputs, "seed": seed}.items()
        if key in graph.inputs
    }
    dims = {key: int(value) for key, value in given.items() if value.ndim == 0 and value.dtype.kind == "i"}
    expected = interpret(graph, {key: {"step": 0, **weights, **given}[key] for key in graph.inputs}, dims)
    exported = inference_model(of, weights, entry=name)
    assert {value.name for value in exported.graph.input} == given.keys()
    actual = run_onnx(exported, given)
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert actual[key].dtype == value.dtype
        np.testing.assert_allclose(actual[key], value, rtol=tolerance, atol=tolerance, err_msg=key)
    return expected


def entry_value(
    of: ModelProgram | str, name: str, parameters: Mapping[str, Any] | None = None, /, **inputs: Any
) -> Array:
    """The only result of an entry."""
    (value,) = entry(of, name, parameters, **inputs).values()
    return value
