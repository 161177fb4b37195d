"""``loop``: a graph that runs as often as a number says that is known when it runs, or as long as a condition holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import ONE, Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import Emitter, Op, Trait, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.grammar.record import field, replace

from .scanning import NOTHING, fits

FIRST = (TensorType(DType.i64, ()), TensorType(DType.bool, ()))
"""What goes into a loop first: at most so many rounds, and whether there is a first one."""
ENDLESS = 2**63 - 1


@register
class Loop(Op):
    """A body that runs while a condition holds, so often at most.

    The inputs are the number of rounds (``i64[]``), whether the condition holds at first (``bool[]``), ``states``
    initial states, and what the body captures. The body takes the number of the round, counted from 0, whether the
    condition held, the states and what is captured; it gives whether there is another round, and the next states. The
    results are the last states: the first ones if there is no round. ``rounds`` is the number where it is a dim.
    """

    traits: ClassVar[Trait] = Trait.PURE
    not_differentiable: ClassVar[str | None] = (
        "how often a `loop` runs is known only when it runs; `scan` has a known length, and a gradient"
    )
    body: Graph = field(default=NOTHING, repr=False)
    states: int = 0
    rounds: Dim | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        taken = [value.type for value in self.body.inputs.values()]
        for given, wanted in zip(inputs, taken, strict=True):
            if not fits(given, wanted):
                raise TypeProblem("AX0302", f"the body of a loop takes {wanted}, not {given}")
        going, *after = (value.type for value in self.body.outputs.values())
        for old, new in zip((FIRST[1], *inputs[2 : 2 + self.states]), (going, *after), strict=True):
            if not fits(new, old):
                raise TypeProblem("AX0302", f"a state of {old} becomes {new}")
        return inputs[2 : 2 + self.states]

    def bodies(self) -> tuple[Graph, ...]:
        return (self.body,)

    def with_bodies(self, bodies: Sequence[Graph]) -> Loop:
        (body,) = bodies
        return replace(self, body=body)

    def times(self, inputs: Sequence[TensorType]) -> Dim:
        return ONE if self.rounds is None else self.rounds

    def text(self) -> str:
        return replace(self, body=NOTHING).text() if self.body is not NOTHING else super().text()

    def evaluate(self, *inputs: Any) -> Any:
        limit, going, *rest = inputs
        states, captured = rest[: self.states], rest[self.states :]
        names, outputs = list(self.body.inputs), list(self.body.outputs)
        done = 0
        while going and done < limit:
            given = [np.asarray(done, np.int64), going, *states, *captured]
            made = interpret(self.body, dict(zip(names, given, strict=True)))
            going, *states = (made[name] for name in outputs)
            done += 1
        return tuple(states) if len(states) > 1 else states[0]

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        run = 2 + self.states
        made = emit.nodes("Loop", *inputs[:run], outputs=self.states, body=emit.body(self.body, inputs[run:]))
        return made if len(made) > 1 else made[0]
