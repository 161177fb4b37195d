"""Putting groups of examples, each whole, into parts of given sizes.

What this module does not do: find the groups (``parts`` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heapreplace

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
FEW = 200
"""So many groups are exchanged between bins; more of them fill bins well as they come."""


def assign(sizes: Indices, needs: Sequence[int], seed: int, left: int = 0) -> Indices:
    """For each group the number of the bin that it is put into, so that bins are filled as their needs are.

    Largest group first, each goes to the bin that lacks most; where there are few groups, pairs are then exchanged as
    long as that helps. No bin stays empty if there are as many groups as bins.

    Args:
        sizes: of the groups; those of one size are taken in random order.
        needs: of the bins, in all no more than the sizes.
        seed: of that order.
        left: how much may be left over, in a last bin.
    """
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    place = np.full(len(sizes), len(needs))
    lacking = [(-need, number) for number, need in enumerate((*needs, left))]
    heapify(lacking)
    empty = set(range(len(needs)))
    for done, group in enumerate(order.tolist()):
        if len(order) - done == len(empty):
            place[order[done:]] = sorted(empty, key=lambda number: -needs[number])
            break
        lack, number = lacking[0]
        heapreplace(lacking, (lack + int(sizes[group]), number))
        place[group] = number
        empty.discard(number)
    return place if len(sizes) > FEW else _exchanged(place, sizes, np.array([*needs, left]))


def _exchanged(place: Indices, sizes: Indices, needs: Indices) -> Indices:
    """Groups in bins, after exchanges of two groups (or of one and none) that bring sizes nearer to needs.

    In each turn that exchange is made which makes the squares of what bins lack smallest.
    """
    bins = len(needs)
    place = np.concatenate([place, np.arange(bins)])  # in each bin there is also a group of nobody
    sizes = np.concatenate([sizes, np.zeros(bins, np.int64)])
    while True:
        filled = np.bincount(place, weights=sizes, minlength=bins)
        lack = (needs - filled)[place]
        moved = sizes[:, None] - sizes[None, :]
        gain = moved * (lack[:, None] - lack[None, :] + moved)  # half of how much the squares grow
        alone = (np.bincount(place, minlength=bins) == 2)[place] & (sizes > 0)
        gain[alone[:, None] & (sizes == 0)[None, :]] = 0  # it would leave a bin empty
        gain[(sizes == 0)[:, None] & alone[None, :]] = 0
        first, second = np.unravel_index(np.argmin(np.where(place[:, None] == place[None, :], 0, gain)), gain.shape)
        if gain[first, second] >= 0 or place[first] == place[second]:
            return place[:-bins]
        place[[first, second]] = place[[second, first]]
