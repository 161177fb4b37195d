"""Scans that are ONNX's own LSTM, GRU or RNN, told by what their bodies compute, whatever they are called.

The numbers before an activation are read as a sum: columns of ``x @ W``, of ``h @ U``, of biases, and for an LSTM the
cell times a peephole. So it does not matter whether gates share one matrix, in which order they stand, or where biases
are added. What this module does not do: recognise layers with masks or other activations; those stay scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.recurrent import Kind
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.ops.elementwise import Add, Mul, Sub
from archonnx.compiler.ops.functions import Relu, Sigmoid, Tanh
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.shape import Broadcast, Constant
from archonnx.compiler.ops.slicing import Slice, Split, slice_axis
from archonnx.grammar.record import Record, replace


class Part(Record):
    """Columns of a tensor, from the first up to the last."""

    of: Value
    first: int
    last: int

    @property
    def whole(self) -> bool:
        """Whether they are all of it."""
        return self.first == 0 and self.of.shape[-1].constant == self.last

    def columns(self) -> Value:
        """They, as a tensor."""
        return slice_axis(self.of, self.of.rank - 1, self.first, self.last)


@dataclass
class Terms:
    """A sum: columns of slices of stacks, of products with the state (by its factor), biases, and peepholes."""

    stacks: list[Part] = field(default_factory=list)
    products: list[tuple[Value, Part]] = field(default_factory=list)
    biases: list[Part] = field(default_factory=list)
    peepholes: list[tuple[Value, Part]] = field(default_factory=list)


class Gate(Record):
    """The weights of a gate: of the input (a column of ``stack``), of the state, the biases, the peephole."""

    stack: Part
    state: Part
    biases: tuple[Part, ...]
    inner: tuple[Part, ...] = ()
    """Biases that are added before the reset gate of a GRU acts."""
    peephole: Part | None = None
    negative: bool = False
    """Whether the gate is 1 minus ONNX's."""


class Layer(Record):
    """What a scan was found to be. ``gates`` in ONNX's order; ``order`` are its states in ONNX's order."""

    kind: Kind
    gates: tuple[Gate, ...]
    order: tuple[int, ...]
    reset_after: bool = True
    activation: Any = "Tanh"


