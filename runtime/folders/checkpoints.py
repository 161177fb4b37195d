"""States written while a training runs, into the directory of its run.

What this module does not do: say when (``training.keeping`` does), or what a state holds (``resume`` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import replace
from archonnx.runtime.training.keeping import Keeper
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.programs import State

from .resume import Request, save_state


class Checkpoints:
    """Writes states into the directory of a run that is being made.

    Args:
        folder: the directory.
        request: what was asked for.
        observer: is told where a state could not be written.
        state: the state with which the training begins, which lies somewhere already.
    """

    def __init__(self, folder: Path, request: Request, observer: Observer, state: State | None = None) -> None:
        self._folder, self._request, self._resumed = folder, request, state is not None
        self._observer = observer
        self.keeper: Keeper[State] = Keeper(self._write, observer.note, *([state.reached] if state is not None else []))

    @property
    def written(self) -> bool:
        """Whether there is a state now."""
        return self.keeper.written

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Whatever ends a training before its run is written, the last whole state is kept; diagnostics tell where."""
        try:
            yield
        except SpecError as error:
            self.keeper.keep()
            if not self.written and all(d.code != "AX0610" for d in error.diagnostics):
                raise
            found = [replace(d, notes=(*d.notes, self._left())) for d in error.diagnostics]
            raise SpecError(Report(found)) from None
        except BaseException:
            self.keeper.keep()
            if self.written:
                self._observer.note(self._left())
            raise

    def _left(self) -> str:
        """What there is to go on from."""
        if self.written:
            return f"the state before is kept in {self._folder}: `--resume {self._folder}` continues from there"
        return "nothing was saved: no step was done" + (" since the training went on" if self._resumed else "")

    def _write(self, state: State) -> None:
        """Write a state in place of the one before."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail("AX0616", f"cannot write in {self._folder}: {error.strerror}", None)
        save_state(self._folder, state, self._request)
