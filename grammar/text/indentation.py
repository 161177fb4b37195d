"""Indentation: turns the newlines that the lexer finds into the ends of statements and the borders of bodies.

It also watches over what is open, so that a mistake can be shown at its opener, and bounds nesting. It does not know
where a body may stand: that is the grammar's business.
"""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.source import Span

from .machine import Token

MAX_BRACKETS = 64
MAX_INDENTATION = 32

CLOSERS = {"(": ")", "[": "]", "{": "}"}
NEWLINE = "_NL"


class Layout:
    """Adds ``_INDENT`` and ``_DEDENT`` tokens to a stream, as Python does, and drops newlines inside brackets.

    Attributes:
        open: The brackets that are open, outermost first.
        indents: Width and place of the indentation of each open body, outermost first.
        first: The first token of the statement that was read last.
        previous: The token that was accepted last, layout aside.
        longest: Length of the longest logical line so far: no expression is deeper than its text is long.
    """

    def begin(self, span: Span, *, free: bool = False, relative: bool = False) -> None:
        """Prepare for one text.

        Args:
            span: The text.
            free: Newlines mean nothing anywhere, as inside brackets.
            relative: The first line sets the indentation of the outermost statements; otherwise they are not indented.
        """
        self.span = span
        self.free = free
        self.relative = relative
        self.open: list[Token] = []
        self.indents: list[tuple[int, Span]] = []
        self.first: Token | None = None
        self.previous: Token | None = None
        self.longest = 0
        self.line_start = span.start

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens with layout."""
        starts_statement = True
        for token in stream:
            if token.type == NEWLINE:
                if not self.free and not self.open:
                    starts_statement = True
                    yield from self._end_line(token)
                continue
            if not self.indents:
                self._start(self._position(token))
            yield token
            if starts_statement:
                self.first = token
                starts_statement = False
            self.previous = token
            self._watch(token)
        yield from self._end(starts_statement)

    def _watch(self, token: Token) -> None:
        """Keep the list of open brackets. A closer that does not fit never comes here: the parser has refused it."""
        if token in CLOSERS:
            self.open.append(token)
            if len(self.open) > MAX_BRACKETS:
                span = self._span(token)
                fail(
                    "AX0115",
                    f"brackets are nested more than {MAX_BRACKETS} deep",
                    span,
                    "one bracket too many",
                    help="give the inner parts names of their own",
                )
        elif self.open and token == CLOSERS[self.open[-1]]:
            self.open.pop()

    def _end_line(self, token: Token) -> Iterator[Token]:
        self._measure(token)
        start, end = bounds(token)
        at_end = end == self.span.end
        position = Span(self.span.source, start + token.rfind("\n") + 1, end)
        if not self.indents:
            if not at_end:
                self._start(position)
            return
        yield token
        if at_end:
            return
        width = self._width(position)
        if width > self.indents[-1][0]:
            self._indent(width, position)
            yield token.empty("_INDENT")
            return
        while width < self.indents[-1][0]:
            previous = self.indents.pop()
            if not self.indents or width > self.indents[-1][0]:
                fail(
                    "AX0106",
                    "this line is indented less than its neighbours, but not as far as an outer body",
                    position,
                    f"{_spaces(width)} here",
                    others=[Label(previous[1], f"{_spaces(previous[0])} here")],
                    help="lines of one body start in the same column",
                )
            yield token.empty("_DEDENT")

    def _end(self, after_newline: bool) -> Iterator[Token]:
        """Close what the end of the text closes: the last line and every body, but no bracket."""
        if self.free or self.open or not self.indents:
            return
        end = Token(NEWLINE, "", self.span.end, self.span.end)
        if not after_newline:
            self._measure(end)
            yield end
        for _ in self.indents[1:]:
            yield end.empty("_DEDENT")

    def _start(self, position: Span) -> None:
        """The first line of code."""
        width = 0 if self.free else self._width(position)
        if width and not self.relative:
            fail("AX0106", "the first line of a file is not indented", position, f"{_spaces(width)} too many")
        self.indents.append((width, position))

    def _indent(self, width: int, position: Span) -> None:
        self.indents.append((width, position))
        if len(self.indents) > MAX_INDENTATION:
            fail(
                "AX0115",
                f"bodies are nested more than {MAX_INDENTATION} deep",
                position,
                "one body too many",
                help="move the inner parts into a fn or block of their own",
            )

    def _measure(self, token: Token) -> None:
        start, end = bounds(token)
        self.longest = max(self.longest, start - self.line_start)
        self.line_start = end

    def _width(self, indentation: Span) -> int:
        """Number of columns; a tab is refused, because people's editors disagree on its width."""
        text = indentation.text
        if "\t" in text:
            start = indentation.start + text.index("\t")
            fail(
                "AX0105",
                "a tab in the indentation",
                Span(indentation.source, start, start + 1),
                "this is a tab",
                help="indent with spaces, four for each level",
            )
        return len(text)

    def _position(self, token: Token) -> Span:
        """The indentation before the first token of a text."""
        start, _ = bounds(token)
        line_start = self.span.source.text.rfind("\n", 0, start) + 1
        return Span(self.span.source, line_start if self.relative else max(line_start, self.span.start), start)

    def _span(self, token: Token) -> Span:
        return Span(self.span.source, *bounds(token))


def bounds(token: Token) -> tuple[int, int]:
    """Where a token starts and ends."""
    return token.start, token.end


def _spaces(count: int) -> str:
    return f"{count} space" if count == 1 else f"{count} spaces"
