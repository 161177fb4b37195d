"""Statements that ranks do not share: they run on whole batches.

A condition is asked by the first rank, and all hear the answer. What follows from a batch otherwise than as a mean over
shares of it, every rank computes by itself: with the seed of the run, so that all come to the same. What this module
does not do: say which statements these are (``ranked`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import TrainStep
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.ranks import Ranks, failure_of

from .session import Buffer
from .statement import Statement

KEPT = 16
"""Batch shapes for which a statement is kept."""
Made = tuple[Statement, Mapping[str, Buffer]]
"""A statement for batches of one shape, and where its fields are to be brought."""


class Whole:
    """Runs a statement on whole batches.

    Args:
        ranks: all of them.
        index: the number of the statement.
        step: what it is.
        changed: the sides that it changes.
        batch: gives the whole batch that was loaded last.
        make: makes the statement for batches of such shapes.
    """

    graph = None

    def __init__(
        self,
        ranks: Ranks,
        index: int,
        step: TrainStep,
        changed: int,
        batch: Callable[[], Mapping[str, Array]],
        make: Callable[[Mapping[str, Array]], Made],
    ) -> None:
        self._ranks, self._index, self._step, self._changed = ranks, index, step, changed
        self._batch, self._make = batch, make
        self._made: dict[tuple[tuple[int, ...], ...], Made] = {}
        self._losses = {n: np.zeros((), step.graph.outputs[n].type.dtype.numpy) for n in step.losses}
        self._squares = np.zeros((3, len(step.watched))) if step.watched else None
        self._answer = np.zeros((), np.bool_)

    def statement(self) -> Statement:
        """It as a statement, whose bindings are sides."""
        return Statement(
            self._index,
            self,
            {},
            lambda sides: sides,
            lambda sides: {},
            ~0,
            self._changed,
            self._losses,
            self._squares,
            self._answer,
        )

    def run(self, binding: Any) -> None:
        """Run once; SpecError if it fails on any rank: then nothing has changed."""
        if self._step.asks:
            self._answer[...] = self._ranks.of_first(lambda: bool(self._run(binding).answer))
        else:
            self._ranks.agree(failure_of(partial(self._change, binding)))

    def runs(self, binding: Any) -> Callable[[], None]:
        """What runs once."""
        return partial(self.run, binding)

    def explained(self, error: Exception) -> SpecError:
        """It is in our words."""
        raise error

    def _change(self, sides: int) -> None:
        ran = self._run(sides)
        for name, loss in self._losses.items():
            loss[...] = ran.losses[name]
        if self._squares is not None:
            self._squares[...] = ran.squares

    def _run(self, sides: int) -> Statement:
        batch = self._batch()
        shapes = tuple(batch[name].shape for name in self._step.fields)
        if shapes not in self._made:
            self._made = {**dict([*self._made.items()][1 - KEPT :]), shapes: self._make(batch)}
        statement, buffers = self._made[shapes]
        for name, buffer in buffers.items():
            buffer.write(batch[name])
        own = sides & statement.touched
        if own not in statement.bindings:
            statement.bindings[own] = statement.bind(own)
        statement.session.run(statement.bindings[own])
        return statement
