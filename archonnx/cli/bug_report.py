"""A report of a bug of archonnx: what helps to find it, and nothing that is its user's.

It holds no path, no name of a file, no value and no text of a message, since these may hold what nobody else is to
read. What this module does not do: send anything.
"""

from __future__ import annotations

import platform
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import NamedTemporaryFile

from . import verbs

PACKAGES = ("archonnx", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "scikit-learn", "safetensors", "typer")
_OPTION = re.compile(r"--?[a-z][a-z-]*")


def write_report(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Write a report into the folder for what is temporary; None where that cannot be done."""
    try:
        with NamedTemporaryFile("w", encoding="utf-8", prefix="archonnx-bug-", suffix=".txt", delete=False) as file:
            file.write(report(error, arguments))
        return Path(file.name)
    except OSError:
        return None


def report(error: BaseException, arguments: Sequence[str]) -> str:
    """What the report says."""
    packages = [f"{name} {found}" for name in PACKAGES if (found := _version(name)) is not None]
    return "\n".join(
        [
            "A bug of archonnx.",
            "",
            f"when       {datetime.now(UTC).isoformat(timespec='seconds')}",
            f"command    archonnx {' '.join(map(_shown, arguments))}".rstrip(),
            f"python     {platform.python_version()} on {sys.platform} {platform.machine()}",
            f"packages   {', '.join(packages)}",
            "",
            *_chain(error),
            "",
        ]
    )


def _shown(argument: str) -> str:
    """A verb or the name of an option as it is; of anything else, that something stood there."""
    known = {path.stem for path in Path(verbs.__file__).parent.glob("*.py")} | {"eval"}
    if argument in known:
        return argument
    option = _OPTION.match(argument)
    return option[0] if option is not None else "VALUE"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _chain(error: BaseException) -> Iterator[str]:
    """The error, and those of which it came: their kinds, and where in the package they passed."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield f"{type(current).__module__}.{type(current).__qualname__}, raised"
        yield from (f"  {place}" for place in _places(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if current is not None:
            yield "which came of"


def _places(error: BaseException) -> Iterator[str]:
    """A line a frame: module of the package, line and function; of others, the name of the library, once in a row."""
    before = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        inside = module == "archonnx" or module.startswith("archonnx.")
        library = module.partition(".")[0]
        known = library in sys.stdlib_module_names or library in INSTALLED
        place = (
            f"{module}:{line} in {frame.f_code.co_name}" if inside else f"({library if known else 'something else'})"
        )
        if inside or place != before:
            yield place
        before = place


INSTALLED = (
    "numpy",
    "onnx",
    "onnxruntime",
    "sklearn",
    "safetensors",
    "typer",
    "click",
    "rich",
    "yaml",
    "pydantic",
    "lark",
)
