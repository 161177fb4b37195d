"""Where the declarations of a file are, found without parsing it.

It serves to read one declaration of a library alone, and to go on after a syntax error. It does not check anything.
"""

from __future__ import annotations

import re
from itertools import pairwise

from archonnx.grammar.record import Record
from archonnx.grammar.source import Source

_WORDS = r"fn|block|model|optimizer|schedule|train|search|from|for"
_TOKEN = re.compile(
    r'''"""(?:[^"]|"(?!""))*+(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"|#[^\n]*'''
    rf"|^(?P<kind>{_WORDS})\b(?:[ \t]+(?P<name>[^\W\d]\w*))?",
    re.MULTILINE,
)


class Outlined(Record):
    """A declaration at ``start:end``: its first word and its name (``""`` where it has none)."""

    kind: str
    name: str
    start: int
    end: int


def outline(source: Source) -> tuple[Outlined, ...]:
    """The declarations of a file in order. Each reaches to the next one; what stands before the first is left out."""
    found = [match for match in _TOKEN.finditer(source.text) if match["kind"]]
    starts = [*(match.start() for match in found), len(source.text)]
    return tuple(
        Outlined(match["kind"], match["name"] or "", start, end)
        for match, (start, end) in zip(found, pairwise(starts), strict=True)
    )
