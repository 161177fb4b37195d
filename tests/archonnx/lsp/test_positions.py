"""Positions beside UTF-16 itself: what Python's codec says of the characters before a place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol.types import Position

from archonnx.lsp.positions import Lines, Moves

TEXTS = st.text(st.sampled_from(["a", " ", "é", "\u2028", "\x0b", "𝛼", "🦜", "\n", "\r"]), max_size=40)


def in_utf_16(text: str, offset: int) -> tuple[int, int]:
    """Line and units of an offset: lines end as the protocol says, and a unit is two bytes."""
    before = text[:offset]
    if before.endswith("\r") and text[offset : offset + 1] == "\n":
        before = before[:-1]
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2


@settings(max_examples=25)
@given(TEXTS)
def test_positions_count_utf_16_units_and_lead_back(text: str) -> None:
    lines = Lines(text)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] == "\r\n":
            continue  # inside the end of a line there is no position
        position = lines.position(offset)
        assert (position.line, position.character) == in_utf_16(text, offset)
        assert lines.offset(position) == offset


def test_places_that_are_not_there_are_moved_to_the_border() -> None:
    lines = Lines("ab\n🦜c\n")
    assert lines.offset(Position(0, 99)) == 2
    assert lines.offset(Position(1, 1)) == 3  # between the two units of the parrot
    assert lines.offset(Position(1, 2)) == 4
    assert lines.offset(Position(9, 0)) == 6
    assert (lines.position(99).line, lines.position(99).character) == (2, 0)


@settings(max_examples=25)
@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_what_has_not_changed_is_found_again(before: str, old: str, new: str, after: str) -> None:
    was, now = before + old + after, before + new + after
    moves = Moves(was, now)
    for offset in range(len(was)):
        moved = moves.forth(offset, offset + 1)
        kept = offset < len(before) or (offset >= len(before + old) and len(new) >= len(old))
        assert moved is not None or not kept
        if moved is not None:
            assert now[slice(*moved)] == was[offset]
            assert moves.back(*moved) == (offset, offset + 1)
