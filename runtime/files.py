"""Writing files whole or not at all, and parameters as safetensors.

What this module does not do: decide where things go (``run`` does).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to be written, which takes the place of ``path`` at the end: until then all see the old one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        fail("AX0616", f"cannot write {path}: {error.strerror}", None)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file, whole or in pieces, in place of the old one."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines([content] if isinstance(content, bytes) else content)


@contextmanager
def whole_folder(out: Path, own: Collection[str] | None = None) -> Iterator[Path]:
    """A new folder to be filled, which takes the place of ``out`` at the end; if something fails, nothing has changed.

    Args:
        out: the folder; one that is there is replaced.
        own: what belongs to it: other files of a folder that is replaced are kept (none unless given).
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        fail("AX0616", f"cannot write in {out.parent}: {error.strerror}", None)
    try:
        yield part
        part.chmod(0o755)
        _install(part, out, own)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _install(part: Path, out: Path, own: Collection[str] | None) -> None:
    if not out.exists():
        part.rename(out)
        return
    for path in out.iterdir():
        if own is not None and path.name not in own:
            path.rename(part / path.name)
    old = part.with_name(f"{part.name}.old")
    out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def save_parameters(path: Path, parameters: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write parameters by path, whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in parameters.items()}
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, dict(metadata or {}))
        except SafetensorError as error:
            fail("AX0616", f"cannot write {path}: {error}", None)


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
    """The same with what was written along with the parameters."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError:
        fail("AX0611", f"there is no file {path}", None)
    except (SafetensorError, OSError) as error:
        fail("AX0611", f"{path} is damaged: {error}", None)
