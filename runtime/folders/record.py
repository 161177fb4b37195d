"""``run.json``: what a run says of itself, read as data that may be damaged or a stranger's.

What this module does not do: look at the other files (``checksums`` does).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from archonnx.grammar.diagnostics import fail
from archonnx.runtime.checksums import RECORD, STATE_FILE, fail_without_run, of_record
from archonnx.runtime.reserving import fail_if_in_use

DEFAULT_DTYPE = "f32"
"""The float type of a model of which nothing else is said."""
FORMAT = 3
"""Of ``run.json``. Runs of format 2 have no checksums, no imports, and the path of their spec instead of an id."""
KNOWN = (2, FORMAT)
IMPORTS = "imports"
"""The folder of the files that a spec imports, in a run."""
LARGEST = 1 << 26
"""Bytes of a record that are read at most."""


def is_inside(name: str) -> bool:
    """Whether the name of a file is a path inside the folder from which it is meant."""
    pure = PurePosixPath(name)
    return bool(pure.parts) and not (pure.is_absolute() or ".." in pure.parts or any(sign in name for sign in "\\:\0"))


def _inside(name: str) -> str:
    if not is_inside(name):
        raise ValueError("this is not a path inside the run")
    return name


def _named(name: str) -> str:
    if not name.isidentifier():
        raise ValueError("this is not a name")
    return name


def _folder(name: str) -> str:
    if name in ("", ".", "..") or any(sign in name for sign in "/\\:\0"):
        raise ValueError("this is not the name of a folder")
    return name


RunName = Annotated[str, AfterValidator(_folder)]
Inside = Annotated[str, AfterValidator(_inside)]
Name = Annotated[str, AfterValidator(_named)]
Figures = dict[str, dict[str, float | Literal["inf", "-inf"] | None]]


class Strict(BaseModel):
    """Nothing is converted; what is not known is kept, since later versions may say more."""

    model_config = ConfigDict(strict=True, extra="allow")


class FileRecord(Strict):
    """A file as it was written."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ProgramRecord(Strict):
    """A train program that ran."""

    name: str
    settings: dict[str, Any]
    metrics: Figures
    epochs: Annotated[int, Field(ge=0)]
    best_epoch: int | None
    stopped: str
    seconds: float
    started_from: dict[str, Any] | None = None


class DoneRecord(ProgramRecord):
    """One that ran before the one under way, as a state has it."""

    history: list[dict[str, Any]]


class RunRecord(Strict):
    """A run."""

    format: int
    name: str
    model: str
    spec: Literal["spec.arch", "spec.yaml"]
    arguments: dict[str, Any]
    dtype: str = DEFAULT_DTYPE
    program: str | None
    settings: dict[str, Any]
    seed: int
    parameters: dict[str, str]
    entries: dict[Name, dict[str, str]]
    metrics: Figures
    epochs: Annotated[int, Field(ge=0)]
    best_epoch: int | None
    stopped: str
    seconds: float
    programs: Annotated[list[ProgramRecord], Field(min_length=1)]
    finished: str
    device: str
    versions: dict[str, str]
    id: str | None = None
    path: str | None = None
    beside: str | None = None
    threads: int | None = None
    imports: list[Inside] = []
    files: dict[Inside, FileRecord] | None = None
    unwritten: dict[str, str] = {}
    checksum: str | None = None


def read_record(folder: Path) -> dict[str, Any]:
    """What a run says of itself; SpecError if it says nothing, or what is damaged."""
    file = folder / RECORD
    try:
        if file.is_symlink() or (file.exists() and not (file.is_file() and file.stat().st_size <= LARGEST)):
            fail("AX0611", f"{file} is damaged: it is not a file of the size that records have", None)
        given = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        _fail_none(folder)
    except (OSError, ValueError, RecursionError) as error:
        fail("AX0611", f"{file} is damaged: {error}", None)
    if not isinstance(given, dict) or given.get("format") not in KNOWN:
        fail("AX0611", f"{file} was written by another version of archonnx", None)
    try:
        record = RunRecord.model_validate(given)
    except ValidationError as error:
        fail("AX0611", f"{file} is damaged: {first_problem(error)}", None)
    if given["format"] == FORMAT and (record.files is None or record.checksum != of_record(given)):
        fail("AX0611", f"{file} is damaged: it is not what was written", None, notes=["its checksum is another one"])
    said = record.model_dump()
    for program in said["programs"]:
        if program["started_from"] is None:
            del program["started_from"]
    return said


def first_problem(error: ValidationError) -> str:
    """What is wrong, for people, at the first place."""
    found = error.errors(include_url=False)[0]
    place, said = ".".join(str(part) for part in found["loc"]), found["msg"].removeprefix("Value error, ")
    return f"it lacks `{place}`" if found["type"] == "missing" else f"`{place}`: {said[:1].lower()}{said[1:]}"


def _fail_none(folder: Path) -> NoReturn:
    if not (folder / STATE_FILE).is_file():
        fail_if_in_use(folder)
    inside = sorted(other.parent.name for other in folder.glob(f"*/{RECORD}"))
    way = f"it holds several runs: {', '.join(inside)}" if inside else None
    if not folder.exists() and folder.parent.is_dir():
        left = [one for one in folder.parent.iterdir() if one.name.startswith(f".{folder.name}.")]
        if found := [one for one in sorted(left) if (one / RECORD).is_file()]:  # a version that moved directories
            way = f"an earlier version was ended while it replaced the run: rename {found[0]} to {folder}"
    fail_without_run(folder, help=way)


def sealed(record: Mapping[str, Any]) -> bytes:
    """A record as it is written, with its checksum."""
    said = json.loads(json.dumps(record))
    return f"{json.dumps({**said, 'checksum': of_record(said)}, indent=2)}\n".encode()
