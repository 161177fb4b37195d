"""Exported models: predictions from a ``model.onnx`` alone, without its spec or the compiler.

What this module does not do: run models that archonnx did not write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import SEED, STEP

from .batch import checked, in_batches
from .session import Options, Session, call, open_session


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """An exported model, open: predictions need no spec and no compiler."""

    session: Session
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]

    @staticmethod
    def open(path: Path, options: Options) -> ExportedModel:
        """Open a file that ``save_run`` wrote."""
        session = open_session(path.read_bytes(), options)
        handle = session.handle
        return ExportedModel(session, _types(handle.get_inputs()), _types(handle.get_outputs()))

    @property
    def fields(self) -> dict[str, TensorType]:
        """What must be given: all inputs but the seed and the step."""
        return {name: type_ for name, type_ in self.inputs.items() if name not in (SEED, STEP)}

    def predict(self, given: Mapping[str, Any], *, batch_size: int, seed: int) -> dict[str, Array]:
        """Outputs by name; ``seed`` is for models that draw."""
        fields = self.fields
        drawn = {name: np.array(number, np.int64) for name, number in ((SEED, seed), (STEP, 0)) if name in self.inputs}
        arrays = checked(given, fields)
        return in_batches(lambda rows: call(self.session, {**rows, **drawn}), arrays, fields, self.outputs, batch_size)


ONNX_NAMES = {"float": "f32", "double": "f64", "float16": "f16", "int64": "i64", "int32": "i32", "int8": "i8",
              "uint8": "u8", "uint32": "u32", "uint64": "u64", "bool": "bool", "bfloat16": "bf16"}


def _types(ends: Any) -> dict[str, TensorType]:
    """Types from what onnxruntime says of a model's inputs or outputs."""
    names = {end.name: end.type.removeprefix("tensor(").removesuffix(")") for end in ends}
    return {end.name: TensorType.of(DType(ONNX_NAMES[names[end.name]]), *end.shape) for end in ends}
