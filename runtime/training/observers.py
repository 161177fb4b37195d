"""Several observers as one. What this module does not do: keep what they raise from the others that come after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .observing import Epoch, Observer, Outcome


class Several(Observer):
    """Tells each of them, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self.now_and_then = all(observer.now_and_then for observer in observers)

    def program(self, name: str, number: int, count: int) -> None:
        for observer in self._observers:
            observer.program(name, number, count)

    def opening(self, line: str) -> None:
        for observer in self._observers:
            observer.opening(line)

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        for observer in self._observers:
            observer.begin(epochs, steps_per_epoch, done)

    def watches(self, what: str) -> None:
        for observer in self._observers:
            observer.watches(what)

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        for observer in self._observers:
            observer.step(epoch, step, losses)

    def epoch(self, record: Epoch) -> None:
        for observer in self._observers:
            observer.epoch(record)

    def note(self, text: str) -> None:
        for observer in self._observers:
            observer.note(text)

    def end(self, outcome: Outcome) -> None:
        for observer in self._observers:
            observer.end(outcome)
