"""Damaged .npy and .npz files, made byte by byte, since NumPy writes none. What is read right, NumPy alone reads."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .cases import Case, draws
from .harm import harm, instead
from .setting import Setting

SHAPES = ("(12, 3)", "(12,)", "()", "(0, 3)", "(12, 0)", "(1000000000000, 4)", "(1000000000000, 0)", "(-1, 3)",
          "(12, -3)", "(9223372036854775807, 9223372036854775807)", "(12.0, 3)", "(True, 3)", "('a',)", "[12, 3]",
          "(12, 3", "(" * 300 + ")" * 300, "(1,) * 10", "None", "(12, 3, 1, 1, 1, 1)", "(" + "1, " * 70 + ")",
          "9" * 5000)  # fmt: skip
"""What a header may claim for a shape."""
DESCRS = ("'<f4'", "'>f8'", "'<f2'", "'<i8'", "'<u8'", "'|b1'", "'|O'", "'<U5'", "'<U0'", "'|V0'", "'|S3'", "'<M8[ns]'",
          "'<M8'", "'<m8[s]'", "'<c16'", "[('x', '<f4'), ('y', '|O')]", "[('x', '<f4')]", "'<f4,' * 9", "'q'", "5",
          "'<f16'", "('<f4', (3,))", "{'names': ['a'], 'formats': ['<f4'], 'offsets': [-8]}", "'<f4' 'x'", "'\\x00'",
          "'<U1000000000'", "'float32'", "''", "'<V9999999999'")  # fmt: skip
"""What a header may claim for a type."""
NAMES = ("x.npy", "y.npy", "x", "X.npy", "xx.npy", "../x.npy", "/etc/x.npy", "a/x.npy", "x.npy/", ".npy",
         "x\x00.npy",
         "x\n.npy", "\u202ex.npy", "data.npy", "index.npy", "target.npy", "x" * 5000 + ".npy", "x.txt",
         "[Content].xml")  # fmt: skip


def header(shape: str, descr: str = "'<f4'", version: tuple[int, int] = (1, 0), order: str = "False") -> bytes:
    """The beginning of an .npy file."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode("latin-1")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", min(len(text), 65535))
    return b"\x93NUMPY" + bytes(version) + size + text


def npy(setting: Setting, random: Random) -> bytes:
    """An .npy file that is mostly odd."""
    content = io.BytesIO()
    np.save(
        content,
        setting.x if random.random() < 0.8 else setting.x.astype(random.choice(["f8", "i8", "O", "U5", "M8[s]"])),
    )
    way = random.randrange(5)
    if way == 0:
        return harm(random)[1](content.getvalue())
    if way == 1:
        return header(random.choice(SHAPES)) + setting.x.tobytes()
    if way == 2:
        return header("(12, 3)", random.choice(DESCRS)) + setting.x.tobytes()
    if way == 3:
        version = random.choice([(1, 0), (2, 0), (3, 0), (9, 9)])
        return (
            header("(12, 3)", version=version, order=random.choice(["False", "True", "1", "''"])) + setting.x.tobytes()
        )
    return (
        content.getvalue()[: -random.choice([1, 4, 100])] if random.random() < 0.5 else content.getvalue() + b"\0" * 9
    )


