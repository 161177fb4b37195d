"""How much is read and checked for helps: what they cost grows with the file, so that they are fewer where it is long."""

from __future__ import annotations

import pytest

from archonnx.compiler.helps import proposals, trial
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source

TEXT = "model A():\n    input x: [B, 64]\n" + "".join(f"    b{n} = (x |> Dense({n})) + x\n" for n in (30, 40, 50))


def helped() -> list[bool]:
    """Which of the findings have fixes."""
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source("a.arch", TEXT)))
    return [bool(one.fixes) for one in caught.value.diagnostics]


def test_a_long_file_has_helps_for_its_first_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert helped() == [True, True, True]
    monkeypatch.setattr(proposals, "READ", 2 * len(TEXT))
    assert helped() == [True, True, False]
    monkeypatch.setattr(trial, "CHECKED", len(TEXT))
    assert helped() == [True, False, False]
    monkeypatch.setattr(trial, "CHECKED", len(TEXT) - 1)
    assert helped() == [False, False, False]
