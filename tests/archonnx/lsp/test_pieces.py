"""Statements that are read one by one, beside the parser that reads the whole file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.grammar import ast
from archonnx.grammar.record import fields
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from archonnx.lsp.checking import Check
from archonnx.lsp.document import Document
from archonnx.lsp.features.hints import hints
from archonnx.lsp.pieces import Piece, pieces

FILES = sorted(SPECS.rglob("*.arch"))


def simple(value: object) -> Iterator[ast.Stmt]:
    """The statements without a body, of a tree."""
    if isinstance(value, tuple):
        for item in value:
            yield from simple(item)
    elif isinstance(value, ast.Stmt) and not hasattr(value, "body") and not isinstance(value, ast.If):
        yield value
    elif isinstance(value, ast.Node):
        for key in fields(value):
            yield from simple(getattr(value, key.name))


@pytest.mark.parametrize("files", [FILES[::40], pytest.param(FILES, marks=pytest.mark.proof)], ids=["few", "all"])
def test_every_statement_is_the_one_of_the_whole_file(files: list[Path]) -> None:
    for path in files:
        text = path.read_text("utf-8")
        read = [piece for top in pieces(text) for piece in top.walk()]
        wrong = [piece for piece in read if piece.tree is None and not piece.doc and piece.text != "else:"]
        assert wrong == [], path
        found = Counter(piece.tree for piece in read if not piece.children and isinstance(piece.tree, ast.Stmt))
        assert found == Counter(simple(parse(Source(path.name, text)))), path
        assert all(text[piece.start : piece.end] == piece.text for piece in read)


def shown(piece: Piece) -> list[object]:
    return [piece.text, *map(shown, piece.children)]


def test_ends_of_lines_may_be_those_of_windows() -> None:
    text = (SPECS / "zoo" / "convolution" / "digits_cnn.arch").read_text("utf-8")
    plain = [piece.tree for top in pieces(text) for piece in top.walk()]
    other = text.replace("\n", "\r\n")
    assert [piece.tree for top in pieces(other) for piece in top.walk()] == plain
    document = Document("file:///m.arch", other).judged(Check(other, "m.arch").run())
    lines = other.split("\r\n")
    for one in document.names.all:
        at = document.lines.position(one.start)
        assert lines[at.line][at.character :].startswith(one.mention.name)
    assert hints(document, 0, len(other))


BROKEN = """\
model M():
    input x: [B, 4]
    h = x |> Dense(
    y = h |> relu
    z = [1,
         2]
    w = "never closed
    if true:
        v = y @
    else:
        v = y
    output o = v

train:
    epochs = 3
"""


def test_what_is_half_typed_spoils_nothing_else() -> None:
    model, train = pieces(BROKEN)
    assert shown(train) == ["train:", ["epochs = 3"]]
    assert [piece.text for piece in model.walk() if piece.tree is None] == [
        "h = x |> Dense(", 'w = "never closed', "v = y @", "else:",
    ]  # fmt: skip


def test_only_what_has_changed_is_read_again() -> None:
    text = FILES[0].read_text("utf-8")
    before = [piece.tree for top in pieces(text) for piece in top.walk()]
    after = [piece.tree for top in pieces("# a comment\n" + text) for piece in top.walk()]
    assert all(one is other for one, other in zip(before, after, strict=True))
