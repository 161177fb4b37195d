"""``archonnx lsp``: the language server. The work is done in ``archonnx.lsp``."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Annotated

import typer

from ..verb import Group, verb

MEMORY = 4
"""So many times as much as one check may have: several documents are open, and each keeps what was found in it."""


@verb("lsp", Group.specs)
def lsp(
    stdio: Annotated[bool, typer.Option("--stdio", help="Talk over standard input and output, as always.")] = True,
) -> None:
    """Serve an editor: findings, types and shapes, completion, definitions, renaming, formatting while one types.

    An editor starts it, and talks to it by the Language Server Protocol. It needs the extra `lsp`.

        pip install 'archonnx[lsp]'
    """
    if find_spec("pygls") is None:
        from archonnx.runtime.extras import missing

        missing("the language server", "pygls", "lsp", None)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy starts threads on import; a check needs none
    from archonnx.lsp.server import serve

    from ..limits import BYTES, limit_memory

    limit_memory(MEMORY * BYTES)
    serve()
