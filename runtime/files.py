"""Writing files whole or not at all, and parameters as safetensors.

What this module does not do: decide where things go (``run`` does).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail

from . import disk
from .checksums import of_arrays
from .paths import is_there, short

SAID, CHECKSUM = "archonnx", "checksum"
"""Under which name a file of parameters has all that is said along with them, and there its checksum.

It is one entry, since those of several come in any order, and the same training is to leave the same bytes.
"""
PART = ".archonnx-part"
"""How names of files end that are not whole."""
NUMBERS = count()
STORED = {
    "bool": "BOOL", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip
"""What safetensors calls the types of NumPy."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name of a file to be written, which takes the place of ``path`` at the end: until then all see the old one.

    SpecError where a system refuses to write.
    """
    temporary = path.parent / f".{os.getpid()}-{next(NUMBERS)}{PART}"
    if path.is_dir():
        fail("AX0616", f"cannot write {path}: it is a folder", None)
    try:
        yield temporary
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        fail("AX0616", f"cannot write {path}: {reason}", None)
    finally:
        with suppress(OSError, ValueError):
            disk.remove(temporary)


def write_atomically(path: Path, content: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file, whole or in pieces, in place of the old one."""
    with replacing(path) as temporary:
        disk.write(temporary, [content] if isinstance(content, bytes) else content)


def save_parameters(
    path: Path, parameters: Mapping[str, Array], metadata: Mapping[str, str] | None = None, *, checksum: bool = True
) -> None:
    """Write parameters by path, whole or not at all, with a checksum of them and of what is said along with them."""
    arrays = {name: np.asarray(array, order="C") for name, array in parameters.items()}
    said = dict(metadata or {})
    if checksum:
        said = {SAID: json.dumps({**said, CHECKSUM: of_arrays(arrays, said)})}
    for name, array in arrays.items():
        if array.dtype.name not in STORED:
            fail("AX0616", f"cannot write {path}: `{name}` holds {array.dtype}, which no such file holds", None)
    write_atomically(path, _pieces(arrays, said))


def _pieces(arrays: Mapping[str, Array], said: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """What a file of safetensors holds: the length of its header, the header, and the numbers, widest types first.

    The package itself writes into a file of its own (``.tmpXXXXXX``), which a kill would leave where nothing knows it.
    """
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(said)} if said else {}
    begin = 0
    for name in order:
        end = begin + arrays[name].nbytes
        dtype = STORED[arrays[name].dtype.name]
        header[name] = {"dtype": dtype, "shape": arrays[name].shape, "data_offsets": (begin, end)}
        begin = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in order:
        array = arrays[name]
        yield array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data


def stored_places(path: Path) -> dict[str, tuple[int, int]]:
    """Where the parameters that ``save_parameters`` wrote lie in the file, in bytes: begin and end by path."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    begin = 8 + size
    return {
        name: (begin + entry["data_offsets"][0], begin + entry["data_offsets"][1])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def load_parameters(path: Path) -> dict[str, Array]:
    """Read what ``save_parameters`` wrote."""
    return load_with_metadata(path)[0]


def load_with_metadata(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The same with what was written along with the parameters; SpecError if the file is not what was written.

    Files of other programs have no checksum, and are taken as they are.
    """
    from safetensors import SafetensorError, safe_open

    if not is_there(path, "file"):
        fail("AX0611", f"there is no file {path}", None)
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: _tensor(path, file, name) for name in file.keys()}  # noqa: SIM118
            said, checksum = _said(dict(file.metadata() or {}))
    except (SafetensorError, OSError, ValueError) as error:  # ValueError: dims that NumPy does not have
        fail("AX0611", f"{path} is damaged: {error}", None)
    if checksum is not None and checksum != of_arrays(arrays, said):
        fail("AX0611", f"{path} is damaged: it is not what was written", None, notes=["its checksum is another one"])
    return arrays, said


def _tensor(path: Path, file: Any, name: str) -> Array:
    """A tensor of a file; bf16, which NumPy does not have, as f32, that holds the same numbers."""
    dtype, shape = file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()
    if dtype == "BF16":
        begin, end = stored_places(path)[name]
        upper = np.fromfile(path, "<u2", (end - begin) // 2, offset=begin).astype(np.uint32)
        return (upper << 16).view(np.float32).reshape(shape)
    try:
        array: Array = file.get_tensor(name)
    except (AttributeError, TypeError):  # a type of which NumPy knows nothing
        help = "write it as F64, F32, F16 or BF16"
        fail("AX0611", f"{short(str(path))}: `{short(name)}` holds {dtype}, which is not read", None, help=help)
    return array


def _said(metadata: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """What was said along with parameters, and their checksum; None of files of other programs and earlier versions."""
    try:
        said = json.loads(metadata[SAID])
        checksum = said.pop(CHECKSUM)
        if all(isinstance(text, str) for text in (checksum, *said.values())):
            return said, checksum
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        pass
    return dict(metadata), None
