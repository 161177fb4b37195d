"""Lines that are not YAML as it is meant, and what they become: edits of all such lines at once, to be tried."""

from __future__ import annotations

import re

from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Source, Span

MOST = 20
"""Edits of one suggestion."""
_LINES = (
    (re.compile(r"^([ ]*(?:- )?[a-z_]\w*)[ ]*=[ ]*(?=\S)", re.MULTILINE), r"\1: ", "a key has a colon, `key: value`"),
    (re.compile(r"^([ ]*)-(?=[A-Za-z{\[])", re.MULTILINE), r"\1- ", "a blank stands behind a dash"),
    (re.compile(r"^([ ]*)\t[\t ]*", re.MULTILINE), r"\1  ", "indent with spaces"),
    (re.compile(r"^([ ]*(?:- )?[a-zA-Z_]\w*):(?=[\w{\[\"'])", re.MULTILINE), r"\1: ", "a blank stands behind a colon"),
    (re.compile(r"^([ ]*)[*+•](?=[ ]*[A-Za-z{])[ ]*", re.MULTILINE), r"\1- ", "an item begins with a dash"),
    (
        re.compile(r"^([ ]+[a-z_]\w*):[ ]*(\w*\[[^\]\n]*\])[ ]*=[ ]*([^\n\"]+?)[ ]*$", re.MULTILINE),
        r'\1: {type: "\2", value: "\3"}',
        "a type and a value have keys, `{type: ..., value: ...}`",
    ),
    (re.compile(r"([{,][ ]*[a-z_]\w*):(?=[\w\"'\[{])", re.MULTILINE), r"\1: ", "a blank stands behind a colon"),
    (re.compile(r"[ ]*;[ ]*$", re.MULTILINE), "", "nothing stands at the end of a line"),
    (
        re.compile(r"^([a-z_]+):[ ]+([a-z_]+:[ ]+[^\s\"'{\[].*)$", re.MULTILINE),
        r"\1:\n  \2",
        "a key below another has a line of its own",
    ),
)  # fmt: skip
"""Lines that are not YAML, and what they become, all lines at once."""


def lines(source: Source) -> list[Suggestion]:
    """Texts that are YAML where this one is not."""
    found = []
    for pattern, becomes, words in _LINES:
        matches = list(pattern.finditer(source.text))[: MOST + 1]
        edits = [Edit(Span(source, match.start(), match.end()), match.expand(becomes)) for match in matches]
        edits = [edit for edit in edits if edit.changes]
        if 0 < len(edits) <= MOST:
            found.append(Suggestion.at_places(words, *edits, otherwise=words))
    return found
