"""A spec in an editor: its text as it is now, the names in it, and what the last check of it found.

What a check found is of an older text, mostly; ``moves`` says what of it is still where. A workspace has the documents
that are open, and reads the files that they import. What this module does not do: check (the server does, when the
typing pauses).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from archonnx.grammar import ast
from archonnx.grammar.bounded import bounded
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source, Span
from archonnx.grammar.spec import SUFFIXES, is_yaml, read_file, read_tree

from .checking import Checked, Seen
from .library import Signature, declared, library_names, library_signature, markdown, member_place
from .names import Names, Occurrence, Scope, Symbol
from .pieces import Piece, pieces, pieces_of
from .positions import Lines, Moves

LONGEST_CALL = 5000
"""Characters in the brackets of a call that are looked through."""
_BRACKETS = re.compile(r'"(?:[^"\\\n]|\\.)*+"|#[^\n]*|.', re.DOTALL)
FILES = 100
"""Files of a folder that are looked at for what they import."""


class Document:
    """A text, and what is known of it. It does not change: ``changed`` gives another one."""

    def __init__(
        self,
        uri: str,
        text: str,
        path: Path | None = None,
        checked: Checked | None = None,
        understood: Checked | None = None,
    ) -> None:
        """A document.

        Args:
            uri: what the editor calls it.
            text: the text.
            path: its file, if it is one.
            checked: what the last check found.
            understood: the last check of a text whose syntax was right.
        """
        self.uri, self.text, self.path, self.checked, self.understood = uri, text, path, checked, understood

    def changed(self, text: str) -> Document:
        """The document with another text."""
        return Document(self.uri, text, self.path, self.checked, self.understood)

    def read_again(self, text: str) -> Document:
        """The document with another text, of which no check is awaited: in YAML it is read as a whole, if it can be."""
        changed = self.changed(text)
        if self.yaml:
            with suppress(SpecError), bounded():
                return changed.judged(Checked(text, (), {}, read_tree(Source(self.name, text))))
        return changed

    def judged(self, checked: Checked) -> Document:
        """The document with what a check found."""
        understood = checked if checked.tree is not None else self.understood
        return Document(self.uri, self.text, self.path, checked, understood)

    @property
    def name(self) -> str:
        """The name of its source in messages."""
        return self.path.name if self.path is not None else self.uri.rpartition("/")[2] or "spec.arch"

    @property
    def yaml(self) -> bool:
        """Whether it is in the YAML spelling."""
        return is_yaml(self.name)

    @cached_property
    def lines(self) -> Lines:
        """Its lines."""
        return Lines(self.text)

    @cached_property
    def pieces(self) -> list[Piece]:
        """Its statements; those of YAML are of the text that was checked, as far as they are still there."""
        if not self.yaml:
            return pieces(self.text)
        tree = self.understood.tree if self.understood is not None else None
        return pieces_of(tree, self._moves.forth) if tree is not None else []

    @cached_property
    def names(self) -> Names:
        """Its names."""
        return Names(self.pieces, library_names(), self._owner)

    # ------------------------------------------------------------ what the check found

    @cached_property
    def _moves(self) -> Moves:
        """From the text that was understood last to this one."""
        return Moves(self.understood.text if self.understood is not None else "", self.text)

    @cached_property
    def moves(self) -> Moves:
        """From the text that was checked last to this one."""
        return Moves(self.checked.text if self.checked is not None else "", self.text)

    def seen(self, start: int, end: int) -> tuple[Seen, ...]:
        """The values of the expression, or of the name, at ``start:end``."""
        old = self._moves.back(start, end) if self.understood is not None else None
        return self.understood.seen.get(old, ()) if self.understood is not None and old is not None else ()

    def _owner(self, start: int, end: int) -> str | None:
        found = self.seen(start, end)
        return found[0].owner or None if found else None

    def owner_of(self, occurrence: Occurrence) -> tuple[Seen, ...]:
        """The values of what an attribute is taken of."""
        at, base = occurrence.mention.at, occurrence.piece.base
        return self.seen(base + at[0], base + at[1]) if at is not None else ()

    def values_of(self, occurrence: Occurrence) -> tuple[Seen, ...]:
        """The values of a name: where it stands, where it is bound, or where else it is used in this scope."""
        if found := self.seen(occurrence.start, occurrence.end):
            return found
        if occurrence.mention.role == "attribute" and occurrence.mention.at is not None:
            whole = self.seen(occurrence.piece.base + occurrence.mention.at[0], occurrence.end)
            if whole:
                return whole
        if occurrence.binds and (found := self._bound_values(occurrence)):
            return found
        if occurrence.symbol is None or occurrence.symbol.kind in ("library", "setting", "column", "import"):
            return ()
        for other in self.names.of(occurrence.symbol):
            found = self.seen(other.start, other.end) or (self._bound_values(other) if other.binds else ())
            if found:
                return found
        return ()

    def _bound_values(self, occurrence: Occurrence) -> tuple[Seen, ...]:
        """The values of a name that a statement binds; the statement has them as a whole."""
        tree, base = occurrence.piece.tree, occurrence.piece.base
        if tree is None or isinstance(tree, ast.Declaration):
            return ()
        if self.yaml:
            place = (tree.span.start, tree.span.end)
            return self.understood.seen.get(place, ()) if self.understood is not None else ()
        return self.seen(base + tree.span.start, base + tree.span.end)

    @cached_property
    def _by_end(self) -> dict[int, list[int]]:
        """Where the expressions begin whose values are known, by where they end."""
        found: dict[int, list[int]] = {}
        for start, end in self.understood.seen if self.understood is not None else ():
            if (moved := self._moves.forth(start, end)) is not None:
                found.setdefault(moved[1], []).append(moved[0])
        return found

    def given(self, callee: Occurrence) -> tuple[Seen, ...]:
        """What a call gives, or what comes out of a stage of a pipe, whose callee this is."""
        if not self._by_end:
            return ()
        ends = [end for end in (_call_end(self.text, callee.end), callee.end) if end is not None]
        for end in ends:
            starts = self._by_end.get(end, [])
            if end > callee.end and callee.start in starts:
                return self.seen(callee.start, end)
            before = [start for start in starts if start < callee.start]
            if before and "|>" in self.text[max(before) : callee.start]:
                return self.seen(max(before), end)
        return ()

    # ------------------------------------------------------------ places

    def piece_at(self, offset: int) -> Piece | None:
        """The statement in which an offset is, or in whose body it is, by its indentation."""
        found: Piece | None = None
        level = self.pieces
        while level:
            before = [piece for piece in level if piece.start <= offset]
            if not before:
                break
            found, level = before[-1], before[-1].children
        if found is None or self.yaml or offset <= found.end:
            return found
        line = self.lines.position(offset).line
        start = self.lines.starts[line]
        if line == self.lines.position(found.end).line:
            return found
        blank = self.text[start : self.lines.line_end(line)]
        indent = len(blank) - len(blank.lstrip()) if blank.strip() else offset - start
        while found is not None and found.indent >= indent:
            found = found.parent
        return found

    def scope_at(self, offset: int) -> Scope:
        """The scope whose names are known at an offset."""
        return self.names.scope_of(self.piece_at(offset))


def _call_end(text: str, at: int) -> int | None:
    """Where the brackets end that open at an offset; None where none do, or they are not closed soon."""
    depth = 0
    for match in _BRACKETS.finditer(text, at, at + LONGEST_CALL):
        if match.start() == at and match[0] != "(":
            return None
        depth += (match[0] in "([{") - (match[0] in ")]}")
        if depth == 0:
            return match.end() if match[0] == ")" and match.end() > at + 1 else None
    return None


def _from_disk(path: Path) -> Document:
    """The document of a file."""
    source = read_file(path)
    return Document(path.as_uri(), "", path).read_again(source.text)


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration of a file: the document, its statement, and its name in it."""

    document: Document
    piece: Piece
    symbol: Symbol

    @property
    def signature(self) -> Signature | None:
        """How it is called."""
        tree = self.piece.tree
        if not isinstance(tree, ast.Declaration):
            return None
        found, first = declared(tree), self.piece.children[:1]
        if first and first[0].doc:
            found = replace(found, doc=markdown(first[0].text.strip('"')))
        return found


