"""Damaged pictures, and folders of them. What is read right, Pillow alone reads."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from .cases import Case, draws
from .harm import harm, instead
from .setting import Setting

MODES = ("L", "RGB", "RGBA", "P", "1", "I", "F", "I;16", "CMYK", "LA", "YCbCr", "HSV", "PA")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "PPM")
SIDES = (0, 1, 60_000, 2**31 - 1, 2**32 - 1, 10_000)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(random: Random) -> bytes:
    """A PNG that claims an odd size: a bomb, mostly."""
    width, height = random.choice(SIDES), random.choice(SIDES)
    head = _chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, random.choice([1, 8, 16]), random.choice([0, 2, 3, 6]), 0, 0, 0)
    )
    data = zlib.compress(bytes(random.choice([10, 2**20])))
    text = _chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**26))) if random.random() < 0.3 else b""
    return b"\x89PNG\r\n\x1a\n" + head + text + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def picture(random: Random) -> bytes:
    """A picture of any mode and format, then damaged or not."""
    if random.random() < 0.2:
        return png(random)
    content = io.BytesIO()
    mode, kind = random.choice(MODES), random.choice(FORMATS)
    try:
        Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5)).convert(mode).save(content, kind)
    except (OSError, ValueError, KeyError):  # a format does not have every mode
        Image.new("L", (5, 4)).save(content, "PNG")
    return harm(random)[1](content.getvalue()) if random.random() < 0.7 else content.getvalue()


def read(path: Path) -> Mapping[str, Any]:
    """What Pillow reads: a grey picture of 4 x 5 pixels, or there is no telling."""
    with Image.open(path / "given.png") as image:
        pixels = (
            np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB").convert("L"), np.float32) / 255
        )
    return {"image": pixels[None, None]}


@draws("pictures", 3)
def one(random: Random) -> Case:
    """A picture."""
    seeded = Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        (folder / "given.png").write_bytes(picture(seeded))

    return Case("a picture", ("predict", "@pictures/run", "--input", "given.png", "--out", "out.npz"), write, read)


@draws("pictures", 3)
def among_others(random: Random) -> Case:
    """One of a folder."""
    seeded = Random(random.random())
    given = ("--input", "photos") if random.random() < 0.5 else ("--data", "photos")
    verb = "predict" if given[0] == "--input" else "eval"

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder, "pictures")
        (folder / "photos" / "cats" / "0.png").write_bytes(picture(seeded))

    arguments = (verb, "@pictures/run", *given) if random.random() < 0.7 else ("train", "spec.arch", "--out", "new")
    return Case(f"a folder with an odd picture, {arguments[0]}", arguments, write)


@draws("pictures", 2)
def odd_folder(random: Random) -> Case:
    """A folder with something else in it."""
    seeded = Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder, "pictures")
        where = seeded.choice(
            ["photos", "photos/cats", "photos/cats/0.png", "photos/cats/9.png", "photos/birds", "photos/x.png"]
        )
        instead(folder / where, seeded)

    arguments = random.choice([
        ("predict", "@pictures/run", "--input", "photos"), ("eval", "@pictures/run", "--data", "photos"),
        ("train", "spec.arch", "--out", "new"), ("check", "spec.arch", "--data"), ("predict", "@pictures/run",
        "--input", "photos/cats/0.png"),
    ])  # fmt: skip
    return Case(f"something else among pictures, {arguments[0]}", arguments, write)
