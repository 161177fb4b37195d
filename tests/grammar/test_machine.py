"""The machine reads what lark's own parser reads, right texts and wrong ones: the same rules, tokens and refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.lark import PostLex

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.indentation import NEWLINE, Layout
from archonnx.grammar.text.machine import END, Machine, RefusedError, Token
from archonnx.grammar.text.parser_tables import GRAMMAR, lark_parser, read_tables

TEXTS = [path.read_text(encoding="utf-8") for path in sorted(SPECS.rglob("*.arch"))]
SHORT = [text for text in TEXTS if len(text) < 4000]
WORDS = ["loss", "input", "of", "with", "in", "if", "train", "search", "every", "x", "1", ".5", "3.", "..", "->", "|>"]
MARKS = ["==", "=", "(", "]", ":", "$", '"', "'", "#", "@", "\n", " "]
TABLES = read_tables()
TERMINALS = [name for name, _ in TABLES["terminals"]] + ["_INDENT", "_DEDENT", END]


class Shapes:
    """Builds what a text consists of: the name of each rule, and its parts."""

    def __getattr__(self, name: str) -> Any:
        return lambda parts: (name, *(as_told(part) for part in parts))


def as_told(part: object) -> object:
    return (part.type, str(part), part.start, part.end) if isinstance(part, Token) else part


class Ours:
    """The machine, with a builder of shapes."""

    def __init__(self) -> None:
        self.layout = Layout()
        self.machine = Machine(TABLES, Shapes(), [NEWLINE])

    def read(self, text: str, rule: str = "file") -> object:
        """The shape of a text, or where it is refused and what could have stood there."""
        self.layout.begin(Span(Source("t", text), 0, len(text)), free=rule == "expression")
        try:
            return self.machine.parse(text, 0, len(text), rule, self.layout.process, {})
        except RefusedError as error:
            return _refused(error.place, as_told(error.token), [n for n in TERMINALS if error.accepts(n)])
        except SpecError as error:
            return str(error)


def _refused(place: int | None, token: Any, accepted: list[str]) -> object:
    """What is compared of a refusal. Behind a token without text, lark does not know where the end of a text is."""
    return (END, accepted) if token is not None and token[0] == END else (place, token, accepted)


class Arranged(PostLex):
    """The layout, for lark."""

    always_accept = (NEWLINE,)

    def __init__(self) -> None:
        self.layout = Layout()

    def process(self, stream: Iterator[lark.Token]) -> Iterator[lark.Token]:
        for token in self.layout.process(self._taken(stream)):
            yield lark.Token(token.type, str(token), token.start, end_pos=token.end)

    def _taken(self, stream: Iterator[lark.Token]) -> Iterator[Token]:
        for token in stream:
            assert token.start_pos is not None and token.end_pos is not None
            yield Token(token.type, str(token), token.start_pos, token.end_pos)


class Larks:
    """Lark's own lexer, parser and trees."""

    def __init__(self) -> None:
        self.arranged = Arranged()
        self.parser = lark_parser(GRAMMAR.read_text(encoding="utf-8"), postlex=self.arranged)

    def read(self, text: str, rule: str = "file") -> object:
        self.arranged.layout.begin(Span(Source("t", text), 0, len(text)), free=rule == "expression")
        try:
            return self._shape(self.parser.parse(text, start=rule))
        except lark.UnexpectedInput as error:
            token = error.token if isinstance(error, lark.UnexpectedToken) else None
            told = None if token is None else (token.type, str(token), token.start_pos, token.end_pos)
            accepted: Any = error.interactive_parser.accepts()  # type: ignore[attr-defined]
            return _refused(error.pos_in_stream, told, [name for name in TERMINALS if name in accepted])
        except SpecError as error:
            return str(error)

    def _shape(self, part: Any) -> object:
        if isinstance(part, lark.Token):
            return part.type, str(part), part.start_pos, part.end_pos
        return (str(part.data), *(self._shape(inner) for inner in part.children))


OURS, LARKS = Ours(), Larks()


def test_specs_have_the_same_shape() -> None:
    assert len(SHORT) > 20
    for text in SHORT:
        shape: Any = OURS.read(text)
        assert shape[0] == "file" and len(shape) > 1
        assert shape == LARKS.read(text)


@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_mutated_specs_have_the_same_shape_or_are_refused_at_the_same_place(text: str, random: Random) -> None:
    """Words where they are names, names where they are words, and what no token begins with."""
    pieces = re.findall(r"\w+|\s+|.", text, re.DOTALL)[: random.randint(20, 300)]
    for _ in range(random.randint(1, 3)):
        pieces[random.randrange(len(pieces))] = random.choice([*WORDS, *MARKS, random.choice(pieces)])
    changed = "".join(pieces)
    assert OURS.read(changed) == LARKS.read(changed)


@pytest.mark.parametrize(
    "text", ["a", "(a, b)[1:, ...].c(x=2, *y)", "a + b * -c ** d", "[x for x in y if z]", "a not in", "", "1 2", "§"]
)
def test_an_expression_has_the_same_shape_or_is_refused_at_the_same_place(text: str) -> None:
    assert OURS.read(text, "expression") == LARKS.read(text, "expression")


def test_few_states_need_a_pattern_of_their_own() -> None:
    """That is what the pattern of all tokens is for: over all short specs, nearly every token is found by it."""
    fresh = Ours()
    for text in SHORT:
        fresh.read(text)
    assert 0 < len(fresh.machine.own) < 8
    assert len({frozenset(row) for row in fresh.machine.rows}) > 40


def test_a_word_is_a_name_where_only_a_name_may_stand() -> None:
    """There the state's own pattern decides: elsewhere `loss` before a name is a word."""
    text = "fn loss loss(x: f32[]) -> f32[]:\n    return x\n"
    refused: Any = OURS.read(text)
    assert refused[:2] == (8, ("NAME", "loss", 8, 12)) and refused == LARKS.read(text)
