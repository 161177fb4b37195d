"""A model with its parameters inside, as ONNX: what a run directory and ``archonnx export`` hold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from archonnx.compiler.ir.types import Array
from archonnx.compiler.onnx_export import Target, split_weights
from archonnx.compiler.opset import OPSET
from archonnx.compiler.program import PRODUCER, SEED, ModelProgram
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.device.session import write_ort
from archonnx.runtime.files import write_atomically
from archonnx.runtime.training.trainer import fail_entry

from .artifacts import GraphOptions, as_onnx, held

if TYPE_CHECKING:
    import onnx


ORT = ".ort"
"""How files of onnxruntime's own format end."""


def inference_model(
    model: ModelProgram,
    parameters: Mapping[str, Array],
    *,
    entry: str | None = None,
    target: Target = "onnx",
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
        fail_without_outputs(model.name)
    return as_onnx(held(model, entry), model, GraphOptions(target, opset), parameters, metadata=metadata)


def fail_without_outputs(model: str) -> NoReturn:
    """The diagnostic where a model has nothing to infer."""
    fail("AX0511", f"{model} has no outputs to export", None, help="add `output NAME = ...` to the model")


def check_name(path: Path) -> None:
    """SpecError unless a file is named as ONNX files are, and nothing is there but a model that was written here."""
    if path.is_dir():
        fail("AX0616", f"cannot write {path}: it is a folder", None)
    if path.suffix not in (".onnx", ORT):
        fail(
            "AX0505",
            f"an ONNX file ends in .onnx, and this is {path.name}",
            None,
            help=f"name it `{path.with_suffix('.onnx')}`; a folder whose name has a dot must exist already",
        )
    if not _written_here(path):
        fail("AX0614", f"{path} exists already, and archonnx did not write it", None, help="choose another name")


def _written_here(path: Path) -> bool:
    """Whether a file is a model of ours, or there is none; the name of the producer stands at its beginning, and
    somewhere in one of onnxruntime's format."""
    try:
        with path.open("rb") as file:
            beginning = file.read(32)
            return PRODUCER.encode() in (beginning + file.read() if path.suffix == ORT else beginning)
    except FileNotFoundError:
        return True
    except OSError as error:
        fail("AX0616", f"cannot write {path}: {error.strerror}", None)


def write_model(path: Path, model: onnx.ModelProto) -> int:
    """Write a model; weights too large for one file go to ``NAME.onnx.data`` beside it. How many bytes were written.

    A name that ends in .ort gets onnxruntime's own format.
    """
    check_name(path)
    if path.suffix == ORT:
        return _write_ort(path, model)
    beside = _beside(path)
    weights = split_weights(model, beside.name)
    if weights is not None:
        write_atomically(beside, weights)
    write_atomically(path, model.SerializeToString())
    return path.stat().st_size + (beside.stat().st_size if weights is not None else 0)


def _write_ort(path: Path, model: onnx.ModelProto) -> int:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "model.onnx", Path(folder) / path.name
        write_model(source, model)
        write_ort(source, made)
        write_atomically(path, made.read_bytes())
    return path.stat().st_size


def is_portable(path: Path) -> bool:
    """Whether a model that was written here has nothing that the target ``portable`` would write otherwise."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    others = {"HardSigmoid", "ScatterElements", "Scan", "LSTM", "GRU", "RNN", "Loop", "Transpose", "ConvTranspose"}
    turned = any(one.name == "transB" and one.i for node in graph.node for one in node.attribute)
    drawn = any(one.name == SEED for one in graph.input)
    return not drawn and not turned and others.isdisjoint(node.op_type for node in graph.node)


def write_tried(path: Path, model: onnx.ModelProto, trial: Callable[[Path], object]) -> int:
    """The same for a file that is tried first: what ``trial`` raises leaves everything as it was."""
    check_name(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            part = Path(folder) / path.name
            write_model(part, model)
            trial(part)
            return place_model(part, path)
    except OSError as error:
        fail("AX0616", f"cannot write {path}: {error.strerror}", None)


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
