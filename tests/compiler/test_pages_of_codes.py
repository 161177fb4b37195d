"""The example on the page of a code that the compiler finds gives that code and no other.

An example shows what matters: a declaration, or a program without its model. It is completed here with a model that
applies the declaration, or with one that the program could train.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archonnx.compiler.lints.data_rules import DATA_RULES, DataSight, Labels
from archonnx.compiler.lints.finding import codes, findings
from archonnx.compiler.lints.rules import RULES
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.diagnostics.catalogue import Page, catalogue
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree

FAMILIES = ("AX02", "AX03", "AX04", "AX07")
"""What elaboration finds; syntax is tested in the grammar, ONNX and runs by their golden pages."""
EXAMPLES = [page for code, page in catalogue().items() if code[:4] in FAMILIES and page.example]

MODEL = """
model M(width: int = 4, lr: float = 1e-3):
    input image: [B, 64]
    target label: i64[B]
    probs = image |> Dense(width) |> Dense(10)
    output y = probs
    loss objective = cross_entropy(probs, label)
    metric accuracy = accuracy(probs, label)
"""
PROGRAM = """
train:
    data = sklearn("digits")
    split = {train: 0.8, valid: 0.2}
    feed image = data.data
    feed label = data.target
    minimize objective with adam(lr=lr)
"""


def whole(example: str) -> str:
    """The example as a spec that declares a model."""
    tree = read_tree(Source("example.arch", example))
    if any(isinstance(declaration, ast.Model) for declaration in tree.declarations):
        return example
    last = tree.declarations[-1]
    match last:
        case ast.Train():
            given = {line.split()[1] for line in example.splitlines() if line.strip().startswith("feed ")}
            settings = [line for line in PROGRAM.splitlines()[2:] if line.split()[0] not in example.split() or given]
            return example + "\n".join(settings) + "\n" + MODEL
        case ast.Search():
            return example + PROGRAM + MODEL
        case ast.Fn() | ast.Block():
            made = last.name + ("()" if isinstance(last, ast.Block) else "")
            parameters = last.inputs if isinstance(last, ast.Block) else last.parameters
            types = {p.name: p.type.span.text.replace("...S", "S") for p in parameters if p.type is not None}
            inputs = "".join(f"    input {name}: {type_}\n" for name, type_ in types.items())
            return f"{example}model M():\n{inputs}    output result = {made}({', '.join(types)})\n"
    raise AssertionError(f"nothing applies {last}")


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.slug)
def test_an_example_gives_its_code(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archonnx.grammar.budget.WORK", 200_000)  # what costs too much is refused sooner
    path = tmp_path / "self.arch"
    path.write_text(page.example if page.slug == "no-model" else whole(page.example), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        elaborate(load(path))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {page.code}


WARNINGS = [page for page in catalogue().values() if page.code[:4] == "AX08"]
BOUNDS = {"pixels": (0.0, 16 / 255), "shades": (0.0, 16.0)}
ROWS = 40
"""Rows of the data of an example: the first thirty train, and lack the last of three labels where it is sorted."""


def seen(model: ModelProgram, page: Page) -> list[DataSight]:
    """What would be known of the data of an example whose warning needs that."""
    if page.code not in DATA_RULES or page.code in RULES:
        return []
    labels = {"y": Labels(frozenset({0, 1, 2}), frozenset({0, 1}))} if "y" in model.fields else {}
    bounds = {name: of for name, of in BOUNDS.items() if name in model.fields}
    parts = {"train": 30, "test": 10}
    return [DataSight(model, program, ROWS, parts, labels, bounds=bounds) for program in model.programs]


@pytest.mark.parametrize("page", WARNINGS, ids=lambda page: page.slug)
def test_an_example_of_what_was_not_meant_gives_its_warning_alone(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "self.arch"
    path.write_text(page.example, encoding="utf-8")
    model = elaborate(load(path))
    found = findings(model, data=seen(model, page))
    assert {(finding.code, finding.severity) for finding in found} == {(page.code, "warning")}


def test_every_warning_has_a_page() -> None:
    assert {page.code for page in WARNINGS} == {*codes(), "AX0800"}
    assert all(page.severity == "warning" for page in WARNINGS)
    told = (Path(__file__).parents[2] / "docs" / "language.md").read_text("utf-8")
    assert all(f"| {code} |" in told for code in codes())
