"""Another name for something, everywhere that it is named; refused where that would change what the text says."""

from __future__ import annotations

from lsprotocol import types

from archonnx.grammar.record import Record
from archonnx.grammar.text.words import is_name
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.names import MEMBERS, Occurrence, Symbol

from .navigation import everywhere

ELSEWHERE = ("library", "setting", "column", "train")
"""What has its name from elsewhere, or is named where no name is looked up."""


class Refused(Record):
    """Why a name is not changed, in a sentence."""

    reason: str


Change = list[tuple[Document, list[Occurrence]]]


def renamable(document: Document, offset: int) -> types.Range | None:
    """The name at an offset, if it can have another one."""
    found = document.names.at(offset)
    if found is None or found.symbol is None or found.symbol.kind in ELSEWHERE:
        return None
    return document.lines.range(found.start, found.end)


def rename(workspace: Workspace, document: Document, offset: int, name: str) -> Change | Refused:
    """The places that change; or why none does."""
    found = document.names.at(offset)
    if found is None or found.symbol is None:
        return Refused("there is no name here that is known")
    if found.symbol.kind in ELSEWHERE:
        return Refused(f"`{found.symbol.name}` is not a name of this file")
    if not is_name(name):
        return Refused(f"`{name}` cannot be a name")
    places = everywhere(workspace, document, found.symbol)
    changes: dict[str, tuple[Document, list[Occurrence]]] = {}
    for of, one in places:
        changes.setdefault(of.uri, (of, []))[1].append(one)
    for of, ones in changes.values():
        problem = _unread(of) or _unclear_attribute(of, found.symbol) or _conflict(of, ones, name)
        if problem is not None:
            return Refused(problem)
    return list(changes.values())


def _unread(document: Document) -> str | None:
    wrong = [p for top in document.pieces for p in top.walk() if p.tree is None and not p.doc and p.text[:4] != "else"]
    if wrong:
        line = document.lines.position(wrong[0].start).line + 1
        return f"{document.name}: line {line} cannot be read; mend it first"
    return None


def _unclear_attribute(document: Document, symbol: Symbol) -> str | None:
    """Something may be read of it by this name, and nobody knows."""
    if symbol.kind not in MEMBERS or symbol.kind == "variable":
        return None
    for one in document.names.all:
        if one.mention.role == "attribute" and one.mention.name == symbol.name and one.symbol is None:
            line = document.lines.position(one.start).line + 1
            return f"`.{symbol.name}` in line {line} may be this one or another: let a check succeed first"
    return None


def _conflict(document: Document, places: list[Occurrence], name: str) -> str | None:
    """Whether names of the changed text mean the same as before; it is read to find out."""
    before = document.names
    after = document.read_again(edited(document.text, places, name)).names
    if len(after.all) != len(before.all):
        return f"`{name}` is a word of the language there"
    starts = {one.start for one in places}
    groups: dict[int, int] = {}
    for old, new in zip(before.all, after.all, strict=True):
        if old.mention.role == "attribute" and new.symbol is None:  # whose it is was known by its place
            continue
        if (old.symbol is None) != (new.symbol is None):
            return f"`{name}` already means something here"
        if old.symbol is None or new.symbol is None:
            continue
        if groups.setdefault(id(new.symbol), id(old.symbol)) != id(old.symbol):
            return f"`{name}` already means something here"
        if (old.start in starts) != (new.mention.name == name and old.mention.name != new.mention.name):
            return f"`{name}` already means something here"
    return None


def edited(text: str, places: list[Occurrence], name: str) -> str:
    """The text with another name at some places."""
    parts, at = [], 0
    for one in sorted(places, key=lambda place: place.start):
        parts += [text[at : one.start], name]
        at = one.end
    return "".join([*parts, text[at:]])


def workspace_edit(change: Change, name: str) -> types.WorkspaceEdit:
    """The change in the terms of the protocol."""
    return types.WorkspaceEdit(
        changes={
            of.uri: [types.TextEdit(of.lines.range(one.start, one.end), name) for one in ones] for of, ones in change
        }
    )
