"""Characters that make a text look like another one: controls of direction are refused, lookalike letters are found.

What this module does not do: forbid letters of any script. A name may be written in Greek or in Chinese; what is
warned of is a name of which a reader may take a letter for a Latin one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label, fail, make_error
from archonnx.grammar.record import fields, replace
from archonnx.grammar.source import Source, Span

_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Controls that change the order in which characters are shown (Boucher and Anderson 2021)."""
_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХЅІЈаеорсухѕіјһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονՕօզհո",
    "ABEKMHOPCTYXSIJaeopcyxsijhdqwABEZHIKMNOPTYXovOoqhn",
)
"""Letters of Cyrillic, Greek and Armenian that most fonts draw as Latin ones."""


def refuse_controls(source: Source) -> None:
    """SpecError with the first control of direction in a text: with it, a line is not what it looks like."""
    if source.text.isascii():
        return
    found = _DIRECTION.search(source.text)
    if found is not None:
        what = f"U+{ord(found[0]):04X} ({unicodedata.name(found[0]).lower()})"
        fail(
            "AX0130",
            f"the text holds the invisible character {what}, which changes the order in which a line is shown",
            Span(source, found.start(), found.end()),
            help="delete it: comments and strings are not excepted, since what stands in them may look like code",
        )


def confusable_names(source: Source, tree: ast.File) -> list[Diagnostic]:
    """Warnings for the names of a spec that may be taken for other ones."""
    return [] if source.text.isascii() else confusable(_names(tree))


def _names(tree: ast.File) -> Iterator[tuple[str, Span]]:
    """The names that are written in a tree, with where."""
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack.extend(reversed(node))
        elif isinstance(node, ast.Node):
            for key in ("id", "name"):
                name = getattr(node, key, None)
                if isinstance(name, str) and name:
                    yield name, _place(node, name)
            stack.extend(reversed([getattr(node, f.name) for f in fields(node)]))


def _place(node: ast.Node, name: str) -> Span:
    """Where a name stands in a piece of syntax."""
    span: Span = getattr(node, "name_span", None) or node.span
    at = span.text.find(name)
    return Span(span.source, span.start + at, span.start + at + len(name)) if at >= 0 else span


def confusable(names: Iterable[tuple[str, Span]]) -> list[Diagnostic]:
    """Warnings for names that may be taken for other ones, each at its first place."""
    first: dict[str, tuple[str, Span]] = {}
    warned: dict[str, Diagnostic] = {}
    for name, span in names:
        looks = unicodedata.normalize("NFKC", name).translate(_LOOKALIKES)
        other, place = first.setdefault(looks, (name, span))
        if name.isascii() or name in warned:
            continue
        if other != name:
            headline = f"`{name}` looks like `{other}` and is another name"
            warned[name] = _warning(headline, span, name, [Label(place, "the other one")])
        elif looks.isascii():
            warned[name] = _warning(f"`{name}` looks like `{looks}` and is another name", span, name, [])
    return list(warned.values())


def _warning(headline: str, span: Span, name: str, others: list[Label]) -> Diagnostic:
    strange = [c for c in name if not c.isascii() and unicodedata.normalize("NFKC", c).translate(_LOOKALIKES) != c]
    notes = [f"{c} is U+{ord(c):04X} ({unicodedata.name(c, 'unnamed').lower()})" for c in dict.fromkeys(strange)]
    return replace(make_error("AX0131", headline, span, others=others, notes=notes), severity="warning")
