"""docs/errors.md shows what archonnx says today. (What others say is dated on the page.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.error_messages import our_part
from benchmarks.mistake import Mistake
from benchmarks.mistakes import MISTAKES, PEERS

PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_our_message_is_up_to_date(mistake: Mistake) -> None:
    assert our_part(mistake) in PAGE, "run `python -m benchmarks.error_messages`"


def test_every_mistake_is_there_once_with_every_peer() -> None:
    assert PAGE.count("\n## ") == len(MISTAKES)
    for peer, name in PEERS.items():
        assert PAGE.count(f"**{name}**") == sum(peer in mistake.peers for mistake in MISTAKES)
