"""Being asked to stop: by Ctrl-C, and by the signals that end a process whose terminal or machine goes.

While somebody attends, the first signal waits until what is under way is whole; a second one interrupts at once. What
this module does not do: decide what is whole (``fit`` does).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ASKING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
"""Signals that ask a process to end. A process that was told to ignore one, as by ``nohup``, goes on ignoring it."""
PATIENCE = 2
"""After so many signals, the next one ends the process even while it writes."""


class Interrupt:
    """Who has asked to stop.

    Attributes:
        signal: the first signal that came, None before it.
        again: whether there was a second one.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._count = self._waiting = self._holding = 0
        self.agreed: Callable[[], bool] | None = None
        """Where several processes train together: whether all have heard that one of them was asked."""

    @property
    def again(self) -> bool:
        """Whether somebody has lost patience."""
        return self._count > 1

    def check(self) -> None:
        """KeyboardInterrupt if somebody has asked to stop: what is under way is whole here."""
        if self.asked:
            raise KeyboardInterrupt

    @property
    def asked(self) -> bool:
        """Whether somebody has asked to stop, as far as this process may act on it."""
        return self._count > 0 if self.agreed is None else self.agreed()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Here the first signal waits for ``check``."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Here all signals wait for the end, since something is written that is soon done."""
        before = self._count
        self._holding += 1
        try:
            yield
        finally:
            self._holding -= 1
        if not self._holding and self._count > before and (self.again or not self._waiting):
            raise KeyboardInterrupt

    def arrived(self, number: int, frame: FrameType | None) -> None:
        """A signal has come."""
        self._count += 1
        self.signal = self.signal or signal.Signals(number)
        if self._holding:
            if self._count > PATIENCE:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
        elif self._count > 1 or not self._waiting:
            raise KeyboardInterrupt


_attending: list[Interrupt] = []
"""The one that the handlers of this process tell, if there is one."""


@contextmanager
def attending() -> Iterator[Interrupt]:
    """Take signals, until the outermost of such contexts ends.

    Only the main thread may do this; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Interrupt()
        return
    if _attending:
        yield _attending[-1]
        return
    interrupt = Interrupt()
    before = {number: signal.getsignal(number) for number in ASKING}
    taken = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    _attending.append(interrupt)
    try:
        for number in taken:
            signal.signal(number, interrupt.arrived)
        yield interrupt
    finally:
        _attending.clear()
        for number in taken:
            signal.signal(number, before[number])


def asked_to_stop() -> bool:
    """Whether a signal has come since somebody attends."""
    return bool(_attending) and _attending[-1].signal is not None


@contextmanager
def ending() -> Iterator[Interrupt]:
    """``attending``; at the end of the outermost one a process ends that was asked to by other means than Ctrl-C.

    It ends as the signal wants it: by the handler of the program around, or with the status 128 and its number.
    """
    outermost = not _attending
    with attending() as interrupt:
        try:
            yield interrupt
        except KeyboardInterrupt:
            if not outermost or interrupt.signal in (None, signal.SIGINT):
                raise
    number = interrupt.signal
    if outermost and number is not None and number != signal.SIGINT:
        if not callable(signal.getsignal(number)):
            raise SystemExit(status_of(number))
        signal.raise_signal(number)


def status_of(number: int) -> int:
    """The exit status of a process that ended by a signal."""
    return 128 + number
