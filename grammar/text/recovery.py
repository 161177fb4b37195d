"""How reading goes on after a mistake in syntax, so that all mistakes of a file show in one go.

    a misspelt word    is read as the word that is probably meant
    one line           is left out, where nothing hangs on it: it is not a header, and no bracket goes on
    otherwise          reading resumes at the next declaration

What this module does not do: parse, or say what is wrong.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from archonnx.grammar.diagnostics import Diagnostic, Label, Report, Suggestion
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source, Span

from .outline import outline
from .words import FORMS

AGAIN = 200_000
"""Characters that are read again at most, in all."""


_BRACKET = re.compile(r'"""(?:[^"]|"(?!""))*+(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"|#[^\n]*|([(\[{])|([)\]}])')


def _brackets(text: str, start: int, end: int) -> int:
    """How many more brackets open than close in a part of a text."""
    found = list(_BRACKET.finditer(text, start, end))
    return sum(bool(match[1]) - bool(match[2]) for match in found)


class Reading:
    """A file that is read in spite of mistakes.

    Attributes:
        text: what is read: the file with blanks in place of lines that are left out. Offsets are those of the file.
        start: where reading goes on; None at the end.
        meant: words that are read as others, by their places.
        lost: whether something was left out.
        report: what is wrong, each once.
    """

    def __init__(self, source: Source) -> None:
        self.source = self.text = source
        self.start: int | None = 0
        self.meant: dict[int, str] = {}
        self.lost = False
        self.report = Report()
        self._left = AGAIN
        self._declarations: list[int] | None = None

    def go_on(self, found: Sequence[Diagnostic]) -> None:
        """Keep what was found, of which the last ended the reading, and decide where it goes on."""
        assert self.start is not None
        for diagnostic in found:
            self.report.add(self._of_the_file(diagnostic))
        places = [diagnostic.span.start for diagnostic in found if diagnostic.span is not None]
        self._declarations = self._declarations or [0, *(item.start for item in outline(self.source))]
        at = max([self.start, *places])
        before, later = self._declaration(at)
        last = found[-1]
        self._left -= at - before
        if self._left >= 0 and (self._read_as_meant(last) or self._leave_out(last.span, before)):
            self.start = before
        else:
            self.lost = True
            self.start = later

    def _declaration(self, at: int) -> tuple[int, int | None]:
        """Where the declaration at an offset begins, and the next one."""
        assert self._declarations is not None
        number = bisect_right(self._declarations, at)
        later = self._declarations[number] if number < len(self._declarations) else None
        return self._declarations[number - 1], later

    def _read_as_meant(self, diagnostic: Diagnostic) -> bool:
        """Read a word that begins a statement as the first that is suggested; whether that is new."""
        help, span = diagnostic.help, diagnostic.span
        if not isinstance(help, Suggestion) or diagnostic.code != "AX0111" or span is None or span.start in self.meant:
            return False
        words = (one for one in (help, *help.others) if one.at is None and one.word == span.text)
        meant = next((one.replacement for one in words if one.replacement in FORMS), None)
        if meant is None:
            return False
        self.meant[span.start] = meant
        return True

    def _leave_out(self, span: Span | None, declaration: int) -> bool:
        """Put a name in place of the line; whether nothing hangs on it."""
        if span is None:
            return False
        text = self.text.text
        start = text.rfind("\n", 0, span.start) + 1
        end = text.find("\n", start) % (len(text) + 1)
        line = text[start:end]
        indented = len(line) - len(line.lstrip(" "))
        statement = line.strip()
        if not indented or statement in ("", "_") or statement.startswith(("|>", '"""')) or span.end > end:
            return False
        following = next((other for other in text[end:].split("\n") if other.split("#")[0].strip()), "")
        deeper = len(following) - len(following.lstrip(" ")) > indented
        if deeper or following.strip().startswith("|>") or statement.startswith(("else", "elif")):
            return False
        if _brackets(text, declaration, start) != 0 or _brackets(text, start, end) < 0:
            return False
        name = f"{' ' * indented}_".ljust(len(line))
        self.meant = {place: word for place, word in self.meant.items() if not start <= place <= end}
        self.text = Source(self.source.name, text[:start] + name + text[end:])
        self.lost = True
        return True

    def _of_the_file(self, diagnostic: Diagnostic) -> Diagnostic:
        """A finding in the text with blanks as one in the file itself."""
        if self.text is self.source:
            return diagnostic

        def move(span: Span) -> Span:
            return Span(self.source, span.start, span.end)

        labels = tuple(Label(move(label.span), label.text, label.primary) for label in diagnostic.labels)
        help = diagnostic.help
        return replace(diagnostic, labels=labels, help=help.elsewhere(move) if isinstance(help, Suggestion) else help)
