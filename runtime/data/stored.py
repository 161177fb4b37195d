"""Arrays in .npy and .npz files, from anybody: plain arrays, and nothing that a header claims is believed.

A header says how many numbers follow; they are counted in the file before memory is taken for them. Python objects are
not read, since that would run what the file says. What this module does not do: say which arrays are wanted.
"""

from __future__ import annotations

import lzma
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Diagnostic, fail, make_error
from archonnx.grammar.source import Span
from archonnx.runtime.paths import reading, short

from .progress import Reading
from .room import check_swelling
from .storage import is_large, mapped, storage

SUFFIX = ".npy"
MAGIC = b"\x93NUMPY"
PIECE = 2**20
"""Bytes that are unpacked at once."""
LOCAL_NAME = 26
"""Where in the header before a member of a zip archive the lengths of its name and of what follows stand."""
MAX_RANK = 64
NO_OBJECTS = "write it as numbers, texts or dates; arrays of Python objects are not read, for that would run code"
_HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


class UnreadableError(Exception):
    """Why an array cannot be read, in words that go on after its name; and what to do, if that is known."""

    def __init__(self, why: str, help: str | None = None, note: str | None = None) -> None:
        super().__init__(why)
        self.why, self.help, self.note = why, help, note


@dataclass(frozen=True, slots=True)
class _Header:
    """What an .npy file says of its array."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize

    def shaped(self, flat: Array) -> Array:
        """Numbers as they follow in the file, in their axes."""
        return flat.reshape(self.shape[::-1]).transpose() if self.fortran else flat.reshape(self.shape)


def read_npy(path: Path, span: Span | None = None) -> Array:
    """The array of an .npy file, which is read part by part as it is used; SpecError if it holds none."""
    try:
        with reading(path, span), path.open("rb") as file:
            header = _header(file)
            begin = file.tell()
            _check_size(header, os.fstat(file.fileno()).st_size - begin)
    except UnreadableError as error:
        notes = [error.note] if error.note else []
        fail("AX0604", f"{short(path.name)} {error.why}", span, notes=notes, help=error.help or _how_to_write(path))
    if not header.count:
        return np.empty(header.shape, header.dtype)
    with reading(path, span):
        return header.shaped(mapped(path, header.dtype, "r", begin, (header.count,)))


def read_npz(path: Path, span: Span | None = None) -> dict[str, Array | Diagnostic]:
    """The arrays of an .npz file by name, or what is wrong with one; SpecError if it is not such a file.

    A large array that is not compressed stays in the file, and is read part by part as it is used.
    """
    with reading(path, span):
        try:
            archive = zipfile.ZipFile(path)
        except Exception as error:  # a damaged directory may raise anything
            fail(
                "AX0604",
                f"{short(path.name)} {_what_else(path)}",
                span,
                notes=[_first(error)],
                help=_how_to_write(path),
            )
        with archive:
            members = archive.infolist()
            _check_names(path, members, span)
            held = sum(member.file_size for member in members)
            check_swelling(
                path,
                held,
                span,
                help=f'write it without compression: `numpy.savez("{short(path.name)}", x=..., y=...)`',
            )
            progress, done, found = Reading(path.name, held), 0, dict[str, Array | Diagnostic]()
            for member in members:
                found[_name(member)] = _member(archive, member, path, span, held)
                done += member.file_size
                progress.at(done)
            return found


def _check_names(path: Path, members: list[zipfile.ZipInfo], span: Span | None) -> None:
    """SpecError unless there are arrays, each name once."""
    if not any(member.filename.endswith(SUFFIX) for member in members):
        inside = ", ".join(short(member.filename) for member in members[:5])
        what = f"holds no arrays, but {inside}" if inside else "is an archive of nothing"
        fail("AX0604", f"{short(path.name)} {what}", span, help=_how_to_write(path))
    seen: set[str] = set()
    for member in members:
        if _name(member) in seen:
            fail("AX0604", f"{short(path.name)} holds `{short(_name(member))}` twice", span)
        seen.add(_name(member))


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(SUFFIX)


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, span: Span | None, held: int
) -> Array | Diagnostic:
    """An array of an archive, or what is wrong with it."""
    try:
        if not member.filename.endswith(SUFFIX):
            raise UnreadableError("is not an array")
        return _unpacked(archive, member, path, span, held)
    except UnreadableError as error:
        why, help, note = error.why, error.help, error.note
    except NotImplementedError as error:  # before its base, RuntimeError
        why, help, note = "is packed in a way that is not known here", _how_to_write(path), _first(error)
    except RuntimeError as error:
        why, help, note = "is encrypted", "write it without a password", _first(error)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, struct.error) as error:
        why, help, note = "is damaged", "make the file again, or copy it again", _first(error)
    headline = f"{short(path.name)}: `{short(_name(member))}` {why}"
    return make_error("AX0604", headline, span, notes=[note] if note else [], help=help)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, span: Span | None, held: int) -> Array:
    """An array of an archive: where it stands in the file if that is large and has it as it is, else a copy."""
    with archive.open(member) as file:
        header = _header(file)
        begin = file.tell()
        _check_size(header, member.file_size - begin)
        plain = member.compress_type == zipfile.ZIP_STORED and is_large(held)
        flat = None if plain else storage((header.count,), header.dtype, path.name, span, among=held)
        into = None if flat is None else flat.view(np.uint8)
        at = 0
        while at < header.bytes:
            piece = file.read(min(PIECE, header.bytes - at))
            if not piece:
                raise EOFError(f"{at} bytes are there, and {header.bytes} should be")
            if into is not None:
                into[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
            at += len(piece)
        file.read(1)  # at the end the checksum is compared
    if flat is None:
        flat = mapped(path, header.dtype, "r", _place(member, path) + begin, (header.count,))
    return header.shaped(flat)


def _place(member: zipfile.ZipInfo, path: Path) -> int:
    """Where in an archive the content of a member begins: after a header of its own, with a name and more."""
    with path.open("rb") as file:
        file.seek(member.header_offset + LOCAL_NAME)
        name, more = struct.unpack("<HH", file.read(4))
    return member.header_offset + LOCAL_NAME + 4 + int(name) + int(more)


def _header(file: IO[bytes]) -> _Header:
    """What a file says of its array; UnreadableError if it does not begin as an .npy file does."""
    try:
        version = npy_format.read_magic(file)
        if version == (3, 0):
            raise UnreadableError("holds columns of several types in one array", "write an array for each")
        if version not in _HEADERS:
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python 2 wrote it
            shape, fortran, dtype = _HEADERS[version](file)
    except (UnreadableError, OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError):
        raise
    except Exception as error:  # NumPy reads it as an expression of Python, which fails in many ways
        raise UnreadableError("is not a plain array as `numpy.save` writes one, or its beginning is damaged") from error
    return _Header(shape, fortran, dtype)


def _check_size(header: _Header, there: int) -> None:
    """UnreadableError unless the file holds just what its header says, of a type that is read."""
    shape = "x".join(map(str, header.shape))
    if header.dtype.hasobject:
        raise UnreadableError("holds Python objects", NO_OBJECTS)
    if len(header.shape) > MAX_RANK or any(size < 0 for size in header.shape):
        raise UnreadableError(f"says that it is {short(shape)}, which no array is")
    if header.dtype.itemsize == 0 or (header.shape and header.shape[0] and not header.count):
        raise UnreadableError(f"says that it is {short(shape)} of {header.dtype}, rows that hold nothing")
    if header.bytes != there:
        what = "is cut off" if there < header.bytes else "has more in it than it says"
        said = f"{header.bytes:,}" if header.bytes < 10**18 else "far more"
        raise UnreadableError(
            f"{what}: it says {short(shape)} of {header.dtype}, {said} bytes, and {there:,} are there"
        )


def _what_else(path: Path) -> str:
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
    if not begins:
        return "is empty"
    return "is a single array, an .npy file" if begins == MAGIC else "is not an .npz file of arrays, or is damaged"


def _how_to_write(path: Path) -> str:
    """How such a file is written."""
    if path.suffix.lower() == SUFFIX:
        return "write it with `numpy.save`"
    return "write it with `numpy.savez`, as in `numpy.savez(path, x=..., y=...)`"


def _first(error: Exception) -> str:
    """The beginning of what a library says."""
    return short(str(error).partition("\n")[0]) or type(error).__name__


def arrays_of(path: Path, span: Span | None = None) -> Mapping[str, Array | Diagnostic]:
    """The arrays of an .npz file by name, or the one of an .npy file by the name of the file."""
    return read_npz(path, span) if _is_archive(path, span) else {path.stem: read_npy(path, span)}


def _is_archive(path: Path, span: Span | None) -> bool:
    with reading(path, span), path.open("rb") as file:
        return file.read(len(MAGIC)) != MAGIC and path.suffix.lower() != SUFFIX
