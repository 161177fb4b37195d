"""Damaged .safetensors files and run directories: every file of a run, and every key of its records."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .cases import Case, draws
from .harm import harm, instead
from .setting import Setting

FILES = ("run.json", "spec.arch", "weights.safetensors", "state.safetensors", "rows.npz", "history.jsonl", "model.onnx",
         "data.json", "entries/scaled.onnx", "curve.svg", "entries")  # fmt: skip
PREDICT = ("predict", "run", "--input", "table.csv", "--out", "out.npz")
SAME = (
    ("eval", "run"),
    ("eval", "run", "--on", "train"),
    ("call", "run", "scaled", "--set", "by=2", "--input", "v=[[1, 2, 3]]"),
    ("show", "run"),
)
"""What prints the same of a run that was damaged, or is refused."""
OTHERS = (
    ("export", "run", "-o", "new.onnx"),
    ("export", "run", "--raw", "-o", "new.onnx"),
    ("export", "run", "--graph", "scaled", "-o", "new.onnx"),
    ("train", "spec.arch", "--resume", "run", "--set", "epochs=2", "--threads", "1"),
    ("train", "spec.arch", "--from", "run", "--out", "new", "--threads", "1"),
    ("trace", "run"),
    ("gradcheck", "run", "--directions", "1"),
    ("predict", "run", "--fields", "x=[[1, 2, 3]]"),
    ("trace", "spec.arch", "--parameters", "run"),
)
ODD: tuple[Any, ...] = (None, True, 0, -1, 1.5, 2**64, "", "x", "../..", "/etc/passwd", [], {}, [[]], {"x": None},
                        "\x00", "a" * 5000, [None], float("nan"))  # fmt: skip
"""What may stand at a key."""


def tensors(setting: Setting) -> tuple[dict[str, Any], bytes]:
    """The header of intact weights, and their bytes."""
    content = (setting.path("table/run") / "weights.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def safetensors(header: Any, data: bytes, size: int | None = None) -> bytes:
    """A file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", (len(text) if size is None else size) % 2**64) + text + data


def odd_weights(setting: Setting, random: Random) -> bytes:
    """Weights that are not those of the model, or no weights."""
    header: Any
    header, data = tensors(setting)
    names = [name for name in header if name != "__metadata__"]
    one, other = random.sample(names, 2)
    way = random.choice(
        [
            "harm",
            "missing",
            "extra",
            "shape",
            "dtype",
            "overlap",
            "beyond",
            "hole",
            "huge",
            "header",
            "infinite",
            "cast",
            "name",
            "key",
        ]
    )
    size = None
    match way:
        case "harm":
            return harm(random)[1](safetensors(header, data))
        case "missing":
            array, begin = header.pop(one)["data_offsets"], 0
            data = data[: array[0]] + data[array[1] :]
            for name in sorted((n for n in names if n != one), key=lambda n: int(header[n]["data_offsets"][0])):
                low, high = header[name]["data_offsets"]
                header[name]["data_offsets"], begin = [begin, begin + high - low], begin + high - low
        case "extra":
            header["extra.W"] = {"dtype": "F32", "shape": [2], "data_offsets": [len(data), len(data) + 8]}
            data += bytes(8)
        case "shape":
            header[one]["shape"] = random.choice(
                [[], [1], [-1], [2**40, 2**40], [0], header[one]["shape"][::-1], "x", [1.5], [1] * 100]
            )
        case "dtype":
            header[one]["dtype"] = random.choice(
                ["BF16", "F64", "F8_E4M3", "I32", "BOOL", "F16", "X", None, 5, "F8_E5M2", "C64", "F4"]
            )
        case "cast":
            return _cast(header, data, random)
        case "overlap":
            header[one]["data_offsets"] = header[other]["data_offsets"]
        case "beyond":
            header[one]["data_offsets"] = random.choice([[0, 2**40], [-8, 0], [2**63, 2**64], [8, 0], [0], "x", None])
        case "hole":
            data = bytes(8) + data
        case "huge":
            size = random.choice([0, 1, 2**31, 2**63, 2**64 - 1, 100_000_001])
        case "header":
            header = random.choice(
                [
                    b"",
                    b"[]",
                    b"{}",
                    b"null",
                    b"[" * 5000,
                    b'{"a": ' * 3000,
                    b"\xff\xfe",
                    b'{"x": {"dtype": "F32"}}',
                    b"{" + b" " * 10**6 + b"}",
                ]
            )
        case "infinite":
            data = np.full(len(data) // 4, random.choice([np.nan, np.inf, 1e38]), np.float32).tobytes()
        case "name":
            header[random.choice(["", "x\x00", "a" * 5000, "../x", "dense", "dense.0.W.x"])] = header.pop(one)
        case "key":
            header[one][random.choice(["dtype", "shape", "data_offsets", "more"])] = random.choice(ODD)
    return safetensors(header, data, size)


def _cast(header: dict[str, Any], data: bytes, random: Random) -> bytes:
    """All of them in another dtype, as another program may write weights."""
    dtype, size = random.choice([("BF16", 2), ("F16", 2), ("F64", 8), ("F8_E4M3", 1), ("F8_E5M2", 1)])
    kinds: dict[str, Callable[[Any], bytes]] = {
        "F16": lambda a: a.astype(np.float16).tobytes(),
        "F64": lambda a: a.astype(np.float64).tobytes(),
        "BF16": lambda a: (a.view(np.uint32) >> 16).astype(np.uint16).tobytes(),
    }
    new: dict[str, Any] = {}
    content = b""
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        low, high = entry["data_offsets"]
        if entry["dtype"] != "F32":
            new[name] = {**entry, "data_offsets": [len(content), len(content) + high - low]}
            content += data[low:high]
            continue
        array = np.frombuffer(data[low:high], np.float32)
        piece = kinds[dtype](array) if dtype in kinds else bytes(size * array.size)
        new[name] = {**entry, "dtype": dtype, "data_offsets": [len(content), len(content) + len(piece)]}
        content += piece
    return safetensors(new, content)


def read(path: Path) -> Mapping[str, Any]:
    """The fields that intact data has."""
    rows = [line.split(",")[:3] for line in (path / "table.csv").read_text("utf-8").splitlines()[1:]]
    return {"x": np.array(rows, np.float32)}


@draws("weights", 3)
def alone(random: Random) -> Case:
    """A file of weights by itself."""
    seeded = Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder)
        (folder / "w.safetensors").write_bytes(odd_weights(setting, seeded))

    arguments = random.choice([
        ("train", "spec.arch", "--from", "w.safetensors", "--out", "new", "--threads", "1"),
        ("trace", "spec.arch", "--parameters", "w.safetensors"), ("gradcheck", "spec.arch", "--parameters",
        "w.safetensors", "--directions", "1"),
    ])  # fmt: skip
    return Case(f"a file of weights, {arguments[0]}", arguments, write)