def npz(setting: Setting, random: Random) -> bytes:
    """An archive that is mostly odd."""
    way = random.choice(["harm", "members", "names", "bomb", "field", "field", "bzip2", "lzma", "many"])
    if way == "harm":
        return harm(random)[1](setting.archive())
    content = io.BytesIO()
    kinds = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}
    kind = kinds.get(way, random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", kind) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        if way == "bomb":
            size = 2**28
            with archive.open(zipfile.ZipInfo("x.npy"), "w") as file:
                compress = kind == zipfile.ZIP_DEFLATED
                rows = size // 12 if compress else 12
                file.write(header(f"({rows}, 3)"))
                piece = bytes(2**20)
                for _ in range(rows * 12 // len(piece) if compress else 0):
                    file.write(piece)
        elif way == "names":
            for name in random.sample(NAMES, random.randint(1, 5)):
                archive.writestr(name, header("(12, 3)") + setting.x.tobytes())
        elif way == "many":
            for number in range(random.choice([100, 3000])):
                archive.writestr(f"x{number}.npy", header("(12,)") + bytes(48))
        else:
            archive.writestr("x.npy", npy(setting, random))
            if random.random() < 0.5:
                archive.writestr(random.choice(NAMES), npy(setting, random))
    harmed = bytearray(content.getvalue())
    if way == "field":
        _mark(harmed, random)
    return bytes(harmed)


def _mark(content: bytearray, random: Random) -> None:
    """Change a field of the heads of a member: flags (encryption), compression, checksum, sizes, offsets."""
    local, central = content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02")
    fields = {"flags": (6, 8, 2), "method": (8, 10, 2), "crc": (14, 16, 4), "packed": (18, 20, 4), "size": (22, 24, 4),
              "name": (26, 28, 2), "extra": (28, 30, 2), "offset": (None, 42, 4)}  # fmt: skip
    at_local, at_central, size = fields[random.choice([*fields])]
    value = random.choice([0, 1, 0x40, 0x41, 8, 9, 12, 14, 97, 99, 2**31, 2**32 - 1]) % 256**size
    if at_local is not None and random.random() < 0.8:
        content[local + at_local : local + at_local + size] = value.to_bytes(size, "little")
    if random.random() < 0.8:
        content[central + at_central : central + at_central + size] = value.to_bytes(size, "little")


def read_npz(path: Path) -> Mapping[str, Any]:
    """What NumPy reads."""
    with np.load(path / "given.npz", allow_pickle=False) as archive:
        return {"x": archive["x"]}


def read_npy(path: Path) -> Mapping[str, Any]:
    """What NumPy reads."""
    return {"x": np.load(path / "given.npy", allow_pickle=False)}


GIVEN_NPZ = (
    ("predict", "@arrays/run", "--input", "given.npz", "--out", "out.npz"),
    ("predict", "@arrays/run", "--fields", "given.npz", "--out", "out.npz"),
    ("eval", "@arrays/run", "--data", "given.npz"),
    ("train", "@arrays/spec.arch", "--data", "given.npz", "--out", "new", "--threads", "1"),
    ("call", "@arrays/run", "scaled", "--set", "by=2", "--input", "given.npz"),
    ("trace", "@arrays/run", "--input", "given.npz"),
    ("gradcheck", "@arrays/run", "--input", "given.npz", "--directions", "1"),
)
GIVEN_NPY = (
    ("predict", "@arrays/run", "--input", "x=given.npy", "--out", "out.npz"),
    ("predict", "@arrays/run", "--fields", "x=given.npy", "--out", "out.npz"),
    ("predict", "@arrays/run", "--fields", "given.npy", "--out", "out.npz"),
    ("predict", "@arrays/run", "--input", "given.npy"),
    ("call", "@arrays/run", "scaled", "--set", "by=2", "--input", "v=given.npy"),
    ("eval", "@arrays/run", "--data", "folder"),
    ("predict", "@arrays/run", "--input", "folder"),
)


@draws("arrays", 5)
def archive(random: Random) -> Case:
    """An odd archive."""

    def write(folder: Path, setting: Setting) -> None:
        (folder / "given.npz").write_bytes(npz(setting, seeded))

    arguments, seeded = _given(random, GIVEN_NPZ)
    return Case(f"npz, {arguments[0]} {arguments[2]}", arguments, write, read_npz)


@draws("arrays", 4)
def array(random: Random) -> Case:
    """An odd array."""

    def write(folder: Path, setting: Setting) -> None:
        content = npy(setting, seeded)
        (folder / "given.npy").write_bytes(content)
        (folder / "folder").mkdir()
        (folder / "folder" / "x.npy").write_bytes(content)
        np.save(folder / "folder" / "y.npy", setting.columns["y"])

    arguments, seeded = _given(random, GIVEN_NPY)
    return Case(f"npy, {arguments[0]} {arguments[2]} {arguments[3]}", arguments, write, read_npy)


@draws("arrays")
def in_its_place(random: Random) -> Case:
    """Something that is not a file."""

    def write(folder: Path, setting: Setting) -> None:
        (folder / "folder").mkdir()
        np.save(folder / "folder" / "y.npy", setting.columns["y"])
        for name in ("given.npz", "given.npy", "folder/x.npy"):
            instead(folder / name, Random(seeded.random()))

    arguments, seeded = _given(random, GIVEN_NPZ + GIVEN_NPY)
    return Case(f"something else for an array, {arguments[0]}", arguments, write)


@draws("arrays")
def literal(random: Random) -> Case:
    """Numbers that are typed, or stand in a .json file."""
    text = random.choice([
        "[[1, 2, 3]]", "[[1, 2], [3]]", "[[1, 2, null]]", "[[1, 2, NaN]]", "[[1, 2, Infinity]]", "[[1, 2, 1e999]]",
        "[[true, 2, 3]]", '[["a", 2, 3]]', "[[1_000, 2, 3]]", "[[0x10, 2, 3]]", "[[1, 2, 3]", "", "[]", "[[]]",
        "[[[]]]",
        "{}", "5", "[" * 5000 + "]" * 5000, "[[" + "9" * 5000 + ", 2, 3]]", "[[1e400, 2, 3]]", "[[1,2,3]]" * 2,
        "[[1, 2, 3], 4]", "[[1, 2, {}]]", "nan", "[[٣, 2, 3]]", "\ufeff[[1, 2, 3]]", "[[1.5, 2.5, 1" + "0" * 40 + "]]",
    ])  # fmt: skip
    in_file = random.random() < 0.4

    def write(folder: Path, setting: Setting) -> None:
        (folder / "x.json").write_text(text, encoding="utf-8")

    option = random.choice(["--fields", "--input"])
    given = "x=x.json" if in_file else f"x={text}"
    return Case(f"literal {text[:30]!r}", ("predict", "@arrays/run", option, given, "--out", "out.npz"), write)


def _given(random: Random, ways: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], Random]:
    return random.choice(ways), Random(random.random())
