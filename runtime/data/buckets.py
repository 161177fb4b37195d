"""Batches of examples of like length: their rows are cut to the longest of them, not to the longest of all.

    order   the examples of an epoch so that those of a bucket stand together
    cut     a batch whose fields end where nothing but padding comes

What this module does not do: pad (feeds do), or say which field counts (the setting ``buckets`` does).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.settings import Buckets
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .loader import Fields
from .parts import Indices


class Bucketing:
    """The lengths of examples, and which axes of their fields have them.

    Args:
        how: the setting.
        fields: of all examples, by name.
        types: theirs.
        span: of the program, for lengths that no row has.
    """

    def __init__(
        self, how: Buckets, fields: Mapping[str, Array], types: Mapping[str, TensorType], span: Span | None = None
    ) -> None:
        self._axes = {
            name: [axis for axis, dim in enumerate(type_.shape) if dim.symbol == how.dim]
            for name, type_ in types.items()
            if how.dim in type_.symbols()
        }
        if how.by not in fields or fields[how.by].ndim != 1 or fields[how.by].dtype.kind not in "iu":
            fail("AX0702", f"`buckets.by` is `{how.by}`, which is not a field of an integer for each example", span)
        if not self._axes:
            fail("AX0702", f"`buckets.dim` is `{how.dim}`, which no field has", span)
        name, axes = next(iter(self._axes.items()))
        full = fields[name].shape[axes[0]]
        lengths = np.asarray(fields[how.by], np.int64)
        wrong = np.flatnonzero((lengths < 0) | (lengths > full))
        if len(wrong):
            row = int(wrong[0])
            places = f"`{name}` has {full} places for {how.dim}"
            fail("AX0631", f"`{how.by}` of example {row} is {lengths[row]}, and {places}", span)
        self._bounds = np.array([*(bound for bound in how.at if bound < full), full], np.int64)
        self._bucket = np.searchsorted(self._bounds, lengths)

    def order(self, order: Indices, size: int, seed: int, epoch: int) -> Indices:
        """Examples in an order in which those of a bucket stand together; batches of ``size`` come in random order.

        Args:
            order: a random one, in which those of a bucket stay.
            size: of a batch; a smaller one stays the last.
            seed: decides the order of batches together with the epoch.
            epoch: its number.
        """
        together = order[np.argsort(self._bucket[order], kind="stable")]
        whole = len(order) // size
        batches = np.random.default_rng([seed, epoch, 0]).permutation(whole)
        return np.concatenate([*(together[at * size : (at + 1) * size] for at in batches), together[whole * size :]])

    def cut(self, batch: Fields, rows: Indices) -> Fields:
        """The fields of these examples, up to the bound of their bucket, or of the largest of several."""
        bound = int(self._bounds[self._bucket[rows].max(initial=0)])
        return {name: self._cut(array, self._axes.get(name, ()), bound) for name, array in batch.items()}

    @staticmethod
    def _cut(array: Array, axes: list[int] | tuple[()], bound: int) -> Array:
        for axis in axes:
            array = np.ascontiguousarray(np.take(array, np.arange(bound), axis))
        return array
