"""Lines in the form of another language, and the same line in the form of this one: rewritten as texts, each an edit.

A rule is a pattern of a line of code and what it becomes; nothing is known of the line but its text, and whatever comes
of it is tried by the compiler before anybody reads it. What this module does not do: say what is wrong with a line
(``mistakes`` and ``brought`` do), or know words that stand for others (``grammar.foreign`` does).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from archonnx.grammar.diagnostics import Diagnostic, Edit, Suggestion
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

from .failure import Failure
from .indentation import bounds

LONGEST = 160
"""Characters of a line that is looked at: some patterns take time by the cube of it, 0.04 s in the worst case found."""
MOST = 4
"""Suggestions for one line."""
CERTAIN = ("AX0103", "AX0107", "AX0109", "AX0110", "AX0115", "AX0116", "AX0121")
"""What is said where it is known what a line lacks."""


Becomes = str | Callable[[re.Match[str]], str]
Row = tuple[str, Becomes, str] | tuple[str, Becomes, str, str]


class Rule(NamedTuple):
    """What a line holds, and what it becomes; the pattern of lines that are spared, and words that explain it."""

    pattern: re.Pattern[str]
    becomes: Becomes
    words: str
    unless: re.Pattern[str] | None


def _block(match: re.Match[str]) -> str:
    """``block Wide(units: int, x):``, whose tensors stand in brackets of their own, or whose result is not told."""
    given = [part.strip() for part in re.split(r",(?![^\[]*\])", match[2]) if part.strip() and part.strip() != "self"]
    tensors = [part for part in given if "[" in part or not re.search("[:=]", part)]
    own = [part for part in given if part not in tensors]
    if match[3] is not None:
        own, tensors = given, [part.strip() for part in re.split(r",(?![^\[]*\])", match[3])]
    typed = [part if ":" in part else f"{part}: [B, n]" for part in tensors or ["x"]]
    first = re.search(r"\[.*\]", typed[0])
    size = next((part.split(":")[0].strip() for part in own if re.search(r":\s*int\b", part)), None)
    result = first[0] if first is not None else "[B, n]"
    result = re.sub(r",\s*[^,\]]+\]$", f", {size}]", result) if size is not None else result
    return f"block {match[1]}({', '.join(own)})({', '.join(typed)}) -> {result}:"


SCORES = {"softmax": "probs", "sigmoid": "probability", "argmax": "label"}
"""What an output is called that is what a function gives."""


def _named(match: re.Match[str]) -> str:
    """``output softmax(logits)``."""
    return f"output {SCORES.get(match[1], 'y')} = {match[1]}("


def _filled(match: re.Match[str]) -> str:
    """``param scale = ones([n])``: the number it is filled with."""
    return f"{match[1]} {match[2]}: [{match[4]}] = {1 if match[3] == 'ones' else 0}"


def _weights(match: re.Match[str]) -> str:
    """``class_weight={0: 1.0, 1: 5.0}``: a weight for each class, in order."""
    pairs = sorted((int(key), value) for key, value in re.findall(r"(\d+)\s*:\s*([\d.]+)", match[1]))
    return f"weight=tensor([{', '.join(value for _, value in pairs)}])"


def _imported(match: re.Match[str]) -> str:
    """``from nn.layers import Residual``: a file, and the names of it."""
    path = match[1].strip(".").replace(".", "/")
    return f'from "{path}.arch" import {match[2].strip("() ")}'


def _share(match: re.Match[str]) -> str:
    return f"{float(match[1]) / 100:g}"


def _decimal(match: re.Match[str]) -> str:
    return str(int(match[0], 0))


_SHAPE, _DTYPE, _VALUE = r"\[[^\[\]]*\]", r"(?:[iuf]\d+|bf16|bool)", "a value stands behind `=`"
_DECLARES, _NAMES = r"^(input|target)\s+(\w+)", "it needs a name"
_TRAINS = r"^(?:minimi[sz]e|optimi[sz]e|train|fit)"

_ROWS: tuple[Row, ...] = (
    # headers
    (r"^(model\s+\w+)\s*[:{]?\s*$", r"\1():", "a model has brackets, for its arguments"),
    (r"^(train(?:\s+\w+)?|search|together|else)\s*\{?\s*$", r"\1:", "a body begins behind a `:`"),
    (r"^((?:for|if|elif|repeat)\b.*)\s(?:then|do|begin)\s*:?\s*$", r"\1:", "a body begins behind a `:`"),
    (r"^((?:for|if|elif|model|block|fn|repeat|entry)\b.*?)\s*\{\s*$", r"\1:", "a body begins behind a `:`"),
    (
        r"^for\s+(\w+)\s*(?:=|:|from|in)\s*([\w.]+?)\s*(?::|to|\.\.\.?)\s*([\w.]+?)\s*:?$",
        r"for \1 in range(\2, \3):",
        "",
    ),
    (r"^for\s*\((?:\w+\s+)?(\w+)\s*=\s*(\w+)\s*;\s*\w+\s*<\s*([^;]+?)\s*;.*$", r"for \1 in range(\2, \3):", ""),
    (r"\b(\w+)\.\.=(\w+)", r"range(\1, \2 + 1)", ""),
    (r"(?<![\w.])(\w+)\.\.\.?<?(\w+)", r"range(\1, \2)", ""),
    (
        r"^block\s+(\w+)\s*\(((?:[^()\[\]]|\[[^\[\]]*\])*)\)(?:\(((?:[^()\[\]]|\[[^\[\]]*\])*)\))?\s*:?$",
        _block,
        "a block takes arguments and then tensors, and says what it gives",
    ),
    # declarations
    (rf"{_DECLARES}\s*:\s*(\w*{_SHAPE})\s*[,.]$", r"\1 \2: \3", "a statement ends with its line"),
    (rf"{_DECLARES}\s*[:=]?\s*\(\s*([^()]*?)\s*,?\s*\)\s*,?$", r"\1 \2: [\3]", "a shape is written in `[]`"),
    (rf"{_DECLARES}\s*(?:=|::|:|as)?\s*(\w*{_SHAPE})$", r"\1 \2: \3", "a type stands behind a `:`"),
    (rf"{_DECLARES}\s*:\s*(\w+(?:\s*,\s*\w+)+)$", r"\1 \2: [\3]", "a shape is written in `[]`"),
    (
        rf"^(input|target)\s+({_DTYPE})\s*({_SHAPE})\s*(\w+)$",
        r"\1 \4: \2\3",
        "a name stands before its type",
    ),
    (rf"{_DECLARES}\s*:?\s*({_SHAPE})\s*[:,]?\s*({_DTYPE})$", r"\1 \2: \4\3", "a dtype stands before the shape"),
    (rf"{_DECLARES}\s*:\s*({_DTYPE})\s*\(([^()]*)\)$", r"\1 \2: \3[\4]", "a shape is written in `[]`"),
    (rf"{_DECLARES}\s*,\s*(\w+)\s*:\s*(\w*{_SHAPE})$", "\\1 \\2: \\4\n\\1 \\3: \\4", "each has a line of its own"),
    (r"^(output|loss|metric|buffer|param)\s+(\w+)\s*:\s*(?=[^\s=])(?!\w*\[)", r"\1 \2 = ", _VALUE),
    (r"^(output|loss|metric)\s+(\w+)\s*(?:<-|:=|==|\s(?=\w+\())\s*", r"\1 \2 = ", _VALUE),
    (r"^metric\s+(\w+)\s*\(", r"metric \1 = \1(", _NAMES),
    (r"^loss\s+(\w+)\s*\(", r"loss objective = \1(", _NAMES),
    (r"^output\s+(\w+)\s*\(", _named, _NAMES),
    (r"^output\s+(?=[^=]+$)(?!\w+\s*:)", "output y = ", _NAMES),
    (r"^loss\s+(?=[^=]+$)", "loss objective = ", _NAMES),
    (r"^state\s+(\w+)\s*=\s*", r"state \1: [...S] = ", "a state has the shape of its parameter"),
    (
        r"^(buffer|param)\s+(\w+)\s*=\s*(zeros|ones)\(\[?([\w\s,]+?)\]?\)$",
        _filled,
        "a type stands behind a `:`",
    ),
    (rf"^param\s+(\w+)\s*({_SHAPE})\s*(?=[~=])", r"param \1: \2 ", "a type stands behind a `:`"),
    (
        r"^param\s+(\w+)\s*(?::\s*[A-Z]\w+)?\s*=\s*.*\b(?:randn|rand|normal|zeros|ones|empty)\(\(?\s*([\w\s,]+?)\s*\)?\).*$",
        r"param \1: [\2] ~ normal()",
        "a parameter says its shape and what it is drawn from",
    ),
    (
        r"^(\w+)\s*=\s*lambda\s+([\w\s,]+?)\s*:\s*(.+)$",
        "fn \\1(\\2):\n    return \\3",
        "a function is declared by `fn`",
    ),
    (r"^from\s+(\.*[A-Za-z_][\w.]*)\s+import\s+([\w\s,()]+)$", _imported, "what is read is a file"),
    (r"^loop\s+(.+->.+)$", r"scan \1", "a loop emits nothing, and a scan does"),
    # expressions
    (r"(?<==)\s*([^=]+?)\s*<\|\s*(.+)$", r" \2 |> \1", "what is handed on stands first"),
    (r"\bclass_weights?\s*=\s*\{([^{}]*)\}", _weights, "a weight for each class"),
    (
        r"\s*(?:->|=>|\|>>|>>|%>%|~>)\s*(?=[\w.]+\s*(?:[(,)]|->|=>|>>|%>%|~>|\|>|$))",
        " |> ",
        "a value is handed on by `|>`",
        r"^(?:fn|block|entry|model|scan|loop|schedule|optimizer)\b",
    ),
    (r"(?<!\|)\s*\|\s*(?![>|])", " |> ", "a value is handed on by `|>`"),
    (r"(?<=[=(,])\s*([^=(,?]+?)\s*\?\s*([^:?]+?)\s*:\s*([^,)]+)", r" \2 if \1 else \3", ""),
    (r"\b(\d+(?:\.\d+)?)\s*%(?!\s*[\w(])", _share, "a share is a number up to 1"),
    (r"(?<=[(,])(\s*)(\w+)\s*:\s*(?=[^,()\[\]:]+[,)])", r"\1\2=", "an argument is given by `=`"),
    (r";(?=[^\[\](]*[\])])", ",", "items are separated by `,`"),
    (r"(?<!\w)0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)\b", _decimal, "numbers are decimal"),
    (r"(?<![\w.)\]])\.inf\b", "inf", "infinity is a name"),
    (r"(?<![^\s=:])(\d{1,3}),(\d{3})$", r"\1\2", "digits stand together"),
    (
        r"(?<![\w.])(\d+(?:\.\d+)?)\s*(?=[A-Za-z]\w*)(?!(?:if|else|for|in|and|or|not|with|then|while|along|over)\b)",
        r"\1 * ",
        "a product has its sign",
    ),
    (r"(?<=\d)_(?=\d)", "", "digits stand together"),
    (r"\s*(?:<>|=/=|~=|!==)\s*", " != ", ""),
    (r"\s*(?:===|\bequals\b)\s*", " == ", ""),
    # programs
    (rf"{_TRAINS}\s+(.+?)\s*(?:\b(?:using|by|via|uses|through)\b|,)\s*(\w+(?:\(.*\))?)$", r"minimize \1 with \2", ""),
    (rf"{_TRAINS}\s*\(\s*(\w+)\s*,\s*(?:\w+\s*=\s*)?(.+)\)$", r"minimize \1 with \2", ""),
    (rf"{_TRAINS}\s+(\w+)\s+(?!with\b|over\b)(\w+\(.*\))$", r"minimize \1 with \2", ""),
    (
        r"^minimi[sz]e\s+(.+?)\s+with\s+(.+?)\s+over\s+(.+)$",
        r"minimize \1 over \3 with \2",
        "what changes is said first",
    ),
    (r"^minimi[sz]e\s+(\w+\.\w+)$", r"maximize -\1", "a search makes its goal large"),
    (r"^minimi[sz]e\s+(-?\w+)$", r"minimize \1 with adam()", "an optimizer says how"),
    (r"^minimi[sz]e\s+(\w+(?:\.\w+)?)$", r"maximize -\1", "a search makes its goal large"),
    (r"^feed\s+(\w+)\s*(?::|<-|from|with|by|as)\s*(?=\S)", r"feed \1 = ", _VALUE),
    (r"^([a-z]\w*)\s*(?:<-|:=)\s*(?=\S)", r"\1 = ", _VALUE),
    (r"^(.*\S)\s*[,.]$", r"\1", "a statement ends with its line"),
)


@cache
def _rules() -> list[Rule]:
    """The rows with their patterns compiled, since most specs are right."""
    return [
        Rule(re.compile(pattern), becomes, words, re.compile(unless[0]) if unless else None)
        for pattern, becomes, words, *unless in _ROWS
    ]


def reshaped(failure: Failure, diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic with the lines that may be meant, before what it suggests itself."""
    found = list(_proposals(failure))[:MOST] if diagnostic.code not in CERTAIN else []
    if not found:
        return diagnostic
    own = diagnostic.help
    words, last = (own.otherwise, (own,)) if isinstance(own, Suggestion) else (own, ())
    first, *others = found
    return replace(diagnostic, help=first.or_else(words, *others, *last))


