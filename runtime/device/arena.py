"""onnxruntime's arena, as far as it decides how much of what it has taken is ever touched.

It takes regions of growing size, gives the smallest free piece that is large enough, and cuts a piece only where half
of it or more would be left. So an arena holds more than what is alive in it. What this module does not do: allocate
anything.
"""

from __future__ import annotations

from dataclasses import dataclass

ALIGNED = 256
FIRST = 2**20
"""Bytes of the first region; each one after it is twice as large."""
DEAD = 128 * 2**20
"""The most that stays unused at the end of a piece."""


@dataclass(slots=True, eq=False)
class Piece:
    """A part of a region."""

    region: int
    start: int
    size: int
    free: bool = True


class Arena:
    """Where pieces lie, and how far each place was touched.

    Attributes:
        touched: bytes that were ever part of something alive.
    """

    def __init__(self) -> None:
        self._regions: list[list[Piece]] = []
        self._reach: list[list[tuple[int, int]]] = []
        self._next = FIRST

    def take(self, size: int) -> Piece:
        """A piece for so many bytes."""
        wanted = max(ALIGNED, -(-size // ALIGNED) * ALIGNED)
        free = [piece for region in self._regions for piece in region if piece.free and piece.size >= wanted]
        piece = min(free, key=lambda piece: (piece.size, piece.region, piece.start), default=None)
        if piece is None:
            piece = self._extend(wanted)
        if piece.size >= 2 * wanted or piece.size - wanted >= DEAD:
            region = self._regions[piece.region]
            rest = Piece(piece.region, piece.start + wanted, piece.size - wanted)
            region.insert(region.index(piece) + 1, rest)
            piece.size = wanted
        piece.free = False
        self._reach[piece.region].append((piece.start, piece.start + size))
        return piece

    def _extend(self, wanted: int) -> Piece:
        grown = False
        while wanted > self._next:
            self._next *= 2
            grown = True
        piece = Piece(len(self._regions), 0, self._next)
        self._regions.append([piece])
        self._reach.append([])
        if not grown:
            self._next *= 2
        return piece

    def give(self, piece: Piece) -> None:
        """Give a piece back; it joins free ones beside it."""
        region = self._regions[piece.region]
        piece.free = True
        place = region.index(piece)
        if place + 1 < len(region) and region[place + 1].free:
            piece.size += region.pop(place + 1).size
        if place and region[place - 1].free:
            region[place - 1].size += region.pop(place).size

    @property
    def touched(self) -> int:
        """Bytes that were ever part of something alive."""
        total = 0
        for reach in self._reach:
            end = 0
            for start, stop in sorted(reach):
                total += max(0, stop - max(start, end))
                end = max(end, stop)
        return total
