"""docs/tracing.md is true: its commands and its code are executed, and what they print is what the page shows.

`pytest tests/test_tracing_page.py --update` writes what they print into the page.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from archonnx.cli import main

PAGE = Path(__file__).parents[1] / "docs/tracing.md"
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def run(kind: str, body: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command, or code, prints: first its results, then what it has to say."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if kind == "python":
            exec(compile(body, str(PAGE), "exec"), {})
        else:
            monkeypatch.setattr(sys, "argv", shlex.split(body))
            try:
                main()
            except SystemExit as end:
                assert end.code in (None, 0, 1)
    parts = [text.strip("\n") for text in (out.getvalue(), err.getvalue()) if text.strip()]
    return "\n\n".join(parts) + "\n"


def test_the_page_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text("utf-8")
    fences = list(FENCE.finditer(page))
    pieces, end = [], 0
    for fence, following in pairwise(fences):
        kind, _, file = fence["info"].partition(" file=")
        if file:
            (tmp_path / file).write_text(fence["body"])
        elif kind in ("sh", "python"):
            assert following["info"] == "text", "what is executed is followed by what it prints"
            pieces += [page[end : following.start("body")], run(kind, fence["body"], monkeypatch)]
            end = following.end("body")
    actual = "".join([*pieces, page[end:]])
    if request.config.getoption("--update"):
        PAGE.write_text(actual, "utf-8")
    assert actual == page or request.config.getoption("--update")
    assert len(pieces) == 2 * 6
