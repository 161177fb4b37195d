"""When the state of a training is kept: every so many seconds or passes, and when it ends otherwise than it should.

What this module does not do: take the state (``fit`` does), or write it (``folders.checkpoints`` does).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from archonnx.compiler.settings import Checkpoint
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.interrupt import attending

AGAIN_SECONDS = 10.0
"""A state that could not be written is tried again after this time, or sooner."""
WORTH_KEEPING = 1.0
"""So many seconds of work are written down before something else is done that takes time."""
DEAR = 0.1
"""Keeping the state is told to be dear if it takes more than this share of the time."""
now = time.monotonic


class Reached(Protocol):
    """A state that says how far it is."""

    @property
    def reached(self) -> tuple[int, ...]:
        """Grows with everything that is done."""


Kept = TypeVar("Kept", bound=Reached)


class Keeper(Generic[Kept]):
    """Hands states on to be written.

    A process may be killed at any moment; then the work since the last state that was written is lost. So the next one
    is taken where another pass, as long as the one before, would take longer than what is left of the time. Writing by
    time takes half of it at most; writing every so many passes takes what it takes.

    Args:
        write: writes a state; SpecError or OSError where it cannot.
        note: is told what people should know.
        reached: how far the training is that begins: what is not beyond it need not be kept.
    """

    def __init__(
        self,
        write: Callable[[Kept], None] | None = None,
        note: Callable[[str], None] = lambda text: None,
        reached: tuple[int, ...] = (0, 0, 0, 0),
    ) -> None:
        self._write, self._note = write, note
        self._reached = reached
        self._state: Callable[[], Kept | None] = lambda: None
        self._seconds, self._every = Checkpoint().seconds, Checkpoint().steps
        self._from = self._seen = now()
        """Since when there is work that is not kept; when the last pass ended."""
        self._writing = 0.0
        self._not_before = -math.inf
        self._steps = 0
        self._failing = self._told = False
        self.written = False

    def watch(self, wanted: Checkpoint, state: Callable[[], Kept | None]) -> None:
        """Keep states of what begins now; ``state`` gives the last whole one, None where there is none."""
        self._seconds, self._every, self._state = wanted.seconds, wanted.steps, state
        self._seen = now()

    def due(self) -> bool:
        """Whether the state is to be kept, after a pass or a batch that was measured."""
        if self._write is None:
            return False
        moment, seconds = now(), self._seconds
        took, self._seen = moment - self._seen, moment
        if moment < self._not_before:
            return False
        late = seconds is not None and moment + took > self._from + seconds and moment > self._from + self._writing
        return late or (self._every is not None and self._steps >= self._every)

    def stepped(self, passes: int = 1) -> None:
        """So many passes are done."""
        self._steps += passes

    def room(self, on_their_way: int) -> int | None:
        """How many passes may follow those that are on their way before the state is to be kept; None: any number."""
        if self._write is None or self._every is None:
            return None
        return self._every - (self._steps + on_their_way) % self._every

    def keep(self) -> None:
        """Write the state, if it is beyond the last one. A failure is told, and tried again later."""
        if self._write is None:
            return
        taken = now()
        with attending() as interrupt, interrupt.holding():
            try:
                state = self._state()
                if state is not None and state.reached > self._reached:
                    self._write(state)
                    self._reached = state.reached
                    self._succeeded(taken)
            except (SpecError, OSError, MemoryError) as error:
                self._failed(error)
            self._seen = now()

    def worth_keeping(self) -> bool:
        """Whether much was done since the last state."""
        return now() - self._from > WORTH_KEEPING

    def _failed(self, error: Exception) -> None:
        again = min(AGAIN_SECONDS, (self._seconds or AGAIN_SECONDS) / 2)
        self._not_before = now() + again
        if not self._failing:
            why = error.diagnostics[0].headline if isinstance(error, SpecError) else str(error) or type(error).__name__
            self._note(f"the state of the training is not kept: {why}; it is tried again while the training goes on")
        self._failing = True

    def _succeeded(self, taken: float) -> None:
        self.written = True
        written = now()
        self._writing = written - taken
        self._from, self._steps, self._not_before = written, 0, -math.inf
        if self._failing:
            self._note("the state of the training is kept again")
        self._failing = False
        seconds = self._seconds
        if not self._told and seconds is not None and self._writing > DEAR * seconds:
            self._told = True
            self._note(
                f"keeping the state takes {self._writing:.1f} s every {seconds:.0f} s: `checkpoint = {{minutes: 10}}` "
                "does it less often"
            )
