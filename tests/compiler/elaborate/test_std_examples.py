"""The library has examples in its docstrings, ``>>> EXPRESSION  # VALUE``, with the values that they show."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from archonnx.grammar import ast
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from tests.support.language_docs import checked_values

STD = Path(__file__).parents[3] / "specs" / "std"
EXAMPLE = re.compile(r"^ *>>> (.*)$", re.MULTILINE)


@cache
def docstrings() -> dict[str, str]:
    """Of every declaration of the library, empty where it has none."""
    found = {}
    for path in sorted(STD.glob("*.arch")):
        for declaration in parse(Source(path.name, path.read_text(encoding="utf-8"))).declarations:
            if isinstance(declaration, ast.Declaration):
                doc = getattr(declaration, "doc", None)
                found[f"{path.name}:{declaration.name}"] = doc.text if doc is not None else ""
    return found


HELPERS = {
    "check_mask",  # attention: gives back the mask that it is given
    *("fmod_pair", "hypot_pair", "atan2_pair", "logaddexp_pair"),  # elementwise: both sides have one shape
    *("each_beam", "of_rows"),  # generation: rows of nested lists
    "edge_list",  # graphs: the checked parts of edges
    *("eliminate", "solve_columns", "start_vector"),  # linalg: parts of its algorithms
    *("count_over", "multiply"),  # reductions
    "on_diagonal",  # tensors
    "reduced",  # losses: what `reduce` says
    *("check_lengths", "first_states", "rate_of_each", "starts"),  # recurrence: parts of its layers
    "recurrence",  # its first argument is a fn that is declared
    *("near_two", "zeta_less_one"),  # special: parts of its series
    "root",  # optimizers
    *("noisy", "dropped"),  # regularisers: what their blocks do in training
}
"""Declarations that only the library uses, and that need no example."""

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


def test_every_declaration_of_the_library_has_an_example() -> None:
    bare = [name for name in docstrings() if name not in SHOWN]
    assert [name for name in bare if name.partition(":")[2] not in HELPERS] == []


def test_helpers_without_an_example_are_of_the_library() -> None:
    bare = {name.partition(":")[2] for name in docstrings() if name not in SHOWN}
    assert not HELPERS - bare, "these have an example, or are gone: take them out of HELPERS"


def test_a_block_is_shown_with_its_initial_parameters_in_use() -> None:
    lines = [
        "tensor([[1.0, 2.0]]) |> Dense(1, init=ones)  # f32[1, 1]: [[3]]",
        "tensor([[1.0, 2.0]]) |> BatchNorm  # f32[1, 2]: [[1, 2]]",
        "tensor([[1.0, 2.0]]) |> Dropout(0.5)  # f32[1, 2]: [[1, 2]]",
        "layer = Dense(3)",
        "y = layer(tensor([[0.5, 2.0]]))",
        "max(abs(layer.W)) > 0  # bool[]: true",
        "max(abs(y - tensor([[0.5, 2.0]]) @ layer.W))  # f32[]: 0",
    ]
    shown = list(checked_values("\n".join(lines)))
    assert len(shown) == 5
    assert [expected for _, expected, _ in shown] == [actual for _, _, actual in shown]
