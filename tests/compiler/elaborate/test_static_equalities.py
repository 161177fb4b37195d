"""A stated equality of dims is believed by static comparisons, as by everything that joins tensors."""

from __future__ import annotations

import pytest

from tests.support.elaborated import codes, model

STATED = "assert B == N\n"
WAYS = {
    "B == N": "dims",
    "[B] == [N]": "lists",
    "[2, B] == [2, N]": "lists of numbers and dims",
    "[[B], []] == [[N], []]": "lists of lists",
    "B in [N]": "an item",
    "[B] in [[1], [N]]": "an item that is a list",
    "shape_of(x) == shape_of(z)": "the shapes of tensors",
}
BOTH = "x: [B, 4]; z: [N, 4]"


def chosen(condition: str, before: str) -> list[str]:
    """What is found where one branch is right, and the other names what there is not."""
    return codes(model(f"{before}if {condition}:\n    y = x\nelse:\n    y = unknown\noutput w = y", BOTH))


@pytest.mark.parametrize("condition", WAYS, ids=WAYS.values())
def test_what_is_stated_is_believed(condition: str) -> None:
    assert chosen(condition, STATED) == []


@pytest.mark.parametrize("condition", WAYS, ids=WAYS.values())
def test_what_is_not_stated_cannot_be_told(condition: str) -> None:
    assert chosen(condition, "") == ["AX0305"]


@pytest.mark.parametrize("condition", [
    "[B, 1] != [N, 2]", "[B] != [N, 2]", "not ([B, 1] == [N, 2])", "not (3 in [1, 2])", "B in [N, B]", "2 in [N, 2]",
    "B in [B]", "[] == []", "not (true in [2])", '"a" in "cat"', "not (2 in {a: 1})", "not ([2] in {a: 1})",
])  # fmt: skip
def test_one_certain_answer_is_enough(condition: str) -> None:
    """A difference in one place makes lists differ, and one equal item is found, whatever the others are."""
    assert chosen(condition, "") == []
