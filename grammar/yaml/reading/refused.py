"""What is said of text that is not YAML: where the mistake is, which may be before the place where reading stopped.

PyYAML says where it could not go on. ``_READINGS`` look at the text about that place for what people write; the first
that recognises it says what is wrong, where, and what to write. What this module does not do: read YAML.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from archonnx.grammar.diagnostics import Label, Suggestion, fail
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.words import LOOKALIKES

from .lines import lines


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where reading stopped: at ``at``, in what began at ``begun``, if that is known, for the reason ``problem``."""

    source: Source
    problem: str
    at: int
    begun: int | None

    @property
    def text(self) -> str:
        """The whole file."""
        return self.source.text

    def span(self, start: int, end: int) -> Span:
        """A place of the file."""
        return Span(self.source, start, min(end, len(self.text)))

    def line(self, at: int) -> tuple[int, int]:
        """Where the line of an offset begins and ends."""
        end = self.text.find("\n", at)
        return self.text.rfind("\n", 0, at) + 1, len(self.text) if end < 0 else end


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is wrong, where, and what may be done."""

    headline: str
    span: Span
    help: Suggestion | str


_ADVICE = {
    "mapping values are not allowed here": (
        "`: ` starts a value, and none can stand here",
        "put quotes around a text that has `: ` in it",
    ),
    "expected ',' or '}', but got ':'": (
        "`:` starts a value, and none can stand here",
        "put quotes around a text that has `: ` in it",
    ),
    "found character '\\t' that cannot start any token": ("a tab", "indent with spaces"),
    "found unexpected end of stream": (
        "the quotes that open here are never closed",
        "a text ends with the quotes that it begins with",
    ),
    "could not find expected ':'": ("a key without a `:`", "write `key: value`, with a blank after the colon"),
}
_NO_START = re.compile(r"found character '(?P<character>.)' that cannot start any token")


def not_yaml(source: Source, error: yaml.MarkedYAMLError) -> None:
    """Say what is wrong with a text that PyYAML cannot read."""
    problem = error.problem or "it cannot be read"
    mark = error.context_mark if problem == "found unexpected end of stream" else error.problem_mark
    at = min(mark.index if mark is not None else 0, len(source.text))
    stop = _Stop(source, problem, at, None if error.context_mark is None else error.context_mark.index)
    known = next((reading for reading in (read(stop) for read in _READINGS) if reading is not None), None)
    if known is not None:
        fail("AX0124", known.headline, known.span, help=known.help)
    headline, advice = _ADVICE.get(problem, (f"this is not YAML: {problem}", None))
    no_start = _NO_START.fullmatch(problem)
    if no_start is not None and problem not in _ADVICE:
        character = "a backquote" if no_start["character"] == "`" else f"`{no_start['character']}`"
        headline, advice = f"a plain value cannot start with {character}", "put quotes around the value"
    span, others = _place(stop), []
    if span.start == at and stop.begun is not None and stop.begun < at and error.context:
        others.append(Label(stop.span(stop.begun, stop.begun + 1), error.context))
    found = [one for one in (_mended(stop), *lines(source)) if one is not None]
    help = found[0].or_else(advice or found[0].otherwise, *found[1:]) if found else advice
    fail("AX0124", headline, span, others=others, help=help)


def _place(stop: _Stop) -> Span:
    """The character at which reading stopped; of a key without its colon the key, since that is found a line later."""
    if stop.problem == "could not find expected ':'" and stop.begun is not None:
        return stop.span(stop.begun, max(stop.line(stop.begun)[1], stop.begun + 1))
    return stop.span(stop.at, stop.at + 1)


def unreadable(source: Source, error: yaml.reader.ReaderError) -> None:
    """Say which character cannot stand in YAML."""
    start = min(error.position, len(source.text))
    fail(
        "AX0124",
        f"the character U+{ord(source.text[start]):04X} cannot stand in YAML"
        if start < len(source.text)
        else "this is not YAML",
        Span(source, start, min(start + 1, len(source.text))),
        help="leave it out",
    )


# ---------------------------------------------------------------- readings


_DECLARATION = re.compile(r"^(?:model|fn|block|optimizer|schedule)[ ]+\w+[ ]*\([^\n]*:[ ]*$", re.MULTILINE)


def _other_spelling(stop: _Stop) -> _Reading | None:
    """``model Net():``: a spec in the language itself."""
    match = _DECLARATION.search(stop.text)
    if match is None or stop.text[: match.start()].strip():
        return None
    span = stop.span(match.start(), match.end())
    return _Reading("this is a spec in the language, and not YAML", span, "a file of it is named `.arch`")


def _odd_character(stop: _Stop) -> _Reading | None:
    """A blank that is none, or a colon of another keyboard, on the line or the one before."""
    start = stop.line(max(stop.line(stop.at)[0] - 1, 0))[0]
    for match in re.finditer(r"[^\x00-\x7f]", stop.text[start : stop.line(stop.at)[1]]):
        character, place = match[0], stop.span(start + match.start(), start + match.end())
        category = unicodedata.category(character)
        known = LOOKALIKES.get(character, " " if category == "Zs" else "" if category == "Cf" else None)
        if known is None or known.strip() not in ("", ":", "-"):
            continue
        name = f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"
        said = f"write `{known}`" if known.strip() else "write an ordinary space" if known else "leave it out"
        written = f"{known} " if known == ":" and stop.text[place.end : place.end + 1] != " " else known
        return _Reading(f"the character {name} means nothing here", place, Suggestion.of(said, "", written, place))
    return None


_KEY = re.compile(r"(?P<margin>[ ]*)(?P<item>- )?(?P<key>[^\W\d]\w*)[ ]*:(?P<value>[^\n]*)$")


_LINE = re.compile(r"^[ ]*(?P<code>\S.*)$", re.MULTILINE)


def _deeper(stop: _Stop) -> _Reading | None:
    """A key that stands deeper than the one before, which has a value already; or the one before has no colon."""
    start, end = stop.line(stop.at)
    own = _KEY.match(stop.text, start, end)
    if stop.problem != "mapping values are not allowed here" or own is None or own.end("key") != stop.at:
        return None
    before = [match for match in _LINE.finditer(stop.text, 0, start) if match[0].strip()[0] != "#"]
    if not before or own["item"]:
        return None
    above = _KEY.match(before[-1][0])
    if above is None and before[-1].start("code") - before[-1].start() == own.start("key") - start:
        words = "write `key: value`, with a blank after the colon"
        whole = re.sub(r"^(\w+)(?:\s*=\s*|:|\s+)(?=\S)", r"\1: ", before[-1]["code"])
        place = stop.span(before[-1].start("code"), before[-1].end())
        return _Reading("a key without a `:`", place, Suggestion.of(words, "", whole, place, otherwise=words))
    if above is None or not above["value"].strip():
        return None
    column = above.start("key")
    if own.start("key") - start <= column:
        return None
    words = f"keys of one section begin in one column, as `{above['key']}` above does"
    margin = stop.span(start, own.start("key"))
    help = Suggestion.of(words, "", " " * column, margin, otherwise=words)
    place = stop.span(own.start("key"), own.end("key"))
    return _Reading(f"`{own['key']}` stands deeper than `{above['key']}`, which has a value already", place, help)


_IN_TEXT = re.compile(r"\\.|'[^'\n]*'|\"(?:\\.|[^\"\\\n])*\"|\s#[^\n]*|.", re.DOTALL)
_CLOSERS = {"{": "}", "[": "]"}


def _unclosed(stop: _Stop) -> _Reading | None:
    """A bracket that nothing closes before the key on the next line; a comment may hide what closes it."""
    opened = stop.begun
    if opened is None or stop.text[opened : opened + 1] not in _CLOSERS or "\n" not in stop.text[opened : stop.at]:
        return None
    start, end = opened, stop.line(opened)[1]
    depth = 0
    for match in _IN_TEXT.finditer(stop.text, start, end):
        depth += (match[0] in _CLOSERS) - (match[0] in _CLOSERS.values())
        if match[0].lstrip().startswith("#") and any(closer in match[0] for closer in _CLOSERS.values()):
            at = match.start() + 1
            words = "put quotes around a text with a `#` in it, or the comment behind the brackets"
            return _Reading("` #` begins a comment, and what closes the bracket is in it", stop.span(at, at + 1), words)
    following = _KEY.match(stop.text, *stop.line(end + 1)) if end < len(stop.text) else None
    if depth <= 0 or (following is not None and following.start("key") - end - 1 > opened - stop.line(opened)[0]):
        return None
    closer = _CLOSERS[stop.text[opened]] * depth
    last = stop.span(end, end)
    help = Suggestion.of(f"close it with `{closer}`", "", closer, last, otherwise="close it where its last value ends")
    return _Reading(f"`{stop.text[opened]}` is never closed", stop.span(opened, opened + 1), help)


def _closes_nothing(stop: _Stop) -> _Reading | None:
    """A closing bracket too many."""
    found = stop.text[stop.at : stop.at + 1]
    if found not in _CLOSERS.values() or not stop.problem.startswith(("expected <block end>", "expected '<document")):
        return None
    place = stop.span(stop.at, stop.at + 1)
    words = "leave it out"
    return _Reading(f"`{found}` closes nothing", place, Suggestion.of(words, "", "", place, otherwise=words))


def _escape(stop: _Stop) -> _Reading | None:
    """``"C:\\data"``: a backslash in double quotes begins an escape."""
    if not stop.problem.startswith("found unknown escape character") or stop.begun is None:
        return None
    words = "a backslash is written twice in double quotes, and once in single ones"
    close = re.compile(r"\"((?:[^\"'\\\n]|\\[^\"'\n])*)\"").match(stop.text, stop.begun)
    help: Suggestion | str = words
    if close is not None:
        whole = stop.span(stop.begun, close.end())
        help = Suggestion.of(f"{words}: `'{close[1]}'`", "", f"'{close[1]}'", whole, otherwise=words)
    at = stop.at - 1
    return _Reading(f"`{stop.text[at : at + 2]}` is not an escape of YAML", stop.span(at, at + 2), help)


def _tag(stop: _Stop) -> _Reading | None:
    """``!x``: what is a tag in YAML, and meant as a word of the language."""
    if stop.begun is None or stop.text[stop.begun : stop.begun + 1] != "!":
        return None
    words = "the opposite of a truth value is `not x`; a text that begins with `!` has quotes"
    return _Reading("a plain value cannot start with `!`", stop.span(stop.begun, stop.begun + 1), words)


_READINGS: tuple[Callable[[_Stop], _Reading | None], ...] = (
    _other_spelling,
    _odd_character,
    _deeper,
    _unclosed,
    _closes_nothing,
    _escape,
    _tag,
)


# ---------------------------------------------------------------- edits


_VALUE = re.compile(r"[^\W\d]\w*:[ ]+(?P<value>[^\s\"'{}#][^\"{}#\n]*?)(?=\s*(?:[}\n]|#|$))")
_IN_BRACES = re.compile(r"[^\W\d]\w*:[ ]+(?P<value>[\w.]*\[[^\]\n]*\])")
_WITH_TEXT = re.compile(r"[^\W\d]\w*:[ ]+(?P<value>[^\s\"'{}\[#][^'{}#\n]*\"[^'{}#\n]*\))")
_TWICE = re.compile(r"[^\W\d]\w*:[ ]+(?P<value>\"[^'#\n]*\")(?=\s*(?:[},]|$))", re.MULTILINE)
_APOSTROPHE = re.compile(r"[^\W\d]\w*:[ ]+(?P<value>'[^\"\\\n]*')(?=\s*(?:[},]|$))", re.MULTILINE)
_QUOTES = (
    (_IN_BRACES, "put quotes around the value", '"'),
    (_VALUE, "put quotes around the value", '"'),
    (_WITH_TEXT, "put single quotes around a value with double ones in it", "'"),
    (_TWICE, "put single quotes around a value with double ones in it", "'"),
    (_APOSTROPHE, "put double quotes around a text with a single one in it", '"'),
)


def _mended(stop: _Stop) -> Suggestion | None:
    """Quotes around a value that YAML reads otherwise, or the column of the other items of a list."""
    start, end = stop.line(stop.at)
    if "<block sequence start>" in stop.problem and stop.begun is not None:
        indentation = stop.span(start, stop.at)
        if not indentation.text.strip():
            words = "the items of a list begin in one column"
            column = stop.begun - stop.line(stop.begun)[0]
            return Suggestion.of(words, "", " " * column, indentation, otherwise=words)
    for pattern, words, quote in _QUOTES:
        for match in pattern.finditer(stop.text, start, end):
            if match.start("value") <= stop.at <= match.end("value"):
                inner = match["value"][1:-1] if pattern in (_TWICE, _APOSTROPHE) else match["value"]
                written = f"{quote}{inner}{quote}"
                return Suggestion.of(words, "", written, stop.span(match.start("value"), match.end("value")))
    return None
