"""``scan``: a graph that runs once for each slice of its inputs, and hands a state on.

It is written as Scan, and as Loop where any client is to run it.

What this module does not do: the gradient (``gradient``), or move work out of the loop (``motion``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Emitter, Trait, register
from archonnx.compiler.ir.parts import inline
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.index import gather
from archonnx.grammar.record import replace

from .gradient import pull_back_scan
from .scanning import Scanning


@register
class Scan(Scanning):
    """The op; ``Scanning`` says what it is made of."""

    name: ClassVar[str] = "scan"

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

    def vjp_towards(self, needed: Sequence[bool], dy: Any, y: Any, inputs: Sequence[Value]) -> Sequence[Value | None]:
        cotangents, results = (dy, y) if isinstance(y, tuple) else ((dy,), (y,))
        return pull_back_scan(self, needed, cotangents, results, inputs)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        """Where the body keeps them apart, in all it computes."""
        return keep_apart(self.body, self.states, self.scanned, places, inputs)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        run, emitted = self.states + self.scanned, len(results) - self.states
        if emit.everywhere:
            return self._as_loop(emit, inputs, types, results)
        made = emit.nodes(
            "Scan",
            *inputs[:run],
            outputs=len(results),
            body=emit.body(self.body, inputs[run:]),
            num_scan_inputs=self.scanned,
            scan_input_directions=[1] * self.scanned if self.reverse else None,
            scan_output_directions=[1] * emitted if self.reverse and emitted else None,
        )
        return made if len(made) > 1 else made[0]

    def _as_loop(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        """By a Loop whose body picks its slices itself: OpenVINO's Scan reads nothing of the graph around it.

        Where it runs from the last slice, the number of that is captured too, and what is emitted is turned round. The
        reference evaluator of onnx 1.23 joins what is emitted along the axis that is there: a Reshape mends it.
        """
        run = self.states + self.scanned
        count = emit.node("Squeeze", emit.dims([self.times(types)]))
        last = [emit.node("Sub", count, emit.constant(np.asarray(1)))] if self.reverse else []
        body = self._body_of_loop(types[self.states : run])
        made = emit.nodes(
            "Loop",
            count,
            emit.constant(np.asarray(True)),
            *inputs[: self.states],
            outputs=len(results),
            body=emit.body(body, [*last, *inputs[self.states :]]),
        )
        for place, type_ in enumerate(results[self.states :], self.states):
            made[place] = emit.node("Reshape", made[place], emit.dims(type_.shape))
        if self.reverse:
            backwards = [emit.constant([n]) for n in (-1, np.iinfo(np.int64).min, 0, -1)]
            made[self.states :] = [emit.node("Slice", one, *backwards) for one in made[self.states :]]
        return made if len(made) > 1 else made[0]

    def _body_of_loop(self, scanned: Sequence[TensorType]) -> Graph:
        """Takes the number of the round, whether to go on, the states, and captures the number of the last slice (where
        that is the first one to run), what is scanned, and what the body captures. Gives the same, as Loop wants it."""
        number, going, last = (
            Value(TensorType(dtype, ()), name)
            for dtype, name in ((DType.i64, "number"), (DType.bool, "going"), (DType.i64, "last"))
        )
        own = list(self.body.inputs.values())
        sources = [Value(type_, "scanned") for type_ in scanned]
        captured = own[self.states + self.scanned :]
        with (builder := Builder()).active():
            place = last - number if self.reverse else number
            slices = [gather(source, place, 0) for source in sources]
            made = inline(self.body, builder, [*own[: self.states], *slices, *captured])
        taken = [number, going, *own[: self.states], *([last] if self.reverse else []), *sources, *captured]
        given = [going, *made]
        return Graph(
            "body",
            {f"input.{n}": value for n, value in enumerate(taken)},
            tuple(builder.nodes),
            {f"output.{n}": value for n, value in enumerate(given)},
        )


def recomputed(node: Node) -> Node:
    """A node whose gradient computes the steps of scans again, those inside its bodies too; another one as it is."""
    if not node.op.bodies():
        return node
    op = node.op.with_bodies([replace(body, nodes=tuple(map(recomputed, body.nodes))) for body in node.op.bodies()])
    op = replace(op, recompute=True) if isinstance(op, Scan) else op
    return Node(op, node.inputs, node.outputs, node.origin)


def keep_apart(
    body: Graph, states: int, scanned: int, places: Sequence[int | None], inputs: Sequence[TensorType]
) -> bool:
    """Whether examples do not meet in a scan, whose inputs have them along these axes: ``Op.keeps_apart``."""
    size = next((t.shape[p] for t, p in zip(inputs, places, strict=False) if p is not None), None)
    if size is None:
        return False
    slices_of = places[states : states + scanned]
    if 0 in slices_of:  # the steps are the examples: they do not meet where none hands anything on to the next
        others = places[states + scanned :]
        return states == 0 and all(place == 0 for place in slices_of) and all(place is None for place in others)
    where: dict[Value, int | None] = {}
    for position, (value, place) in enumerate(zip(body.inputs.values(), places, strict=True)):
        slices = states <= position < states + scanned
        where[value] = place - 1 if slices and place is not None else place
    outputs = list(body.outputs.values())
    for value, place in zip(list(body.inputs.values())[:states], places, strict=False):
        if place is None and size in value.shape:
            where[value] = value.shape.index(size)  # an initial state that is the same for all becomes one of each
    for node in body.nodes:
        along = [where.get(value) for value in node.inputs]
        alike = all(place is None for place in along)  # what it reads is the same for all examples
        for output in node.outputs:
            axes = [axis for axis, dim in enumerate(output.shape) if dim == size]
            if alike and not axes:
                continue
            types = [value.type for value in node.inputs]
            drawn = alike and Trait.RANDOM in node.op.traits
            if len(axes) != 1 or not (drawn or node.op.keeps_apart(along, types, axes[0])):
                return False
            where[output] = axes[0]
    before = [where.get(value) for value in body.inputs.values()][:states]
    return all(where.get(new) == old for new, old in zip(outputs, before, strict=False))
