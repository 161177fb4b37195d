"""The lexer with one pattern of all tokens reads what lark's own contextual lexer reads, right texts and wrong ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark, Token, UnexpectedInput
from lark.lexer import ContextualLexer, _create_unless

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text import parser_tables as tables
from archonnx.grammar.text.indentation import Layout
from archonnx.grammar.text.lexing import SharedLexer

TEXTS = [path.read_text(encoding="utf-8") for path in sorted(SPECS.rglob("*.arch"))]
WORDS = ["loss", "input", "of", "with", "in", "if", "train", "search", "every", "x", "1", ".5", "3.", "..", "->", "|>"]
MARKS = ["==", "=", "(", "]", ":", "$", '"', "'", "#", "@", "\n", " "]


class Recorder(Layout):
    """Keeps the tokens that come from the lexer."""

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        self.seen: list[tuple[object, ...]] = []
        return super().process(self._noted(stream))

    def _noted(self, stream: Iterator[Token]) -> Iterator[Token]:
        for token in stream:
            self.seen.append((token.type, str(token), token.start_pos, token.end_pos, token.line, token.end_column))
            yield token


class Reader:
    """A parser with one of the lexers."""

    def __init__(self, lexer: type[ContextualLexer]) -> None:
        self.layout = Recorder()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "PLUGINS", {"ContextualLexer": lexer})
            self.machine: Lark = tables.make_parser(None, self.layout)

    def read(self, text: str) -> tuple[list[tuple[object, ...]], object]:
        """The tokens, and the error that ended them with what was expected there."""
        self.layout.begin(Span(Source("t", text), 0, len(text)))
        try:
            self.machine.parse(text, start="file")
        except UnexpectedInput as error:
            expected = getattr(error, "allowed", None) or getattr(error, "expected", None) or ()
            return self.layout.seen, (type(error), error.pos_in_stream, sorted(expected))
        except SpecError as error:
            return self.layout.seen, str(error)
        return self.layout.seen, None


SHARED, LARKS = Reader(SharedLexer), Reader(ContextualLexer)


def test_no_token_is_a_special_case_of_another() -> None:
    """What the shared pattern stands on: the match alone settles the type of a token."""
    every = SHARED.machine.parser.lexer.lexer.root_lexer.terminals
    assert _create_unless(every, 0, re, False) == (every, {})


def test_specs_have_the_same_tokens() -> None:
    short = [text for text in TEXTS if len(text) < 4000]
    assert len(short) > 20
    for text in short:
        tokens, error = SHARED.read(text)
        assert error is None and (tokens, error) == LARKS.read(text)


@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_mutated_specs_have_the_same_tokens_and_errors(text: str, random: Random) -> None:
    """Words where they are names, names where they are words, and what no token begins with."""
    pieces = re.findall(r"\w+|\s+|.", text, re.DOTALL)[: random.randint(20, 300)]
    for _ in range(random.randint(1, 3)):
        pieces[random.randrange(len(pieces))] = random.choice([*WORDS, *MARKS, random.choice(pieces)])
    changed = "".join(pieces)
    assert SHARED.read(changed) == LARKS.read(changed)


def test_few_states_need_a_pattern_of_their_own() -> None:
    """That is what the shared pattern is for: over all short specs, nearly every token is found by it."""
    fresh = Reader(SharedLexer)
    for text in TEXTS:
        if len(text) < 4000:
            fresh.read(text)
    lexers = set(fresh.machine.parser.lexer.lexer.lexers.values())
    own = [lexer for lexer in lexers if lexer._scanner is not None]
    assert len(lexers) > 40 and len(own) < len(lexers) / 8


def test_a_word_is_a_name_where_only_a_name_may_stand() -> None:
    """There the state's own pattern decides: elsewhere `loss` before a name is a word."""
    text = "fn loss loss(x: f32[]) -> f32[]:\n    return x\n"
    tokens, error = SHARED.read(text)
    assert [token[:2] for token in tokens] == [("FN", "fn"), ("NAME", "loss")] and error is not None
    assert (tokens, error) == LARKS.read(text)
