"""Examples that are made of the same rows: which of some share a row with others.

What this module does not do: share examples out (``parts`` does).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Spans = npt.NDArray[np.int64]
"""For each example, the first row that it is made of and the one after the last, [n, 2]."""


def sharing(some: npt.NDArray[np.int64], others: npt.NDArray[np.int64], spans: Spans) -> npt.NDArray[np.bool_]:
    """Which of some examples have a row that one of the others has too.

    Args:
        some: numbers of examples; the result has a value for each.
        others: numbers of examples.
        spans: the rows of all of them.
    """
    changes = np.zeros(int(spans.max(initial=0)) + 1, np.int64)
    np.add.at(changes, spans[others, 0], 1)
    np.add.at(changes, spans[others, 1], -1)
    taken = np.concatenate([[0], np.cumsum(np.cumsum(changes) > 0)])  # how many of the rows before each are taken
    begin, end = spans[some].T
    return np.asarray(taken[end] > taken[begin], bool)
