"""From the parser's failure to a diagnostic in plain words.

The parser says which token it could not take, and in which state. The rules at the end of this file, tried in order,
look at that place for the mistakes people make; the last one says what was expected. They only read: ``parser`` decides
where to go on after an error.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from archonnx.grammar.diagnostics import Diagnostic, Edit, Label, Suggestion, make_error
from archonnx.grammar.foreign import idiom, section
from archonnx.grammar.source import Span

from . import brought
from .failure import ENDS, Failure
from .indentation import CLOSERS, Layout, bounds
from .machine import RefusedError
from .reshaped import reshaped
from .words import FORMS, HEADERS, LOOKALIKES, RESERVED, TOP_LEVEL

_OPENERS = {closer: opener for opener, closer in CLOSERS.items()}

# Terminals that are named in a list of what was expected, in this order, and how.
_EXPECTED = {
    "_INDENT": "an indented body",
    "_NL": "the end of the line",
    "$END": "the end of the text",
    "COLON": "`:`",
    "ARROW": "`->`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "TILDE": "`~`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "RBRACE": "`}`",
    "ELSE": "`else`",
    "IN": "`in`",
    "WITH": "`with`",
    "IMPORT": "`import`",
    "BACKWARD": "`backward`",
}


def describe(error: RefusedError, span: Span, layout: Layout) -> Diagnostic:
    """The diagnostic of a failure to parse ``span``."""
    failure = Failure(error, span, layout)
    found = (rule(failure) for rule in _RULES)
    return reshaped(failure, next(diagnostic for diagnostic in found if diagnostic is not None))


# ---------------------------------------------------------------- what people do


def _strings(failure: Failure) -> Diagnostic | None:
    if not failure.rest.startswith('"'):
        return None
    start, source = failure.place.start, failure.whole.source
    if failure.kind == "_DOC":
        return make_error(
            "AX0121",
            "a docstring stands only first in the body of a declaration",
            failure.place,
            help='write comments with `#`, and texts in values between single `"`',
        )
    if failure.token is not None:
        return None
    if failure.rest.startswith('"""'):
        return make_error("AX0103", 'this docstring has no closing `"""`', Span(source, start, start + 3))
    end = start + len(failure.rest.rstrip())
    return make_error(
        "AX0103",
        "this string has no closing quote",
        Span(source, start, end),
        help='strings end on the line where they begin; a quote inside one is written `\\"`',
    )


def _unclosed_bracket(failure: Failure) -> Diagnostic | None:
    """A bracket is taken to be unclosed at the end, and at a line that is indented no more than the opener's."""
    if not failure.layout.open or failure.rest[:1] in _OPENERS:
        return None
    if failure.code and not (failure.starts_line and _column(failure.place) <= _indentation(failure)):
        return None
    opener = failure._span(failure.layout.open[-1])
    assert opener is not None
    others = [Label(failure.place, "this cannot stand inside the brackets")] if failure.code else []
    return make_error(
        "AX0109",
        f"`{opener.text}` is never closed",
        opener,
        others=others,
        help=_closing(opener, CLOSERS[opener.text]),
    )


def _closing(opener: Span, closer: str) -> Suggestion:
    """Put it at the end of its line: before the colon of a header, or behind all."""
    text = opener.source.text
    line = text[opener.start :].split("\n", 1)[0].split("#", 1)[0].rstrip()
    ends = [opener.start + len(line) - 1] if line.endswith(":") else []
    places = [Span(opener.source, end, end) for end in (*ends, opener.start + len(line))]
    first, *others = (Suggestion.of(f"close it with `{closer}`", "", closer, place) for place in places)
    return first.or_else(f"close it with `{closer}`", *others)


def _column(span: Span) -> int:
    return span.source.line_column(span.start)[1] - 1


def _indentation(failure: Failure) -> int:
    """Of the line of the innermost open bracket."""
    source = failure.whole.source
    line = source.line(source.line_column(bounds(failure.layout.open[-1])[0])[0])
    return len(line) - len(line.lstrip())


def _unmatched_bracket(failure: Failure) -> Diagnostic | None:
    closer = failure.rest[:1]
    if closer not in _OPENERS:
        return None
    if not failure.layout.open:
        return make_error(
            "AX0110", f"`{closer}` closes nothing", failure.place, f"no `{_OPENERS[closer]}` is open here"
        )
    opener = failure._span(failure.layout.open[-1])
    if opener is None or opener.text == _OPENERS[closer]:
        return None
    return make_error(
        "AX0110",
        f"`{closer}` cannot close `{opener.text}`",
        failure.place,
        f"`{CLOSERS[opener.text]}` is needed here",
        others=[Label(opener, "opened here")],
        help=_other_closer(failure.place, closer, CLOSERS[opener.text]),
    )


