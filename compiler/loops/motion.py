"""Moving work out of a scan.

*Before* the loop goes what depends on slices and captured values alone: for all steps at once, ``x @ W`` as one
product. *After* it goes what no state needs: of a weight's gradient, one product of what all steps kept is left. Where
states and slices meet in one product or sum, it is taken apart first: ``concat([x_t, h]) @ W + b`` becomes
``(x_t @ W1 + b) + h @ W2``. What this module does not do: leave out what nothing reads any more (``trim`` does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.walk import changed
from archonnx.compiler.ops.elementwise import Add, Mul
from archonnx.compiler.ops.linalg import MatMul, matrix_product
from archonnx.compiler.ops.shape import Broadcast, Constant, broadcast_to
from archonnx.compiler.ops.slicing import Concat, concat, split
from archonnx.grammar.record import replace

from .gates import grouped
from .gradient import delayed
from .lifting import lift
from .scan import Scan
from .scanning import body_of


def moved(graph: Graph) -> Graph:
    """The graph with all scans freed of what need not be in them."""
    return changed(graph, _moved)


def _moved(node: Node, made: Mapping[Value, Node]) -> tuple[list[Node], Mapping[Value, Value]] | None:
    if not isinstance(node.op, Scan):
        return None
    motion = _Motion(node, node.op)
    motion.before()
    motion.after()
    motion.without_copies()
    return motion.nodes(), motion.replaced


class _Motion:
    """One scan, and what is taken out of it.

    Attributes:
        ahead: builds what stands before the scan.
        copies: builds, after it, stacks of states.
        behind: builds what stands after them.
        replaced: results of the scan that something else gives now.
        changing: the states that a step changes, by position; the others are captured.
    """

    def __init__(self, node: Node, op: Scan) -> None:
        self.node, self.op = node, op
        self.ahead, self.copies, self.behind = (Builder(node.origin) for _ in range(3))
        self.replaced: dict[Value, Value] = {}
        inputs, outputs = list(op.body.inputs.values()), list(op.body.outputs.values())
        last = op.states + op.scanned
        fixed = [j for j in range(op.states) if outputs[j] is inputs[j]]
        self.changing = [j for j in range(op.states) if j not in fixed]
        self.replaced.update((node.outputs[j], node.inputs[j]) for j in fixed)
        self.first = [(inputs[j], node.inputs[j]) for j in self.changing]
        self.slices = dict(zip(inputs[op.states : last], node.inputs[op.states : last], strict=True))
        self.captured = dict(zip(inputs[last:], node.inputs[last:], strict=True))
        self.captured |= {inputs[j]: node.inputs[j] for j in fixed}
        self.states = [outputs[j] for j in self.changing]
        self.emitted = list(zip(outputs, node.outputs, strict=True))[op.states :]
        self.steps = op.times([value.type for value in node.inputs])
        self.body = list(op.body.nodes)

    def nodes(self) -> list[Node]:
        """All that takes the place of the scan."""
        states = [value for value, _ in self.first]
        emitted = [value for value, _ in self.emitted]
        nodes = needed(self.body, [*self.states, *emitted])
        body = body_of(nodes, states, self.slices, self.captured, self.states, emitted)
        op = replace(self.op, body=body, states=len(states), scanned=len(self.slices))
        given = (*(value for _, value in self.first), *self.slices.values(), *self.captured.values())
        results = (*(self.node.outputs[j] for j in self.changing), *(value for _, value in self.emitted))
        scan = [Node(op, given, results, self.node.origin)] if results else []
        behind = [
            Node(n.op, tuple(self.replaced.get(v, v) for v in n.inputs), n.outputs, n.origin) for n in self.behind.nodes
        ]
        return [*self.ahead.nodes, *scan, *self.copies.nodes, *behind]

    # Before the loop.

    def before(self) -> None:
        """Take out what no state has a part in."""
        states = [value for value, _ in self.first]
        self.body = _parted(grouped(self.body, [*self.states, *(value for value, _ in self.emitted)]), states)
        outside: dict[Value, Value] = dict(self.captured)
        stacks = dict(self.slices)
        lifted: dict[Value, Node] = {}
        for node in self.body:
            if not all(value in outside or value in stacks for value in node.inputs):
                continue
            if Trait.PURE not in node.op.traits:
                continue
            results = self._lifted(self.ahead, node, outside, stacks)
            if results is not None:
                same = all(value in outside for value in node.inputs)
                (outside if same else stacks).update(zip(node.outputs, results, strict=True))
                lifted.update((value, node) for value in node.outputs)
        if all(_is_repeated(node) for node in lifted.values()):
            self.ahead = Builder(self.node.origin)
            return
        staying = [node for node in self.body if node.outputs[0] not in lifted]
        wanted = {value for node in staying for value in node.inputs} | set(self.states)
        self.body = [*self._done_again(wanted, lifted), *staying]
        for value, result in list(self.emitted):
            if value in stacks and value in lifted:
                self.replaced[result] = stacks[value]
                self.emitted.remove((value, result))
        self._read_from(outside, stacks)

    def _done_again(self, wanted: set[Value], lifted: dict[Value, Node]) -> list[Node]:
        """What repeats numbers is done in the loop as well, since a step then reads less."""
        again: list[Node] = []
        for node in reversed(self.body):
            if _is_repeated(node) and node.outputs[0] in lifted and not wanted.isdisjoint(node.outputs):
                again.append(node)
                wanted.difference_update(node.outputs)
                wanted.update(node.inputs)
        return again[::-1]

    def _read_from(self, outside: dict[Value, Value], stacks: dict[Value, Value]) -> None:
        """Let the body take what it reads and does not make."""
        own = {value for node in self.body for value in node.outputs}.union(value for value, _ in self.first)
        read = [value for node in self.body for value in node.inputs]
        read += [*self.states, *(value for value, _ in self.emitted)]
        free = [value for value in dict.fromkeys(read) if value not in own]
        kept = next(iter(self.slices.items()))
        self.slices = {value: stacks[value] for value in free if value in stacks} or dict([kept])
        self.captured = {value: outside[value] for value in free if value in outside}

    def _lifted(
        self, builder: Builder, node: Node, outside: dict[Value, Value], stacks: dict[Value, Value]
    ) -> Sequence[Value] | None:
        """The results of a node for all steps; where they are the same at each step, for one."""
        stacked = [value in stacks for value in node.inputs]
        given = [stacks[value] if value in stacks else outside[value] for value in node.inputs]
        with builder.active(), builder.at(node.origin):
            if any(stacked):
                return lift(node.op, given, stacked, self.steps)
            return builder.add_many(node.op, *given)

    # After the loop.

    def after(self) -> None:
        """Take out what no state needs."""
        staying = set(needed(self.body, self.states))
        own = {value: node for node in self.body for value in node.outputs}
        movable = {node for node in self.body if node not in staying and Trait.PURE in node.op.traits}
        for node in reversed(self.body):
            if node in staying or (node in movable and self._lifts(node, own)):
                continue
            movable.discard(node)
            staying.update(needed(self.body, node.inputs), (node,))
            movable -= staying
        if not any(node in movable and not _is_view(node) for node in self.body):
            return
        self._sink(movable, own)

    def _lifts(self, node: Node, own: dict[Value, Node]) -> bool:
        """Whether a node can be done for all steps, of stacks."""
        builder = Builder()
        outside = {v: v for v in node.inputs if v in self.captured or (v in own and not own[v].inputs)}
        stacks = {v: Value(v.type.with_shape((self.steps, *v.shape))) for v in node.inputs if v not in outside}
        return self._lifted(builder, node, outside, stacks) is not None

    def _sink(self, movable: set[Node], own: dict[Value, Node]) -> None:
        outside: dict[Value, Value] = dict(self.captured)
        stacks = dict(self.slices)
        emitted = dict(self.emitted)
        made: dict[Value, Value] = {}
        for node in self.body:
            if node not in movable:
                continue
            for value in node.inputs:
                self._provide(value, own, outside, stacks, emitted, made)
            results = self._lifted(self.behind, node, outside, stacks)
            assert results is not None
            same = all(value in outside for value in node.inputs)
            (outside if same else stacks).update(zip(node.outputs, results, strict=True))
        sunk = {value for node in movable for value in node.outputs}
        for value, result in self.emitted:
            if value in sunk:
                self.replaced[result] = stacks[value] if value in stacks else self._repeated(outside[value])
        self.emitted = [(value, result) for value, result in self.emitted if value not in sunk]
        self.emitted += made.items()
        self.body = [node for node in self.body if node not in movable]
        self._read_from(dict(self.captured), dict(self.slices))

    def without_copies(self) -> None:
        """Have stacks of states made after the loop, of what else is emitted: what is both is copied at each step."""
        own = {value: node for node in self.body for value in node.outputs}
        for value, result in list(self.emitted):
            node = own.get(value)
            if node is None or value not in self.states or len(node.outputs) > 1:
                continue
            others = {v: stack for v, stack in self.emitted if v not in self.states} | self.slices
            stacked = [v in others for v in node.inputs]
            if any(stacked) and all(v in others or v in self.captured for v in node.inputs):
                made = self._lifted(self.copies, node, self.captured, others)
                if made is not None:
                    (self.replaced[result],) = made
                    self.emitted.remove((value, result))
        self.replaced = {old: self.replaced.get(new, new) for old, new in self.replaced.items()}

    def _repeated(self, value: Value) -> Value:
        with self.behind.active():
            return broadcast_to(value, (self.steps, *value.shape))

    def _provide(
        self,
        value: Value,
        own: dict[Value, Node],
        outside: dict[Value, Value],
        stacks: dict[Value, Value],
        emitted: dict[Value, Value],
        made: dict[Value, Value],
    ) -> None:
        """Have a value of the body after the loop: as it is at every step, or stacked."""
        if value in outside or value in stacks:
            return
        if value in emitted:
            stacks[value] = emitted[value]
            return
        node = own.get(value)
        if node is not None and (not node.inputs or _is_view(node)):
            for given in node.inputs:
                self._provide(given, own, outside, stacks, emitted, made)
            results = self._lifted(self.behind, node, outside, stacks)
            if results is not None:
                same = all(v in outside for v in node.inputs)
                (outside if same else stacks).update(zip(node.outputs, results, strict=True))
                return
        for n, (before, first) in enumerate(self.first):
            if value is before and not any(self.states[n] is other for other, _ in self.first):
                self._provide(self.states[n], own, outside, stacks, emitted, made)
                with self.behind.active():
                    if self.states[n] in stacks:
                        stacks[value] = delayed(first, stacks[self.states[n]], self.op.reverse)
                    else:
                        again = self._repeated(outside[self.states[n]])
                        stacks[value] = delayed(first, again, self.op.reverse)
                return
        emitted[value] = made[value] = Value(value.type.with_shape((self.steps, *value.shape)), value.name)
        stacks[value] = emitted[value]


def _is_repeated(node: Node) -> bool:
    """Whether a node makes more numbers than it reads, all of them the same or those that it reads."""
    return isinstance(node.op, Constant | Broadcast)


def _is_view(node: Node) -> bool:
    """Whether a node only moves the numbers of one tensor, or has a constant one."""
    return isinstance(node.op, Constant) or (Trait.VIEW in node.op.traits and len(node.inputs) <= 1)


def _parted(nodes: Iterable[Node], states: Iterable[Value]) -> list[Node]:
    """The nodes, with products and sums taken apart where a part depends on no state."""
    varying = set(states)
    result: list[Node] = []
    nodes = list(nodes)
    made: dict[Value, Node] = {}
    readers = Counter(value for node in nodes for value in node.inputs)
    for node in nodes:
        builder = Builder(node.origin)
        with builder.active():
            parted = (
                _parted_product(node, made, varying)
                or _parted_chain(node, made, varying, readers)
                or _joined_products(node, made, varying, readers)
            )
        if parted is not None:
            *others, last = builder.nodes
            assert last.outputs == (parted,)
            result += others
            for other in others:
                made.update((value, other) for value in other.outputs)
                readers.update(other.inputs)
                if not varying.isdisjoint(other.inputs):
                    varying.update(other.outputs)
            readers.subtract(node.inputs)
            readers.update(last.inputs)
            node = Node(last.op, last.inputs, node.outputs, node.origin)
        result.append(node)
        made.update((value, node) for value in node.outputs)
        if not varying.isdisjoint(node.inputs):
            varying.update(node.outputs)
    return result


def _parted_product(node: Node, made: dict[Value, Node], varying: set[Value]) -> Value | None:
    """``concat([x, h], -1) @ W`` as ``x @ W1 + h @ W2``, where one of ``x`` and ``h`` depends on the states."""
    if not isinstance(node.op, MatMul) or node.op.transpose_a:
        return None
    left, right = node.inputs
    joined = made.get(left)
    if joined is None or not isinstance(joined.op, Concat) or joined.op.axis != left.rank - 1 or right.rank != 2:
        return None
    groups: list[list[Value]] = []
    for part in joined.inputs:
        if groups and (groups[-1][0] in varying) == (part in varying):
            groups[-1].append(part)
        else:
            groups.append([part])
    if len(groups) == 1 or right in varying:
        return None
    parts = [concat(group, left.rank - 1) for group in groups]
    rows = split(right, [part.shape[-1] for part in parts], 1 if node.op.transpose_b else 0)
    products = [
        matrix_product(part, row, transpose_b=node.op.transpose_b) for part, row in zip(parts, rows, strict=True)
    ]
    total = products[0]
    for product in products[1:]:
        total = total + product
    return total


def _parted_chain(node: Node, made: dict[Value, Node], varying: set[Value], readers: Counter[Value]) -> Value | None:
    """``(x + h) + b`` as ``(x + b) + h``, where only ``h`` depends on the states; products alike."""
    if not isinstance(node.op, Add | Mul):
        return None
    for inner, free in (node.inputs, node.inputs[::-1]):
        source = made.get(inner)
        if free in varying or source is None or source.op != node.op or readers[inner] > 1:
            continue
        for bound, other in (source.inputs, source.inputs[::-1]):
            if bound in varying and other not in varying:
                builder = current_builder()
                return builder.add(node.op, builder.add(node.op, other, free), bound)
    return None


def _joined_products(node: Node, made: dict[Value, Node], varying: set[Value], readers: Counter[Value]) -> Value | None:
    """``concat([a * x, b * y])`` as ``concat([a, b]) * concat([x, y])``, where ``a`` and ``b`` depend on no state."""
    if not isinstance(node.op, Concat):
        return None
    free: list[Value] = []
    bound: list[Value] = []
    for part in node.inputs:
        source = made.get(part)
        if source is None or not isinstance(source.op, Mul) or readers[part] > 1:
            return None
        a, b = source.inputs if source.inputs[0] not in varying else source.inputs[::-1]
        if a in varying or b not in varying:
            return None
        joined = made.get(b)
        free.append(a)
        bound += joined.inputs if joined is not None and joined.op == node.op else [b]
    return concat(free, node.op.axis) * concat(bound, node.op.axis)
