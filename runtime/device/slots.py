"""Steps in a row: memory for several batches of one shape, each of which is bound where it lies.

Between two steps of a row Python does nothing but start the next one: no array is copied, no value is looked at. Where
steps are tiny not even that: all of them are one run of a session (``Joined``). What a step draws is decided by its
number, which lies in memory for each of them as well; so the result is, to the bit, that of the same steps one by one.
What this module does not do: choose batches, or judge losses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import NEXT, STEP
from archonnx.compiler.rows import step_of
from archonnx.runtime.data.storage import take

from .session import Session, bound, shared_value
from .state import TrainState
from .statement import Statement

if TYPE_CHECKING:
    import onnxruntime


@dataclass(slots=True)
class Ran:
    """What became of the steps of a row.

    Attributes:
        done: how many passes went well.
        losses: by name, one number for each of them.
        error: why the pass after them failed.
    """

    done: int
    losses: Mapping[str, Array]
    error: Exception | None = None


@dataclass(slots=True)
class Slots:
    """Memory for the batches of a row of steps, and for what the steps report.

    Args:
        statements: those of a pass, compiled for the shape of the batches.
        fields: for every field that is cut into batches, the memory of all slots one after the other.
        size: examples in a batch.
        count: how many batches there is room for.
        reported: by loss, its dtype.
    """

    statements: Sequence[Statement]
    fields: Mapping[str, Array]
    size: int
    count: int
    steps: Array
    losses: Sequence[Mapping[str, Array]]
    """For each statement and each of its losses a number a slot."""
    joined: Joined | None = None
    joins: bool = True
    """Whether it has not been tried yet to make one run of all."""
    bound: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    """By the sides of the first slot: for each slot the runs of its statements."""

    @staticmethod
    def of(statements: Sequence[Statement], fields: Mapping[str, Array], size: int, count: int) -> Slots:
        """Room for ``count`` batches; of ``fields`` only dtypes and shapes of examples count."""
        memory = {name: np.empty((count * size, *array.shape[1:]), array.dtype) for name, array in fields.items()}
        losses = [{name: np.zeros(count, loss.dtype) for name, loss in one.losses.items()} for one in statements]
        return Slots(statements, memory, size, count, np.zeros((len(statements), count), np.int64), losses)

    def fill(self, columns: Mapping[str, Array], rows: npt.NDArray[np.int64]) -> None:
        """Gather the examples of whole batches, in this order, from ``columns`` to where the steps read them."""
        for name, memory in self.fields.items():
            take(columns[name], rows, memory[: len(rows)])

    def number(self, first: int, count: int) -> None:
        """Give the statements of the first ``count`` slots their numbers, which begin with ``first``."""
        numbers = np.arange(first, first + count * len(self.statements))
        self.steps[:, :count] = numbers.reshape(count, -1).T

    def runs(self, sides: int, count: int) -> tuple[Sequence[Callable[[], None]], int]:
        """The runs of the first ``count`` slots where tensors lie on these sides, and their sides afterwards."""
        if self.joined is not None:
            return [self.joined.run(self, sides, count)], sides ^ self.joined.turned
        before, length = [sides], len(self.statements)
        for statement in self.statements:
            before.append(before[-1] ^ statement.changed)
        turned = before[-1]
        known = self.bound.setdefault(sides, [])
        while len(known) < count * length:
            slot, index = divmod(len(known), length)
            turn = sides ^ turned if slot % 2 else 0
            known.append(self._bind(slot, index, before[index] ^ turn))
        runs = known if len(known) == count * length else known[: count * length]
        return runs, turned if count % 2 else sides

    def _bind(self, slot: int, index: int, sides: int) -> Callable[[], None]:
        statement = self.statements[index]
        rows = slice(slot * self.size, (slot + 1) * self.size)
        given: dict[str, onnxruntime.OrtValue] = {n: shared_value(array[rows]) for n, array in self.fields.items()}
        given[STEP] = shared_value(self.steps[index, slot : slot + 1].reshape(()))
        said = {n: shared_value(array[slot : slot + 1].reshape(())) for n, array in self.losses[index].items()}
        return statement.session.runs(statement.bind(sides & statement.touched, given, said))

    def found(self, count: int) -> dict[str, Array]:
        """Each loss of the first slots: as the last statement of a pass that reports it found it."""
        found: dict[str, Any] = {}
        for losses in self.losses:
            found |= {name: array[:count] for name, array in losses.items()}
        return found


TRIED = 2
"""So many passes are made both ways before a row is one run."""


@dataclass(slots=True)
class Joined:
    """All passes of a row as one run of a session. Where it fails, nothing that it read has changed.

    Args:
        session: of ``compiler.rows.row_of``.
        state: what the statements carry.
        states: the keys of what changes.
        fixed: by name what else it reads, and is the same for all batches.
    """

    session: Session
    state: TrainState
    states: Sequence[str]
    fixed: Mapping[str, onnxruntime.OrtValue]
    bound: dict[tuple[int, int], Callable[[], None]] = field(default_factory=dict)
    """By the sides that it reads and the number of passes."""

    @property
    def turned(self) -> int:
        """The sides that change, whatever the number of passes."""
        return sum({self.state.bit[key] for key in self.states})

    def agrees(self, slots: Slots, sides: int, count: int) -> bool:
        """Whether the first ``count`` slots give the same to the bit as their statements one by one.

        The clock decides from when on a row is one run, and may not decide what is trained. The state is left as it
        was.
        """
        before = {key: self.state.current(key, sides).read() for key in self.states}
        runs, after = slots.runs(sides, count)
        try:
            for run in runs:
                run()
            singly = self._made(slots, after, count)
            for key, array in before.items():
                self.state.current(key, sides).write(array)
            self.run(slots, sides, count)()
            return singly == self._made(slots, sides ^ self.turned, count)
        except Exception:  # onnxruntime's exceptions have no base of their own: the row itself will say so
            return False
        finally:
            for key, array in before.items():
                self.state.current(key, sides).write(array)

    def _made(self, slots: Slots, sides: int, count: int) -> list[bytes]:
        """What passes made: the states on these sides, and the losses."""
        states = [self.state.current(key, sides).read() for key in self.states]
        return [array.tobytes() for array in (*states, *slots.found(count).values())]

    def run(self, slots: Slots, sides: int, count: int) -> Callable[[], None]:
        """What runs the first ``count`` slots."""
        known = self.bound.get((sides, count))
        if known is None:
            known = self.bound[sides, count] = self._bind(slots, sides, count)
        return known

    def _bind(self, slots: Slots, sides: int, count: int) -> Callable[[], None]:
        batches = {n: a[: count * slots.size].reshape(count, slots.size, *a.shape[1:]) for n, a in slots.fields.items()}
        numbers = {step_of(index): row[:count] for index, row in enumerate(slots.steps)}
        given = {**self.fixed, **{name: shared_value(array) for name, array in (batches | numbers).items()}}
        graph = self.session.graph
        assert graph is not None
        read = {n: given[n] if n in given else self.state.current(n, sides).value for n in graph.inputs}
        written = {NEXT + key: self.state.other(key, sides).value for key in self.states}
        written |= {name: shared_value(array) for name, array in slots.found(count).items()}
        return self.session.runs(bound(self.session, read, written))
