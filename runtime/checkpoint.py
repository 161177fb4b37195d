"""Writing files whole or not at all, and parameters as safetensors.

What this module does not do: decide where things go (``run`` does).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, meets either the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        fail("AX0616", f"cannot write {path}: {error.strerror}", None)
    finally:
        temporary.unlink(missing_ok=True)


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
