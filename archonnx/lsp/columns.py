"""The columns of a data source, as far as its first lines or its name tell: for what somebody types behind ``data.``

No more than the beginning of a file is read, below the folder of the spec. What this module does not do: load data.
"""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import Any

from archonnx.grammar import ast

BEGINNING, LARGEST = 2**16, 2**28
"""Bytes of a text that are read, and of an archive whose list is."""
MOST = 2000
"""Columns, and files of a folder, that are listed."""
FIXED = {
    "sklearn": ("data", "target"),
    "images": ("image", "label", "file"),
    "text": ("ids",),
    "networkx": ("node", "A", "source", "target", "weight"),
}
ENDINGS = {
    "csv": (".csv", ".tsv", ".txt"), "parquet": (".parquet",), "npz": (".npz",), "text": (".txt",),
    "npy": (), "images": (),
}  # fmt: skip
"""How the files end that a source reads; folders where there is none."""


def columns(source: ast.Expr, folder: Path | None) -> tuple[str, ...]:
    """The columns of a source as a spec writes it."""
    if not isinstance(source, ast.Call) or not isinstance(source.callee, ast.Name):
        return ()
    kind = source.callee.id
    if kind in FIXED:
        return FIXED[kind]
    if not source.arguments:
        return ()
    if kind in ("windows", "fresh"):
        inner = columns(source.arguments[0].value, folder)
        return tuple(name for one in inner for name in (one, f"{one}_next")) if kind == "windows" else inner
    given = {argument.name: argument.value for argument in source.arguments if argument.name is not None}
    given.setdefault("path", source.arguments[0].value)
    path = _path(given.get("path"), folder)
    if path is None:
        return ()
    try:
        found = _of_file(kind, path, given)
    except (OSError, ValueError, csv.Error, zipfile.BadZipFile, LookupError):
        return ()
    return tuple(name for name in dict.fromkeys(found) if name)[:MOST]


def _of_file(kind: str, path: Path, given: dict[str, Any]) -> list[str]:
    match kind:
        case "csv":
            with path.open("rb") as file:
                text = file.read(BEGINNING).decode(_text(given.get("encoding")) or "utf-8-sig", "ignore")
            line = next(csv.reader(text.splitlines(), delimiter=_text(given.get("delimiter")) or ","), [])
            return [*line, "data", *(["target"] if "target" in given else [])]
        case "npz" if path.stat().st_size <= LARGEST:
            with zipfile.ZipFile(path) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()[:MOST]]
        case "npy":
            return sorted(one.stem for one in list(path.glob("*.npy"))[:MOST])
    return []


def _path(value: ast.Expr | None, folder: Path | None) -> Path | None:
    """The path of a file below the folder of the spec."""
    if folder is None or not isinstance(value, ast.String):
        return None
    try:
        path = (folder / value.value).resolve()
        inside = path.is_relative_to(folder.resolve()) and (path.is_file() or path.is_dir())
    except (OSError, ValueError, RuntimeError):
        return None
    return path if inside else None


def _text(value: Any) -> str | None:
    return value.value if isinstance(value, ast.String) else None


def files(kind: str, folder: Path | None) -> list[str]:
    """What a source may read in the folder of a spec."""
    if folder is None or kind not in ENDINGS:
        return []
    endings = ENDINGS[kind]
    try:
        there = sorted(folder.iterdir())[:MOST]
        return [one.name for one in there if (one.suffix in endings if endings else one.is_dir())]
    except OSError:
        return []
