"""What may stand where somebody types: statements, names, arguments, words, settings, columns, files.

What fits best comes first: what was bound in this body, then in this file, then the library. What this module does not
do: filter by what is typed, beyond its first letter, which editors do as one goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lsprotocol import types

from archonnx.compiler.sources import BUNDLED, GRAPHS, SERIES
from archonnx.grammar import ast
from archonnx.grammar.text.words import FORMS, TOP_LEVEL
from archonnx.lsp.checking import Seen
from archonnx.lsp.columns import columns, files
from archonnx.lsp.context import Context, Open, context_at
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.library import (
    Setting,
    Signature,
    library_names,
    library_signature,
    setting_parts,
    settings,
    source_names,
    source_signature,
)
from archonnx.lsp.mentions import PARTS
from archonnx.lsp.names import MEMBERS, Scope, Symbol

Kind = types.CompletionItemKind
_KINDS = {
    "fn": Kind.Function, "entry": Kind.Function, "block": Kind.Class, "optimizer": Kind.Class, "schedule": Kind.Class,
    "model": Kind.Module, "parameter": Kind.Variable, "dim": Kind.TypeParameter, "param": Kind.Field,
    "buffer": Kind.Field, "import": Kind.Reference, "data": Kind.File,
}  # fmt: skip
_TYPES = ("f32", "f64", "i64", "bool", "int", "float", "fn", "dim", "list")
STATEMENTS = {
    "file": TOP_LEVEL,
    "model": (
        "input", "target", "output", "loss", "metric", "param", "buffer", "assert", "for", "if", "scan", "loop", "fn",
        "entry", "block", "update",
    ),
    "train": ("data", "feed", "fit", "minimize", "update", "repeat", "every", "together", "for", "if"),
    "search": ("maximize",),
    "block": ("param", "buffer", "return", "assert", "for", "if", "scan", "loop", "fn", "block", "update", "emit"),
    "optimizer": ("state", "return", "assert", "for", "if"),
}  # fmt: skip
"""What statements a body of a kind has; those of others are a block's."""
_BOUND, _FILE, _LIBRARY, _WORDS = "1", "2", "3", "0"


def completion(workspace: Workspace, document: Document, offset: int) -> types.CompletionList:
    """What may stand at an offset."""
    context = context_at(document, offset)
    found = _Completion(workspace, document, offset, context)
    items = list(found.items())
    first = context.word[:1].casefold()
    fitting = [one for one in items if not first or first in one.label.casefold()]
    unique = {one.label: one for one in reversed(fitting)}
    return types.CompletionList(is_incomplete=not context.word, items=list(unique.values())[::-1])


def resolve(workspace: Workspace, item: types.CompletionItem) -> types.CompletionItem:
    """An item with what is said of it, which is asked for one at a time."""
    data = item.data if isinstance(item.data, dict) else {}
    signature: Signature | None = None
    if isinstance(name := data.get("library"), str):
        signature = library_signature(name)
    elif isinstance(name := data.get("source"), str):
        signature = source_signature(name)
    elif isinstance(name := data.get("symbol"), str) and isinstance(uri := data.get("uri"), str):
        document = workspace.documents.get(uri)
        symbol = document.names.file.bound.get(name) if document is not None else None
        signature = workspace.signature(document, symbol) if document is not None and symbol is not None else None
    if signature is not None:
        item.detail = signature.label
        item.documentation = types.MarkupContent(types.MarkupKind.Markdown, signature.doc)
    return item


