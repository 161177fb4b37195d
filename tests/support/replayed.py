"""Pages whose commands and code are executed: what they print is what the page shows after them.

```arch file=NAME     (or csv, or any other kind) is written into the folder
```sh                 one command, executed in this process
```python             code
```text               after either of them: what it prints, first its results, then what it has to say
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

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.]*\w)")
TIME = re.compile(r" *[\d.]+ m?s\b")


def executed(kind: str, body: str, page: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command, or code, prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if kind == "python":
            exec(compile(body, str(page), "exec"), {})
        else:
            monkeypatch.setattr(sys, "argv", shlex.split(body))
            try:
                main()
            except SystemExit as end:
                assert end.code in (None, 0, 1)
    parts = [text.strip("\n") for text in (out.getvalue(), err.getvalue()) if text.strip()]
    return "\n\n".join(parts) + "\n"


def replayed(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """The page with what is printed now, and how many blocks were executed in the folder."""
    monkeypatch.chdir(folder)
    page = path.read_text("utf-8")
    pieces, end = [], 0
    for fence, following in pairwise(FENCE.finditer(page)):
        kind, _, file = fence["info"].partition(" file=")
        if file:
            (folder / file).write_text(fence["body"], "utf-8")
        elif kind in ("sh", "python"):
            assert following["info"] == "text", "what is executed is followed by what it prints"
            printed = executed(kind, fence["body"], path, monkeypatch).replace(f"{folder.resolve()}/", "")
            pieces += [page[end : following.start("body")], printed]
            end = following.end("body")
    return "".join([*pieces, page[end:]]), len(pieces) // 2


def alike(one: str, other: str, within: float = 0.05) -> bool:
    """Whether two pages say the same: without times, and with fractions that are as near as another machine has them."""
    one, other = TIME.sub("", one), TIME.sub("", other)
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(a == b or ("." in a + b and abs(float(a) - float(b)) <= within * (1 + abs(float(b)))) for a, b in pairs)


def shown(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """Check that a page shows what its commands and its code print, or write it there; how many were run."""
    actual, count = replayed(page, folder, monkeypatch)
    before = page.read_text("utf-8")
    if request.config.getoption("--update"):
        page.write_text(actual, "utf-8")
    elif not alike(actual, before):
        assert actual == before
    return count
