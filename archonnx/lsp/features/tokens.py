"""What every word of a text is, for editors that colour by it: words of the language, and names by what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.elaborate.core.kinds import DECLARED
from archonnx.compiler.elaborate.core.signatures import DTYPES
from archonnx.compiler.elaborate.core.values import Builtin
from archonnx.lsp.document import Document
from archonnx.lsp.library import library_names, library_signature
from archonnx.lsp.mentions import is_word
from archonnx.lsp.names import Occurrence
from archonnx.lsp.positions import units

TYPES = (
    "keyword", "comment", "string", "number", "type", "class", "function", "parameter", "variable", "property",
    "enumMember", "namespace", "typeParameter", "event",
)  # fmt: skip
MODIFIERS = ("declaration", "defaultLibrary", "readonly")
_TOKEN = re.compile(
    r'''(?P<string>"""(?:[^"]|"(?!""))*+(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"?)|(?P<comment>#[^\n]*)'''
    r"""|(?P<word>[^\W\d]\w*)|(?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"""
)
_KINDS = {
    "fn": "function", "entry": "function", "block": "class", "optimizer": "class", "schedule": "class",
    "model": "namespace", "train": "event", "parameter": "parameter", "dim": "typeParameter", "param": "property",
    "buffer": "property", "state": "property", "result": "property", "setting": "property", "column": "property",
}  # fmt: skip


def tokens(document: Document) -> list[int]:
    """Five numbers for each token: lines and units since the one before, its length, type and modifiers."""
    data: list[int] = []
    line, unit = 0, 0
    text, lines = document.text, document.lines
    for start, end, kind, modifiers in _tokens(document):
        for first, last in _by_line(text, start, end):
            at = lines.position(first)
            bits = sum(1 << MODIFIERS.index(one) for one in modifiers)
            data += [
                at.line - line,
                at.character - (unit if at.line == line else 0),
                units(text[first:last]),
                TYPES.index(kind),
                bits,
            ]
            line, unit = at.line, at.character
    return data


def _by_line(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a token that stand on one line each, since editors need not know others."""
    at = start
    for part in text[start:end].splitlines(keepends=True):
        bare = part.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
        if bare:
            yield at, at + len(bare)
        at += len(part)


Token = tuple[int, int, str, tuple[str, ...]]


def _tokens(document: Document) -> Iterator[Token]:
    names = {one.start: one for one in document.names.all}
    if document.yaml:
        yield from (found for one in document.names.all if (found := _name(one)) is not None)
        return
    begins = {piece.start for top in document.pieces for piece in top.walk()}
    for match in _TOKEN.finditer(document.text):
        kind, start, end = match.lastgroup or "", match.start(), match.end()
        if kind != "word":
            yield start, end, kind, ()
        elif (one := names.get(start)) is not None and one.end == end:
            if (found := _name(one)) is not None:
                yield found
        elif match[0] in DTYPES or (match[0] in DECLARED and start not in begins):
            yield start, end, "type", ("defaultLibrary",)
        elif is_word(match[0]):
            yield start, end, "keyword", ()


def _name(one: Occurrence) -> Token | None:
    symbol, mention = one.symbol, one.mention
    modifiers = ("declaration",) if one.binds else ()
    if symbol is None:
        kind = {"keyword": "parameter", "key": "property", "attribute": "property"}.get(mention.role, "enumMember")
        return one.start, one.end, kind, modifiers
    if symbol.kind == "library":
        known = library_names()[symbol.name]
        signature = library_signature(symbol.name)
        is_function = isinstance(known, Builtin) or (signature is not None and signature.kind == "fn")
        kind = "type" if symbol.name in DTYPES else "function" if is_function else "class" if signature else "variable"
        return one.start, one.end, kind, ("defaultLibrary",)
    kind = _KINDS.get(symbol.kind, "variable")
    return one.start, one.end, kind, (*modifiers, *(("readonly",) if symbol.kind in ("input", "target") else ()))