@draws("weights", 2)
def of_a_run(random: Random) -> Case:
    """Weights of a run."""
    seeded = Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        run = setting.copy_run(folder)
        (run / "weights.safetensors").write_bytes(odd_weights(setting, seeded))

    return _asked(random, "weights of a run", write)


@draws("runs", 4)
def harmed(random: Random) -> Case:
    """A file of a run is damaged."""
    name = random.choice(FILES[:-2])
    way, do = harm(random)

    def write(folder: Path, setting: Setting) -> None:
        file = setting.copy_run(folder) / name
        file.write_bytes(do(file.read_bytes()))

    return _asked(random, f"{name} {way}", write)


@draws("runs", 3)
def replaced(random: Random) -> Case:
    """Something else stands in the place of a file of a run, or of the run."""
    name, seeded = random.choice((*FILES, ".")), Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        instead(setting.copy_run(folder) / name, seeded)

    return _asked(random, f"something else for {name}", write)


@draws("runs", 4)
def mistyped(random: Random) -> Case:
    """A key of a record is missing, or holds something else."""
    name, seeded, value = (
        random.choice(["run.json", "run.json", "data.json", "history.jsonl"]),
        Random(random.random()),
        random.choice(ODD),
    )
    gone = random.random() < 0.4

    def write(folder: Path, setting: Setting) -> None:
        file = setting.copy_run(folder) / name
        record = json.loads(
            file.read_text("utf-8").splitlines()[0] if name == "history.jsonl" else file.read_text("utf-8")
        )
        at: Any = record
        while True:
            key = seeded.choice(list(at) if isinstance(at, dict) else list(range(len(at))))
            deeper = at[key]
            if isinstance(deeper, dict | list) and deeper and seeded.random() < 0.6:
                at = deeper
                continue
            if gone:
                del at[key]
            else:
                at[key] = value
            break
        file.write_text(json.dumps(record) + "\n", encoding="utf-8")

    return _asked(random, f"a key of {name} {'missing' if gone else 'mistyped'}", write)


@draws("runs")
def of_another(random: Random) -> Case:
    """A file of another run."""
    name = random.choice(FILES[1:-2])

    def write(folder: Path, setting: Setting) -> None:
        run, other = setting.copy_run(folder), setting.path("pictures/run") / name
        content = other.read_bytes() if other.is_file() else b""
        (run / name).write_bytes(content)

    return _asked(random, f"{name} of another run", write)


def _asked(random: Random, name: str, write: Callable[[Path, Setting], None]) -> Case:
    """What is asked of a damaged run."""
    if random.random() < 0.25:
        return Case(f"{name}, predict", PREDICT, write, read)
    arguments = random.choice(SAME + OTHERS)
    return Case(f"{name}, {arguments[0]}", arguments, write, same=arguments in SAME)
