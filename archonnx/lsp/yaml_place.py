"""Where in a spec in YAML somebody is typing: below which keys, and whether in a key or in a value.

The text need not be YAML yet, so lines are looked at by themselves: the keys around are those above with less
indentation, and those before in the braces of the line. What this module does not do: read a value.
"""

from __future__ import annotations

import re

from archonnx.grammar.record import Record

_KEY = re.compile(r"(?P<blank>[ ]*(?:- +)*)(?P<key>[^\W\d][\w.]*):(?P<rest>[ ].*|)\Z", re.DOTALL)
_FLOW = re.compile(r"""'[^']*'?|"(?:[^"\\]|\\.)*"?|(?P<key>[^\W\d][\w.]*)[ ]*:(?=[ ]|\Z)|(?P<sign>[{}\[\],])""")


class Keys(Record):
    """The keys around a place, outermost first; ``in_key`` is whether what is typed there is a key itself."""

    path: tuple[str, ...]
    in_key: bool


def keys_at(text: str, offset: int) -> Keys:
    """The keys around an offset."""
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:offset]
    bare = line.lstrip(" ")
    while bare.startswith("- "):
        bare = bare[1:].lstrip(" ")
    indent = len(line) - len(bare)
    found = _KEY.match(line)
    if found is None:
        inner, in_key = _in_braces(bare)
        in_key = in_key if bare[:1] in ("{", "[") else True
    else:
        inner, in_key = _in_braces(found["rest"])
        inner = (found["key"], *inner)
    return Keys((*_above(text[:start], indent, "- " in line[:indent]), *inner), in_key)


def _in_braces(text: str) -> tuple[tuple[str, ...], bool]:
    """The keys of the braces that are open at the end of a text, and whether a key is being typed there."""
    levels: list[tuple[str, str | None]] = []
    for match in _FLOW.finditer(text):
        sign = match["sign"]
        if match["key"] and levels:
            levels[-1] = (levels[-1][0], match["key"])
        elif sign in ("{", "["):
            levels.append((sign, None))
        elif sign in ("}", "]") and levels:
            levels.pop()
        elif sign == "," and levels:
            levels[-1] = (levels[-1][0], None)
    keys = tuple(key for _, key in levels if key is not None)
    return keys, bool(levels) and levels[-1] == ("{", None)


def _above(text: str, indent: int, item: bool) -> tuple[str, ...]:
    """The keys of the lines above that have less indentation; an item of a list may stand as deep as its key."""
    keys: list[str] = []
    for line in reversed(text.split("\n")[:-1]):
        found = _KEY.match(line)
        if found is None or not line.strip():
            continue
        depth = len(found["blank"])
        if depth < indent or (item and depth == indent - 2 and "-" not in found["blank"]):
            keys.append(found["key"])
            indent, item = depth, "- " in found["blank"]
        if not indent:
            break
    return tuple(reversed(keys))
