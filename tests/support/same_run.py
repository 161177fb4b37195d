"""Two runs that are the same, to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.files import load_parameters
from archonnx.runtime.folders.run import Run


def timeless(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history without what depends on the clock."""
    return [{key: value for key, value in line.items() if key != "seconds"} for line in history]


def assert_equal(one: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    """All arrays, bit by bit."""
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def assert_same_run(one: Run, other: Run) -> None:
    """Weights, optimizer state, history and figures."""
    assert_equal(one.parameters, other.parameters)
    assert_equal(load_parameters(one.path / STATE_FILE), load_parameters(other.path / STATE_FILE))
    assert timeless(one.history) == timeless(other.history)
    assert one.metrics == other.metrics and one.record["best_epoch"] == other.record["best_epoch"]
    assert [p["stopped"] for p in one.record["programs"]] == [p["stopped"] for p in other.record["programs"]]
