"""Batches that somebody's Python makes as they are needed, as a source: ``archonnx.Batches``.

They are read in their order, and a batch that was asked for again, or later than the next, is found by going through
the iterable from its beginning: so a training that is taken up again meets the same batches, if the iterable gives the
same. What this module does not do: make fields of batches (``training.streaming`` does).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from archonnx.grammar.diagnostics import did_you_mean, fail

from .arrays import from_arrays, is_frame
from .graphs import is_graph
from .loader import Loaded

OPEN = 3
"""So many places in the iterables are kept: rounds of ``repeat`` take batches of their own."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches as they come, for a source of a spec: ``archonnx.train(spec, sources={"data": Batches(loader)})``.

    A batch is a mapping of arrays by the names of columns, or a tuple of them in the order of the model's fields. As
    many batches are an epoch as ``count`` says; what an iterable has beyond that is not read.

    Args:
        of: what gives the batches of an epoch: an iterable that begins anew each time, such as a list, or a function of
            the number of the epoch, counted from 1, that gives an iterable.
        count: how many batches an epoch has; ``len(of)`` unless given.

    Examples:
        >>> Batches(lambda epoch: noise(seed=epoch), count=100)   # doctest: +SKIP
    """

    of: Iterable[Any] | Callable[..., Iterable[Any]]
    count: int | None = None


def as_batches(given: Any) -> Batches | None:
    """What is given for a source, if it is batches: said so, or a function, or an iterable that is not data itself."""
    if isinstance(given, Batches):
        return given
    known = (str, bytes, Mapping, Loaded, np.ndarray)
    if isinstance(given, known) or hasattr(given, "__fspath__") or is_graph(given) or _is_table(given):
        return None
    return Batches(given) if callable(given) or isinstance(given, Iterable) else None


def _is_table(given: Any) -> bool:
    """Whether it is a frame, or something else of the packages that make such."""
    return is_frame(given) is not None or hasattr(given, "columns")


class Stream:
    """The batches of a source, by the number of the epoch and their place in it.

    Args:
        name: what the spec calls the source.
        batches: where they come from.
        names: the fields of the model, of which a tuple has the arrays; none where a tuple is not read.
    """

    def __init__(self, name: str, batches: Batches, names: Sequence[str]) -> None:
        self.name, self._of, self._names = name, batches.of, names
        self._open: dict[tuple[int, ...], tuple[int, Iterator[Any]]] = {}
        self.count = self._counted(batches)
        self.first = self.batch((1,), 0)
        """The first batch, by which the columns are known."""
        self._open.clear()

    def batch(self, key: tuple[int, ...], number: int) -> Loaded:
        """A batch of an epoch.

        Args:
            key: of an iterator: the epoch, and what tells it from others in it.
            number: its place, counted from 0.
        """
        at, iterator = self._open.pop(key, (0, None))
        if iterator is None or at > number:
            at, iterator = 0, self._iterator(key[0])
        given: Any = None
        for place in range(at, number + 1):
            try:
                given = next(iterator)
            except StopIteration:
                fail(
                    "AX0603",
                    f"the batches of `{self.name}` end after {place} in epoch {key[0]}, and {self.count} are an epoch",
                    None,
                    help="`archonnx.Batches(of, count=...)` says how many there are",
                )
        self._open = {**dict(list(self._open.items())[1 - OPEN :]), key: (number + 1, iterator)}
        return self._loaded(given, f"batch {number + 1} of epoch {key[0]} of `{self.name}`")

    def _counted(self, batches: Batches) -> int:
        count, of = batches.count, batches.of
        if count is None and isinstance(of, Sized):
            count = len(of)
        if count is None:
            fail(
                "AX0702",
                f"it is not known how many batches of `{self.name}` are an epoch",
                None,
                help="say so: `archonnx.Batches(of, count=100)`",
            )
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            fail("AX0702", f"`{self.name}`: an epoch has a number of batches from 1 on, not {count!r:.40}", None)
        return count

    def _iterator(self, epoch: int) -> Iterator[Any]:
        of = self._of
        found = of if isinstance(of, Iterable) else of(epoch) if _takes_epoch(of) else of()
        if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
            what = f"a {type(found).__name__}"
            fail(
                "AX0608", f"`{self.name}`: batches come one after the other from an iterable, and this is {what}", None
            )
        iterator = iter(found)
        if iterator is of:
            fail(
                "AX0702",
                f"the batches of `{self.name}` can be gone through once, and each epoch begins anew",
                None,
                notes=["a training that is taken up again goes through those that it has had"],
                help="give a list, an object whose `__iter__` begins anew, or a function that makes the iterable",
            )
        return iterator

    def _loaded(self, given: Any, where: str) -> Loaded:
        """A batch as what a source holds; SpecError if it is none, or has not the columns of the first one."""
        if isinstance(given, tuple | list):
            if not self._names or len(given) != len(self._names):
                named = f"a tuple of {len(self._names)}, {', '.join(self._names)}" if self._names else "by name"
                fail("AX0608", f"{where}: a batch is arrays by name, or {named}; given: {len(given)} arrays", None)
            given = dict(zip(self._names, given, strict=True))
        if not isinstance(given, Mapping):
            fail("AX0608", f"{where}: a batch is arrays by name, and this is a {type(given).__name__}", None)
        if not given:
            fail("AX0608", f"{where}: a batch is arrays by name, and this one has none", None)
        loaded = from_arrays(given, where=where)
        if not len(loaded.fields["index"]):
            fail("AX0603", f"{where} has no examples", None)
        if hasattr(self, "first"):
            self._check_names(loaded, where)
        return loaded

    def _check_names(self, loaded: Loaded, where: str) -> None:
        now, before = loaded.kinds, self.first.kinds
        for name in before:
            if name not in now and name not in loaded.problems:
                fail("AX0607", f"{where} has no `{name}`, and the first batch has", None, help=did_you_mean(name, now))
        for name, kind in now.items():
            if name not in before:
                fail("AX0607", f"{where} has `{name}`, and the first batch has not", None)
            if kind != before[name]:
                fail("AX0603", f"{where}: `{name}` holds {kind}, and {before[name]} in the first batch", None)


def _takes_epoch(function: Callable[..., Any]) -> bool:
    """Whether a function takes the number of the epoch."""
    try:
        inspect.signature(function).bind(1)
    except (TypeError, ValueError):
        return False
    return True
