"""What of a spec is no longer as it was when a training began.

What this module does not do: say whether the state still fits (``resume`` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest

MOST_LINES = 2000
"""Texts with more lines are not compared line by line."""
SHOWN = 3
"""So many lines are shown."""


def edits(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What has changed in texts by name, a line each: ``line 13 of m.arch was `epochs = 4` and is `epochs = 9```."""
    found: list[str] = []
    for name in dict.fromkeys((*before, *now)):
        if name not in now:
            found.append(f"{name} is gone")
        elif name not in before:
            found.append(f"{name} is new")
        elif before[name] != now[name]:
            found += _lines(name, before[name].splitlines(), now[name].splitlines())
    rest = len(found) - SHOWN
    return found if rest <= 0 else [*found[:SHOWN], f"and {rest} more"]


def _lines(name: str, before: list[str], now: list[str]) -> Iterator[str]:
    if len(before) + len(now) > MOST_LINES or before == now:
        yield f"{name} is another text"
        return
    for kind, a, b, c, d in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for number, (old, new) in enumerate(zip_longest(before[a:b], now[c:d]), 1):
            if old is None:
                yield f"line {c + number} of {name} is new, {_quoted(new)}"
            elif new is None:
                yield f"line {a + number} of {name} is gone, {_quoted(old)}"
            else:
                yield f"line {c + number} of {name} was {_quoted(old)} and is {_quoted(new)}"


def _quoted(line: str | None) -> str:
    return f"`{(line or '').strip():.60}`"
