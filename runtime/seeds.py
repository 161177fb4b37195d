"""Seeds as graphs take them.

What this module does not do: draw anything.
"""

from __future__ import annotations

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import fail

SEEDS = 2**63
"""Above the greatest; ``compiler.settings`` says the same to a spec."""


def seed_value(seed: int) -> Array:
    """A seed as an i64; SpecError if it is not an integer from 0 to 2**63 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < SEEDS:
        fail("AX0702", f"a seed is an integer from 0 to 2**63 - 1, not {seed!r:.60}", None)
    return np.array(seed, np.int64)
