"""Where a name is declared, where else it stands, and what a file declares."""

from __future__ import annotations

from lsprotocol import types

from archonnx.grammar import ast
from archonnx.grammar.source import Span
from archonnx.lsp.document import Declared, Document, Workspace
from archonnx.lsp.library import library_place
from archonnx.lsp.names import Occurrence, Symbol
from archonnx.lsp.pieces import Piece

from .diagnostics import location

_KINDS = {
    "fn": types.SymbolKind.Function, "entry": types.SymbolKind.Function, "block": types.SymbolKind.Class,
    "model": types.SymbolKind.Module, "optimizer": types.SymbolKind.Class, "schedule": types.SymbolKind.Class,
    "train": types.SymbolKind.Event, "param": types.SymbolKind.Field, "buffer": types.SymbolKind.Field,
    "state": types.SymbolKind.Field, "input": types.SymbolKind.Property, "target": types.SymbolKind.Property,
    "output": types.SymbolKind.Property, "loss": types.SymbolKind.Number, "metric": types.SymbolKind.Number,
    "data": types.SymbolKind.File, "fit": types.SymbolKind.Variable,
}  # fmt: skip


def definition(workspace: Workspace, document: Document, offset: int) -> list[types.Location]:
    """Where the name at an offset is bound: in this file, in one that it imports, or in the library."""
    found = document.names.at(offset)
    if found is None:
        return _imported_file(workspace, document, offset)
    if found.symbol is None and found.mention.role == "attribute":
        member = workspace.member(document, found)
        if isinstance(member, Declared):
            return [_at(member.document, one) for one in _bindings(member.document, member.symbol)]
        return _in_library(document, member)
    if found.symbol is None:
        return _of_library_argument(workspace, document, found)
    if found.symbol.kind == "library":
        return _in_library(document, library_place(found.symbol.name))
    if found.symbol.kind == "import":
        declared = workspace.declared(document, found.symbol)
        if declared is not None:
            return [_at(declared.document, one) for one in _bindings(declared.document, declared.symbol)]
    return [_at(document, one) for one in _bindings(document, found.symbol)]


def _bindings(document: Document, symbol: Symbol) -> list[Occurrence]:
    """Where a symbol is bound first; of a name that is given anew, the first place."""
    named = document.names.of(symbol)
    return ([one for one in named if one.binds] or named)[:1]


def _at(document: Document, occurrence: Occurrence) -> types.Location:
    return types.Location(document.uri, document.lines.range(occurrence.start, occurrence.end))


def _of_library_argument(workspace: Workspace, document: Document, found: Occurrence) -> list[types.Location]:
    """The parameter that a keyword is of, in the library or in an imported file."""
    if found.mention.role != "keyword" or found.mention.at is None:
        return []
    callee = document.names.at(found.piece.base + found.mention.at[0])
    if callee is None or callee.symbol is None:
        return []
    if callee.symbol.kind == "import":
        declared = workspace.declared(document, callee.symbol)
        if declared is None:
            return []
        scope = declared.document.names.scope_of(declared.piece)
        symbol = scope.bound.get(found.mention.name)
        return [_at(declared.document, one) for one in _bindings(declared.document, symbol)] if symbol else []
    return _in_library(document, library_place(callee.symbol.name))


def _in_library(document: Document, place: Span | None) -> list[types.Location]:
    shown = location(document, place) if place is not None else None
    return [shown] if shown is not None else []


def _imported_file(workspace: Workspace, document: Document, offset: int) -> list[types.Location]:
    piece = document.piece_at(offset)
    if piece is None or not isinstance(piece.tree, ast.Import):
        return []
    path = piece.tree.path
    if not piece.base + path.span.start <= offset <= piece.base + path.span.end:
        return []
    other = workspace.imported(document, path.value)
    return [types.Location(other.uri, other.lines.range(0, 0))] if other is not None else []


def references(
    workspace: Workspace, document: Document, offset: int, *, declaration: bool = True
) -> list[types.Location]:
    """Everywhere that what the name at an offset means is named: in this file, and where it is imported."""
    found = document.names.at(offset)
    if found is None or found.symbol is None:
        return []
    places = everywhere(workspace, document, found.symbol)
    return [_at(of, one) for of, one in places if declaration or not one.binds]


def everywhere(workspace: Workspace, document: Document, symbol: Symbol) -> list[tuple[Document, Occurrence]]:
    """All places of a symbol, with their documents: the file that declares it, and those that import it from there."""
    if symbol.kind == "import":
        declared = workspace.declared(document, symbol)
        if declared is None:
            return [(document, one) for one in document.names.of(symbol)]
        document, symbol = declared.document, declared.symbol
    places = [(document, one) for one in document.names.of(symbol)]
    if symbol.scope is document.names.file:
        for other, one in workspace.importing(document):
            if one.mention.name == symbol.name and one.symbol is not None:
                places += [(other, place) for place in other.names.of(one.symbol)]
    return places


def highlights(document: Document, offset: int) -> list[types.DocumentHighlight]:
    """The places of a name in this file."""
    found = document.names.at(offset)
    if found is None or found.symbol is None:
        return []
    kinds = {True: types.DocumentHighlightKind.Write, False: types.DocumentHighlightKind.Read}
    return [
        types.DocumentHighlight(document.lines.range(one.start, one.end), kinds[one.binds])
        for one in document.names.of(found.symbol)
    ]


def outline(document: Document) -> list[types.DocumentSymbol]:
    """What a file declares, and in each declaration its inputs, parameters, losses and the like."""
    return [found for piece in document.pieces if (found := _symbol(document, piece)) is not None]


def _symbol(document: Document, piece: Piece) -> types.DocumentSymbol | None:
    bound = next((one for one in piece.mentions if one.role == "bind" and one.kind in _KINDS and not one.inner), None)
    unnamed = type(piece.tree).__name__.lower() if isinstance(piece.tree, ast.Train | ast.Search) else None
    if bound is None and unnamed is None:
        return None
    start, end = piece.start, piece.start + len(unnamed or "")
    if bound is not None:
        start, end = piece.base + bound.start, piece.base + bound.end
    last = max(piece.last, end)
    return types.DocumentSymbol(
        name=bound.name if bound is not None else unnamed or "",
        kind=_KINDS[bound.kind] if bound is not None else types.SymbolKind.Event,
        range=document.lines.range(min(piece.start, start), last),
        selection_range=document.lines.range(start, end),
        detail=bound.kind if bound is not None else None,
        children=[found for child in piece.children if (found := _symbol(document, child)) is not None],
    )
