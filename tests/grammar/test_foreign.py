"""The tables of other tools' words: what stands for them is of the language, with arguments that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from typer.main import get_command

from archonnx.cli.app import app
from archonnx.compiler.elaborate.builtin.table import builtins
from archonnx.compiler.elaborate.core.signatures import DTYPES
from archonnx.compiler.elaborate.core.values import Builtin
from archonnx.compiler.elaborate.files.library import library
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.compiler.settings import TrainSettings
from archonnx.compiler.sources import SOURCES
from archonnx.grammar import ast
from archonnx.grammar.foreign import TOOLS, Form, all_forms, called_here, form, said_elsewhere, section, table
from archonnx.grammar.record import fields
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse_expression
from archonnx.grammar.text.words import FORMS

ELSEWHERE = {
    "with",
    "valid",
    "same",
    "reflect",
    "steps",
    "valid.loss",
    "lr",
    "inputs",
    "outputs",
    "train",
    "fit",
    "search",
    "split",
}
"""Words of choices, of programs and of the YAML spelling."""


def calls(node: ast.Node) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call):
        yield node
    for f in fields(node):
        value = getattr(node, f.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, ast.Node):
                yield from calls(item)


def parameters(name: str) -> set[str] | None:
    """What a callable of the language takes by name; None where there is none."""
    found = library().find(name)
    declaration = getattr(found, "declaration", None)
    if declaration is not None:
        lists = [getattr(declaration, of, ()) for of in ("parameters", "hyperparameters", "inputs")]
        return {parameter.name for of in lists for parameter in of}
    one = builtins().get(name)
    return {parameter.name for parameter in one.parameters} if isinstance(one, Builtin) else set() if one else None


@pytest.mark.parametrize("row", list(all_forms()), ids=lambda row: f"{row.tool}: {row.theirs}")
def test_a_row_gives_calls_that_there_are(row: Form) -> None:
    own = {name.lstrip("*") for name in (*(row.parameters or ()), *(row.applied or ()), "self")}
    for ours in row.ours:
        tree = parse_expression(Source(ours, ours))
        for call in calls(tree):
            if isinstance(call.callee, ast.Name) and call.callee.id not in own | DTYPES.keys() | SOURCES.keys():
                known = parameters(call.callee.id)
                assert known is not None, f"there is no `{call.callee.id}`"
                assert {a.name for a in call.arguments if a.name} <= known


@pytest.mark.parametrize("row", [row for row in all_forms() if any(").h" in ours for ours in row.ours)], ids=str)
def test_what_a_row_takes_of_several_results_is_one_of_them(row: Form) -> None:
    for ours in row.ours:
        tree = parse_expression(Source(ours, ours))
        if isinstance(tree, ast.Attribute) and isinstance(tree.value, ast.Call):
            declaration = getattr(library().find(tree.value.callee.span.text), "declaration", None)
            assert isinstance(declaration, ast.Block) and tree.name in {one.name for one in declaration.result.fields}


def test_no_row_takes_what_no_layer_gives() -> None:
    assert not [row.theirs for row in all_forms() for ours in row.ours if ".last" in ours]


@pytest.mark.parametrize("word", sorted(section("names")))
def test_a_word_has_a_name_here(word: str) -> None:
    known = {
        *library().names(),
        *builtins(),
        *SOURCES,
        *(argument for source in SOURCES.values() for argument in source.model_fields),
        *SET_FUNCTIONS,
        *TrainSettings.model_fields,
        *DTYPES,
        *ELSEWHERE,
    }
    assert set(called_here(word)) <= known | {"none"}


def test_words_of_statements_stand_for_statements() -> None:
    assert {name for word in section("statements") for name in called_here(word, "statements")} <= set(FORMS)
    assert not section("statements").keys() & FORMS.keys()


def test_what_is_said_elsewhere_is_no_setting_and_its_options_are_there() -> None:
    options = {name for command in get_command(app).commands.values() for of in command.params for name in of.opts}  # type: ignore[attr-defined]
    for word, say in said_elsewhere().items():
        assert not {word, *called_here(word)} & TrainSettings.model_fields.keys(), word
        assert {*re.findall(r"--[\w-]+", say)} <= options, word


def test_lists_of_several_tools_are_joined() -> None:
    """`step_size` is how often a rate falls in PyTorch, and the rate itself in books: either may be meant."""
    assert called_here("step_size", "arguments") == ("every", "lr")


def test_all_tools_have_something_to_say() -> None:
    assert all(len(table(tool)) for tool in TOOLS)
    assert form("pytorch", "nn.MSELoss()(p, y)", "mse(p, y)").applied == ("p", "y")
