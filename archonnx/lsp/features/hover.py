"""What is said of a name under the pointer: what it is, its type and shape, where that came from, its docstring."""

from __future__ import annotations

from lsprotocol import types

from archonnx.grammar.text.words import FORMS
from archonnx.lsp.calls import argument_of
from archonnx.lsp.checking import Seen
from archonnx.lsp.context import context_at
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.library import Setting, setting_parts, settings, source_signature
from archonnx.lsp.names import Occurrence

CALLED = ("fn", "block", "entry", "optimizer", "schedule", "model", "library", "import")


def hover(workspace: Workspace, document: Document, offset: int) -> types.Hover | None:
    """What is known of the name, or the word of the language, at an offset."""
    found = document.names.at(offset)
    if found is not None:
        parts = [part for part in _of_name(workspace, document, found) if part]
        place = (found.start, found.end)
    else:
        word, place = _word_at(document, offset)
        parts = [_code(_form(word))] if word in FORMS and context_at(document, offset).inside == "code" else []
    if not parts:
        return None
    text = "\n\n".join(parts)
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), document.lines.range(*place))


def _of_name(workspace: Workspace, document: Document, found: Occurrence) -> list[str]:
    mention, symbol = found.mention, found.symbol
    if mention.role == "setting" or (symbol is not None and symbol.kind == "setting"):
        return _setting(settings().get(mention.name)) or _statement(document, found)
    if mention.role == "key":
        return _setting(_key(document, found))
    if mention.role == "keyword" and symbol is None:
        return _keyword(workspace, document, found)
    if symbol is None:
        source = source_signature(mention.name) if mention.role == "call" else None
        if source is not None:
            return [_code(source.label), source.doc]
        return _values("", mention.name, document.values_of(found)) or _choice(workspace, document, found)
    if symbol.kind == "column":
        return [
            _code(f"(column) {symbol.path}.{symbol.name}"),
            *_values("", symbol.name, document.values_of(found))[1:],
        ]
    if symbol.kind in CALLED:
        signature = workspace.signature(document, symbol)
        if signature is not None:
            place = f"from {signature.place.source.name}" if signature.place and signature.place.source.library else ""
            return [_code(signature.label), _given(document, found), signature.doc, f"*{place}*" if place else ""]
    return _values(symbol.kind, symbol.name, document.values_of(found))


def _given(document: Document, found: Occurrence) -> str:
    """What the call gives whose callee this is."""
    given = document.given(found) if found.mention.role == "call" else ()
    return "gives " + " or ".join(f"`{one.what}`" for one in given) if given else ""


def _values(kind: str, name: str, values: tuple[Seen, ...]) -> list[str]:
    """A name with its types: one in a line of code; several, of applications that differ, in a list."""
    if not values:
        return [_code(f"({kind}) {name}")] if kind else []
    shown = f"({kind}) {name}" if kind else name
    if len(values) > 1:
        return [_code(shown), "\n".join(f"- `{one.what}`" + _origin(one) for one in values)]
    one = values[0]
    return [_code(f"{shown}: {one.what}"), _origin(one).removeprefix(", ")]


def _origin(seen: Seen) -> str:
    return f", from {seen.origin}" if seen.origin else ""


def _statement(document: Document, found: Occurrence) -> list[str]:
    """The statement that says what a name of a program is, such as its data."""
    bound = [one for one in document.names.of(found.symbol) if one.binds] if found.symbol is not None else []
    return [_code(bound[0].piece.text)] if bound else []


def _setting(setting: Setting | None) -> list[str]:
    if setting is None:
        return []
    keys = f"Keys: {', '.join(f'`{part}`' for part in setting.parts)}" if setting.parts else ""
    default = f" = {setting.default}" if setting.default else ""
    return [_code(f"(setting) {setting.name}: {setting.type}{default}"), setting.doc, keys]


def _key(document: Document, found: Occurrence) -> Setting | None:
    outer = next((one for one in found.piece.mentions if one.role == "bind" and one.name in settings()), None)
    return setting_parts(outer.name).get(found.mention.name) if outer is not None else None


def _keyword(workspace: Workspace, document: Document, found: Occurrence) -> list[str]:
    """A parameter of what is called, which another file declares, or the library."""
    callee = document.names.at(found.mention.at[0] + found.piece.base) if found.mention.at is not None else None
    symbol = callee.symbol if callee is not None else None
    signature = workspace.signature(document, symbol) if symbol is not None else None
    signature = signature or (source_signature(found.mention.of) if found.mention.of is not None else None)
    if signature is None:
        return []
    for group in signature.groups:
        for taken in group:
            if taken.name == found.mention.name:
                return [_code(f"(argument of {signature.name}) {taken.label}"), taken.doc]
    return []


def _choice(workspace: Workspace, document: Document, found: Occurrence) -> list[str]:
    """A word that an argument may be."""
    call = context_at(document, found.end).call
    taken = argument_of(workspace, document, found.scope, call) if call is not None else None
    return [_code(f"(word) {found.mention.name}"), f"of `{taken.label}`"] if taken and taken.words else []


def _word_at(document: Document, offset: int) -> tuple[str, tuple[int, int]]:
    text, start, end = document.text, offset, offset
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return text[start:end], (start, end)


def _form(word: str) -> str:
    return FORMS[word].replace("` or `", "\n")


def _code(text: str) -> str:
    return f"```arch\n{text}\n```"
