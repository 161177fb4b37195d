"""Which statements of a body are setup does not depend on what was asked before, and is forgotten with the spec."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from archonnx.compiler.elaborate.core.dependence import application_statements, module_dims, walk
from archonnx.compiler.elaborate.core.values import BlockType
from archonnx.compiler.elaborate.files.imports import Importer
from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.compiler.pipeline import parse_source
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report
from archonnx.grammar.source import Source

SIZED = """
block Sized(k: int)(x: [B, n]) -> [B, n]:
    twice = n * 2
    param w: [n] = 1
    rows = B + twice
    shift = twice + k
    if twice > k:
        shift = shift + 1
    for i in range(n):
        shift = shift + x[0, i]
    return x * w + shift + rows
"""
FILES = sorted((SPECS / "std").glob("*.arch"))


def blocks(text: str) -> dict[str, BlockType]:
    """The blocks of a file, read anew, so that nothing is known of them."""
    file = parse_source(Source("fresh.arch", text))
    scope = Importer(None, parse_source).scope_of(file, None, Report())
    return {name: block for name, block in scope.declared.items() if isinstance(block, BlockType)}


def applied(block: BlockType) -> list[int]:
    """The numbers of the statements, those inside others too, that run at each application."""
    marked = application_statements(block)
    statements = [node for node in walk(block.declaration.body) if isinstance(node, ast.Stmt)]
    return [number for number, statement in enumerate(statements) if id(statement) in marked]


@pytest.mark.parametrize("dims_first", [True, False])
def test_a_statement_on_a_module_dim_is_setup(dims_first: bool) -> None:
    block = blocks(SIZED)["Sized"]
    if dims_first:
        assert module_dims(block) == {"n"}
    # rows, the assignment in the `for` (what it adds is the input's), and `return`
    assert applied(block) == [2, 7, 8]
    assert module_dims(block) == {"n"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_order_of_questions_does_not_matter(path: Path) -> None:
    text = path.read_text("utf-8")
    one, other = blocks(text), blocks(text)
    for name, block in one.items():
        first = module_dims(block), applied(block)
        assert first == tuple(reversed((applied(other[name]), module_dims(other[name])))), name


def test_what_was_read_goes_with_the_scope() -> None:
    found = blocks(SIZED)
    scope = weakref.ref(found["Sized"].scope)
    assert applied(found["Sized"])
    del found
    gc.collect()
    assert scope() is None