class _Completion:
    """The items at one place."""

    def __init__(self, workspace: Workspace, document: Document, offset: int, context: Context) -> None:
        self.workspace, self.document, self.offset, self.context = workspace, document, offset, context
        piece = document.piece_at(context.start if context.start < offset else offset)
        own = piece.parent if piece is not None and piece.start == context.start and piece.tree is None else piece
        self.piece = piece
        self.scope = document.names.scope_of(own if own is not None and context.start >= own.start else piece)
        if not context.before and not context.open:
            self.scope = self._by_indentation()

    def _by_indentation(self) -> Scope:
        """The scope in which a statement is that begins here."""
        start = self.context.word_at
        piece = self.document.piece_at(start)
        if piece is not None and piece.start == start:
            piece = piece.parent
        return self.document.names.scope_of(piece)

    @property
    def program(self) -> Scope | None:
        """The ``train`` or ``search`` block around."""
        return next((one for one in self.scope.around() if one.kind in ("train", "search")), None)

    def items(self) -> Iterator[types.CompletionItem]:
        """All that may stand here."""
        context = self.context
        if context.inside == "comment":
            return
        if context.inside == "string":
            yield from self._in_string()
        elif context.owner is not None:
            yield from self._attributes(context.owner[0])
        elif self.document.yaml:
            yield from self._names()
        elif context.before[:1] == ["from"]:
            yield from self._imports()
        elif not context.before and not context.open:
            yield from self._statements()
        elif context.before in (["feed"], ["feed", "whole"]) and self.program is not None:
            yield from self._fields(self.program, ("input", "target"))
        else:
            yield from self._expression()

    # ------------------------------------------------------------ statements

    def _statements(self) -> Iterator[types.CompletionItem]:
        kind = self.scope.kind
        words = STATEMENTS.get(kind, STATEMENTS["block"])
        for word in words:
            yield self._item(word, Kind.Keyword, _WORDS, detail=FORMS[word].partition("`")[0])
        if kind == "train":
            for one in settings().values():
                yield self._item(one.name, Kind.Property, _BOUND, detail=_setting(one), text=f"{one.name} = ")
        elif kind != "file":
            yield from self._bound()

    def _expression(self) -> Iterator[types.CompletionItem]:
        context = self.context
        program = self.program
        inner = context.open[-1] if context.open else None
        if inner is not None and inner.sign == "{" and program is not None and inner.name is None:
            yield from self._keys(inner)
            return
        if inner is not None and inner.sign == "(" and inner.name is None:
            yield from self._keywords(inner)
        if (call := context.call) is not None:
            yield from self._words(call)
        if program is not None:
            yield from self._in_program(program)
        if context.last == "|" or (context.last in (":", "->") and (inner is None or inner.sign == "(")):
            for word in _TYPES:
                yield self._item(word, Kind.Keyword, _WORDS)
        yield from self._names()

    def _in_program(self, program: Scope) -> Iterator[types.CompletionItem]:
        before = self.context.before
        if before[:1] == ["data"] and "=" in before:
            for name in source_names():
                yield self._item(name, Kind.Module, _WORDS, data={"source": name})
        if before == ["minimize"]:
            yield from self._fields(program, ("loss",))
        if len(before) >= 2 and before[1] == "=" and (setting := settings().get(before[0])) is not None:
            inner = self.context.open[-1] if self.context.open else None
            part = setting_parts(setting.name).get(inner.name) if inner is not None and inner.name else setting
            for word in part.words if part is not None else ():
                yield self._item(word, Kind.EnumMember, _WORDS)
            for word in PARTS if part is not None and part.name == "monitor" else ():
                yield self._item(word, Kind.EnumMember, _WORDS)
        for word in ("steps", "steps_per_epoch", "data"):
            yield self._item(word, Kind.Variable, _BOUND)

    def _fields(self, program: Scope, kinds: tuple[str, ...]) -> Iterator[types.CompletionItem]:
        """What the model of a program has of some kinds."""
        for symbol in program.model.bound.values() if program.model is not None else ():
            if symbol.kind in kinds:
                yield self._symbol(symbol, _WORDS)

    def _keys(self, inner: Open) -> Iterator[types.CompletionItem]:
        name = self.context.before[0] if self.context.before[1:2] == ["="] else ""
        for one in setting_parts(name).values():
            if one.name not in inner.names:
                yield self._item(one.name, Kind.Property, _WORDS, detail=_setting(one), text=f"{one.name}: ")

    # ------------------------------------------------------------ calls

    def _signature(self, call: Open) -> Signature | None:
        return signature_of(self.workspace, self.document, self.scope, call.callee)

    def _keywords(self, call: Open) -> Iterator[types.CompletionItem]:
        signature = self._signature(call)
        groups = signature.groups if signature is not None else ()
        group = groups[min(int(call.second), len(groups) - 1)] if groups else ()
        for taken in group:
            if taken.name not in call.names:
                yield self._item(
                    taken.name, Kind.Property, _WORDS, label=f"{taken.name}=", detail=taken.label, doc=taken.doc,
                    text=f"{taken.name}=",
                )  # fmt: skip

    def _words(self, call: Open) -> Iterator[types.CompletionItem]:
        """The words that the argument may be."""
        signature = self._signature(call)
        groups = signature.groups if signature is not None else ()
        group = groups[min(int(call.second), len(groups) - 1)] if groups else ()
        for position, taken in enumerate(group):
            if (
                taken.name == call.name
                if call.name is not None
                else position == call.count + call.piped * (len(groups) == 1)
            ):
                for word in taken.words:
                    yield self._item(word, Kind.EnumMember, _WORDS)

    # ------------------------------------------------------------ attributes and texts

    def _attributes(self, owner: str) -> Iterator[types.CompletionItem]:
        program = self.program
        if program is not None and owner in PARTS:
            yield from self._fields(program, ("loss", "metric"))
            return
        if program is not None and (owner == "data" or owner in program.bound):
            for name in self._columns(owner):
                if name.isidentifier():
                    yield self._item(name, Kind.Field, _WORDS, detail=f"column of {owner}")
            return
        for name, kind in self._members(owner).items():
            yield self._item(name, kind, _WORDS)

    def _members(self, owner: str) -> dict[str, Kind]:
        names = self.document.names
        found: dict[str, Kind] = {}
        for one in names.all:
            if one.mention.name == owner and one.start < self.offset:
                for seen in self.document.values_of(one):
                    found |= dict.fromkeys(seen.members, Kind.Field)
        if not found:
            for scope in names.scopes:
                if scope.kind in ("block", "fn", "model"):
                    found |= {
                        name: _KINDS.get(one.kind, Kind.Field)
                        for name, one in names.members(scope).items()
                        if one.kind in MEMBERS and one.kind != "variable"
                    }
        return found

    def _columns(self, owner: str) -> tuple[str, ...]:
        """The columns of a source of the program around."""
        folder = self.document.path.parent if self.document.path is not None else None
        program = self.program
        for piece in program.piece.children if program is not None and program.piece is not None else ():
            match piece.tree:
                case ast.Assign(targets=(ast.Name(id="data"),), values=(value,)) if owner == "data":
                    return columns(value, folder)
                case ast.Data(name=name, value=value) if name == owner:
                    return columns(value, folder)
        return ()

    def _in_string(self) -> Iterator[types.CompletionItem]:
        call = self.context.call
        if call is None:
            return
        folder = self.document.path.parent if self.document.path is not None else None
        known = {"sklearn": BUNDLED, "statsmodels": SERIES, "networkx": GRAPHS}
        words: Iterable[str] = known.get(call.callee, ())
        if call.name in ("target", "columns", "kinds", "time", "by"):
            words = self._columns("data")
        elif call.name in (None, "path") and call.count == 0:
            words = words or files(call.callee, folder)
        for word in words:
            yield self._item(word, Kind.Value, _WORDS)

    def _imports(self) -> Iterator[types.CompletionItem]:
        before = self.context.before
        if "import" not in before:
            yield self._item("import", Kind.Keyword, _WORDS)
            return
        other = self.workspace.imported(self.document, before[1].strip('"'))
        for symbol in other.names.file.bound.values() if other is not None else ():
            if symbol.kind not in ("model", "import"):
                yield self._symbol(symbol, _WORDS)

    # ------------------------------------------------------------ names

    def _names(self) -> Iterator[types.CompletionItem]:
        yield from self._bound()
        for name in library_names():
            if fits(self.context.word, name):
                kind = Kind.Class if name[:1].isupper() else Kind.Function
                yield self._item(name, kind, _LIBRARY, data={"library": name})

    def _bound(self) -> Iterator[types.CompletionItem]:
        for scope in self.scope.around():
            rank = _FILE if scope.kind == "file" else _BOUND
            for symbol in scope.bound.values():
                yield self._symbol(symbol, rank)

    def _symbol(self, symbol: Symbol, rank: str) -> types.CompletionItem:
        seen: tuple[Seen, ...] = ()
        for one in self.document.names.of(symbol)[:4]:
            seen = seen or self.document.values_of(one)
        at_top = symbol.scope is self.document.names.file
        data = {"symbol": symbol.name, "uri": self.document.uri} if at_top else None
        detail = seen[0].what if seen else symbol.kind
        return self._item(symbol.name, _KINDS.get(symbol.kind, Kind.Variable), rank, detail=detail, data=data)

    def _item(
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
        place = self.document.lines.range(self.context.word_at, self.offset)
        return types.CompletionItem(
            label=label or name,
            kind=kind,
            detail=detail,
            documentation=doc or None,
            sort_text=f"{rank}{name}",
            filter_text=name,
            text_edit=types.TextEdit(place, text or name),
            data=data,
        )


def fits(typed: str, name: str) -> bool:
    """Whether a name of the library may be meant by what is typed: it begins so, or a part of it does."""
    if not typed:
        return True
    low, word = name.casefold(), typed.casefold()
    return low.startswith(word) or f"_{word}" in low or (len(word) > 2 and word in low)


def signature_of(workspace: Workspace, document: Document, scope: Scope, callee: str) -> Signature | None:
    """How something is called that stands in a scope under this name; a data source, in a program."""
    name = callee.rpartition(".")[2]
    program = next((one for one in scope.around() if one.kind in ("train", "search")), None)
    for one in scope.around():
        symbol = one.bound.get(callee)
        if symbol is not None:
            signature = workspace.signature(document, symbol)
            if signature is not None:
                return signature
            if (made := _made_by(workspace, document, symbol)) is not None:
                return made
    if program is not None and (source := source_signature(callee)) is not None:
        return source
    return library_signature(name)


def _made_by(workspace: Workspace, document: Document, symbol: Symbol) -> Signature | None:
    """What a module takes that a name stands for: the inputs of its block."""
    for one in document.names.of(symbol)[:4]:
        for seen in document.values_of(one):
            if seen.owner:
                own = document.names.file.bound.get(seen.owner)
                block = workspace.signature(document, own) if own is not None else library_signature(seen.owner)
                if block is not None and len(block.groups) == 2:
                    return Signature(symbol.name, "module", block.groups[1:], block.result, block.doc, block.place)
    return None


def _setting(setting: Setting) -> str:
    return f"{setting.type}" + (f" = {setting.default}" if setting.default else "")
