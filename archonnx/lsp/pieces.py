"""A text in statements, each of which is read by itself: one that is half typed spoils none of the others, and after a
change only what has changed is read again.

Statements are told apart by their indentation, as the language does; a bracket that was never closed ends where a line
begins no deeper than its statement. What stands under a statement are its ``children``. What this module does not do:
say what is wrong with a text (the check does, which reads it whole).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse_body, parse_declarations

from .mentions import Mention, loose, mentions

_TOKEN = re.compile(
    r'''(?P<doc>"""(?:[^"]|"(?!""))*+(?:"""|\Z))|(?P<string>"(?:[^"\\\n]|\\.)*+"?)|(?P<comment>#[^\n]*)'''
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<line>\n[ \t]*)"""
)
_TOP = frozenset({"model", "optimizer", "schedule", "search", "from"})
"""Words of declarations that stand at the top alone."""
_BACKWARD = re.compile(r"backward[ \t]*\(")
_WORD = re.compile(r"[^\W\d]\w*")
_ENDS_OPEN = re.compile(r":[ \t\r]*(?:#[^\n]*)?\Z")
MOST = 20_000
"""Statements whose trees are kept."""
LONGEST_TEXT, LONGEST_STATEMENT = 200_000, 20_000
"""Characters of what is read while somebody types; longer texts are checked, and nothing else."""


@dataclass(slots=True)
class Piece:
    """A statement at ``start:end``, or the header of one with a body.

    Attributes:
        indent: how many characters stand before it on its line.
        children: the statements of its body.
        tree: what it says; the body of a header is not its own. None where it cannot be read.
        doc: whether it is a docstring.
        base: the offset to which those of the tree and of its names are added.
        mentions: the names in it.
    """

    start: int
    end: int
    indent: int
    text: str
    parent: Piece | None = field(default=None, repr=False)
    children: list[Piece] = field(default_factory=list, repr=False)
    tree: ast.Stmt | ast.Backward | None = field(default=None, repr=False)
    doc: bool = False
    base: int = 0
    mentions: tuple[Mention, ...] = field(default=(), repr=False)

    @property
    def last(self) -> int:
        """Where it ends, with its body."""
        return self.children[-1].last if self.children else self.end

    def walk(self) -> Iterator[Piece]:
        """This one and all below it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()


def pieces(text: str) -> list[Piece]:
    """The statements at the top of a text, with what stands in them; none of a text that is too long."""
    if len(text) > LONGEST_TEXT:
        return []
    top: list[Piece] = []
    open_: list[Piece] = []
    for start, end, indent in _statements(text):
        piece = Piece(start, end, indent, text[start:end], base=start)
        ends = indent + bool(_BACKWARD.match(text, start))  # it belongs to the fn above, which is no deeper
        while open_ and open_[-1].indent >= ends:
            open_.pop()
        if open_:
            piece.parent = open_[-1]
            open_[-1].children.append(piece)
        else:
            top.append(piece)
        open_.append(piece)
    for piece in top:
        for one in piece.walk():
            one.doc = one.text.startswith('"""')
            if not one.doc:
                one.tree, one.mentions = _read(one.text, bool(one.children))
    return top


Move = Callable[[int, int], "tuple[int, int] | None"]
"""Where ``start:end`` of the text that was read is now; None where it has changed."""


def pieces_of(file: ast.File, move: Move) -> list[Piece]:
    """The same of a tree, whose offsets are those of the whole text: of the YAML spelling.

    What has changed since the tree was read is left out.
    """
    return [_piece(statement, 0, None, move) for statement in file.declarations]


def _piece(node: ast.Stmt, indent: int, parent: Piece | None, move: Move) -> Piece:
    start, end = move(node.span.start, node.span.end) or (node.span.start, node.span.start)
    piece = Piece(start, end, indent, node.span.text, parent, tree=node)
    moved = ((one, move(one.start, one.end)) for one in mentions(node))
    piece.mentions = tuple(replace(one, start=at[0], end=at[1]) for one, at in moved if at is not None)
    bodies: list[ast.Suite] = [getattr(node, "body", ())]
    if isinstance(node, ast.If):
        bodies = [*(body for _, body in node.branches), node.otherwise]
    if isinstance(node, ast.Fn) and node.backward is not None:
        bodies.append(node.backward.body)
    for body in bodies:
        piece.children += [_piece(inner, indent + 1, piece, move) for inner in body]
    return piece


def _statements(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and indentation of every statement."""
    start, end, indent, depth = None, 0, 0, 0
    line_start, line_code = 0, False
    first = re.match(r"[ \t]*", text)
    at = first.end() if first is not None else 0
    if text[at : at + 1] not in ("", "\n", "\r", "#"):
        start, indent, line_start, line_code = at, at, at, True
    for match in _TOKEN.finditer(text, at):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth = max(0, depth - 1)
        if match["line"] is None:
            continue
        if start is not None and line_code:
            end = match.start()
        begins = text[match.end() : match.end() + 2]
        width = len(match["line"]) - 1
        line_start, line_code = match.end(), begins[:1] not in ("", "\n", "\r", "#")
        if not line_code or (start is not None and depth == 0 and begins == "|>"):
            continue
        if start is not None and depth and (width > indent or begins[:1] in ")]}" or begins == "|>"):
            continue
        if start is not None:
            yield start, start + len(text[start:end].rstrip()), indent
        start, indent, depth = line_start, width, 0
    if start is not None:
        yield start, start + len(text[start : len(text) if line_code else end].rstrip()), indent


@lru_cache(maxsize=MOST)
def _read(text: str, has_body: bool) -> tuple[ast.Stmt | ast.Backward | None, tuple[Mention, ...]]:
    """What one statement says, and its names; offsets are those in its text."""
    tree = _parsed(text, has_body) if len(text) <= LONGEST_STATEMENT else None
    return tree, tuple(mentions(tree)) if tree is not None else tuple(loose(text))


def _parsed(text: str, has_body: bool) -> ast.Stmt | ast.Backward | None:
    found = _WORD.match(text)
    word = found[0] if found is not None else ""
    if word == "else":
        return None
    if word == "elif":
        text = "  if" + text[4:]
    elif word == "backward":
        text = "fn     b" + text[8:]
    opened = _ENDS_OPEN.search(text) is not None
    if has_body or opened:
        text += ("" if opened else ":") + "\n        return 0\n"
    try:
        read = parse_declarations if word in _TOP else parse_body
        trees = read(Source("", text))
    except (SpecError, RecursionError):
        return None
    tree = trees[0] if len(trees) == 1 else None
    if word == "backward" and isinstance(tree, ast.Fn):
        return ast.Backward(tuple(p.name for p in tree.parameters), tree.body, span=tree.span)
    return tree
