"""Checksums: what a file must be to be believed, as the record of its folder says, or as it says itself.

What this module does not do: write records (``folders.saving`` does).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span

RECORD = "run.json"
"""The file that lists the others of a run, with their checksums."""
STATE_FILE = "state.safetensors"
"""Where a training stands: before it ends its folder holds this alone."""
CHUNK = 1 << 20


def fail_without_run(folder: Path, span: Span | None = None, help: str | None = None) -> NoReturn:
    """AX0611 for a folder that is not a run: because its training did not end, or because it never was one."""
    if (folder / STATE_FILE).is_file():
        fail(
            "AX0611",
            f"{folder} holds a training that did not end, and has no weights yet",
            span,
            help=f"`archonnx train --resume {folder}` goes on with it, with `--set epochs=N` to an earlier end",
        )
    headline = f"{folder} is not a run directory" if folder.exists() else f"there is no run directory {folder}"
    fail("AX0611", headline, span, help=help or _instead(folder) or "`archonnx train SPEC` makes one")


def _instead(folder: Path) -> str | None:
    """What was probably meant: the run that a file lies in, a run of nearly this name, or a training of a spec."""
    if folder.is_file() and (folder.parent / RECORD).is_file():
        return f"it lies in the run {folder.parent}"
    if folder.is_file() and folder.suffix in (".arch", ".yaml", ".yml"):
        return f"`archonnx train {folder}` makes one"
    if not folder.exists() and folder.parent.is_dir():
        runs = sorted(one.name for one in folder.parent.iterdir() if (one / RECORD).is_file())
        near = did_you_mean(folder.name, runs)
        if near is not None:
            return f"did you mean `{folder.parent / near.replacement}`?"
    return None


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def of_arrays(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    """SHA-256 of arrays by name, and of texts that go with them; their order does not matter."""
    found = sha256()
    for key in sorted(metadata):
        found.update(f"{key}\0{metadata[key]}\0".encode("utf-8", "surrogatepass"))
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode("utf-8", "surrogatepass"))
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def of_record(record: Mapping[str, Any]) -> str:
    """SHA-256 of what a record says, its own checksum left out."""
    said = {key: value for key, value in record.items() if key != "checksum"}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def of_folder(folder: Path, names: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """Size and checksum of files of a folder, by their paths: of all below it, or of those that are named."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        name: {"bytes": (folder / name).stat().st_size, "sha256": digest(folder / name)}
        for name in (found if names is None else names)
    }


def checked(folder: Path, name: str, way: str | None = None) -> Path:
    """A file of a run; SpecError unless it is as the run's record says, if that says anything of checksums.

    ``way`` is what can be done about it. A link is not followed: what a run holds is in it.
    """
    path = folder / name
    if path.is_symlink() or (path.parent != folder and path.parent.is_symlink()):
        fail("AX0611", f"{path} is a link, and a run reads nothing outside itself", None, help="put the file in place")
    listed = _listed(folder)
    if listed is None:
        return path
    said = listed.get(name)
    if not path.is_file():
        fail("AX0611", f"{folder} has lost {name}" if said else f"{folder} has no {name}", None)
    if said is None:
        fail("AX0611", f"{path} is not of this run: {RECORD} does not list it", None)
    if path.stat().st_size != said.get("bytes") or digest(path) != said.get("sha256"):
        note = "its checksum is another one"
        fail("AX0611", f"{path} is damaged: it is not what was written", None, notes=[note], help=way)
    return path


def _listed(folder: Path) -> Mapping[str, Mapping[str, Any]] | None:
    """The files that the record of a folder lists; None where there is no list, or no record."""
    try:
        files = json.loads((folder / RECORD).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    known = isinstance(files, dict) and all(isinstance(said, dict) for said in files.values())
    return files if known else {}