def _other_closer(place: Span, found: str, needed: str) -> Suggestion:
    """Put it in, or in place of what is there."""
    here = Span(place.source, place.start, place.start + 1)
    instead = Suggestion.of(f"write `{needed}`", found, needed, here)
    before = Suggestion.of(f"close it with `{needed}`", "", needed, Span(place.source, place.start, place.start))
    return before.or_else(None, instead)


def _unknown_character(failure: Failure) -> Diagnostic | None:
    character = failure.rest[:1]
    if failure.token is not None or failure.word or (character.isascii() and character.isalnum()):
        return None
    span = Span(failure.whole.source, failure.place.start, failure.place.start + 1)
    if character in LOOKALIKES:
        known = LOOKALIKES[character]
        said = f"write `{known}`" if known.strip() else "write an ordinary space"
        return make_error(
            "AX0102",
            f"unknown character {_character(character)}",
            span,
            help=Suggestion.of(said, character, known, span, otherwise=said),
        )
    if character == "'":
        end = failure.rest.find("'", 1)
        closing = Edit(Span(span.source, span.start + end, span.start + end + 1), '"')
        help = Suggestion.at_places(
            'write `"`', Edit(span, '"'), *([closing] if end > 0 else []), otherwise='write `"`'
        )
        if end > 0:
            others = [Edit(closing.span, "")]
            help = help.or_else(None, Suggestion.of("write it without these quotes", "'", "", span, more=others))
        return make_error("AX0102", "strings stand between double quotes", span, help=help)
    return make_error("AX0102", f"unknown character {_character(character)}", span)


def _character(character: str) -> str:
    if character.isascii() and character.isprintable():
        return f"`{character}`"
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"


def _word_after_dot(failure: Failure) -> Diagnostic | None:
    """``data.in``: a column may be called like a word of the language, or of another; brackets take any name."""
    dot = failure.previous
    if dot is None or dot.text != "." or failure.word not in {*RESERVED, *section("syntax")}:
        return None
    text, start = dot.source.text, dot.start
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "_."):
        start -= 1
    column = f'{text[start : dot.start]}["{failure.word}"]'
    return make_error(
        "AX0112" if failure.word in RESERVED else "AX0111",
        f"`{failure.word}` is reserved and cannot stand after a dot",
        failure.place,
        help=f"a column of this name is written `{column}`",
    )


def _reserved_word(failure: Failure) -> Diagnostic | None:
    if failure.word not in RESERVED or not failure.accepts("NAME") or failure.accepts("NUMBER"):
        return None
    return make_error(
        "AX0112",
        f"`{failure.word}` is a word of the language and cannot be a name",
        failure.place,
        help=f"choose another name, such as `{failure.word}_`",
    )


def _equals(failure: Failure) -> Diagnostic | None:
    if not failure.rest.startswith("=") or failure.first is None:
        return None
    if failure.first.type in ("IF", "ELIF", "ASSERT", "LOOP"):
        place = Span(failure.place.source, failure.place.start, failure.place.start + 1)
        help = Suggestion.of("write `==`", "=", "==", place)
        return make_error("AX0113", "`=` names a value; a comparison is written `==`", failure.place, help=help)
    return None


def _missing_body(failure: Failure) -> Diagnostic | None:
    before, first = failure.layout.previous, failure.layout.first
    if before is None or first is None:
        return None
    on_header = before == ":" and failure.code and not failure.starts_line
    if on_header and failure.accepts("_NL") and not failure.accepts("NAME"):
        return make_error(
            "AX0108",
            "a body starts on a line of its own",
            failure.place,
            help=_on_its_own_line(failure),
        )
    if failure.accepts("_INDENT") and failure.kind != "_INDENT":
        others = [Label(failure.place, "this line is not indented")] if failure.code else []
        return make_error(
            "AX0108",
            f"the body of this `{first}` is missing",
            failure.previous,
            "an indented line should follow",
            others=others,
        )
    if before.type == "_DOC" and not failure.code:
        return make_error("AX0108", "this body has a docstring and nothing else", failure.previous)
    return None


def _on_its_own_line(failure: Failure) -> Suggestion:
    before, source = failure.previous, failure.place.source
    assert before is not None
    line = source.line(source.line_column(before.start)[0])
    indented = len(line) - len(line.lstrip()) + 4
    gap = Span(source, before.end, failure.place.start)
    return Suggestion.of("move it to the next line and indent it by four spaces", "", f"\n{' ' * indented}", gap)


