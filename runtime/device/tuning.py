"""Crossings of this machine: measured once, and remembered outside of any project.

They lie in the folder of caches of the user (``XDG_CACHE_HOME``, ``~/.cache``), a file for each processor, version of
onnxruntime and number of threads. A file that cannot be read, or is damaged, counts as none; where none can be written,
they are measured again the next time. What this module does not do: measure (``crossing`` does).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from archonnx.compiler.passes.crossings import Crossings
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.disk import make_folder
from archonnx.runtime.files import write_atomically

from .crossing import measured
from .session import SessionOptions, threads_of


def processor() -> str:
    """What the processor is called."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def runtime_version() -> str:
    """The version of onnxruntime, whichever package it came with."""
    for name in ("onnxruntime", "onnxruntime-gpu"):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "unknown"


def place_of(options: SessionOptions) -> Path:
    """The file of this machine."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(given) if given else Path.home() / ".cache"
    told = "\n".join((processor(), runtime_version(), str(threads_of(options))))
    return folder / "archonnx" / f"crossings-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}.json"


def remembered(place: Path) -> Crossings | None:
    """What a file says; None where there is none, or a damaged one."""
    try:
        return Crossings.from_json(json.loads(place.read_text("utf-8"))["crossings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def tuned(options: SessionOptions) -> Crossings:
    """The crossings of this machine, measured if nobody has done it."""
    place = place_of(options)
    known = remembered(place)
    if known is not None:
        return known
    found, _ = measured(replace(options, device="cpu"))
    with contextlib.suppress(OSError, SpecError):
        for folder in (place.parent.parent, place.parent):
            make_folder(folder, again=True)
        write_atomically(place, described(found, options).encode())
    return found


def described(found: Crossings, options: SessionOptions) -> str:
    """The text of a file: what was found, where, and when."""
    told = {
        "crossings": found.as_json(),
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "onnxruntime": runtime_version(),
        "threads": threads_of(options),
    }
    return json.dumps(told, indent=2) + "\n"
