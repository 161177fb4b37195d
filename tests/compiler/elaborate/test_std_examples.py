"""The examples in the docstrings of the library, ``>>> EXPRESSION  # VALUE``, have the values that they show."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from archonnx.grammar import ast
from archonnx.grammar.dsl import parse
from archonnx.grammar.source import Source
from tests.support.language_docs import checked_values

STD = Path(__file__).parents[3] / "specs" / "std"
EXAMPLE = re.compile(r"^ *>>> (.*)$", re.MULTILINE)


def docstrings() -> dict[str, str]:
    """Of every declaration of the library that has one."""
    found = {}
    for path in sorted(STD.glob("*.arch")):
        for declaration in parse(Source(path.name, path.read_text(encoding="utf-8"))).declarations:
            doc = getattr(declaration, "doc", None)
            if isinstance(declaration, ast.Declaration) and doc is not None:
                found[f"{path.name}:{declaration.name}"] = doc.text
    return found


SHOWN = {name: lines for name, text in docstrings().items() if (lines := EXAMPLE.findall(text))}


@pytest.mark.parametrize("name", SHOWN)
def test_examples_of_docstrings(name: str) -> None:
    with np.errstate(all="ignore"):
        lines = list(checked_values("\n".join(SHOWN[name])))
    assert 0 < len(lines) == sum("  # " in line for line in SHOWN[name])
    assert [(text, expected) for text, expected, _ in lines] == [(text, actual) for text, _, actual in lines]


def test_no_two_files_of_the_library_declare_one_name() -> None:
    names = [name.partition(":")[2] for name in docstrings()]
    assert sorted(names) == sorted(set(names))
