"""A thread that does one thing after the other, while this one goes on.

What this module does not do: share data; whoever asks sees to it that nobody else uses what a job uses.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

Result = TypeVar("Result")


class Aside:
    """Does jobs in the order in which they are asked for. The thread starts with the first one.

    It is a daemon: a process may end although a job is stuck.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._started = False

    def ask(self, job: Callable[[], Result]) -> Callable[[], Result]:
        """Begin a job; what is returned waits for its result, or raises what it raised. Signals are heard meanwhile."""
        return self.begin(job).result

    def begin(self, job: Callable[[], Result]) -> Future[Result]:
        """Begin a job."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(job())
            except BaseException as error:  # it belongs to whoever asked
                future.set_exception(error)

        if not self._started:
            self._started = True
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._work,), name="archonnx aside", daemon=True).start()
        self._jobs.put(run)
        return future

    def close(self) -> None:
        """Do no more; what is under way is finished, and nobody waits for it."""
        if self._started:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
