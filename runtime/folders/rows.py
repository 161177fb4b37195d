"""``rows.npz``: which examples of the data were in which part, so that a run never draws its parts again.

What this module does not do: draw them (``runtime.data.parts`` does).
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.checksums import checked
from archonnx.runtime.data.parts import PARTS, Parts
from archonnx.runtime.files import write_atomically

ROWS_FILE = "rows.npz"


def save_rows(path: Path, parts: Parts) -> None:
    """Write the numbers of the examples of each part, in the order in which they are taken."""
    content = BytesIO()
    rows: dict[str, Array] = {name: parts.of(name).astype(np.int64) for name in PARTS}
    np.savez(content, allow_pickle=False, **rows)
    write_atomically(path, content.getvalue())


def load_rows(folder: Path) -> Parts | None:
    """Read what ``save_rows`` wrote into a run; None of one that was made before there was such a file."""
    if not os.path.lexists(folder / ROWS_FILE):
        return None
    path = checked(folder, ROWS_FILE)
    try:
        with np.load(path, allow_pickle=False) as file:
            rows = {name: file[name] for name in PARTS}
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        fail("AX0611", f"{path} is damaged: {error}", None)
    if any(part.ndim != 1 or part.dtype != np.int64 or part.min(initial=0) < 0 for part in rows.values()):
        fail("AX0611", f"{path} is damaged: rows are numbers from 0 on", None)
    return Parts(**rows)
