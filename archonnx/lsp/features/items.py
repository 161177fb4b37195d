"""What all completion has in common: the place, the names that are known there, and items of the protocol."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from archonnx.lsp.checking import Seen
from archonnx.lsp.context import Context
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.library import Setting, library_names
from archonnx.lsp.names import Scope, Symbol

Kind = types.CompletionItemKind
KINDS = {
    "fn": Kind.Function, "entry": Kind.Function, "block": Kind.Class, "optimizer": Kind.Class, "schedule": Kind.Class,
    "model": Kind.Module, "parameter": Kind.Variable, "dim": Kind.TypeParameter, "param": Kind.Field,
    "buffer": Kind.Field, "import": Kind.Reference, "data": Kind.File,
}  # fmt: skip
WORDS, BOUND, FILE, LIBRARY = "0123"
"""How items are ordered: what fits this place alone, names of the body, of the file, of the library."""


class Items:
    """The items at one place."""

    def __init__(self, workspace: Workspace, document: Document, offset: int, context: Context) -> None:
        self.workspace, self.document, self.offset, self.context = workspace, document, offset, context
        first = not context.before and not context.open
        start = context.word_at if first else context.start
        piece = document.piece_at(start)
        if piece is not None and piece.start == start and (first or piece.tree is None):
            piece = piece.parent  # what is being typed opens no body yet
        self.scope = document.names.scope_of(piece)

    @property
    def program(self) -> Scope | None:
        """The ``train`` or ``search`` block around."""
        return next((one for one in self.scope.around() if one.kind in ("train", "search")), None)

    def fields(self, program: Scope, kinds: tuple[str, ...]) -> Iterator[types.CompletionItem]:
        """What the model of a program has of some kinds."""
        for symbol in program.model.bound.values() if program.model is not None else ():
            if symbol.kind in kinds:
                yield self.symbol(symbol, WORDS)

    def names(self) -> Iterator[types.CompletionItem]:
        """All names that are known here."""
        yield from self.bound()
        for name in library_names():
            if fits(self.context.word, name):
                kind = Kind.Class if name[:1].isupper() else Kind.Function
                yield self.item(name, kind, LIBRARY, data={"library": name})

    def bound(self) -> Iterator[types.CompletionItem]:
        """Those that the file binds."""
        for scope in self.scope.around():
            rank = FILE if scope.kind == "file" else BOUND
            for symbol in scope.bound.values():
                yield self.symbol(symbol, rank)

    def symbol(self, symbol: Symbol, rank: str) -> types.CompletionItem:
        """A name of the file, with its type."""
        seen: tuple[Seen, ...] = ()
        for one in self.document.names.of(symbol)[:4]:
            seen = seen or self.document.values_of(one)
        at_top = symbol.scope is self.document.names.file
        data = {"symbol": symbol.name, "uri": self.document.uri} if at_top else None
        detail = seen[0].what if seen else symbol.kind
        return self.item(symbol.name, KINDS.get(symbol.kind, Kind.Variable), rank, detail=detail, data=data)

    def item(
        self,
        name: str,
        kind: Kind,
        rank: str,
        *,
        label: str | None = None,
        detail: str | None = None,
        doc: str = "",
        text: str | None = None,
        data: dict[str, str] | None = None,
    ) -> types.CompletionItem:
        """What takes the place of the word that is typed: ``text``, or its name.

        For a name the place need not be said: it is a word, as editors know words. There may be hundreds.
        """
        edit: types.TextEdit | None = None
        if text is not None or self.context.inside == "string":
            edit = types.TextEdit(self.document.lines.range(self.context.word_at, self.offset), text or name)
        return types.CompletionItem(
            label=label or name,
            kind=kind,
            detail=detail,
            documentation=doc or None,
            sort_text=f"{rank}{name}",
            filter_text=name if label is not None else None,
            text_edit=edit,
            data=data,
        )


def fits(typed: str, name: str) -> bool:
    """Whether a name of the library may be meant by what is typed: it begins so, or a part of it does."""
    if not typed:
        return True
    low, word = name.casefold(), typed.casefold()
    return low.startswith(word) or f"_{word}" in low or (len(word) > 2 and word in low)


def typed(setting: Setting) -> str:
    """The type of a setting, and its default."""
    return f"{setting.type}" + (f" = {setting.default}" if setting.default else "")
