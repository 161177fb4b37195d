"""The place at which the parser stopped, as the rules in ``mistakes`` look at it: nothing is decided here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from archonnx.grammar.source import Span

from .indentation import Layout, bounds
from .machine import RefusedError, Token

ENDS = {
    "_NL": "the end of the line",
    "$END": "the end of the text",
    "_DEDENT": "the end of the body",
    "_INDENT": "an indented line",
}
"""Terminals that are the end or the start of something and no text, and how they are named."""

_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, eq=False)
class Failure:
    """The place at which the parser stopped."""

    error: RefusedError
    whole: Span
    layout: Layout

    @cached_property
    def token(self) -> Token | None:
        """The token that did not fit, or None where no token could be read."""
        return self.error.token

    @cached_property
    def kind(self) -> str:
        return self.token.type if self.token is not None else ""

    @cached_property
    def code(self) -> bool:
        """Whether text stopped the parser, and not the end of a line, of a body or of everything."""
        return self.kind not in ENDS

    @cached_property
    def rest(self) -> str:
        """The text from the place on, to the end of its line."""
        start = self.place.start
        end = self.whole.source.text.find("\n", start, self.whole.end)
        return self.whole.source.text[start : self.whole.end if end < 0 else end] if self.code else ""

    @cached_property
    def word(self) -> str:
        """The word at the place, if there is one."""
        match = _WORD.match(self.rest)
        return match[0] if match else ""

    @cached_property
    def place(self) -> Span:
        """The narrowest span to show. For the end of something, the point where the text before it ended."""
        source = self.whole.source
        if not self.code:
            end = self.previous.end if self.previous else self.whole.start
            return Span(source, end, end)
        if self.token is not None:
            return Span(source, *bounds(self.token))
        start = self.error.place
        match = _WORD.match(source.text, start, self.whole.end)
        return Span(source, start, match.end() if match else start + 1)

    @cached_property
    def previous(self) -> Span | None:
        """The token before the place."""
        return self._span(self.layout.previous)

    @cached_property
    def first(self) -> Token | None:
        """The first token of the statement, as far as it was accepted."""
        return None if self.code and self.starts_line and not self.layout.open else self.layout.first

    @cached_property
    def starts_line(self) -> bool:
        """Whether only white space stands before the place on its line."""
        line_start = self.whole.source.text.rfind("\n", 0, self.place.start) + 1
        return not self.whole.source.text[line_start : self.place.start].strip()

    def accepts(self, *terminals: str) -> bool:
        """Whether the parser could have gone on with any of these terminals."""
        return any(self.error.accepts(terminal) for terminal in terminals)

    def _span(self, token: Token | None) -> Span | None:
        return None if token is None else Span(self.whole.source, *bounds(token))