class Workspace:
    """The documents that are open, by their URIs, and the files beside them."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self._files: dict[Path, tuple[float, Document]] = {}

    def opened(self) -> dict[Path, str]:
        """The texts that stand in place of files."""
        return {one.path.resolve(): one.text for one in self.documents.values() if one.path is not None}

    def at(self, path: Path) -> Document | None:
        """The document of a file, as it is in the editor, or on the disk; None where there is none to be read."""
        path = path.resolve()
        for one in self.documents.values():
            if one.path is not None and one.path.resolve() == path:
                return one
        try:
            changed = path.stat().st_mtime
            known = self._files.get(path)
            if known is None or known[0] != changed:
                known = self._files[path] = changed, _from_disk(path)
            return known[1]
        except (OSError, ValueError, SpecError):
            return None

    def imported(self, document: Document, written: str) -> Document | None:
        """The file that a document imports by this path: beside it or below, as the language has it."""
        if document.path is None:
            return None
        folder = document.path.parent.resolve()
        try:
            path = (folder / written).resolve()
        except (OSError, ValueError, RuntimeError):
            return None
        inside = path.is_relative_to(folder) and path.suffix in (".arch", ".yaml", ".yml")
        return self.at(path) if inside else None

    def importing(self, document: Document) -> Iterator[tuple[Document, Occurrence]]:
        """Where the files beside a document import from it; open ones, and those of its folder."""
        if document.path is None:
            return
        here = document.path.resolve()
        folders = (here.parent, here.parent.parent)
        near = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES][:FILES]
        naming = (one for one in map(self.at, near) if one is not None and here.name in one.text)
        for other in naming:
            for one in other.names.all:
                if one.mention.role == "import" and one.mention.of is not None:
                    found = self.imported(other, one.mention.of)
                    if found is not None and found.path is not None and found.path.resolve() == here:
                        yield other, one

    def declared(self, document: Document, symbol: Symbol) -> Declared | None:
        """Where a symbol is declared, in this file or in one that it imports."""
        if symbol.kind != "import":
            return Declared(document, symbol.piece, symbol) if symbol.piece is not None else None
        other = self.imported(document, symbol.path or "")
        found = other.names.file.bound.get(symbol.name) if other is not None else None
        if other is None or found is None or found.piece is None or found.kind == "import":
            return None
        return Declared(other, found.piece, found)

    def member(self, document: Document, occurrence: Occurrence) -> Declared | Span | None:
        """Where an attribute is declared whose owner is a module of another file's block, or of the library's."""
        owner = next((one.owner for one in document.owner_of(occurrence) if one.owner), None)
        if owner is None:
            return None
        symbol = document.names.file.bound.get(owner)
        if symbol is None:
            return member_place(owner, occurrence.mention.name)
        found = self.declared(document, symbol)
        if found is None:
            return None
        names = found.document.names
        inner = names.members(names.scope_of(found.piece)).get(occurrence.mention.name)
        return Declared(found.document, inner.piece, inner) if inner is not None and inner.piece is not None else None

    def signature(self, document: Document, symbol: Symbol) -> Signature | None:
        """How what a symbol means is called."""
        if symbol.kind == "library":
            return library_signature(symbol.name)
        found = self.declared(document, symbol)
        return found.signature if found is not None else None
