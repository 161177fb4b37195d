"""The machine that reads a text: a lexer and a parser that share one stack, driven by tables.

The tables are those of an LALR(1) grammar, which lark works out from ``archonnx.lark`` (see ``parser_tables``). Each
state of the parser says which tokens it takes: so ``loss`` is a word in one place and a name in another. One pattern of
all tokens is asked first; it finds what the state's own pattern would find, if the state takes it, since both are
alternatives in one order. Otherwise the state's own pattern is made and decides, which is rare. That holds while the
match alone settles which token it is, as ``parser_tables`` makes sure.

The machine builds no tree: it calls a function for each rule, with the values of the rule's parts. It does not know the
grammar, nor what newlines mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypedDict

Row = Mapping[str, int]
"""What a state does with a symbol. With a terminal: go to a state, a number from 0 on, or reduce by rule ``~number``;
with a rule: go to a state."""
END = "$END"


class Token(str):
    """A piece of text with the terminal that it is, and the offsets where it starts and ends."""

    __slots__ = ("end", "start", "type")
    type: str
    start: int
    end: int

    def __new__(cls, type: str, text: str, start: int, end: int) -> Token:
        token = str.__new__(cls, text)
        token.type, token.start, token.end = type, start, end
        return token

    def empty(self, type: str) -> Token:
        """A token without text, at the place of this one."""
        return Token(type, "", self.start, self.end)


class Shape(TypedDict):
    """A rule of the grammar.

    Attributes:
        origin: what it makes.
        size: how many parts it has.
        inlined: the parts whose own parts stand in their place.
        call: the function that takes its parts; empty where there is none.
        single: whether a part that is alone stands for the rule.
    """

    origin: str
    size: int
    inlined: list[int]
    call: str
    single: bool


class Tables(TypedDict):
    """A grammar, as the machine follows it; JSON can hold it.

    Attributes:
        terminals: their names and patterns, in the order in which they are tried.
        ignored: terminals that are dropped.
        rules: by number.
        rows: different rows of the table.
        states: the number of each state's row.
        starts: the state in which a text of each kind starts.
        ends: the state in which it has been read.
    """

    terminals: list[tuple[str, str]]
    ignored: list[str]
    rules: list[Shape]
    rows: list[dict[str, int]]
    states: list[int]
    starts: dict[str, int]
    ends: dict[str, int]


class RefusedError(Exception):
    """The place where a text stops to follow the grammar.

    Attributes:
        place: the offset.
        token: what could not be taken there; None where no token could be read.
    """

    def __init__(self, place: int, token: Token | None, machine: Machine, stack: list[int], end: int) -> None:
        super().__init__(place)
        self.place, self.token = place, token
        self._machine, self._stack, self._end = machine, list(stack), end

    def accepts(self, terminal: str) -> bool:
        """Whether the text could go on with a terminal: reductions are followed, without values, until it is taken."""
        rows, stack = self._machine.rows, list(self._stack)
        while (action := rows[stack[-1]].get(terminal)) is not None:
            if action >= 0:
                return True
            rule = self._machine.rules[~action]
            del stack[len(stack) - rule["size"] :]
            stack.append(rows[stack[-1]][rule["origin"]])
            if terminal == END and stack[-1] == self._end:
                return True
        return False


class Machine:
    """Reads texts by tables.

    Args:
        tables: the grammar.
        builder: has a method for each rule's ``call``, which takes the list of its parts.
        everywhere: terminals that the layout takes in every state.
    """

    def __init__(self, tables: Tables, builder: object, everywhere: Iterable[str]) -> None:
        self.rules = tables["rules"]
        self.rows: list[Row] = [tables["rows"][number] for number in tables["states"]]
        self.own: dict[frozenset[str], re.Pattern[str]] = {}
        """The patterns of states that have been asked, by the terminals that they take."""
        self._starts, self._ends = tables["starts"], tables["ends"]
        self._terminals = tables["terminals"]
        self._all = _alternatives(self._terminals)
        self._ignored = frozenset(tables["ignored"])
        self._everywhere = self._ignored.union(everywhere)
        self._steps = [(rule["size"], rule["origin"], _reduction(rule, builder)) for rule in self.rules]

    def parse(
        self,
        text: str,
        start: int,
        end: int,
        rule: str,
        layout: Callable[[Iterator[Token]], Iterator[Token]],
        meant: Mapping[int, str],
    ) -> Any:
        """What the builder makes of a text.

        Args:
            text: what ``text[start:end]`` is read of.
            start: the first offset.
            end: the offset behind the last one.
            rule: what the text is to be.
            layout: changes the stream of tokens on its way.
            meant: words that tokens are taken for, by their places.

        Raises:
            RefusedError: The text does not follow the grammar.
        """
        stack, last = [self._starts[rule]], self._ends[rule]
        values: list[Any] = []
        token = Token(END, "", 0, 0)
        for token in layout(self._tokens(text, start, end, stack, last, meant)):
            self._take(token, stack, values, last)
        self._take(token.empty(END), stack, values, last)
        return values[-1]

    def _take(self, token: Token, stack: list[int], values: list[Any], last: int) -> None:
        """Reduce until the token can be put on the stack, or until the text has been read."""
        rows, steps, kind = self.rows, self._steps, token.type
        while True:
            action = rows[stack[-1]].get(kind)
            if action is None:
                raise RefusedError(token.start, token, self, stack, last)
            if action >= 0:
                stack.append(action)
                values.append(token)
                return
            size, origin, reduce = steps[~action]
            if reduce is None:  # one part, which stands for the rule
                stack[-1] = rows[stack[-2]][origin]
                continue
            if size:
                parts = values[-size:]
                del values[-size:], stack[-size:]
            else:
                parts = []
            values.append(reduce(parts))
            stack.append(state := rows[stack[-1]][origin])
            if state == last and kind == END:
                return

    def _tokens(
        self, text: str, place: int, end: int, stack: list[int], last: int, meant: Mapping[int, str]
    ) -> Iterator[Token]:
        """The tokens, each found when it is asked for: by then the stack tells which ones may stand there."""
        match, rows, everywhere, ignored = self._all.match, self.rows, self._everywhere, self._ignored
        while place < end:
            found = match(text, place, end)
            kind = found and found.lastgroup
            if found is None or kind is None:
                raise RefusedError(place, None, self, stack, last)
            if place in meant:
                kind = meant[place].upper()
            elif kind not in rows[stack[-1]] and kind not in everywhere:
                own = self._pattern(rows[stack[-1]]).match(text, place, end)
                if own is None or own.lastgroup is None:
                    raise RefusedError(place, Token(kind, found[0], place, found.end()), self, stack, last)
                found, kind = own, own.lastgroup
            start, place = place, found.end()
            if kind not in ignored:
                yield Token(kind, found[0], start, place)

    def _pattern(self, row: Row) -> re.Pattern[str]:
        """The pattern of the terminals that a state takes."""
        names = self._everywhere.union(row)
        if names not in self.own:
            self.own[names] = _alternatives([terminal for terminal in self._terminals if terminal[0] in names])
        return self.own[names]


def _alternatives(terminals: Iterable[tuple[str, str]]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in terminals))


def _reduction(rule: Shape, builder: object) -> Callable[[list[Any]], Any] | None:
    """The function from the parts of a rule to its value; None where its one part stands for it.

    Of a rule without a call, the value is the list of its parts, which stand in its place wherever it is a part.
    """
    if rule["single"] and not rule["call"]:
        return None
    call: Callable[[list[Any]], Any] = getattr(builder, rule["call"]) if rule["call"] else _themselves
    reduce = (lambda parts: parts[0] if len(parts) == 1 else call(parts)) if rule["single"] else call
    if not rule["inlined"]:
        return reduce
    inlined = frozenset(rule["inlined"])

    def spliced(parts: list[Any]) -> Any:
        flat: list[Any] = []
        for number, part in enumerate(parts):
            if number not in inlined:
                flat.append(part)
            elif flat:
                flat += part
            else:  # a repetition grows its own list, or a long text would take time by its square
                flat = part
        return reduce(flat)

    return spliced


def _themselves(parts: list[Any]) -> list[Any]:
    return parts
