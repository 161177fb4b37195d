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
from archonnx.lsp.calls import argument_of, arguments_of
from archonnx.lsp.columns import columns, files
from archonnx.lsp.context import Open, context_at
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.library import (
    Signature,
    library_signature,
    setting_parts,
    settings,
    source_names,
    source_signature,
)
from archonnx.lsp.mentions import PARTS
from archonnx.lsp.names import MEMBERS, Scope

from .items import BOUND, KINDS, WORDS, Items, Kind, typed
from .yaml_completion import YamlItems

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


def completion(workspace: Workspace, document: Document, offset: int) -> types.CompletionList:
    """What may stand at an offset."""
    context = context_at(document, offset)
    kind = YamlItems if document.yaml else TextItems
    items = list(kind(workspace, document, offset, context).items())
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


class TextItems(Items):
    """The items at a place of a spec in the language."""

    def items(self) -> Iterator[types.CompletionItem]:
        """All that may stand here."""
        context = self.context
        if context.inside == "comment":
            return
        if context.inside == "string":
            yield from self._in_string()
        elif context.owner is not None:
            yield from self._attributes(context.owner[0])
        elif context.before[:1] == ["from"]:
            yield from self._imports()
        elif not context.before and not context.open:
            yield from self._statements()
        elif context.before in (["feed"], ["feed", "whole"]) and self.program is not None:
            yield from self.fields(self.program, ("input", "target"))
        else:
            yield from self._expression()

    # ------------------------------------------------------------ statements

    def _statements(self) -> Iterator[types.CompletionItem]:
        kind = self.scope.kind
        words = STATEMENTS.get(kind, STATEMENTS["block"])
        for word in words:
            yield self.item(word, Kind.Keyword, WORDS, detail=FORMS[word].partition("`")[0])
        if kind == "train":
            for one in settings().values():
                yield self.item(one.name, Kind.Property, BOUND, detail=typed(one), text=f"{one.name} = ")
        elif kind != "file":
            yield from self.bound()

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
                yield self.item(word, Kind.Keyword, WORDS)
        yield from self.names()

    def _in_program(self, program: Scope) -> Iterator[types.CompletionItem]:
        before = self.context.before
        if before[:1] == ["data"] and "=" in before:
            for name in source_names():
                yield self.item(name, Kind.Module, WORDS, data={"source": name})
        if before == ["minimize"]:
            yield from self.fields(program, ("loss",))
        if len(before) >= 2 and before[1] == "=" and (setting := settings().get(before[0])) is not None:
            inner = self.context.open[-1] if self.context.open else None
            part = setting_parts(setting.name).get(inner.name) if inner is not None and inner.name else setting
            for word in part.words if part is not None else ():
                yield self.item(word, Kind.EnumMember, WORDS)
            for word in PARTS if part is not None and part.name == "monitor" else ():
                yield self.item(word, Kind.EnumMember, WORDS)
        for word in ("steps", "steps_per_epoch", "data"):
            yield self.item(word, Kind.Variable, BOUND)

    def _keys(self, inner: Open) -> Iterator[types.CompletionItem]:
        name = self.context.before[0] if self.context.before[1:2] == ["="] else ""
        for one in setting_parts(name).values():
            if one.name not in inner.names:
                yield self.item(one.name, Kind.Property, WORDS, detail=typed(one), text=f"{one.name}: ")

    # ------------------------------------------------------------ calls

    def _keywords(self, call: Open) -> Iterator[types.CompletionItem]:
        for taken in arguments_of(self.workspace, self.document, self.scope, call):
            if taken.name not in call.names:
                text = f"{taken.name}="
                detail, doc = taken.label, taken.doc
                yield self.item(taken.name, Kind.Property, WORDS, label=text, detail=detail, doc=doc, text=text)

    def _words(self, call: Open) -> Iterator[types.CompletionItem]:
        """The words that the argument may be."""
        taken = argument_of(self.workspace, self.document, self.scope, call)
        for word in taken.words if taken is not None else ():
            yield self.item(word, Kind.EnumMember, WORDS)

    # ------------------------------------------------------------ attributes and texts

    def _attributes(self, owner: str) -> Iterator[types.CompletionItem]:
        program = self.program
        if program is not None and owner in PARTS:
            yield from self.fields(program, ("loss", "metric"))
            return
        if program is not None and (owner == "data" or owner in program.bound):
            for name in self._columns(owner):
                if name.isidentifier():
                    yield self.item(name, Kind.Field, WORDS, detail=f"column of {owner}")
            return
        for name, kind in self._members(owner).items():
            yield self.item(name, kind, WORDS)

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
                        name: KINDS.get(one.kind, Kind.Field)
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
            yield self.item(word, Kind.Value, WORDS)

    def _imports(self) -> Iterator[types.CompletionItem]:
        before = self.context.before
        if "import" not in before:
            yield self.item("import", Kind.Keyword, WORDS)
            return
        other = self.workspace.imported(self.document, before[1].strip('"'))
        for symbol in other.names.file.bound.values() if other is not None else ():
            if symbol.kind not in ("model", "import"):
                yield self.symbol(symbol, WORDS)

    # ------------------------------------------------------------ names
