"""Mistakes of people who come from another language or spelling: rules like those of ``mistakes``, with edits.

What words and operators become is data (``grammar.foreign``). What this module does not do: go on after a mistake
(``recovery`` does), or try its edits (the compiler does).
"""

from __future__ import annotations

import re

from archonnx.grammar.diagnostics import Diagnostic, Edit, Suggestion, did_you_mean, make_error
from archonnx.grammar.diagnostics.diagnostic import meant
from archonnx.grammar.foreign import called_here, section, syntax_word
from archonnx.grammar.source import Span

from .failure import Failure
from .indentation import bounds
from .words import FORMS, TOP_LEVEL

_ATOM = re.compile(r"[\w.]+(?:\([^()]*\))?")
_COMMENT = re.compile(r"\s*(?:#.*)?$")
_OWN_LINE = re.compile(r"(\w+)(\s*:)\s*(?=\S)")
ONLY_TOP = ("model", "optimizer", "schedule", "search", "from")
"""Words whose statements stand in no body."""
MOST_NAMES = 50
"""Places at which a name is changed at most."""
SIZED = ("INPUT", "TARGET")
"""Statements whose first axis counts examples."""


def misspelt(failure: Failure) -> Diagnostic | None:
    """A word that begins a statement and is not one of the language, with a word or an expression behind it."""
    span = _first_word(failure)
    if span is None or span.text in FORMS or syntax_word(span.text) is not None:
        return None
    words = statement_words(span.text, top=failure.layout.indents[-1][0] == 0 if failure.layout.indents else True)
    if not words:
        return None
    return make_error(
        "AX0111",
        f"`{span.text}` is not a word of the language",
        span,
        help=meant(span.text, words),
    )


def _first_word(failure: Failure) -> Span | None:
    """The word that should begin the statement: read as a name, with another word behind it, or not read at all."""
    first = failure.layout.first
    if failure.code and failure.starts_line and failure.word and failure.accepts("FN") and not failure.accepts("NAME"):
        return Span(failure.place.source, failure.place.start, failure.place.start + len(failure.word))
    if first is None or first.type != "NAME" or failure.layout.previous is not first or failure.layout.open:
        return None
    behind = bool(failure.word) or failure.rest[:1] in ('"', "[", "{", ":", "") or failure.rest[:1].isdigit()
    return Span(failure.place.source, *bounds(first)) if behind and not failure.starts_line else None


def statement_words(word: str, *, top: bool) -> list[str]:
    """Words that begin statements, at the top of a file or in a body, for which one is probably meant."""
    known = [name for name in FORMS if (name in TOP_LEVEL if top else name not in ONLY_TOP)]
    brought = [name for name in called_here(word, "statements") if name in known]
    near = did_you_mean(word, known)
    found = [*brought, *([near.replacement, *(other.replacement for other in near.others)] if near is not None else [])]
    return list(dict.fromkeys(found))


def colon_for_equals(failure: Failure) -> Diagnostic | None:
    """``epochs: 20``, as YAML has it."""
    first, source = failure.layout.first, failure.place.source
    if first is None or first.type != "NAME" or failure.layout.open:
        return None
    start, _ = bounds(first)
    line = source.text[start : source.text.find("\n", start) % (len(source.text) + 1)]
    match = _OWN_LINE.match(line)
    if match is None or failure.place.start < start + match.end(2) or "=" in source.text[start : failure.place.start]:
        return None
    if failure.rest[:1] in ("", "=", "~"):
        return None
    colon = Span(source, start + match.start(2), start + match.end(2))
    return make_error(
        "AX0101",
        f"`{match[1]}` is given a value by `=`: a `:` stands before a type",
        Span(source, colon.end - 1, colon.end),
        help=Suggestion.of(f"write `{match[1]} = ...`", ":", " =", colon),
    )


def else_if(failure: Failure) -> Diagnostic | None:
    """``else if`` in two words."""
    before = failure.previous
    if failure.word != "if" or before is None or before.text != "else":
        return None
    place = before.to(failure.place)
    return make_error(
        "AX0111",
        "`else if` is one word",
        place,
        help=Suggestion.of("write `elif`", "else if", "elif", place),
    )


def draw_without_a_type(failure: Failure) -> Diagnostic | None:
    """``z ~ normal(mu, std)``."""
    first = failure.layout.first
    if not failure.rest.startswith("~") or first is None or failure.layout.previous is not first:
        return None
    return make_error(
        "AX0101",
        f"a draw says its shape: `{first}` has none",
        failure.place,
        help=f"its form is `{first}: [B, 4] ~ normal()`; a mean and a deviation are given by name: "
        "`normal(mean=m, std=s)`",
    )


