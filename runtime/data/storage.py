"""Memory for arrays of a data set: those that are large for this machine lie in files, and are mapped into memory.

A mapped array is an array like others. Its pages are read as they are asked for, and the system takes them back when it
needs room, so that what a training holds for itself does not grow with its data. The files are temporary and have no
names: they are gone with the process, however it ends. What this module does not do: decide what an array holds.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .room import amount, available

SMALL = 2**28
"""An array of fewer bytes is in memory, or several that are held together, if as much is free after it."""
SHARE = 8
"""Of the memory that is free, they take at most one part of so many."""
MUCH = 2**28
"""Rows of fewer bytes are looked at all at once."""
BLOCK = 2**26
"""Bytes of rows that are looked at together, of an array or of what a field is made of."""


def blocks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    """The first row of each block and the one after its last, where a row has so many bytes."""
    step = max(1, BLOCK // max(1, width))
    return ((begin, min(rows, begin + step)) for begin in range(0, rows, step))


def in_blocks(rows: npt.NDArray[np.int64], width: int) -> Iterator[npt.NDArray[np.int64]]:
    """These rows in blocks; all of them at once where there is none."""
    return (rows[begin:end] for begin, end in blocks(len(rows), width)) if len(rows) else iter([rows])


def is_much(size: int) -> bool:
    """Whether so many bytes are looked at in blocks, whatever memory there is: their sums round in another way."""
    return size > MUCH


def is_large(size: int) -> bool:
    """Whether an array of so many bytes is to lie in a file."""
    free = available()
    return free is not None and size > min(free // 2, max(SMALL, free // SHARE))


def storage(
    shape: Sequence[int], dtype: npt.DTypeLike, where: str, span: Span | None = None, *, among: int = 0
) -> npt.NDArray[Any]:
    """Memory for an array, in a file if it is large; SpecError (AX0660) where no disk has room for it.

    Args:
        shape: of the array.
        dtype: of its elements, which are no Python objects.
        where: what messages call the data.
        span: the place of the spec that asked for it.
        among: bytes of all arrays that are held together with it, as the columns of a table: large if those are.
    """
    held = np.dtype(dtype)
    size = math.prod(shape) * held.itemsize
    if not size or not is_large(max(size, among)):
        return np.empty(shape, held)
    try:
        with tempfile.TemporaryFile(prefix="archonnx-") as file:
            _reserve(file, size)
            return mapped(file, held, "r+", 0, shape)
    except OSError as error:
        folder = Path(tempfile.gettempdir())
        fail(
            "AX0660",
            f"{where} would take {amount(size)} of memory or of disk, and there is room for it in neither",
            span,
            notes=[f"{folder} has {amount(shutil.disk_usage(folder).free)} free: {error.strerror or error}"],
            help="name a folder with more room in the environment: `TMPDIR=/a/large/disk`",
        )


def mapped(file: IO[bytes] | Path, dtype: np.dtype[Any], mode: Any, offset: int, shape: Sequence[int]) -> Array:
    """A part of a file as an array, which need not lie at a multiple of its element's size.

    MemoryError where the process may not map as much (``ulimit -v``).
    """
    try:
        flat: Array = np.memmap(file, dtype, mode, offset, (math.prod(shape),))
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"{amount(math.prod(shape) * dtype.itemsize)} cannot be mapped") from error
        raise
    return np.asarray(flat).reshape(shape)


def take(array: Array, rows: npt.NDArray[np.int64], out: Array | None = None) -> Array:
    """``array[rows]``, into ``out`` if that is given: rows are copied once, wherever they lie.

    NumPy would first copy all of an array whose elements lie at odd addresses, as those of an archive mostly do.
    """
    if out is None:
        out = np.empty((len(rows), *array.shape[1:]), array.dtype)
    if not array.flags.aligned:
        width = array[:1].nbytes
        array, target = _as_bytes(array, width), _as_bytes(out, width)
    else:
        target = out
    array.take(rows, axis=0, out=target, mode="clip")  # "raise" would copy once more
    return out


def _as_bytes(array: Array, width: int) -> Array:
    return array.reshape(-1).view(np.uint8).reshape(-1, width)


def _reserve(file: IO[bytes], size: int) -> None:
    """Make a file as large; OSError if the disk has no room: found out later, it would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        if shutil.disk_usage(tempfile.gettempdir()).free < size:
            raise OSError(errno.ENOSPC, "No space left on device")
        file.truncate(size)
