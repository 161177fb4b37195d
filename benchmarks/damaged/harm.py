"""What is done to any file: it is cut, emptied, its bits are flipped, or something else stands in its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

Harm = Callable[[bytes], bytes]
MAGIC = (b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"PAR1", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08", b"%PDF-1.7\n", b"GIF89a",
         b"\xff\xd8\xff\xe0", b"BM", b"II*\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"version https://git-lfs.github.com/spec/v1\n",
         b"<!DOCTYPE html>\n", b"{}", b"[", b"\x00" * 64)  # fmt: skip
"""How files of many kinds begin."""


def harm(random: Random) -> tuple[str, Harm]:
    """A way to damage what is in a file, and what it is called."""
    way = random.choice(
        [_cut, _cut, _flip, _flip, _zeros, _emptied, _twice, _begins, _noise, _inserted, _swapped, _digits]
    )
    return way.__name__.strip("_"), lambda content: way(content, Random(random.random()))


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))] if content else b""


def _flip(content: bytes, random: Random) -> bytes:
    harmed = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 8, 64])):
        if harmed:
            harmed[random.randrange(len(harmed))] ^= 1 << random.randrange(8)
    return bytes(harmed)


def _zeros(content: bytes, random: Random) -> bytes:
    begin = random.randrange(len(content) + 1)
    size = min(random.choice([1, 8, 512]), len(content) - begin)
    return content[:begin] + bytes(size) + content[begin + size :]


def _emptied(content: bytes, random: Random) -> bytes:
    return b""


def _twice(content: bytes, random: Random) -> bytes:
    return content + content


def _begins(content: bytes, random: Random) -> bytes:
    magic = random.choice(MAGIC)
    return magic + content[len(magic) :] if random.random() < 0.5 else magic


def _noise(content: bytes, random: Random) -> bytes:
    return random.randbytes(random.choice([1, 7, 100, 5000]))


def _inserted(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice([1, 2, 40])) + content[at:]


def _swapped(content: bytes, random: Random) -> bytes:
    one, two = sorted((random.randrange(len(content) + 1), random.randrange(len(content) + 1)))
    return content[two:] + content[one:two] + content[:one]


def _digits(content: bytes, random: Random) -> bytes:
    """A digit becomes many, as a length that is far too large."""
    places = [at for at, byte in enumerate(content) if 48 <= byte < 58]
    if not places:
        return _flip(content, random)
    at = random.choice(places)
    return content[:at] + random.choice([b"9" * 12, b"-1", b"1e999", b"0", b"9" * 400]) + content[at + 1 :]


def instead(path: Path, random: Random) -> str:
    """Put something else in the place of a file or folder, and say what."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    way = random.choice(["nothing", "folder", "pipe", "loop", "dangling", "zero", "full", "outside"])
    if way == "folder":
        path.mkdir()
    elif way == "pipe":
        os.mkfifo(path)
    elif way != "nothing":
        target = {"loop": path.name, "dangling": "nowhere", "zero": "/dev/zero", "full": "/dev/full", "outside": "/etc"}
        path.symlink_to(target[way])
    return way
