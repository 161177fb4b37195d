"""Which model of a file is meant, and whose programs its ``train`` blocks are."""

from __future__ import annotations

import pytest

from archonnx.compiler.models import Stage, meant_model, trained_models
from archonnx.compiler.pipeline import elaborate, parse_spec, stages
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source

MODEL = """model {}(width: int = 2):
    input x: [B, 2]
    net = Dense(width)
    loss objective = mean(net(x) ** 2)
"""
TRAIN = "train {}:\n    minimize objective with sgd()\n"


def spec(*programs: str) -> Spec:
    """First, Second and Third with these programs, as in ``a of First``."""
    text = "".join(MODEL.format(name) for name in ("First", "Second", "Third"))
    return parse_spec(Source("models.arch", text + "".join(map(TRAIN.format, programs))))


def test_programs_of_a_model_that_follow_each_other_are_a_stage() -> None:
    found = spec("a of Second", "b", "c of First", "d of First", "e of Second")
    assert trained_models(found) == ["Second", "First"] and meant_model(found).name == "Second"
    assert stages(found) == [Stage("Second", ("a", "b")), Stage("First", ("c", "d")), Stage("Second", ("e",))]
    own = {name: [p.name for p in elaborate(replace(found, model=name)).programs] for name in ("First", "Second")}
    assert own == {"First": ["c", "d"], "Second": ["a", "b", "e"]}, "a program that names no model is of the first"
    assert elaborate(replace(found, model="Third")).programs == ()


def test_a_for_numbers_programs_of_several_models() -> None:
    found = spec("a of First")
    loop = "for k in range(2):\n    train b of Second:\n        minimize objective with sgd()\n"
    loop += "    train c of First:\n        start_from = a\n        minimize objective with sgd(lr=1 / (k + 1))\n"
    both = parse_spec(Source("models.arch", found.source.text + loop))
    assert [(stage.model, stage.programs) for stage in stages(both)] == [
        ("First", ("a",)), ("Second", ("b.0",)), ("First", ("c.0",)), ("Second", ("b.1",)), ("First", ("c.1",)),
    ]  # fmt: skip
    counted = parse_spec(Source("models.arch", both.source.text.replace("range(2)", "range(width)")))
    with pytest.raises(SpecError, match="AX0201"):
        elaborate(counted)  # of which model is the width?


@pytest.mark.parametrize(
    ("programs", "model", "says"),
    [
        (("a of First", "a of Second"), None, "AX0205.*two `train` programs are called `a`"),
        (("a of First", "b of Fourth"), None, "AX0201.*there is no model `Fourth`"),
        (("a of First",), "Fist", "AX0201.*models.arch has no model `Fist`"),
        (("a",), None, "AX0001.*choosing among several models"),
    ],
)
def test_what_is_not_meant(programs: tuple[str, ...], model: str | None, says: str) -> None:
    with pytest.raises(SpecError, match=f"(?s){says}"):
        elaborate(replace(spec(*programs), model=model))


def test_a_model_that_is_asked_for_is_trained_by_a_program_that_names_none() -> None:
    assert [p.name for p in elaborate(replace(spec("a"), model="Third")).programs] == ["a"]