def _proposals(failure: Failure) -> Iterator[Suggestion]:
    line = _line(failure)
    text = line.text
    if not text or len(text) > LONGEST:
        return
    seen = {text}
    for rule in _rules():
        if rule.unless is not None and rule.unless.search(text):
            continue
        whole = rule.pattern.sub(rule.becomes, text).rstrip()
        if (
            whole.startswith("output y = ")
            and not text.startswith("output y")
            and re.search(r"\by\b", line.source.text) is not None
        ):
            whole = whole.replace("y", "result", 1)
        if whole not in seen:
            seen.add(whole)
            yield _edit(line, whole, rule.words)


def _line(failure: Failure) -> Span:
    """The code of the line of the place, or of the line that ended before it."""
    source, at = failure.whole.source, failure.place.start
    if failure.starts_line and failure.first is not None:
        at = bounds(failure.first)[0]
    start = max(source.text.rfind("\n", 0, at) + 1, failure.whole.start)
    end = min(source.text.find("\n", at) % (len(source.text) + 1), failure.whole.end)
    code = re.match(r'(\s*)((?:"(?:[^"\\]|\\.)*"|[^"#])*)', source.text[start : min(end, start + 2 * LONGEST)])
    assert code is not None
    return Span(source, start + code.end(1), start + code.end(1) + len(code[2].rstrip()))


def _edit(line: Span, whole: str, words: str) -> Suggestion:
    """The smallest edit that makes one line of another."""
    old, source = line.text, line.source
    margin = " " * (line.start - source.text.rfind("\n", 0, line.start) - 1)
    new = whole.replace("\n", f"\n{margin}")
    most = min(len(old), len(new))
    same = next((i for i in range(most) if old[i] != new[i]), most)
    tail = next((i for i in range(most - same) if old[-1 - i] != new[-1 - i]), most - same)
    edits = [Edit(Span(source, line.start + same, line.end - tail), new[same : len(new) - tail])]
    if old.endswith("{") and not new.endswith("{"):
        edits += _closing(line)
    shown = whole.split("\n", 1)[0]
    return Suggestion.at_places(f"{words}: `{shown}`" if words else f"write `{shown}`", *edits)


def _closing(line: Span) -> Iterator[Edit]:
    """The bracket that closes a body in braces goes away, with its line if it stands alone."""
    text, depth = line.source.text, 1
    for at in range(line.end, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            start = text.rfind("\n", 0, at)
            alone = not text[start:at].strip() and start >= 0
            yield Edit(Span(line.source, start if alone else at, at + 1), "")
            return
