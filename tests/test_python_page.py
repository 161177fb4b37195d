"""docs/python.md is true: its blocks are run one after the other, and print what the page shows."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.language_docs import KINDS, examples

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
EXAMPLES = examples(PAGE.read_text(encoding="utf-8"))


def test_python_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for example in EXAMPLES:
        if example.kind == "arch":
            Path(example.file).write_text(example.body, encoding="utf-8")
        if example.kind != "python":
            continue
        if "import pandas" in example.body and find_spec("pandas") is None:
            pytest.skip("pandas is not installed; the blocks before those with frames are true")
        exec(compile(example.body, f"python.md:{example.line}", "exec"), names)
        assert capsys.readouterr().out.strip() == (example.shown or "").strip(), f"python.md:{example.line}"


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert {example.kind for example in EXAMPLES} <= {"arch", "python", "text"} <= set(KINDS)
