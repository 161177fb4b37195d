"""Code that messages write calls what there is: every name that is called in backticks is a name of the language.

A help is followed to the letter by whoever reads it, so that `is_nan(x)` for `isnan(x)` costs a second message.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from archonnx.compiler.elaborate.builtin.table import builtins
from archonnx.compiler.elaborate.files.library import library_texts
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.compiler.sources import SOURCES

ROOT = Path(__file__).parents[1]
SOURCE = sorted(
    path for folder in ("grammar", "compiler", "runtime", "archonnx") for path in (ROOT / folder).rglob("*.py")
)
PAGES = sorted((ROOT / "grammar" / "diagnostics" / "pages").glob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r"(?<![\w.}])([A-Za-z_]\w*)\(")


OF_PROGRAMS = {"generate", "fresh", "run", "choice", "intrange", "uniform", "loguniform"}
"""What only `train` and `search` blocks call."""
FORMS = {"copy"}
"""What is called and is a form of the language."""
NOT_OURS = {"NAME", "f", "n", "list", "Trainer", "ModelRuns", "compile"}
"""Names that stand for any, and calls in Python."""


def names() -> set[str]:
    """What a spec can call."""
    return {*library_texts(), *builtins(), *SOURCES, *SET_FUNCTIONS, *OF_PROGRAMS, *FORMS, *NOT_OURS}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines; docstrings are none, and what is filled in is ``{}``."""
    tree = ast.parse(path.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (told | inner):
            yield node.lineno, node.value


def calls(text: str) -> Iterator[str]:
    for code in CODE.findall(text):
        yield from CALL.findall(code)


def test_there_is_code_to_look_at() -> None:
    found = {name for path in SOURCE for _, text in texts(path) for name in calls(text)}
    assert len(found) > 30 and {"Dense", "adam"} <= found


@pytest.mark.parametrize("path", [*SOURCE, *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_messages_call_exists(path: Path) -> None:
    known = names()
    told = texts(path) if path.suffix == ".py" else enumerate(path.read_text("utf-8").splitlines(), 1)
    unknown = [f"{path.name}:{line}: {name}" for line, text in told for name in calls(text) if name not in known]
    assert not unknown
