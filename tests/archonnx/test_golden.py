"""Golden pages of what is found when a model is trained, exported, opened and run: all findings as people read them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from archonnx.cli import main
from archonnx.grammar.diagnostics import SpecError, render_report
from archonnx.grammar.diagnostics.catalogue import catalogue
from tests.support.golden import GOLDEN, Case, Golden, golden_cases

PAGES = {"onnx": "AX05", "run": "AX06"}
"""The families of codes, by the folders of the pages that show them."""
SCRIPTS = ("run.py", "run.sh")
FOLDER = "FOLDER"
"""What pages have in place of the folder in which a case is run."""


def typed(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what a line of a shell does; our own commands run in this process."""
    if not line.startswith("archonnx "):
        subprocess.run(line, shell=True, check=True)
        return
    monkeypatch.setattr(sys, "argv", line.split())
    try:
        main()
    except SystemExit as end:
        assert end.code in (None, 0, 1)


def findings(shown: str) -> str:
    """What was printed, from the first finding on: the progress of a training before it has times in it."""
    first = re.search(r"^(error|warning)\[", shown, re.MULTILINE)
    return shown[first.start() :] if first else shown


@pytest.mark.parametrize("folder", PAGES)
def test_every_code_has_a_case(folder: str) -> None:
    pages = "".join(path.read_text("utf-8") for path in GOLDEN.glob(f"diagnostics/{folder}/*.md"))
    titles = re.findall(r"^## (AX\d{4} \S+)", pages, re.MULTILINE)
    family = [entry for code, entry in catalogue().items() if code.startswith(PAGES[folder])]
    assert set(titles) == {f"{entry.code} {entry.slug}" for entry in family}


@golden_cases("diagnostics/onnx/*.md", "diagnostics/run/*.md")
def test_message(
    case: Case,
    golden: Golden,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in case.sources.items():
        if name not in SCRIPTS:
            (tmp_path / name).write_text(text, encoding="utf-8")
    if (script := case.sources.get("run.py")) is not None:
        monkeypatch.setattr("archonnx.compiler.onnx_export.LARGE", 10**9)  # put back when the test ends
        with pytest.raises(SpecError) as caught:
            exec(compile(script, "run.py", "exec"), {})
        shown = render_report(caught.value.report)
    else:
        for line in case.sources["run.sh"].splitlines():
            capsys.readouterr()
            typed(line, monkeypatch)
        shown = findings(capsys.readouterr().err)
    assert set(re.findall(r"\[(AX\d{4})\]", shown)) == {case.title.split()[0]}, "findings of the code in the title"
    golden(case, shown.replace(str(tmp_path), FOLDER))
