"""Writing files whole or not at all, and parameters as safetensors.

What this module does not do: decide where things go (``run`` does).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail

if TYPE_CHECKING:
    import onnx


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file, whole or in pieces, so that a reader, or a crash, meets either the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        fail("AX0616", f"cannot write {path}: {error.strerror}", None)
    finally:
        temporary.unlink(missing_ok=True)


def write_model(path: Path, model: onnx.ModelProto) -> int:
    """Write a model; weights too large for one file go to ``NAME.onnx.data`` beside it. How many bytes were written."""
    from archonnx.compiler.onnx_export import split_weights

    if path.suffix != ".onnx":
        fail(
            "AX0505",
            f"an ONNX file ends in .onnx, and this is {path.name}",
            None,
            help=f"name it `{path.with_suffix('.onnx')}`",
        )
    beside = path.with_name(f"{path.name}.data")
    weights = split_weights(model, beside.name)
    if weights is not None:
        write_atomically(beside, weights)
    write_atomically(path, model.SerializeToString())
    return path.stat().st_size + (beside.stat().st_size if weights is not None else 0)


def save_parameters(path: Path, parameters: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write parameters by path."""
    from safetensors.numpy import save

    content = save({name: np.asarray(array, order="C") for name, array in parameters.items()}, dict(metadata or {}))
    write_atomically(path, content)


def load_parameters(path: Path) -> dict[str, Array]:
    """Read what ``save_parameters`` wrote."""
    return load_with_metadata(path)[0]


def load_with_metadata(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The same with what was written along with the parameters."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        fail("AX0611", f"there is no file {path}", None)
    except (SafetensorError, OSError) as error:
        fail("AX0611", f"{path} is damaged: {error}", None)
