"""The words that people bring along: names, argument orders and idioms of other tools, and what they are called here.

The tables are data, a file for each tool; they are read when something is wrong with a spec, and not before.
A page of the documentation is written from them.

    syntax      words at which the reading stops: what is written instead, or what to do
    operators   the same for what joins values
    statements  words that begin a line: the statement that they stand for
    names       words for settings, metrics, sources, choices and functions: what they are called here
    arguments   names of arguments: what they are called here, each in another callee
    calls       calls with their arguments in order: the same here, of those arguments that are given
    methods     what a tensor has elsewhere: the function here, where ``self`` is the tensor
    dropped     names of arguments that have no counterpart, and why none is needed
    penalties   names of arguments that add to the loss there
    settings    where things are said here that are settings of a training elsewhere: by which names
    idioms      what is called elsewhere and has no counterpart: what to do instead

No word of these tables is ever read as another: it is suggested, and the spec says what it means. What this module
does not do: rewrite a call (``compiler.helps`` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from archonnx.grammar.record import Record

FOLDER = Path(__file__).parent
TOOLS = {
    "python": "Python",
    "pytorch": "PyTorch",
    "keras": "Keras",
    "numpy": "NumPy",
    "ludwig": "Ludwig",
    "jax": "JAX with Flax, Haiku, Equinox and Optax",
    "sklearn": "scikit-learn",
    "matlab": "MATLAB",
    "books": "books and papers",
    "languages": "other languages",
}
"""Every file, and the tool that it is about. Where several know a word, the first one counts; where they have lists for
it, that of the first one is the likeliest."""

_CALL = re.compile(r"(?:(?P<prefix>[\w.]+)\.)?(?P<name>\w+)(?:\((?P<first>[^)]*)\))?(?:\((?P<second>[^)]*)\))?")


class Form(Record):
    """A call, or what a tensor has, as another tool writes it, and the same here.

    Attributes:
        tool: who writes it.
        theirs: as it stands in the table.
        prefix: what stands before its name, as in ``nn.Linear``; empty where nothing needs to.
        name: its own name.
        parameters: the arguments in order; those that only it has are not used in ``ours``. None where it is no call.
        applied: the arguments of what the call gives, as in ``MSELoss()(prediction, target)``; None where it gives no
            function.
        ours: expressions of the language in which names of arguments stand for them; the likeliest first.
    """

    tool: str
    theirs: str
    prefix: str
    name: str
    parameters: tuple[str, ...] | None
    applied: tuple[str, ...] | None
    ours: tuple[str, ...]


@cache
def table(tool: str) -> Mapping[str, Any]:
    """The file of a tool."""
    import tomllib  # here, since most specs are right

    return tomllib.loads((FOLDER / f"{tool}.toml").read_text("utf-8"))


@cache
def section(name: str) -> dict[str, Any]:
    """A section of all files."""
    found: dict[str, Any] = {}
    for tool in TOOLS:
        for key, value in table(tool).get(name, {}).items():
            known = found.setdefault(key, value)
            if known is not value and isinstance(known, list):
                found[key] = list(dict.fromkeys([*known, *value]))
    return found


@cache
def said_elsewhere() -> Mapping[str, str]:
    """By settings that other tools have and ``train`` has not: where that is said here."""
    return {word: say for say, words in section("settings").items() for word in words}


@cache
def prefixes() -> frozenset[str]:
    """Names of modules that stand before others, as ``nn`` and ``np`` do."""
    return frozenset(prefix for tool in TOOLS for prefix in table(tool).get("prefixes", ()))


@cache
def forms(kind: str) -> Mapping[str, tuple[Form, ...]]:
    """The forms of ``calls`` or ``methods`` by their names."""
    found: dict[str, list[Form]] = {}
    for tool in TOOLS:
        for theirs, ours in table(tool).get(kind, {}).items():
            one = form(tool, theirs, ours)
            found.setdefault(one.name, []).append(one)
    return {name: tuple(of) for name, of in found.items()}


def form(tool: str, theirs: str, ours: str | list[str]) -> Form:
    """A row of a table."""
    match = _CALL.fullmatch(theirs)
    assert match is not None, theirs
    first, second = (None if match[group] is None else _names(match[group]) for group in ("first", "second"))
    written = (ours,) if isinstance(ours, str) else tuple(ours)
    return Form(tool, theirs, match["prefix"] or "", match["name"], first, second, written)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def called_here(word: str, kind: str = "names") -> tuple[str, ...]:
    """What a word is called here, by a section of words."""
    found = section(kind).get(word, ())
    return (found,) if isinstance(found, str) else tuple(found)


def idiom(word: str) -> str | None:
    """What to do instead of what is called so elsewhere; None for any other word."""
    found = section("idioms").get(word)
    return None if found is None else str(found).replace("{self}", "outs").replace("{value}", "x")


def syntax_word(word: str) -> tuple[str | None, str] | None:
    """What is written for a word at which the reading stops, and what is said of it; None for any other word."""
    found = section("syntax").get(word)
    if found is None:
        return None
    write = found.get("write")
    return write, found.get("say") or f"write `{write}`"


def all_forms() -> Iterator[Form]:
    """Every row of ``calls`` and ``methods``."""
    for kind in ("calls", "methods"):
        for of in forms(kind).values():
            yield from of
