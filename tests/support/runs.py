"""Runs changed by hand, as an earlier version or a stranger would have written them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archonnx.runtime.checksums import RECORD, of_folder
from archonnx.runtime.folders.record import sealed


def reseal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda record: None) -> None:
    """Let the record of a run agree with its files and itself, after it was changed."""
    record = json.loads((folder / RECORD).read_text("utf-8"))
    record["files"] = {name: said for name, said in of_folder(folder).items() if name != RECORD}
    change(record)
    (folder / RECORD).write_bytes(sealed(record))


def as_before_checksums(folder: Path, change: Callable[[dict[str, Any]], object] = lambda record: None) -> None:
    """Let a run be one of format 2."""
    record = json.loads((folder / RECORD).read_text("utf-8"))
    for key in ("files", "checksum", "id", "beside", "imports", "threads", "unwritten"):
        record.pop(key, None)
    record |= {"format": 2, "path": None}
    change(record)
    (folder / RECORD).write_text(json.dumps(record))
