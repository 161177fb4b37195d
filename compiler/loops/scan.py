"""``scan``: a graph that runs once for each slice of its inputs, and hands a state on.

What this module does not do: the gradient (``gradient``), or move work out of the loop (``motion``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import Arithmetic, Emitter, Op, Trait, TypeProblem, register
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar.record import field, replace

from .gradient import pull_back_scan

NOTHING = Graph("body", {}, (), {})


@register
class Scan(Op):
    """A body that runs once for each slice of some inputs along their first axis, in order or from the last one.

    The inputs are ``states`` initial states, ``scanned`` tensors (at least one) whose slices the body gets, and what
    the body captures: the same at each step. The results are the last states, then what the body emits, stacked along
    a new first axis: at the place of the slice that it was made from, also where ``reverse`` runs from the last one.

    The body takes the states, the slices and what is captured, and gives the next states and what is emitted.
    """

    traits: ClassVar[Trait] = Trait.PURE
    body: Graph = field(default=NOTHING, repr=False)
    states: int = 0
    scanned: int = 0
    reverse: bool = False
    recompute: bool = False
    """Whether the gradient computes the values of a step again, from its states and slices, in place of keeping them."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if not self.scanned:
            raise TypeProblem("AX0306", "a scan runs over at least one tensor")
        length = self.times(inputs)
        for position, (given, taken) in enumerate(zip(inputs, self.body.inputs.values(), strict=True)):
            slices = self.states <= position < self.states + self.scanned
            if slices and same(given.shape[0], length) is not True:
                raise TypeProblem("AX0302", f"a scan runs over {given.shape[0]} and over {length}")
            if not _fits(given.with_shape(given.shape[1:]) if slices else given, taken.type):
                raise TypeProblem("AX0302", f"the body of a scan takes {taken.type}, not {given}")
        outputs = [value.type for value in self.body.outputs.values()]
        for old, new in zip(inputs[: self.states], outputs, strict=False):
            if not _fits(new, old):
                raise TypeProblem("AX0302", f"a state of {old} becomes {new}")
        emitted = [type_.with_shape((length, *type_.shape)) for type_ in outputs[self.states :]]
        return (*inputs[: self.states], *emitted)

    def bodies(self) -> tuple[Graph, ...]:
        return (self.body,)

    def with_bodies(self, bodies: Sequence[Graph]) -> Scan:
        (body,) = bodies
        return replace(self, body=body)

    def times(self, inputs: Sequence[TensorType]) -> Dim:
        return inputs[self.states].shape[0]

    def text(self) -> str:
        return replace(self, body=NOTHING).text() if self.body is not NOTHING else super().text()

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        once = Arithmetic()
        for node in self.body.nodes:
            once += node.op.arithmetic([v.type for v in node.inputs], [v.type for v in node.outputs])
        times = self.times(inputs)
        return Arithmetic(once.multiplications * times, once.additions * times)

    def evaluate(self, *inputs: Any) -> Any:
        states = list(inputs[: self.states])
        scanned = inputs[self.states : self.states + self.scanned]
        captured = inputs[self.states + self.scanned :]
        length = len(scanned[0])
        names, outputs = list(self.body.inputs), list(self.body.outputs)
        emitted: list[list[Any]] = [[None] * length for _ in outputs[self.states :]]
        for step in reversed(range(length)) if self.reverse else range(length):
            given = [*states, *(x[step] for x in scanned), *captured]
            made = interpret(self.body, dict(zip(names, given, strict=True)))
            states = [made[name] for name in outputs[: self.states]]
            for rows, name in zip(emitted, outputs[self.states :], strict=True):
                rows[step] = made[name]
        stacked = [
            np.stack(rows) if rows else self._none_of(name)
            for rows, name in zip(emitted, outputs[self.states :], strict=True)
        ]
        results = (*states, *stacked)
        return results if len(results) > 1 else results[0]

    def _none_of(self, output: str) -> Any:
        type_ = self.body.outputs[output].type
        return np.zeros((0, *(dim.evaluate({}) for dim in type_.shape)), type_.dtype.numpy)

    def vjp_towards(
        self, needed: Sequence[bool], dy: Any, y: Any, inputs: Sequence[Value]
    ) -> Sequence[Value | None]:
        cotangents, results = (dy, y) if isinstance(y, tuple) else ((dy,), (y,))
        return pull_back_scan(self, needed, cotangents, results, inputs)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        """Where the body keeps them apart, in all it computes."""
        return keep_apart(self.body, self.states, self.scanned, places, inputs)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        run = self.states + self.scanned
        made = emit.nodes(
            "Scan",
            *inputs[:run],
            outputs=len(results),
            body=emit.body(self.body, inputs[run:]),
            num_scan_inputs=self.scanned,
            scan_input_directions=[1] * self.scanned if self.reverse else None,
            scan_output_directions=[1] * (len(results) - self.states) if self.reverse and len(results) > self.states else None,
        )
        return made if len(made) > 1 else made[0]


def _fits(given: TensorType, taken: TensorType) -> bool:
    return (
        given.dtype is taken.dtype
        and given.rank == taken.rank
        and all(a == b or same(a, b) for a, b in zip(given.shape, taken.shape, strict=True))
    )


def keep_apart(
    body: Graph, states: int, scanned: int, places: Sequence[int | None], inputs: Sequence[TensorType]
) -> bool:
    """Whether examples do not meet in a scan, whose inputs have them along these axes: ``Op.keeps_apart``."""
    size = next((t.shape[p] for t, p in zip(inputs, places, strict=False) if p is not None), None)
    if size is None:
        return False
    where: dict[Value, int | None] = {}
    for position, (value, place) in enumerate(zip(body.inputs.values(), places, strict=True)):
        slices = states <= position < states + scanned
        if slices and place == 0:
            return False  # the steps of the scan are the examples
        where[value] = place - 1 if slices and place is not None else place
    outputs = list(body.outputs.values())
    for value, place in zip(list(body.inputs.values())[:states], places, strict=False):
        if place is None and size in value.shape:
            where[value] = value.shape.index(size)  # an initial state that is the same for all becomes one of each
    for node in body.nodes:
        along = [where.get(value) for value in node.inputs]
        if all(place is None for place in along):
            continue
        for output in node.outputs:
            axes = [axis for axis, dim in enumerate(output.shape) if dim == size]
            if len(axes) != 1 or not node.op.keeps_apart(along, [v.type for v in node.inputs], axes[0]):
                return False
            where[output] = axes[0]
    before = [where.get(value) for value in body.inputs.values()][:states]
    return all(where.get(new) == old for new, old in zip(outputs, before, strict=False))
