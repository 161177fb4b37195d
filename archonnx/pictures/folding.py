"""Finds what repeats itself in an outline, and draws it once: ``x 3``.

Parts of a box that follow each other are folded if they look alike, are connected alike inside, take the same from
outside, take from the one before what it took from what was before it, and if only the results of the last one are used
elsewhere. What this module does not do: compare what is computed; it compares what would be seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .outline import Box, Edge, Item, Outline

MOST = 400
"""Parts of a box that are searched for repetitions."""


def fold(outline: Outline) -> None:
    """Fold every box, the innermost first."""
    _fold_box(outline, outline.root)


def _fold_box(outline: Outline, box: Box) -> None:
    for part in box.parts:
        if isinstance(part, Box):
            _fold_box(outline, part)
    start = 0
    while start < len(box.parts) <= MOST:
        found = _Search(outline, box).longest(start)
        if found is not None:
            _apply(outline, box, found)
        start += 1


@dataclass(frozen=True, slots=True)
class _Found:
    """Parts from ``start`` on, ``period`` of them again and again, ``times`` times."""

    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        return self.start + self.period * self.times


class _Search:
    """Repetitions among the parts of a box."""

    def __init__(self, outline: Outline, box: Box) -> None:
        self.parts = box.parts
        self.looks: list[int] = []
        numbers: dict[object, int] = {}
        for part in self.parts:
            self.looks.append(numbers.setdefault(_look(part), len(numbers)))
        self.where = {item: (i, k) for i, part in enumerate(self.parts) for k, item in enumerate(_items(part))}
        self.into: dict[int, list[Edge]] = defaultdict(list)
        self.out: list[Edge] = []
        for edge in outline.edges:
            if edge.target in self.where:
                self.into[self.where[edge.target][0]].append(edge)
            if edge.source in self.where:
                self.out.append(edge)

    def longest(self, start: int) -> _Found | None:
        """The repetition from a part on that covers most; of equal ones that with the shortest period."""
        best: _Found | None = None
        for period in range(1, (len(self.parts) - start) // 2 + 1):
            found = _Found(start, period, self._times(start, period))
            while found.times > 1 and not self._closed(found):
                found = _Found(start, period, found.times - 1)
            if self._worth(found) and (best is None or period * found.times > best.period * best.times):
                best = found
        return best

    def _worth(self, found: _Found) -> bool:
        """Whether something is saved: two formulas are drawn as they are."""
        part = self.parts[found.start]
        large = found.period > 1 or isinstance(part, Box) or part.kind == "module"
        return found.times > (1 if large else 2)

    def _times(self, start: int, period: int) -> int:
        if any(isinstance(p, Item) and p.kind not in ("module", "formula") for p in self.parts[start : start + period]):
            return 1
        times = 1
        first: dict[Item, Item] = {}
        while self._again(_Found(start, period, times), first):
            times += 1
        return times

    def _again(self, found: _Found, first: dict[Item, Item]) -> bool:
        """Whether one more follows; ``first`` says what the first one takes where others take of the one before."""
        start, period, end = found.start, found.period, found.end
        if self.looks[end - period : end] != self.looks[end : end + period]:
            return False
        for at in range(end, end + period):
            before, now = self.into[at - period], self.into[at]
            if len(before) != len(now):
                return False
            for old, new in zip(before, now, strict=True):
                same = old.label == new.label and self.where[old.target][1] == self.where[new.target][1]
                if not same or not self._alike(old.source, new.source, start, period, end, first):
                    return False
        return True

    def _alike(self, old: Item, new: Item, start: int, period: int, end: int, first: dict[Item, Item]) -> bool:
        """Whether two parts of successive turns take the same."""
        then, now = self.where.get(old), self.where.get(new)
        if now is None or now[0] < start:
            return old is new
        if now[0] < end - period:
            return False
        if then is not None and then[0] >= start:
            return now[0] - then[0] == period and now[1] == then[1]
        return now[0] < end == start + period and first.setdefault(new, old) is old

    def _closed(self, found: _Found) -> bool:
        """Whether what reads from outside reads of the last one."""
        last = found.end - found.period
        for edge in self.out:
            source = self.where[edge.source][0]
            if found.start <= source < last:
                target = self.where.get(edge.target)
                if target is None or not found.start <= target[0] < found.end:
                    return False
        return True


def _apply(outline: Outline, box: Box, found: _Found) -> None:
    """Keep the first of them, which hands on what the last one did."""
    parts, period = box.parts, found.period
    kept, dropped = parts[found.start : found.start + period], parts[found.start + period : found.end]
    stand: dict[Item, Item] = {}
    for at, part in enumerate(dropped):
        stand.update(zip(_items(part), _items(kept[at % period]), strict=True))
    outline.edges = [
        Edge(stand.get(edge.source, edge.source), edge.target, edge.label)
        for edge in outline.edges
        if edge.target not in stand
    ]
    if period == 1:
        kept[0].repeat *= found.times
        kept[0].shared = kept[0].path != "" and kept[0].path == dropped[0].path
        parts[found.start : found.end] = kept
    else:
        parts[found.start : found.end] = [Box("", parts=kept, repeat=found.times, path=box.path)]


def _items(part: Item | Box) -> Sequence[Item]:
    return [part] if isinstance(part, Item) else list(part.items())


def _look(part: Item | Box) -> object:
    """What is seen of a part, but for the first detail of a module, which only says which one it is."""
    details = part.details[1:] if part.path and part.details else part.details
    if isinstance(part, Item):
        return (part.kind, part.label, details, part.repeat)
    return (part.label, details, part.repeat, tuple(map(_look, part.parts)))