def _missing_colon(failure: Failure) -> Diagnostic | None:
    first, previous = failure.layout.first, failure.previous
    if first is None or previous is None or str(first) not in HEADERS:
        return None
    forgotten = failure.kind == "_NL" and failure.accepts("COLON")
    if not forgotten and not (failure.kind == "_INDENT" and failure.layout.previous != ":"):
        return None
    place = Span(previous.source, previous.end, previous.end)
    form = _form(str(first)) or "write a `:`"
    help = Suggestion.of(form, "", ":", place, otherwise=form)
    return make_error("AX0107", f"this `{first}` needs a `:` at the end of its line", place, help=help)


def _indented(failure: Failure) -> Diagnostic | None:
    if failure.kind != "_INDENT":
        return None
    _, place = failure.layout.indents[-1]
    return make_error(
        "AX0106",
        "this line is indented, but the line above opens no body",
        place,
        help=_at_the_margin(failure, place),
    )


def _at_the_margin(failure: Failure, place: Span) -> Suggestion:
    """The line in the column of the body that it stands in, and the lines that follow it there."""
    source, text = place.source, place.source.text
    outer = failure.layout.indents[-2][0] if len(failure.layout.indents) > 1 else 0
    edits: list[Edit] = []
    start = place.start
    while text.startswith(place.text, start) and len(edits) < 50:
        edits.append(Edit(Span(source, start + outer, start + len(place.text)), ""))
        start = text.find("\n", start) + 1 or len(text)
    return Suggestion.at_places("begin it in the column of the line above", *edits)


def _top_level(failure: Failure) -> Diagnostic | None:
    if not failure.accepts("FN") or failure.accepts("NAME") or not failure.code:
        return None
    if str(failure.word) in FORMS:
        return make_error(
            "AX0101", f"this is not the form of `{failure.word}`", failure.place, help=_form(failure.word)
        )
    others = f"declarations start with {_join([f'`{word}`' for word in TOP_LEVEL], 'or')}"
    return make_error(
        "AX0123",
        "only declarations stand at the top level of a file",
        failure.place,
        help=idiom(failure.word) or brought.constant(failure) or others,
    )


def _expected(failure: Failure) -> Diagnostic:
    found = ENDS.get(failure.kind) or f"`{_shorten(failure.place.text)}`"
    expected = _alternatives(failure)
    headline = f"expected {_join(expected, 'or')}, found {found}" if expected else f"unexpected {found}"
    others = []
    if failure.layout.open and failure.code:
        opener = failure._span(failure.layout.open[-1])
        assert opener is not None
        others.append(Label(opener, "inside these brackets"))
    return make_error("AX0101", headline, failure.place, others=others, help=_statement_help(failure))


def _alternatives(failure: Failure) -> list[str]:
    """What could have stood at the place, in words."""
    names, operand = failure.accepts("NAME"), failure.accepts("NUMBER")
    if failure.accepts("RETURN"):
        return ["a statement"]
    expected = []
    if operand:
        expected.append("an expression")
    elif names:
        expected.append("a name")
    elif failure.accepts("STRING"):
        expected.append("a string")
    if failure.accepts("PLUS") and not operand:
        expected.append("an operator")
    skip = {"LPAR", "IN"} if operand or failure.accepts("PLUS") else set()
    return expected + [text for name, text in _EXPECTED.items() if name not in skip and failure.accepts(name)]


def _statement_help(failure: Failure) -> str | None:
    before, first = failure.layout.previous, failure.first
    if failure.rest.startswith("=") and failure.accepts("COMMA"):
        return "a statement has one `=`; a comparison is written `==`"
    if first is None or str(first) not in FORMS:
        return None
    if str(first) == "maximize":
        return brought.opposite(failure, first.start) or _form("maximize")
    if first.type != "NAME":
        return _form(str(first))
    if before is not first or not failure.rest:
        return None
    # A statement word that was read as a name, right before something that cannot follow a name.
    return f"`{first}` stands only at the top of a file" if str(first) in TOP_LEVEL else _form(str(first))


def _form(word: str) -> str | None:
    if word == "maximize":
        return (
            "a `train` block makes a loss small: `loss NAME = -VALUE` in the model, and `minimize NAME with adam()`; "
            "`maximize VALUE` is the goal of a `search`"
        )
    return f"its form is `{FORMS[word]}`" if word in FORMS else None


def _shorten(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 24 else line[:21] + "..."


def _join(words: Iterable[str], last: str) -> str:
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


_RULES: tuple[Callable[[Failure], Diagnostic | None], ...] = (
    _strings,
    brought.colon_for_equals,
    _unclosed_bracket,
    _unmatched_bracket,
    brought.foreign_operator,
    brought.draw_without_a_type,
    _unknown_character,
    brought.misspelt,
    _missing_body,
    _missing_colon,
    _indented,
    _word_after_dot,
    brought.foreign_word,
    brought.else_if,
    _reserved_word,
    _equals,
    _top_level,
    brought.declared_alone,
    _expected,
)
