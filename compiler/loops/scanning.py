"""What a scan is: its body, what goes in and comes out, and their types.

What this module does not do: run it, differentiate it or write it (``scan`` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Op, Trait, TypeProblem
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar.record import field, replace

NOTHING = Graph("body", {}, (), {})


class Scanning(Op):
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
    """Whether the gradient computes the values of a step again, from its states and slices, and keeps none."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if not self.scanned:
            raise TypeProblem("AX0306", "a scan runs over at least one tensor")
        length = self.times(inputs)
        for position, (given, taken) in enumerate(zip(inputs, self.body.inputs.values(), strict=True)):
            slices = self.states <= position < self.states + self.scanned
            if slices and same(given.shape[0], length) is not True:
                raise TypeProblem("AX0302", f"a scan runs over {given.shape[0]} and over {length}")
            if not fits(given.with_shape(given.shape[1:]) if slices else given, taken.type):
                raise TypeProblem("AX0302", f"the body of a scan takes {taken.type}, not {given}")
        outputs = [value.type for value in self.body.outputs.values()]
        for old, new in zip(inputs[: self.states], outputs, strict=False):
            if not fits(new, old):
                raise TypeProblem("AX0302", f"a state of {old} becomes {new}")
        emitted = [type_.with_shape((length, *type_.shape)) for type_ in outputs[self.states :]]
        return (*inputs[: self.states], *emitted)

    def bodies(self) -> tuple[Graph, ...]:
        return (self.body,)

    def with_bodies(self, bodies: Sequence[Graph]) -> Scanning:
        (body,) = bodies
        return replace(self, body=body)

    def times(self, inputs: Sequence[TensorType]) -> Dim:
        return inputs[self.states].shape[0]

    def text(self) -> str:
        return replace(self, body=NOTHING).text() if self.body is not NOTHING else super().text()


def body_of(
    nodes: Iterable[Node],
    before: Iterable[Value],
    slices: Iterable[Value],
    captured: Iterable[Value],
    after: Iterable[Value],
    emitted: Iterable[Value],
) -> Graph:
    """A body of these nodes: states at the beginning of a step and at its end, what a step reads, and what it emits."""
    given = (("state", before), ("slice", slices), ("captured", captured))
    made = (("state", after), ("emitted", emitted))
    inputs, outputs = (
        {f"{kind}.{n}": value for kind, values in part for n, value in enumerate(values)} for part in (given, made)
    )
    return Graph("body", inputs, tuple(nodes), outputs)


def fits(given: TensorType, taken: TensorType) -> bool:
    """Whether a tensor may stand where one of a type is expected."""
    return (
        given.dtype is taken.dtype
        and given.rank == taken.rank
        and all(a == b or same(a, b) for a, b in zip(given.shape, taken.shape, strict=True))
    )
