"""States written while a training runs, into the directory of its run.

What this module does not do: say when (``training`` does), or what a state holds (``resume`` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import replace
from archonnx.runtime.training.programs import State

from .resume import Request, save_state


class Checkpoints:
    """Writes states into the directory of a run that is being made.

    Attributes:
        written: whether there is one now.
    """

    def __init__(self, folder: Path, request: Request) -> None:
        self._folder, self._request = folder, request
        self.written = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Of a training that stops since something is no longer finite, the diagnostic also tells what is left."""
        try:
            yield
        except SpecError as error:
            note = f"the state before is kept in {self._folder}: `--resume {self._folder}` continues from there"
            saved = note if self.written else "nothing was saved"
            found = [replace(d, notes=(*d.notes, saved)) if d.code == "AX0610" else d for d in error.diagnostics]
            raise SpecError(Report(found)) from None

    def keep(self, state: State) -> None:
        """Write a state in place of the one before."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail("AX0616", f"cannot write in {self._folder}: {error.strerror}", None)
        if state.memory is not None:
            state.memory.save(self._folder)
        save_state(self._folder, state, self._request)
        self.written = True
