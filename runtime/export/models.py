"""A model with its parameters inside, as ONNX: what a run directory and ``archonnx export`` hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archonnx.compiler.ir.types import Array
from archonnx.compiler.onnx_export import Target, split_weights
from archonnx.compiler.program import OPSET, ModelProgram
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.files import write_atomically
from archonnx.runtime.training.trainer import fail_entry

from .artifacts import GraphOptions, as_onnx, held

if TYPE_CHECKING:
    import onnx


def inference_model(
    model: ModelProgram,
    parameters: Mapping[str, Array],
    *,
    entry: str | None = None,
    target: Target = "portable",
    opset: int = OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The model's outputs (or an entry) as ONNX, of any batch size, with the parameters inside.

    Of what a graph takes for its draws, only the seed is left as an input. ``metadata`` are properties of the file
    besides those that all have.
    """
    if entry is not None and entry not in model.entries:
        fail_entry(model.name, entry, model.entries)
    if entry is None and not model.infer.outputs:
        fail("AX0511", f"{model.name} has no outputs to export", None, help="add `output NAME = ...` to the model")
    return as_onnx(held(model, entry), model.name, GraphOptions(target, opset), parameters, metadata=metadata)


def check_name(path: Path) -> None:
    """SpecError unless a file is named as ONNX files are."""
    if path.is_dir():
        fail("AX0616", f"cannot write {path}: it is a folder", None)
    if path.suffix != ".onnx":
        fail(
            "AX0505",
            f"an ONNX file ends in .onnx, and this is {path.name}",
            None,
            help=f"name it `{path.with_suffix('.onnx')}`",
        )


def write_model(path: Path, model: onnx.ModelProto) -> int:
    """Write a model; weights too large for one file go to ``NAME.onnx.data`` beside it. How many bytes were written."""
    check_name(path)
    beside = _beside(path)
    weights = split_weights(model, beside.name)
    if weights is not None:
        write_atomically(beside, weights)
    write_atomically(path, model.SerializeToString())
    return path.stat().st_size + (beside.stat().st_size if weights is not None else 0)


def place_model(part: Path, path: Path) -> int:
    """Move a model that was written elsewhere, under the same name, to its place. How many bytes it has."""
    size = part.stat().st_size
    if _beside(part).exists():
        size += _beside(part).stat().st_size
        _beside(part).replace(_beside(path))
    part.replace(path)
    return size


def _beside(path: Path) -> Path:
    """Where the weights of a model lie that are too large for one file."""
    return path.with_name(f"{path.name}.data")