class Reader:
    """Reads the body of a scan."""

    def __init__(self, node: Node, op: Scan) -> None:
        inputs, outputs = list(op.body.inputs.values()), list(op.body.outputs.values())
        last = op.states + op.scanned
        self.op = op
        self.before, self.after = inputs[: op.states], outputs[: op.states]
        self.emitted = outputs[op.states :]
        self.stacks = dict(zip(inputs[op.states : last], node.inputs[op.states : last], strict=True))
        self.captured = dict(zip(inputs[last:], node.inputs[last:], strict=True))
        self.made = op.body.producers()

    def layer(self) -> Layer | None:
        """The layer of ONNX that the states of the scan are those of, whatever else it emits."""
        if any(value.rank != 2 for value in self.before):
            return None
        return self._lstm() if self.op.states == 2 else (self._gru() or self._rnn()) if self.op.states == 1 else None

    def emits_states_alone(self, layer: Layer) -> bool:
        """Whether what the scan emits is what the layer gives."""
        return all(value is self.after[layer.order[0]] for value in self.emitted)

    # The kinds of layers.

    def _rnn(self) -> Layer | None:
        for op, name in ((Tanh, "Tanh"), (Relu, "Relu")):
            if (inner := self._argument(self.after[0], op)) is not None:
                gate = self._gate(inner, self.before[0])
                return None if gate is None else Layer("rnn", (gate,), (0,), activation=name)
        return None

    def _lstm(self) -> Layer | None:
        for h, c in ((0, 1), (1, 0)):
            cell, cell_before, state = self.after[c], self.before[c], self.before[h]
            for out, squashed in self._pair(self.after[h], Mul):
                o = self._argument(out, Sigmoid)
                if o is None or self._input(squashed, Tanh) is not cell:
                    continue
                for kept, new in self._pair(cell, Add):
                    f, i, g = self._cell(kept, new, cell_before)
                    gates = [self._gate(x, state, p) for x, p in ((i, cell_before), (o, cell), (f, cell_before))]
                    gates.append(self._gate(g, state))
                    if all(gate is not None for gate in gates):
                        return Layer("lstm", tuple(gate for gate in gates if gate is not None), (h, c))
        return None

    def _cell(self, kept: Value, new: Value, before: Value) -> tuple[Part | None, Part | None, Part | None]:
        """``sigmoid(f) * c`` and ``sigmoid(i) * tanh(g)``: f, i and g."""
        f = next((self._argument(a, Sigmoid) for a, b in self._pair(kept, Mul) if b is before), None)
        for a, b in self._pair(new, Mul):
            i, g = self._argument(a, Sigmoid), self._argument(b, Tanh)
            if i is not None and g is not None:
                return f, i, g
        return f, None, None

    def _gru(self) -> Layer | None:
        (h,) = self.before
        for share, candidate, negative in self._mixed(self.after[0], h):
            k, pre = self._argument(candidate, Tanh), self._argument(share, Sigmoid)
            update = self._gate(pre, h)
            found = None if k is None or update is None else self._candidate(k, h)
            if update is not None and found is not None:
                reset, gate, after_product = found
                return Layer("gru", (replace(update, negative=negative), reset, gate), (0,), after_product)
        return None

    def _mixed(self, value: Value, old: Value) -> Iterator[tuple[Value, Value, bool]]:
        """``z``, ``k`` and whether ``z`` is the share of what is new, of ``z * old + (1 - z) * k`` in any form."""
        for left, right in self._pair(value, Add):
            for a, b in self._pair(left, Mul):
                if b is old:
                    for c, d in self._pair(right, Mul):
                        if self._one_minus(c) is a:
                            yield a, d, False
                        if self._one_minus(a) is c:
                            yield c, d, True
                difference = self.made.get(b)
                if difference is not None and isinstance(difference.op, Sub):
                    if difference.inputs == (old, right):
                        yield a, right, False  # k + z * (old - k)
                    if difference.inputs[1] is old and right is old:
                        yield a, difference.inputs[0], True  # old + z * (k - old)

    def _candidate(self, k: Part, h: Value) -> tuple[Gate, Gate, bool] | None:
        """The reset gate, the candidate's weights, and whether the gate acts after the product with the state."""
        for left, right in self._pair(k.of, Add) if k.whole else ():
            own = self._terms(left)
            if own is None or len(own.stacks) != 1 or own.products or own.peepholes:
                continue
            for a, b in self._pair(right, Mul):
                gate = self._gate(self._argument(a, Sigmoid), h)
                inner = self._terms(b)
                if gate is None or inner is None or inner.stacks or len(inner.products) != 1 or inner.peepholes:
                    continue
                if inner.products[0][0] is h:
                    weights = inner.products[0][1]
                    return gate, Gate(own.stacks[0], weights, tuple(own.biases), tuple(inner.biases)), True
            inner = self._terms(right)
            if inner is not None and not inner.stacks and len(inner.products) == 1 and not inner.peepholes:
                factor, weights = inner.products[0]
                for a, b in self._pair(factor, Mul):
                    gate = self._gate(self._argument(a, Sigmoid), h) if b is h else None
                    if gate is not None:
                        return gate, Gate(own.stacks[0], weights, (*own.biases, *inner.biases)), False
        return None

    # Sums.

    def _gate(self, value: Part | None, state: Value, cell: Value | None = None) -> Gate | None:
        """The weights of a sum of one product with the input, one with the state, and biases."""
        terms = self._terms(value.of, value.first, value.last) if value is not None else None
        if terms is None or len(terms.stacks) != 1 or len(terms.products) != 1 or len(terms.peepholes) > 1:
            return None
        if terms.products[0][0] is not state or any(of is not cell for of, _ in terms.peepholes):
            return None
        peephole = terms.peepholes[0][1] if terms.peepholes else None
        return Gate(terms.stacks[0], terms.products[0][1], tuple(terms.biases), peephole=peephole)

    def _terms(self, value: Value, first: int = 0, last: int | None = None) -> Terms | None:
        """The columns of a value as a sum; None where it is something else."""
        width = value.shape[-1].constant if value.rank else None
        if width is None:
            return None
        last = width if last is None else last
        if value in self.stacks:
            return Terms(stacks=[Part(self.stacks[value], first, last)])
        node = self.made.get(value)
        if node is None:
            return None
        match node.op:
            case Add():
                parts = [self._terms(x, first, last) for x in node.inputs]
                return None if None in parts else _joined([part for part in parts if part is not None])
            case Split(axis=axis) if axis == value.rank - 1:
                start = sum(v.shape[-1].constant or 0 for v in node.outputs[: node.outputs.index(value)])
                return self._terms(node.inputs[0], start + first, start + last)
            case Slice(axes=axes, starts=starts, steps=(1,)) if axes == (value.rank - 1,):
                begin = starts[0].constant
                return None if begin is None else self._terms(node.inputs[0], begin + first, begin + last)
            case MatMul(transpose_a=False, transpose_b=False) if node.inputs[1] in self.captured:
                return Terms(products=[(node.inputs[0], Part(self.captured[node.inputs[1]], first, last))])
            case Broadcast() if (bias := self._vector(node)) is not None:
                return Terms(biases=[Part(bias, first, last)])
            case Mul():
                for a, b in (node.inputs, node.inputs[::-1]):
                    source = self.made.get(a)
                    if source is not None and isinstance(source.op, Broadcast):
                        factor = self._vector(source)
                        return None if factor is None else Terms(peepholes=[(b, Part(factor, first, last))])
        return None

    def _vector(self, node: Node) -> Value | None:
        """What a Broadcast repeats, if it is a captured vector."""
        (x,) = node.inputs
        return self.captured.get(x) if x.rank == 1 else None

    # What nodes are made of.

    def _argument(self, value: Value, op: Any) -> Part | None:
        """The columns whose function a value is: of all numbers, or of those that a split takes of them."""
        node, first = self.made.get(value), 0
        if node is not None and isinstance(node.op, Split) and node.op.axis == value.rank - 1:
            first = sum(v.shape[-1].constant or 0 for v in node.outputs[: node.outputs.index(value)])
            node = self.made.get(node.inputs[0])
        width = value.shape[-1].constant
        if node is None or not isinstance(node.op, op) or width is None:
            return None
        return Part(node.inputs[0], first, first + width)

    def _input(self, value: Value | None, op: Any) -> Value | None:
        node = self.made.get(value) if value is not None else None
        return node.inputs[0] if node is not None and isinstance(node.op, op) else None

    def _pair(self, value: Value, op: Any) -> Sequence[tuple[Value, Value]]:
        """The operands of a sum or product, both ways."""
        node = self.made.get(value)
        if node is None or not isinstance(node.op, op):
            return ()
        a, b = node.inputs
        return (a, b), (b, a)

    def _one_minus(self, value: Value) -> Value | None:
        """The ``z`` of ``1 - z``."""
        node = self.made.get(value)
        if node is None or not isinstance(node.op, Sub):
            return None
        one = self.made.get(node.inputs[0])
        while one is not None and isinstance(one.op, Broadcast):
            one = self.made.get(one.inputs[0])
        is_one = (
            one is not None and isinstance(one.op, Constant) and one.op.array.size == 1 and one.op.array.item() == 1
        )
        return node.inputs[1] if is_one else None


def _joined(parts: Sequence[Terms]) -> Terms:
    return Terms(
        [x for part in parts for x in part.stacks],
        [x for part in parts for x in part.products],
        [x for part in parts for x in part.biases],
        [x for part in parts for x in part.peepholes],
    )
