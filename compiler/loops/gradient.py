"""The gradient of a scan: a scan the other way, which reads what the first one kept.

Its body is the gradient of the body. The values that it reads are emitted by the first scan as well (they are *kept*),
or computed again from the states and slices where ``Scan.recompute`` says so. As both are ordinary scans, their
gradients are scans again. What this module does not do: move work out of the loops (``motion`` does).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archonnx.compiler.autodiff import depending, pulled_back
from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.dims import ONE, ZERO, Dim
from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.reduce import ReduceSum
from archonnx.compiler.ops.shape import unsqueeze, zeros_like
from archonnx.compiler.ops.slicing import concat, slice_axis
from archonnx.grammar.record import replace

from .lifting import lift
from .scanning import Scanning, body_of
from .sigmoids import by_products


class Parts:
    """The values of a body by their part in it."""

    def __init__(self, op: Scanning) -> None:
        inputs, outputs = list(op.body.inputs.values()), list(op.body.outputs.values())
        last = op.states + op.scanned
        self.before, self.slices, self.captured = inputs[: op.states], inputs[op.states : last], inputs[last:]
        self.after, self.emitted = outputs[: op.states], outputs[op.states :]


def pull_back_scan(
    op: Scanning, needed: Sequence[bool], dy: Sequence[Value | None], y: Sequence[Value], inputs: Sequence[Value]
) -> list[Value | None]:
    """Cotangents of the inputs of a scan, of those that are needed: ``Op.vjp_towards``.

    The node that made ``y`` is replaced, in the builder in use, by one that gives what the gradient reads as well.
    """
    parts = Parts(op)
    active = _active(op, parts, needed)
    carried = [j for j in _reached(op, parts, dy) if parts.before[j] in active]
    back = _Back(op, parts, active, carried, dy)
    return back.run(dy, y, inputs)


def _active(op: Scanning, parts: Parts, needed: Sequence[bool]) -> set[Value]:
    """The inputs of the body that depend on what is differentiated: at the first step, or through the states."""
    inputs = list(op.body.inputs.values())
    active = {value for value, wanted in zip(inputs, needed, strict=True) if wanted and value.type.dtype.is_float}
    while True:
        live = depending(op.body.nodes, list(active))
        grown = {b for b, a in zip(parts.before, parts.after, strict=True) if a in live and b.type.dtype.is_float}
        if grown <= active:
            return active
        active |= grown


def _reached(op: Scanning, parts: Parts, dy: Sequence[Value | None]) -> list[int]:
    """The states on which a result with a cotangent depends, at the end or at any step."""
    live = {value for value, d in zip(op.body.outputs.values(), dy, strict=True) if d is not None}
    reached = {j for j in range(op.states) if dy[j] is not None}
    while True:
        for node in reversed(op.body.nodes):
            if not live.isdisjoint(node.outputs):
                live.update(node.inputs)
        grown = {j for j, value in enumerate(parts.before) if value in live} - reached
        if not grown:
            return sorted(reached)
        reached |= grown
        live.update(parts.after[j] for j in grown)


class _Back:
    """The body of the gradient, and what goes into it.

    Attributes:
        forward: the nodes of the body; scans in it may give more than they did.
        nodes: those of the gradient.
        states: the cotangents of states, at the beginning of a step of the gradient and at its end.
        given: cotangents of what is emitted, by its position.
        slices: cotangents of slices, by position.
        captured: cotangents of what is captured, by position: a step's share.
    """

    def __init__(
        self, op: Scanning, parts: Parts, active: set[Value], carried: Sequence[int], dy: Sequence[Value | None]
    ) -> None:
        self.op, self.parts, self.carried = op, parts, carried
        live = depending(op.body.nodes, list(active))
        self.given = {
            k: Value(value.type, "cotangent")
            for k, value in enumerate(parts.emitted)
            if dy[op.states + k] is not None and value in live
        }
        cotangents = {j: Value(parts.before[j].type, "cotangent") for j in carried}
        seeds = [(parts.after[j], d) for j, d in cotangents.items()]
        seeds += [(parts.emitted[k], d) for k, d in self.given.items()]
        at = {
            kind: [n for n, value in enumerate(values) if value in active]
            for kind, values in (("slices", parts.slices), ("captured", parts.captured))
        }
        wrt = [*(parts.before[j] for j in carried), *(parts.slices[n] for n in at["slices"])]
        wrt += [parts.captured[n] for n in at["captured"]]
        builder = Builder(current_builder().origin)
        builder.nodes = list(op.body.nodes)
        found = iter(pulled_back(builder, seeds, wrt))
        with builder.active():
            self.states = {
                j: (d, zeros_like(d) if (new := next(found)) is None else new) for j, d in cotangents.items()
            }
        self.slices = {n: new for n in at["slices"] if (new := next(found)) is not None}
        self.captured = {n: new for n in at["captured"] if (new := next(found)) is not None}
        self.forward, made = builder.nodes[: len(op.body.nodes)], builder.nodes[len(op.body.nodes) :]
        results = [*(after for _, after in self.states.values()), *self.slices.values(), *self.captured.values()]
        self.nodes = by_products(self.forward, made, results)

    def run(self, dy: Sequence[Value | None], y: Sequence[Value], inputs: Sequence[Value]) -> list[Value | None]:
        """Add the scan of the gradient; the cotangents of the inputs of the first one."""
        parts, op = self.parts, self.op
        kept, again, captured = self._read()
        stacked = self._kept(kept, y, inputs)
        scanned = [*stacked, *((d, _given(dy[op.states + k])) for k, d in self.given.items())]
        scanned = scanned or [(parts.slices[0], inputs[op.states])]
        outside = dict(zip(parts.captured, inputs[op.states + op.scanned :], strict=True))
        outside |= dict(zip(parts.before, inputs, strict=False))
        sums, emitted, nodes = self._shares()
        states = [*self.states.values(), *((a, b) for a, b in sums.values())]
        given = [dy[j] if dy[j] is not None else zeros_like(inputs[j]) for j in self.carried]
        given += [zeros_like(outside[parts.captured[n]]) for n in sums]
        body = body_of(
            (*again, *self.nodes, *nodes),
            [before for before, _ in states],
            [value for value, _ in scanned],
            captured,
            [after for _, after in states],
            [*self.slices.values(), *emitted.values()],
        )
        if not body.outputs:
            return [None] * len(inputs)
        back = replace(op, body=body, states=len(states), scanned=len(scanned), reverse=not op.reverse)
        made = current_builder().add_many(
            back, *map(_given, given), *(value for _, value in scanned), *(outside[value] for value in captured)
        )
        cotangents: list[Value | None] = [None] * len(inputs)
        first = op.states + op.scanned
        places = [*self.carried, *(first + n for n in sums)]
        for place, value in zip(places, made, strict=False):
            cotangents[place] = value
        rest = made[len(states) :]
        for n, value in zip(self.slices, rest, strict=False):
            cotangents[op.states + n] = value
        for n, value in zip(emitted, rest[len(self.slices) :], strict=True):
            cotangents[first + n] = value.sum([0])
        return cotangents

    def _shares(self) -> tuple[dict[int, tuple[Value, Value]], dict[int, Value], list[Node]]:
        """How the shares of steps in cotangents of what is captured are added up: in a state, or after the loop.

        After it, where a share is a product or a sum itself: then one large product or sum does all of them, and no
        share is ever made (``motion`` sees to that).
        """
        made = {value: node for node in self.nodes for value in node.outputs}
        sums: dict[int, tuple[Value, Value]] = {}
        emitted: dict[int, Value] = {}
        builder = Builder(current_builder().origin)
        for n, share in self.captured.items():
            if _is_sum(share, made):
                emitted[n] = share
                continue
            before = Value(share.type, "total")
            with builder.active():
                sums[n] = before, before + share
        return sums, emitted, builder.nodes

    def _read(self) -> tuple[list[Value], list[Node], list[Value]]:
        """What the gradient reads of the body: values to be kept, nodes to be done again, and what is captured."""
        made = {value: node for node in self.forward for value in node.outputs}
        own = {value for node in self.nodes for value in node.outputs}
        own |= {d for d, _ in self.states.values()} | set(self.given.values())
        unchanging = {b for b, a in zip(self.parts.before, self.parts.after, strict=True) if a is b}
        outside = _invariant(self.forward, [*self.parts.captured, *unchanging])
        results = [*(after for _, after in self.states.values()), *self.slices.values(), *self.captured.values()]
        todo = [value for node in self.nodes for value in node.inputs] + results
        seen: dict[Value, None] = {}
        again: set[Node] = set()
        while todo:
            value = todo.pop()
            if value in own or value in seen:
                continue
            seen[value] = None
            node = made.get(value)
            if node is not None and (self.op.recompute or value in outside or _cheap(node)):
                again.add(node)
                todo += node.inputs
        kept = [v for v in seen if made.get(v) not in again and v not in outside]
        captured = [v for v in seen if v in outside and v not in made]
        order = {value: n for n, value in enumerate([*self.op.body.inputs.values(), *made])}
        kept.sort(key=order.__getitem__)
        captured.sort(key=order.__getitem__)
        return kept, [node for node in self.forward if node in again], captured

    def _kept(self, kept: Sequence[Value], y: Sequence[Value], inputs: Sequence[Value]) -> list[tuple[Value, Value]]:
        """Values of the body and their stacks: slices are there, a state is what the step before it made."""
        op, parts = self.op, self.parts
        before = {value: n for n, value in enumerate(parts.before)}
        ends = {parts.after[before[value]] for value in kept if value in before}
        sources = {end: node for end in ends if (node := self._source(end)) is not None}
        wanted = [value for value in kept if value not in before and value not in parts.slices]
        for end in [parts.after[before[value]] for value in kept if value in before]:
            wanted += sources[end].inputs if end in sources else [end]
        stacks = dict(self._emitted(dict.fromkeys(map(self._whole, wanted)), y))
        for value in wanted:
            self._stack(value, stacks)
        for end, node in sources.items():
            length = stacks[node.inputs[0]].shape[0]
            made = lift(node.op, [stacks[value] for value in node.inputs], [True] * len(node.inputs), length)
            assert made is not None
            (stacks[end],) = made
        found = []
        for value in kept:
            if value in parts.slices:
                found.append((value, inputs[op.states + parts.slices.index(value)]))
            elif value in before:
                n = before[value]
                found.append((value, delayed(inputs[n], stacks[parts.after[n]], op.reverse)))
            else:
                found.append((value, stacks[value]))
        return found

    def _whole(self, value: Value) -> Value:
        """The value of the body that is emitted so that another one is known: the one whose part it is."""
        while value not in self.parts.emitted and (node := self._view_of(value)) is not None:
            (value,) = node.inputs
        return value

    def _stack(self, value: Value, stacks: dict[Value, Value]) -> None:
        """Have the stack of a value among others, where that of its whole is."""
        if value in stacks:
            return
        node = self._view_of(value)
        assert node is not None
        self._stack(node.inputs[0], stacks)
        given = stacks[node.inputs[0]]
        results = lift(node.op, [given], [True], given.shape[0])
        assert results is not None
        stacks.update(zip(node.outputs, results, strict=True))

    def _view_of(self, value: Value) -> Node | None:
        """The node that makes a value, if it takes parts of another one of the body, and can for all steps at once."""
        node = next((node for node in self.forward if value in node.outputs), None)
        if node is None or Trait.VIEW not in node.op.traits or len(node.inputs) != 1:
            return None
        (whole,) = node.inputs
        if not any(whole in other.outputs for other in self.forward) or whole in self.parts.after:
            return None
        return node if _is_lifted(node) else None

    def _source(self, end: Value) -> Node | None:
        """The node that makes the end of a state, if its stack is better made of the stacks of what that node reads.

        What is a state and emitted as well is copied at each step, since ONNX wants two names. What the node reads is
        not.
        """
        if end in self.parts.emitted or self.op.recompute:
            return None
        made = {value: node for node in self.forward for value in node.outputs}
        node = made.get(end)
        if node is None or len(node.outputs) > 1 or any(v not in made or v in self.parts.after for v in node.inputs):
            return None
        return node if _is_lifted(node) else None

    def _emitted(self, wanted: Iterable[Value], y: Sequence[Value]) -> Mapping[Value, Value]:
        """The stacks of values of the body, which the scan emits from now on where it did not."""
        op, builder = self.op, current_builder()
        known = dict(zip(self.parts.emitted, y[op.states :], strict=True))
        place = next(n for n in reversed(range(len(builder.nodes))) if y[0] in builder.nodes[n].outputs)
        node = builder.nodes[place]
        outputs, results = dict(op.body.outputs), list(y)
        length = op.times([value.type for value in node.inputs])
        for value in wanted:
            if value not in known:
                known[value] = Value(value.type.with_shape((length, *value.shape)), "kept", node.origin)
                outputs[_free(outputs, len(results) - op.states)] = value
                results.append(known[value])
        body = replace(op.body, nodes=tuple(self.forward), outputs=outputs)
        builder.nodes[place] = Node(replace(op, body=body), node.inputs, tuple(results), node.origin)
        return known


def _free(outputs: Mapping[str, Value], number: int) -> str:
    """A name for what a body emits, from a number on: what was trimmed has left the names as they were."""
    while (name := f"emitted.{number}") in outputs:
        number += 1
    return name


def _given(value: Value | None) -> Value:
    assert value is not None
    return value


def delayed(first: Value, stack: Value, reverse: bool) -> Value:
    """What each step found, of the stack of what each step left, and of what the first one found."""
    length = stack.shape[0]
    own = unsqueeze(first, 0)
    if length == ONE:
        return own
    if reverse:
        return concat([slice_axis(stack, 0, ONE, length), own], 0)
    return concat([own, slice_axis(stack, 0, ZERO, length - 1)], 0)


def _is_lifted(node: Node) -> bool:
    """Whether a node can be done for all steps at once, of stacks of its inputs."""
    with Builder().active():
        steps = Dim.of("steps")
        stacks = [Value(value.type.with_shape((steps, *value.shape))) for value in node.inputs]
        return lift(node.op, stacks, [True] * len(stacks), steps) is not None


def _cheap(node: Node) -> bool:
    """Whether a node is done again rather than its results kept: it moves no number, or has no input."""
    return not node.inputs or Trait.VIEW in node.op.traits


def _invariant(nodes: Sequence[Node], captured: Iterable[Value]) -> set[Value]:
    """What is the same at each step: made of captured values and constants alone."""
    same = set(captured)
    for node in nodes:
        if Trait.PURE in node.op.traits and same.issuperset(node.inputs):
            same.update(node.outputs)
    return same


def _is_sum(value: Value, made: Mapping[Value, Node]) -> bool:
    """Whether a share is a product of matrices or a sum over axes, moved about at most."""
    node: Any = made.get(value)
    while node is not None and Trait.VIEW in node.op.traits and len(node.inputs) == 1:
        node = made.get(node.inputs[0])
    return node is not None and isinstance(node.op, MatMul | ReduceSum)
