"""Where in a statement somebody is typing: in a word of what, inside which brackets, as which argument.

The statement need not be finished, so it is looked at from its beginning up to the place, by tokens alone. What this
module does not do: say what fits there (``features.completion`` and ``features.signature`` do).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .document import Document

LONGEST = 8
"""Words of a dotted name that are kept, and one more."""
_TOKEN = re.compile(
    r'''(?P<string>"""(?:[^"]|"(?!""))*+(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"?)|(?P<comment>#[^\n]*)'''
    r"""|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<operator>\|>|->|[=!<>]=|\*\*|//|[^\w\s"#])"""
)


@dataclass(slots=True)
class Open:
    """A bracket that is open.

    Attributes:
        sign: ``(``, ``[`` or ``{``.
        callee: the word before it, with what is before its dots; ``""`` where there is none.
        at: its offset.
        count: how many commas stood in it.
        name: the keyword, or the key, whose value is being typed.
        names: all keywords and keys in it before.
        second: whether it directly follows a closed bracket, as the second list of a block does.
        piped: whether a value comes to it by ``|>``.
    """

    sign: str
    callee: str
    at: int
    count: int = 0
    name: str | None = None
    names: set[str] = field(default_factory=set)
    second: bool = False
    piped: bool = False


@dataclass(slots=True)
class Context:
    """A place in a statement.

    Attributes:
        start: where the statement begins.
        inside: ``code``, ``string`` or ``comment``.
        word: what is typed of a word, or of the text of a string.
        word_at: where that begins.
        owner: what stands before the dot that is before the word, and where it ends.
        before: the words and signs of the statement before the word, without what stands in closed brackets.
        open: the brackets around, outermost first.
    """

    start: int
    inside: str = "code"
    word: str = ""
    word_at: int = 0
    owner: tuple[str, int] | None = None
    before: list[str] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)

    @property
    def call(self) -> Open | None:
        """The innermost open bracket of a call."""
        return next((one for one in reversed(self.open) if one.sign == "(" and one.callee), None)

    @property
    def last(self) -> str:
        """What stands before the word."""
        return self.before[-1] if self.before else ""


def context_at(document: Document, offset: int) -> Context:
    """The place at an offset of a document."""
    line_start = document.lines.starts[document.lines.position(offset).line]
    start = line_start
    piece = None if document.yaml else document.piece_at(offset)
    if piece is not None and piece.start <= offset:
        whole = scan(document.text, piece.start, offset)
        if piece.start >= line_start or offset <= piece.end or whole.open:
            return whole
    return scan(document.text, start, offset)


def scan(text: str, start: int, offset: int) -> Context:
    """The place at an offset in the statement that begins at ``start``."""
    scanner, at = _Scanner(Context(start, word_at=offset)), start
    found = scanner.found
    while (match := _TOKEN.search(text, at)) is not None and match.start() < offset:
        kind, token, at = match.lastgroup or "", match[0], match.end()
        if at >= offset and kind in ("string", "comment"):
            if at > offset or kind == "comment" or len(token) == 1 or not token.endswith('"'):
                found.inside, found.word_at = kind, match.start() + 1
                found.word = text[match.start() + 1 : offset]
                return found
        elif at >= offset and kind == "word":
            found.word, found.word_at = text[match.start() : offset], match.start()
            break
        if kind != "comment":
            scanner.take(kind, token, match.start())
    if scanner.dot is not None:
        found.owner = (".".join(scanner.path), scanner.dot)
    return found


@dataclass(slots=True)
class _Scanner:
    """What is known after some tokens.

    Attributes:
        path: the words of a dotted name that ends here.
        dot: where the dot is that stands last.
        closed: what was called in the bracket that was closed last, if that stands last.
        depths: how long ``before`` was when each bracket was opened.
    """

    found: Context
    path: list[str] = field(default_factory=list)
    dot: int | None = None
    closed: str | None = None
    depths: list[int] = field(default_factory=list)

    def take(self, kind: str, token: str, at: int) -> None:
        """Go on by one token."""
        if token == ".":
            self.dot = at
            return
        if kind == "word":
            self.path = [*self.path[-LONGEST:], token] if self.dot is not None else [token]
            self.found.before.append(token)
            self.closed = None
        elif kind == "operator" and token in "([{":
            self._opens(token, at)
        elif kind == "operator" and token in ")]}":
            self._closes(token)
        else:
            self._signs(token)
        if kind != "word":
            self.path = []
        self.dot = None

    def _opens(self, token: str, at: int) -> None:
        callee = (self.closed or ".".join(self.path)) if token == "(" else ""
        words, count = self.found.before, max(1, len(self.path))
        piped = len(words) > count and words[-count - 1] == "|>"
        opened = Open(token, callee, at, second=self.closed is not None, piped=piped)
        self.found.open.append(opened)
        self.depths.append(len(self.found.before))
        self.found.before.append(token)
        self.closed = None

    def _closes(self, token: str) -> None:
        self.closed = None
        if self.found.open:
            self.closed = self.found.open.pop().callee or None
            del self.found.before[self.depths.pop() :]
        self.found.before.append(token)

    def _signs(self, token: str) -> None:
        inner, name = (self.found.open[-1] if self.found.open else None), ".".join(self.path)
        if inner is not None and token == ",":
            inner.count += 1
            inner.name = None
        elif inner is not None and name and token == {"(": "=", "{": ":"}.get(inner.sign):
            inner.name = name
            inner.names.add(name)
        self.found.before.append(token)
        self.closed = None
