"""Specs of recurrent nets as NumPy runs them, for the facts of rows 3.1 to 3.3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram

from .training import model_of

Array: TypeAlias = npt.NDArray[np.float64]


def spec(name: str, float_type: DType = DType.f32, **arguments: Any) -> ModelProgram:
    """A spec of the zoo, elaborated."""
    return elaborate(load(name, **arguments), float_type=float_type)


def outputs(model: ModelProgram, parameters: Mapping[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    """The outputs of a model with its initial parameters, of seed 0, but for those that are given."""
    given = {**(parameters or {}), **inputs}
    for path, one in model.parameters.items():
        if path not in given:
            given[path] = interpret(one.initial, {"seed": 0})["value"]
    types = {name: value.type.dtype.numpy for name, value in model.infer.inputs.items()}
    return interpret(model.infer, {name: np.asarray(given[name], dtype) for name, dtype in types.items()})


def outputs_of(text: str, inputs: str, parameters: Mapping[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """The same of a model's statements, in f64; ``inputs`` is such as ``"x: [B, T, 3]"``."""
    body = "".join(f"    {line}\n" for line in text.strip().splitlines())
    return outputs(model_of(f"model Fact():\n    input {inputs}\n{body}", DType.f64), parameters, **given)


def numbers(*shape: int, seed: int = 0) -> Array:
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=shape)
