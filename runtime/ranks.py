"""Several processes that train one model together: what they say to each other.

Each process is a *rank*; all of them do the same things in the same order. What they say goes through one thread, so
that sums are made while a step goes on, and somebody who asks to stop is heard while others are waited for. What this
module does not do: start processes (``mpirun`` does), or know MPI (``mpi`` does).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from archonnx.grammar.diagnostics import fail

from .aside import Aside
from .shared_memory import Bytes, shared_memory

Numbers = npt.NDArray[Any]
Result = TypeVar("Result")
Job = TypeVar("Job")
LOOK = 0.1
"""Seconds between two looks at whether somebody asks to stop, while others are waited for; or whether they have come,
where they may take long."""
AWAKE = 2e-3
"""Seconds for which others are waited for without leaving the core: shares of a batch differ by less."""
REST = 5e-5
"""Seconds between two looks afterwards, so that a process that is behind has the core."""
PATIENCE = 0.5
"""Seconds that others have, after somebody asked to stop, before they count as lost."""


class Communicator(Protocol):
    """What MPI does, as far as it is needed."""

    @property
    def rank(self) -> int:
        """The number of this process, counted from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def add(self, numbers: Numbers, meanwhile: Callable[[], None] | None = None) -> None:
        """Replace an array by its sum over all ranks, the same to the bit on each; calls ``meanwhile`` as it waits."""

    def gather(self, one: Any) -> list[Any]:
        """What each rank gives, in their order."""

    def abort(self, status: int) -> None:
        """End all ranks."""


class Ranks:
    """This process among others.

    Attributes:
        rank: its number.
        size: how many there are.
        stopping: whether all have heard that one of them was asked to stop.
    """

    def __init__(self, communicator: Communicator, asked: Callable[[], bool] = lambda: False) -> None:
        self._communicator, self._aside, self._asked = communicator, Aside(), asked
        self.rank, self.size = communicator.rank, communicator.size
        self.stopping = False

    def begin_sum(self, numbers: Numbers) -> Callable[[], None]:
        """Begin to replace an array by its sum over all ranks; what is returned waits for it."""
        return self._waiting(self._aside.begin(lambda: self._communicator.add(numbers)))

    def add(self, numbers: Numbers) -> None:
        """Replace a small array by its sum over all ranks, while nothing else is summed."""
        self._communicator.add(numbers, _Patience(self._asked))

    def meet(self) -> None:
        """Go on when all ranks have come here."""
        self.add(np.zeros(1))

    def wait(self) -> None:
        """Go on when all ranks have come here, however long that takes: each has had something else to do."""
        self._communicator.add(np.zeros(1), partial(time.sleep, LOOK))

    def dealt(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Of jobs that are independent the ones that are this rank's: they are dealt out in turn."""
        return jobs[self.rank :: self.size]

    def part(self, count: int) -> tuple[int, int]:
        """Of so many numbers the ones that are this rank's, from one to another."""
        return count * self.rank // self.size, count * (self.rank + 1) // self.size

    def memory(self, size: int) -> Bytes | None:
        """Memory of so many bytes, zeros, that all ranks see; None where they are on several machines."""
        return shared_memory(size, self.rank == 0, self.gather)

    def gather(self, one: Result) -> list[Result]:
        """What each rank gives, in their order."""
        found: list[Result] = self._waiting(self._aside.begin(lambda: self._communicator.gather(one)))()
        return found

    def of_first(self, make: Callable[[], Result]) -> Result:
        """What the first rank makes, for all; where it fails, the others hear of it (AX0722)."""
        made: list[Result] = []
        failure = failure_of(lambda: made.append(make())) if self.rank == 0 else None
        told: list[Result] = self.gather(made)[0]
        if failure is not None:
            raise failure
        if not told:
            lost()
        return told[0]

    def agree(self, failure: Exception | None) -> None:
        """Meet after something that each rank did by itself: raises its failure, or AX0722 where another one failed.

        All hear whether one of them was asked to stop.
        """
        told = np.array([self._asked(), failure is not None], np.float64)
        self.add(told)
        if failure is not None:
            raise failure
        if told[1]:
            lost()
        self.stopping |= bool(told[0])

    @property
    def asked(self) -> bool:
        """Whether somebody asked this process to stop."""
        return self._asked()

    def check_equal(self, tensors: Mapping[str, Numbers]) -> None:
        """SpecError unless all ranks hold the same numbers, to the bit."""
        self._check_same(
            {name: hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
             for name, array in tensors.items()},
            "each updates by the same sums, so the machines or their libraries compute differently",
            "run all processes on machines of one kind, with the same versions of the packages",
        )  # fmt: skip

    def check_order(self, ordered: Mapping[str, Any]) -> None:
        """SpecError unless all ranks take their examples in the same order, of which this is what it depends on."""
        self._check_same(
            ordered,
            "each process reads the data itself, and it has not as many examples, or others, everywhere",
            "let all processes read the same data",
        )

    def _check_same(self, said: Mapping[str, Any], note: str, help: str) -> None:
        found = self.gather(dict(said))
        for name in found[0]:
            if any(other.get(name) != found[0][name] for other in found):
                headline = f"`{name}` is not the same in all {self.size} processes"
                fail("AX0721", headline, None, notes=[note], help=help)

    def share(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The examples of a batch that are this rank's; where there are fewer than ranks, each takes all of them."""
        if len(rows) < self.size:
            return rows
        return rows[slice(*self.part(len(rows)))]

    def seed(self, seed: int) -> int:
        """The seed with which this rank draws; that of the first is the run's."""
        return (seed + self.rank * 0x9E3779B97F4A7C15) % 2**63

    def close(self) -> None:
        """Say no more."""
        self._aside.close()

    def abort(self, status: int = 1) -> None:
        """End all ranks."""
        self._communicator.abort(status)

    def _waiting(self, future: Future[Result]) -> Callable[[], Result]:
        def result() -> Result:
            patience = _Patience(self._asked)
            while True:
                try:
                    return future.result(LOOK)
                except TimeoutError:
                    if future.done():
                        raise
                patience.look()

        return result


class _Patience:
    """Waits for others, awake at first; SpecError where somebody asked to stop and they do not come."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self._asked, self._since = asked, time.monotonic()
        self._stopping: float | None = None
        self._next = self._since + LOOK

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._since > AWAKE:
            time.sleep(REST)
        if now > self._next:
            self._next = now + LOOK
            self.look()

    def look(self) -> None:
        """Look whether somebody asks to stop."""
        if self._asked():
            self._stopping = self._stopping or time.monotonic()
            if time.monotonic() - self._stopping > PATIENCE:
                lost()


def failure_of(run: Callable[[], None]) -> Exception | None:
    """What a call fails with, so that the other ranks can be told first."""
    try:
        run()
    except Exception as error:
        return error
    return None


def lost() -> NoReturn:
    """The diagnostic where another rank has ended."""
    fail("AX0722", "another process of the training has ended", None)
