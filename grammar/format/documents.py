"""Documents that know where they may be broken, and how to lay them out on lines of a given width.

After the prettier printer of Wadler (2003), with two additions: remarks, which wait for the end of their line, and
lines that always break. It knows nothing of any language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

INDENTATION = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A place for a newline; as long as its group is flat, ``flat`` stands there instead. ``hard``: always broken."""

    flat: str = " "
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A text that appears only where its group is broken."""

    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment for the end of the line; its groups are broken, so that the line does end."""

    text: str


@dataclass(frozen=True, slots=True)
class Concat:
    """One after the other. ``hard``: something in it always breaks."""

    parts: tuple[Doc, ...]
    hard: bool


@dataclass(frozen=True, slots=True)
class Group:
    """On one line if it fits, else every line of it (not those of inner groups) is broken."""

    content: Doc


@dataclass(frozen=True, slots=True)
class Nest:
    """What is broken inside is indented one level further."""

    content: Doc


Doc: TypeAlias = str | Line | Broken | Remark | Concat | Group | Nest

LINE, SOFT, HARD = Line(), Line(""), Line(hard=True)


def concat(*parts: Doc) -> Doc:
    """The documents one after the other."""
    return Concat(parts, any(is_hard(part) for part in parts))


def join(separator: Doc, parts: Iterable[Doc]) -> Doc:
    """The documents with a separator between any two."""
    joined: list[Doc] = []
    for part in parts:
        joined += [separator, part] if joined else [part]
    return concat(*joined)


def is_hard(doc: Doc) -> bool:
    """Whether something in the document always breaks."""
    match doc:
        case Concat() | Line():
            return doc.hard
        case Group() | Nest():
            return is_hard(doc.content)
    return isinstance(doc, Remark)


_Command: TypeAlias = tuple[int, bool, Doc]  # indentation, flat, document


def lay_out(doc: Doc, width: int, indentation: int = 0) -> str:
    """The text of a document whose first line starts at ``indentation``, in lines of ``width`` where that is possible.

    The indentation of the first line and the newline after the last one are not part of the text.
    """
    out: list[str] = []
    remarks: list[str] = []
    column = indentation
    stack: list[_Command] = [(indentation, False, doc)]
    while stack:
        indent, flat, part = stack.pop()
        match part:
            case str():
                out.append(part)
                column += len(part)
            case Concat():
                stack.extend((indent, flat, inner) for inner in reversed(part.parts))
            case Nest():
                stack.append((indent + INDENTATION, flat, part.content))
            case Group():
                fits = flat or (not is_hard(part) and _fits(width - column, (indent, True, part.content), stack))
                stack.append((indent, fits, part.content))
            case Remark():
                remarks.append(part.text)
            case Broken():
                if not flat:
                    stack.append((indent, flat, part.text))
            case Line():
                if flat:
                    stack.append((indent, flat, part.flat))
                else:
                    out += [*(f"  {remark}" for remark in remarks), "\n", " " * indent]
                    remarks.clear()
                    column = indent
    return "".join([*out, *(f"  {remark}" for remark in remarks)])


def _fits(room: int, first: _Command, rest: list[_Command]) -> bool:
    """Whether a flat document, and what follows it up to the next possible newline, fits into the room."""
    stack, following = [first], len(rest)
    while room >= 0:
        if not stack:
            if not following:
                return True
            following -= 1
            stack.append(rest[following])
        indent, flat, part = stack.pop()
        match part:
            case str():
                room -= len(part)
            case Concat():
                stack.extend((indent, flat, inner) for inner in reversed(part.parts))
            case Nest() | Group():
                stack.append((indent, flat, part.content))
            case Broken() if not flat:
                room -= len(part.text)
            case Line():
                if not flat:
                    return True
                room -= len(part.flat)
    return False
