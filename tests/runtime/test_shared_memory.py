"""Memory that several processes see: what one writes the other reads, and all agree on whether they see it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.runtime import shared_memory as module
from archonnx.runtime.shared_memory import shared_memory

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it is there on Linux alone")


def two(size: int) -> list[Any]:
    """What each of two comes to, as threads in place of processes."""
    barrier, given, found = threading.Barrier(2, timeout=20), [None, None], [None, None]

    def run(rank: int) -> None:
        def tell(one: Any) -> list[Any]:
            given[rank] = one
            barrier.wait()
            heard = list(given)
            barrier.wait()
            return heard

        found[rank] = shared_memory(size, rank == 0, tell)  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_what_one_writes_the_other_reads() -> None:
    one, other = two(1000)
    assert one.shape == (1000,) and not one.any() and one.ctypes.data != other.ctypes.data
    one[:] = np.arange(1000) % 256
    np.testing.assert_array_equal(one, other)


def test_where_one_does_not_see_it_nobody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_made", lambda size, token: None)  # no such system
    assert two(1000) == [None, None]
    monkeypatch.undo()
    monkeypatch.setattr(module.os, "open", lambda *_: os.dup(0))  # somebody else's file
    assert two(1000) == [None, None]
