"""Layers for sequences beside PyTorch's modules, where PyTorch is installed (NumPy's oracles need nothing)."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="PyTorch is an oracle, not a dependency")

from benchmarks.parity import recurrent_modules
from benchmarks.parity.modules import CASES, compare

SAMPLE = [CASES[3], CASES[5], CASES[7], *(recurrent_modules.CASES[i] for i in (4, 7, 9))]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_values_and_gradients_at_three_lengths(case) -> None:
    row = compare(case)
    assert row.holds, row.cells()
