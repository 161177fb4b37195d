"""Golden pages of what is found when a model is exported, opened and run: the whole of what people read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from archonnx.cli import main
from archonnx.grammar.catalogue import catalogue
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.render import render_report
from tests.support.golden import GOLDEN, Case, Golden, golden_cases

PAGE = "diagnostics/onnx.md"


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


@golden_cases(PAGE)
def test_message(
    case: Case,
    golden: Golden,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "onnx.arch").write_text(case.source, encoding="utf-8")
    if (script := case.sources.get("run.py")) is not None:
        monkeypatch.setattr("archonnx.compiler.onnx_export.LARGE", 10**9)  # put back when the test ends
        with pytest.raises(SpecError) as caught:
            exec(compile(script, "run.py", "exec"), {})
        shown = render_report(caught.value.report)
    else:
        for line in case.sources["run.sh"].splitlines():
            capsys.readouterr()
            typed(line, monkeypatch)
        shown = capsys.readouterr().err
    assert re.findall(r"\[(AX\d{4})\]", shown) == [case.title.split()[0]], "one finding, of the code in the title"
    golden(case, shown)


def test_every_code_of_onnx_has_a_case() -> None:
    shown = set(re.findall(r"^## (AX\d{4}) ", (GOLDEN / PAGE).read_text("utf-8"), re.MULTILINE))
    assert shown == {code for code in catalogue() if code.startswith("AX05")}