_CONSTANT = re.compile(r"([^\W\d]\w*)\s*=\s*(-?\d+(\.\d*)?(?:e-?\d+)?|\"[^\"\n]*\"|[Tt]rue|[Ff]alse)[ ]*(?:#.*)?$")
_MODEL = re.compile(r"^model\s+\w+\(([^()\n]*)\)", re.MULTILINE)


def constant(failure: Failure) -> Suggestion | None:
    """``HIDDEN = 64`` above the declarations: an argument of the model."""
    source, start = failure.place.source, failure.place.start
    end = source.text.find("\n", start) % (len(source.text) + 1)
    match, model = _CONSTANT.match(source.text[start:end]), _MODEL.search(source.text)
    if match is None or model is None:
        return None
    name, value = match[1], match[2]
    kind = (
        "string" if value[0] == '"' else "bool" if value.isalpha() else "float" if match[3] or "e" in value else "int"
    )
    given = f"{name}: {kind} = {value.lower() if kind == 'bool' else value}"
    added = Edit(Span(source, model.end(1), model.end(1)), f", {given}" if model[1].strip() else given)
    gone = Edit(Span(source, start, min(end + 1, len(source.text))), "")
    words = f"a number of a model is an argument of it: `({given})`"
    return Suggestion.at_places(words, gone, added, otherwise=words)


def declared_alone(failure: Failure) -> Diagnostic | None:
    """``output p: [B, 3]``, and ``p = ...`` below it."""
    first, source = failure.layout.first, failure.place.source
    if failure.code or first is None or first.type not in ("OUTPUT", "NAME") or str(first) != "output":
        return None
    line = Span(source, bounds(first)[0], failure.place.start)
    match = re.fullmatch(r"output\s+(\w+)\s*:\s*(\S.*)", line.text)
    if match is None or "=" in line.text:
        return None
    words = f"an output is declared where it is computed: `output {match[1]}: {match[2]} = ...`"
    below = re.compile(rf"^([ ]+){match[1]}\s*=(?!=)", re.MULTILINE).search(source.text, line.end)
    help: str = words
    if below is not None:
        start = source.text.rfind("\n", 0, line.start) + 1
        edits = (
            Edit(Span(source, start, min(line.end + 1, len(source.text))), ""),
            Edit(Span(source, below.end(1), below.end()), f"output {match[1]}: {match[2]} ="),
        )
        help = Suggestion.at_places(words, *edits, otherwise=words)
    return make_error("AX0101", f"the output `{match[1]}` has no value", failure.place, help=help)


def foreign_operator(failure: Failure) -> Diagnostic | None:
    """Characters that belong together elsewhere: at the place, or ending there (`+=` is read as `+` and `=`)."""
    source, start = failure.whole.source, failure.place.start
    operators = section("operators")
    for at in range(max(start - 1, failure.whole.start), start + 1):
        for length in (2, 1):
            span = Span(source, at, min(at + length, failure.whole.end))
            if not failure.code or span.text not in operators or span.end <= start:
                continue
            if span.text == "//" and not failure.accepts("_NL", "FN", "NAME"):
                continue
            if span.text == "~" and not failure.accepts("NUMBER"):
                continue
            if span.text == "|" and source.text.startswith("|>", at):
                continue
            return make_error(
                "AX0122",
                f"`{span.text}` is not an operator of the language"
                if span.text not in ("//", "/*")
                else f"`{span.text}` begins no comment",
                span,
                help=_operator_help(failure, span, operators[span.text]),
            )
    return None


_REPLACED = {"&&": "and", "||": "or", "&": "and", "|": "or", "^": "**", ":=": "=", "=>": "->", "//": "#"}


def _operator_help(failure: Failure, span: Span, words: str) -> str:
    text = span.text
    rest = Span(span.source, span.end, failure.place.start + len(failure.rest))
    behind = _COMMENT.sub("", rest.text)
    if text in _REPLACED:
        return Suggestion.of(words, text, _REPLACED[text], span, otherwise=words)
    if text in ("!", "~"):
        return Suggestion.of(words, text, "not ", span, otherwise=words)
    if text == ";" and not behind.strip():
        return Suggestion.of("leave it out: a statement ends with its line", text, "", span, otherwise=words)
    first = failure.layout.first
    if len(text) == 2 and text[1] == "=" and first is not None and first.type == "NAME" and behind.strip():
        name, value = str(first), behind.strip()
        start = rest.start + len(behind) - len(behind.lstrip())
        value = value if _ATOM.fullmatch(value) else f"({value})"
        edits = (Edit(span, f"= {name} {text[0]}"), Edit(Span(span.source, start, rest.start + len(behind)), value))
        return Suggestion.at_places(f"write `{name} = {name} {text[0]} {value}`", *edits, otherwise=words)
    return words


