"""What training steps carry: parameters and the state of optimizers, in memory that stays where it is.

A tensor has two places. A step reads one and writes the other, then the two change roles, so that a step that fails
leaves the state as it was. Others have one (``compiler.blockwise``). Kernels among those may lie with
their elements first (``compiler.turned``). What this module does not do: run anything.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from archonnx.compiler.blockwise import Blockwise
from archonnx.compiler.ir.types import Array
from archonnx.compiler.passes.turned_kernels import kernel_first, kernel_last
from archonnx.compiler.program import GATHERED, TrainStep
from archonnx.compiler.steps import initial_state

from .session import Buffer


class TrainState:
    """Parameters and optimizer state, each tensor in two places, or in one if that is enough.

    Tensors that are changed by the same statements change sides together: one bit of ``sides`` for each such group.

    Args:
        steps: the statements.
        parameters: starting values, by path.
        device: where they lie.
        apart: by number, statements that change tensors in one place.
        shared: the two places of tensors that lie where other processes see them too.
    """

    def __init__(
        self,
        steps: Sequence[TrainStep],
        parameters: Mapping[str, Array],
        device: str,
        apart: Mapping[int, Blockwise],
        shared: Mapping[str, tuple[Array, Array]] = MappingProxyType({}),
    ) -> None:
        initial = dict(parameters)
        changed_by: dict[str, list[int]] = {name: [] for name in initial}
        for index, step in enumerate(steps):
            given = {name: np.zeros((), step.constants[name].dtype.numpy) for name in step.rates}
            for name, array in (initial_state(step) | given).items():
                initial[key_of(index, name, parameters)] = array
                changed_by.setdefault(key_of(index, name, parameters), [])
            for name in step.carried:
                changed_by.setdefault(key_of(index, name, parameters), []).append(index)
        groups = list(dict.fromkeys(tuple(by) for by in changed_by.values() if by))
        self.bit = {name: 1 << groups.index(tuple(by)) if by else 0 for name, by in changed_by.items()}
        self.sides = 0
        self.pairs: dict[str, tuple[Buffer, Buffer]] = {}
        moved = {key_of(index, name, parameters) for index, one in apart.items() for name in one.in_one_place}
        self.turned = {key_of(index, name, parameters) for index, one in apart.items() for name in one.turned}
        for name, places in shared.items():
            self.pairs[name] = Buffer.over(places[0]), Buffer.over(places[1])
            self.pairs[name][0].write(initial.pop(name))
        for name in list(initial):
            array = self._laid(name, initial.pop(name))
            first = Buffer.of(array, device)
            two = self.bit[name] and name not in moved
            self.pairs[name] = first, Buffer(array.shape, array.dtype, device) if two else first

    def current(self, name: str, sides: int | None = None) -> Buffer:
        """The buffer that holds a tensor's value (or would, with these sides)."""
        return self.pairs[name][bool(self.bit[name] & (self.sides if sides is None else sides))]

    def other(self, name: str, sides: int) -> Buffer:
        """The buffer that a step writes."""
        return self.pairs[name][not self.bit[name] & sides]

    def read(self, name: str) -> Array:
        """A copy of a tensor's value, with its axes in the order that the model gives them."""
        buffer = self.current(name)
        if name not in self.turned:
            return buffer.read()
        return np.array(buffer.host.transpose(kernel_last(buffer.host.ndim)), order="C")

    def write(self, name: str, array: Array) -> None:
        """Replace a tensor's value; the axes are in the order that the model gives them."""
        self.current(name).write(self._laid(name, array))

    def _laid(self, name: str, array: Array) -> Array:
        """An array with its axes in the order in which they lie in memory."""
        return array.transpose(kernel_first(array.ndim)) if name in self.turned else array


def key_of(index: int, name: str, parameters: Container[str]) -> str:
    """Optimizer state belongs to its statement; parameters, and gradients that are gathered, are everybody's."""
    return name if name in parameters or name.startswith(GATHERED) else f"{index}:{name}"
