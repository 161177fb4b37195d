"""Exported models: predictions from a ``model.onnx`` alone, without its spec or the compiler.

What this module does not do: run models that archonnx did not write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import PRODUCER, SEED, Assumption
from archonnx.grammar.diagnostics import fail
from archonnx.runtime import assumptions
from archonnx.runtime.assumptions import check_arrays, read_dim
from archonnx.runtime.data import ranges
from archonnx.runtime.data.batch import check_dim_arguments, checked, dim_arguments, in_batches
from archonnx.runtime.device.session import Session, SessionOptions, call, open_session, rewrite_help
from archonnx.runtime.seeds import seed_value


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """An exported model, open: predictions need no spec and no compiler."""

    session: Session
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    assumptions: tuple[Assumption, ...]
    in_range: ranges.RangeCheck

    @staticmethod
    def open(path: Path, options: SessionOptions) -> ExportedModel:
        """Open a file that ``save_run`` wrote."""
        session = open_session(path, options)
        handle = session.handle
        about = handle.get_modelmeta()
        if about.producer_name != PRODUCER:
            fail("AX0508", f"{path} was not written by archonnx", None, help=rewrite_help(path))
        metadata = about.custom_metadata_map
        inputs = _types(handle.get_inputs())
        return ExportedModel(
            session,
            inputs,
            _types(handle.get_outputs()),
            assumptions.from_metadata(metadata),
            ranges.RangeCheck(ranges.from_metadata(metadata), inputs),
        )

    @property
    def fields(self) -> dict[str, TensorType]:
        """What must be given: all inputs but the seed."""
        return {name: type_ for name, type_ in self.inputs.items() if name != SEED}

    def predict(self, given: Mapping[str, Any], *, batch_size: int, seed: int) -> dict[str, Array]:
        """Outputs by name, ``batch_size`` rows at a time; ``seed`` is for models that draw."""
        arrays = self._checked(given)
        return in_batches(lambda rows: self._run(rows, seed), arrays, self.fields, self.outputs, batch_size)

    def call(self, given: Mapping[str, Any], *, seed: int) -> dict[str, Array]:
        """Outputs by name, in one go."""
        return self._run(self._checked(given), seed)

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Array]:
        fields = self.fields
        arrays = checked(given, fields)
        check_dim_arguments(dim_arguments(fields, self.outputs.values()), arrays, fields)
        check_arrays(self.assumptions, fields, arrays)
        self.in_range(arrays)
        return arrays

    def _run(self, arrays: Mapping[str, Array], seed: int) -> dict[str, Array]:
        drawn = {SEED: seed_value(seed)} if SEED in self.inputs else {}
        return call(self.session, {**arrays, **drawn})


ONNX_NAMES = {
    "float": "f32",
    "double": "f64",
    "float16": "f16",
    "int64": "i64",
    "int32": "i32",
    "int8": "i8",
    "uint8": "u8",
    "uint32": "u32",
    "uint64": "u64",
    "bool": "bool",
    "bfloat16": "bf16",
}


def _types(ends: Any) -> dict[str, TensorType]:
    """Types from what onnxruntime says of a model's inputs or outputs."""
    names = {end.name: end.type.removeprefix("tensor(").removesuffix(")") for end in ends}
    return {end.name: TensorType.of(DType(ONNX_NAMES[names[end.name]]), *map(_dim, end.shape)) for end in ends}


def _dim(size: int | str) -> int | str | Dim:
    """A name, a number, or what a composite name such as ``2 * T`` says."""
    if isinstance(size, int) or size.isidentifier():
        return size
    try:
        return read_dim(size)
    except ValueError:
        return size