def foreign_word(failure: Failure) -> Diagnostic | None:
    """A word of another language that cannot be a name here, or that was read as one in front of another word."""
    before = failure.previous
    if failure.word and failure.word != "with" and syntax_word(failure.word) is not None:
        return _foreign(failure, failure.word, failure.place)
    first = before is not None and failure.layout.previous is failure.first
    if before is not None and first and failure.word and syntax_word(before.text) is not None:
        return _foreign(failure, before.text, before)
    return None


def _foreign(failure: Failure, word: str, place: Span) -> Diagnostic:
    write, say = syntax_word(word) or (None, "")
    place = Span(place.source, place.start, place.start + len(word))
    help: str = say
    if write is not None:
        end = place.end + (not write)  # with the blank behind it
        help = Suggestion.of(say, word, write, Span(place.source, place.start, end), otherwise=say)
    if word == "is" and re.match(r"is\s+not\b", failure.rest) and place == failure.place:
        both = re.match(r"is\s+not", failure.rest)
        place = Span(place.source, place.start, place.start + len(both[0] if both is not None else word))
        help = Suggestion.of("write `!=`", place.text, "!=", place)
        return make_error("AX0111", "`is not` is not an operator of the language", place, help=help)
    named = _as_a_name(failure, place)
    if named is not None:
        return make_error("AX0112", f"`{word}` cannot be a name: it is a word of other languages", place, help=named)
    first, opened = failure.layout.first, failure.layout.open
    if word == "None" and first is not None and first.type in SIZED and opened and opened[-1] == "[":
        size = Suggestion.of("the number of examples has a name: `B`", word, "B", place, otherwise=say)
        help = size.or_else(say)
    return make_error("AX0111", f"`{word}` is not a word of the language", place, help=help)


_BEHIND_A_NAME = re.compile(r"\w+\s*(?:[-:=,)+*/\]]|$)")
NEVER = ("None", "True", "False", "pass")
"""Words that stand for something where a name might."""


def _as_a_name(failure: Failure, place: Span) -> Suggestion | None:
    """``lambda: float``, where a name stands: another name, everywhere."""
    word, source = place.text, place.source
    if word in NEVER or place != failure.place or not failure.accepts("NAME"):
        return None
    if _BEHIND_A_NAME.match(failure.rest) is None or failure.starts_line:
        return None
    if word == "lambda" and failure.accepts("NUMBER") and re.match(r"lambda\s*:", failure.rest):
        return None  # a function without a name and without arguments
    if failure.accepts("NUMBER") and re.match(r"\w+\s*=(?!=)", failure.rest):  # an argument, and not a parameter
        for ours in called_here(word, "arguments"):
            return Suggestion.of(
                f"did you mean `{ours}`?", word, ours, place, otherwise=f"it may be called `{ours}` here"
            )
    places = [Span(source, m.start(), m.end()) for m in re.finditer(rf"(?<![\w.\"]){word}(?![\w\"])", source.text)]
    words = f"choose another name, such as `{word}_`"
    return Suggestion.at_places(words, *(Edit(one, f"{word}_") for one in places[:MOST_NAMES]), otherwise=words)


_GAIN = re.compile(r"maximize(?=\s+(\w+)\s.*\bwith\b)")


def opposite(failure: Failure, start: int) -> Suggestion | None:
    """``maximize gain with adam()`` in a program: the loss is declared as its opposite, and minimised."""
    source = failure.whole.source
    step = _GAIN.match(source.text, start)
    loss = (
        re.search(rf"^ *loss +{step[1]} *= *([^#\n]*[^#\s])", source.text, re.MULTILINE) if step is not None else None
    )
    if step is None or loss is None:
        return None
    edits = (
        Edit(Span(source, loss.start(1), loss.end(1)), f"-({loss[1]})"),
        Edit(Span(source, step.start(), step.end()), "minimize"),
    )
    words = f"a program makes a loss small: `loss {step[1]} = -(...)` in the model, and `minimize {step[1]}`"
    return Suggestion.at_places(words, *edits, otherwise=words)
