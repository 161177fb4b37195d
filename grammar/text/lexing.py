"""Which token comes next: one pattern of all tokens, tried in every state of the parser.

Lark's contextual lexer compiles a pattern for each set of tokens that some state accepts, and a short spec meets fifty
of them: that was a tenth of the time of a check. Here a state asks the pattern of all tokens first. Both patterns are
alternatives in one order, so what the pattern of all tokens finds is what the state's own would find, if the state
accepts it; otherwise, as where a word like `loss` is a name, the state's own pattern is compiled and decides.

That holds while no token is a special case of another (in lark's terms: a string that a regular expression matches at
the same priority), which lark decides after the match. The tests say that the grammar has none, and compare the tokens
of both lexers. This module does not know the grammar, nor what newlines mean.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import Any

from lark.common import LexerConf
from lark.lexer import AbstractBasicLexer, BasicLexer, ContextualLexer, Scanner

MEANT: dict[int, str] = {}
"""Words that are read as other words, by their places: those that begin statements and are misspelt. Whoever reads on
after such a mistake fills it, under the lock of the parser."""


class StateLexer(BasicLexer):
    """The lexer of the states that accept some set of tokens.

    Attributes:
        all_tokens: The pattern of all tokens of the grammar.
        names: The tokens that are accepted here.
    """

    all_tokens: Scanner

    def __init__(self, conf: LexerConf, comparator: Any = None) -> None:
        super().__init__(conf, comparator)
        self.callback = {}
        self.names = {terminal.name for terminal in self.terminals}

    def match(self, text: Any, pos: int) -> tuple[str, str] | None:
        """The text and the type of the token at ``pos``; None where there is none that is accepted."""
        found: tuple[str, str] | None = self.all_tokens.match(text, pos)
        if found is not None and pos in MEANT:
            return found[0], MEANT[pos].upper()
        if found is not None and found[1] not in self.names:
            found = self.scanner.match(text, pos)
        return found


class SharedLexer(ContextualLexer):
    """The lexers of all states, which share one pattern; each is made when its state is first met.

    Lark takes it as a plugin.
    """

    def __init__(
        self, conf: LexerConf, states: dict[int, Collection[str]], always_accept: Collection[str] = ()
    ) -> None:
        self.root_lexer = StateLexer(conf)
        self.root_lexer.all_tokens = self.root_lexer.scanner
        self.lexers = _Lexers(conf, states, {*conf.ignore, *always_accept}, self.root_lexer.all_tokens)


class _Lexers(dict[int, AbstractBasicLexer]):
    """The lexer of each state that was met; states that accept the same tokens share one."""

    def __init__(self, conf: LexerConf, states: dict[int, Collection[str]], always: set[str], shared: Scanner) -> None:
        self.conf = conf
        self.states = states
        self.always = always
        self.shared = shared
        self.made: dict[frozenset[str], StateLexer] = {}

    def __missing__(self, state: int) -> StateLexer:
        names = frozenset(self.states[state])
        if names not in self.made:
            conf = copy(self.conf)
            terminals = self.conf.terminals_by_name
            conf.terminals = [terminals[name] for name in names | self.always if name in terminals]
            self.made[names] = StateLexer(conf)
            self.made[names].all_tokens = self.shared
        self[state] = lexer = self.made[names]
        return lexer
