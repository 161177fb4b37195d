"""Examples that are drawn anew: those of each pass over a source come from a draw of its own.

The draw of a pass follows from the run's seed, the name of the source and the number of the pass alone, so that a
training that is taken up again draws the same. The first pass has the draw by which the source is known: it is split,
measured, and learned from. What this module does not do: draw (``training.preparing`` says how).
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np

from .loader import Fields

Round = tuple[int, ...]
"""Which draw: none for the first pass, else numbers that no other pass has."""
KEPT = 2
"""So many draws are kept: rounds of ``repeat`` take examples of one pass between those of another."""


def seed_of_round(seed: int, name: str, round_: Round = ()) -> int:
    """What a source is drawn with: another number for each source and pass."""
    words = [seed, crc32(name.encode()), *((len(round_), *round_) if round_ else ())]
    return int(np.random.SeedSequence(words).generate_state(1)[0])


class Draws:
    """The fields of a source in each pass; ``draw`` gives those of one but the first."""

    def __init__(self, draw: Callable[[Round], Fields]) -> None:
        self._draw = draw
        self._kept: dict[Round, Fields] = {}

    def of(self, round_: Round) -> Fields:
        """All fields of the part that trains, in the order of the first draw."""
        if round_ in self._kept:
            self._kept[round_] = self._kept.pop(round_)  # the one that was used last is kept longest
        else:
            self._kept = dict(list(self._kept.items())[1 - KEPT :])
            self._kept[round_] = self._draw(round_)
        return self._kept[round_]
