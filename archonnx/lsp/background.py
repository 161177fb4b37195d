"""Checks in the background: one at a time, when the typing pauses; one of a text that has changed since is stopped.

What this module does not do: know of the protocol. Whoever asks is told what was found, in the loop that it runs in.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .checking import Check, Checked, Early
from .document import Document

PAUSE = 0.12
"""Seconds without a change after which a text is checked."""
LONGEST = 30.0
"""Seconds after which a check is stopped, whatever it counted; it is told as one that costs too much."""
STACK = 64 * 2**20
"""Bytes of the stack of the thread that checks: specs nest deep, and threads have less than a process."""


class Checker:
    """Checks documents.

    Attributes:
        told: is called with the URI and what was found: first without fixes, then with those that help.
        failed: is called with what went wrong where a check has a bug.
    """

    def __init__(
        self,
        told: Callable[[str, Checked], None],
        failed: Callable[[Exception], None],
        others: Callable[[], Mapping[Path, str]],
    ) -> None:
        self._told, self._failed, self._others = told, failed, others
        self._tasks: dict[str, asyncio.Task[None]] = {}
        before = threading.stack_size(STACK)
        self._threads = ThreadPoolExecutor(1, "check")
        self._threads.submit(int).result()  # the thread is made now, with that stack
        threading.stack_size(before)

    def ask(self, document: Document, pause: float = PAUSE) -> None:
        """Check a document soon, in place of what was asked of it before."""
        self.forget(document.uri)
        self._tasks[document.uri] = asyncio.get_running_loop().create_task(self._check(document, pause))

    def forget(self, uri: str) -> None:
        """Do not check a document any more."""
        if (task := self._tasks.pop(uri, None)) is not None:
            task.cancel()

    async def run(self, document: Document, early: Early = lambda found: None) -> Checked:
        """What is found in a document; if whoever waits is cancelled, the check is stopped."""
        check = Check(document.text, document.name, document.path, self._others())
        loop = asyncio.get_running_loop()
        clock = loop.call_later(LONGEST, check.stop)
        try:
            return await loop.run_in_executor(self._threads, check.run, early)
        finally:
            clock.cancel()
            check.stop()

    async def _check(self, document: Document, pause: float) -> None:
        await asyncio.sleep(pause)
        loop, uri = asyncio.get_running_loop(), document.uri

        def early(found: Checked) -> None:
            loop.call_soon_threadsafe(self._told, uri, found)

        try:
            self._told(uri, await self.run(document, early))
        except Exception as error:
            self._failed(error)
