"""Which way imports go between tests, what serves them, and the benchmarks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> set[str]:
    """Modules that a file imports by their full names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize(("folder", "barred"), [("tests/support", "benchmarks"), ("benchmarks", "tests")])
def test_support_serves_tests_and_benchmarks_and_needs_neither(folder: str, barred: str) -> None:
    def is_wrong(module: str) -> bool:
        return module.split(".")[0] in ("tests", barred) and not module.startswith("tests.support")

    files = [*(ROOT / folder).rglob("*.py")]
    assert files
    assert not [(path.name, module) for path in files for module in sorted(imported(path)) if is_wrong(module)]
