"""Updates in blocks: the part of a step that changes large tensors element by element, cut off from the rest.

An optimizer's rule acts on each element of a parameter by itself: ``p``, ``m`` and ``v`` of one element follow from
those before, from its gradient, and from a few numbers. So it need not run on whole tensors, and what it writes needs
no second set of them: a block can be written where it was read (``runtime.device.blockwise`` does that).
Parameters whose rules are alike share one graph over vectors of any length. What this module does not do: run anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from math import prod

from archonnx.grammar.record import Record, replace

from .ir.dims import Dim
from .ir.graph import Graph, Node, needed
from .ir.op import Op, Trait
from .ir.parts import cut
from .ir.types import TensorType
from .ir.value import Value
from .ops.elementwise import Cast
from .ops.shape import Broadcast, Constant
from .passes.cse import CommonSubexpressions
from .program import NEXT, TrainStep
from .written_over import in_place

LARGE = 2**16
"""Elements of a tensor from which on it is changed in blocks: one call for each costs some microseconds."""
WORTH = 2**23
"""Bytes that a step must save by it."""
ONCE, LITTLE = 2**20, 2**10
"""Bytes that a step must save by writing tensors over themselves while it runs, and elements of which each has as many:
such a step is run by itself, and not in a row of several."""
MANY = 1400
"""Tensors that a step carries, from which on all that it can is changed apart, whatever their size: onnxruntime makes a
session in a time that grows with nodes times outputs. 240 dense layers with Adam (1,440 tensors): 4.7 s to the end of
the first step, and 1.6 s with their updates apart; a step takes 14.7 ms, and then 13.3 by two threads and 16.7 by one.
Of 170 layers (1,020 tensors) it takes 6.7 and 9.5, 6.0 and 6.9 (2026-11-29)."""
GIVEN, NUMBER = "given/", "number/"
"""Outputs of the rest that an update reads: tensors, and numbers."""
LENGTH = (Dim.of("n"),)


class Family(Record):
    """Updates that are alike, as one graph over vectors of ``n`` elements.

    Graph inputs: ``carried/K``, ``given/K`` and the numbers ``number/K``, counted from 0. Graph outputs: ``next/K`` for
    each of ``carried/K``.
    """

    graph: Graph
    carried: int
    given: int
    numbers: int


class Looked(Record):
    """Rows that are written over what blocks made of them: the outputs of the rest that say which (``at``), and for
    each tensor what they become."""

    at: str
    rows: tuple[str, ...]


class Member(Record):
    """Tensors of one shape that are changed together.

    Attributes:
        family: its number.
        carried: their names.
        given: of tensors of that shape: outputs of the rest (``given/N``), or inputs of the step.
        numbers: likewise, of scalars (``number/N``).
        looked: the rows that are changed by themselves, of a table (``looked_up``).
    """

    family: int
    carried: tuple[str, ...]
    given: tuple[str, ...]
    numbers: tuple[str, ...]
    looked: Looked | None = None


class Blockwise(Record):
    """A step in two: the rest, and updates in blocks.

    Attributes:
        rest: inputs and outputs as the step has them, without ``next/NAME`` of what is changed in blocks, with
            ``given/N`` and ``number/N``.
        families: the updates.
        members: what they change.
        once: what the rest writes over itself while it runs.
        turned: of the tensors that are changed those which the rest reads, and gives gradients of, as ``[*kernel, C,
            O]`` (``turned``).
    """

    rest: Graph
    families: tuple[Family, ...]
    members: tuple[Member, ...]
    once: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()

    @property
    def carried(self) -> list[str]:
        """All that is changed in blocks."""
        return [name for member in self.members for name in member.carried]

    @property
    def in_one_place(self) -> list[str]:
        """All that has no second place."""
        return [*self.carried, *self.once]

    @property
    def given(self) -> dict[str, TensorType]:
        """The tensors that the rest hands over."""
        return {name: value.type for name, value in self.rest.outputs.items() if name.startswith(GIVEN)}

    @property
    def numbers(self) -> dict[str, TensorType]:
        """Likewise the numbers."""
        return {name: value.type for name, value in self.rest.outputs.items() if name.startswith(NUMBER)}


class _Rule(Record):
    """How one tensor changes: the nodes that act on elements, and what they read."""

    nodes: tuple[Node, ...]
    tensors: tuple[Value, ...]
    numbers: tuple[Value, ...]


def in_one_place(step: TrainStep, others: Set[str]) -> Blockwise | None:
    """A step with its large updates in blocks, and the rest with as much as can be written over itself.

    None where all that would save little memory, or where the step is watched. ``others`` are carried tensors that
    other statements change: they keep two places.
    """
    if step.watched:
        return None
    apart = blockwise(step)
    if apart is None or not others.isdisjoint(apart.carried):
        apart = Blockwise(step.graph, (), ())
    outputs = apart.rest.outputs
    able = {name: NEXT + name for name, type_ in step.carried.items() if NEXT + name in outputs and name not in others
            and prod(type_.static_shape or ()) >= LITTLE}  # fmt: skip
    once = tuple(in_place(apart.rest, able))
    saves = _bytes(step.carried[name] for name in once) >= ONCE
    return replace(apart, once=once) if saves else apart if apart.members else None


def blockwise(step: TrainStep) -> Blockwise | None:
    """A step with its large updates in blocks; None where that would save little memory, or where it is watched."""
    many = len(step.carried) >= MANY
    if step.watched or not (many or _bytes(step.carried.values()) >= WORTH):
        return None
    gradients = {f"gradient/{path}": value for path, value in step.gradients.items()}
    merged = CommonSubexpressions().run(replace(step.graph, outputs={**step.graph.outputs, **gradients}))
    stops = {merged.outputs[name] for name in gradients}
    graph = replace(merged, outputs={name: merged.outputs[name] for name in step.graph.outputs})
    lasting, inputs = (*step.carried, *step.constants), set(graph.inputs.values())
    groups = [
        found
        for found in _groups(step.carried, graph, stops, lasting, 1 if many else LARGE)
        if _saved(graph, found, inputs) > 0
    ]
    if not groups or (not many and sum(_saved(graph, found, inputs) for found in groups) < WORTH):
        return None
    return _apart(graph, groups, lasting)


def in_shares(step: TrainStep, update: Graph, gradients: Sequence[str]) -> Blockwise | None:
    """The update of a step, which reads these gradients, with all that can be shared out apart; None if nothing can.

    What several processes share reads nothing but what is carried, one gradient, and numbers.
    """
    graph = CommonSubexpressions().run(update)
    lasting = [name for name in (*step.carried, *step.constants, *gradients) if name in graph.inputs]
    stops = {graph.inputs[name] for name in gradients}
    carried = {name: type_ for name, type_ in step.carried.items() if NEXT + name in graph.outputs}
    groups = [
        found
        for found in _groups(carried, graph, stops, lasting, 1)
        if len(_read(graph, found) & stops) == len(_read(graph, found)) <= 1
    ]
    return _apart(graph, groups, lasting) if groups and not step.watched else None


def _read(graph: Graph, rules: Mapping[str, _Rule]) -> set[Value]:
    """The tensors that rules read besides those that they change."""
    return {value for rule in rules.values() for value in rule.tensors} - {graph.inputs[name] for name in rules}


def _bytes(types: Iterable[TensorType]) -> int:
    return sum(prod(type_.static_shape or (0,)) * type_.dtype.numpy.itemsize for type_ in types)


def _saved(graph: Graph, rules: Mapping[str, _Rule], inputs: Set[Value]) -> int:
    """Bytes: second sets that are not needed, less what must be held until all of it is there."""
    given = {value for rule in rules.values() for value in rule.tensors if value not in inputs}
    return _bytes(graph.inputs[name].type for name in rules) - _bytes(value.type for value in given)


# ---------------------------------------------------------------- what changes together


def _groups(
    carried: Mapping[str, TensorType], graph: Graph, stops: set[Value], lasting: Iterable[str], large: int
) -> list[dict[str, _Rule]]:
    """Tensors of so many elements that are changed by rules which read the same tensors, each with its rule."""
    producers, places = graph.producers(), {node: place for place, node in enumerate(graph.nodes)}
    rules: dict[str, _Rule] = {}
    for name, type_ in carried.items():
        if type_.rank and type_.static_shape is not None and prod(type_.static_shape) >= large:
            rules[name] = _rule(graph.outputs[NEXT + name], producers, places, stops)
    above, reader = {name: name for name in rules}, dict[Value, str]()

    def first(name: str) -> str:
        while above[name] != name:
            name = above[name]
        return name

    for name, rule in rules.items():
        for value in (graph.inputs[name], *rule.tensors):
            above[first(name)] = first(reader.setdefault(value, name))
    groups: dict[str, list[str]] = {}
    for name in rules:
        groups.setdefault(first(name), []).append(name)
    moved = set(carried) - set(rules)
    allowed = {graph.inputs[name] for name in lasting if name in graph.inputs and name not in moved}
    forbidden = set(graph.inputs.values()) - allowed
    found = []
    for names in groups.values():
        members = {name: rules[name] for name in names}
        if _possible(graph, members, forbidden):
            found.append(members)
    return found


def _possible(graph: Graph, rules: Mapping[str, _Rule], forbidden: Set[Value]) -> bool:
    """Whether these tensors are of one shape, and follow from nothing that lies elsewhere."""
    own = [graph.inputs[name] for name in rules]
    read = {value for rule in rules.values() for value in rule.tensors}
    alike = len({value.shape for value in (*own, *read)}) == 1
    return alike and forbidden.isdisjoint(read)


def _rule(value: Value, producers: Mapping[Value, Node], places: Mapping[Node, int], stops: set[Value]) -> _Rule:
    """The elementwise nodes behind a value, back to gradients, inputs, numbers, and results of other nodes."""
    nodes, tensors, numbers = set[Node](), dict[Value, None](), dict[Value, None]()
    stack, seen = [value], {value}
    while stack:
        current = stack.pop()
        node = producers.get(current)
        if node is None or current in stops or not _by_element(node):
            tensors[current] = None
            continue
        nodes.add(node)
        if isinstance(node.op, Broadcast):
            numbers[node.inputs[0]] = None
            continue
        stack += [given for given in node.inputs if given not in seen]
        seen.update(node.inputs)
    return _Rule(tuple(sorted(nodes, key=places.__getitem__)), tuple(tensors), tuple(numbers))


def _by_element(node: Node) -> bool:
    """Whether each element of a result follows from those of its inputs in its place, or from numbers."""
    if isinstance(node.op, Broadcast):
        return not node.inputs[0].rank
    elementwise = Trait.ELEMENTWISE in node.op.traits or isinstance(node.op, Cast)
    return elementwise and bool(node.inputs) and len(node.outputs) == 1 and Trait.RANDOM not in node.op.traits


# ---------------------------------------------------------------- the graphs


def _apart(graph: Graph, groups: Sequence[Mapping[str, _Rule]], lasting: Iterable[str]) -> Blockwise:
    """The step in two; ``lasting`` are inputs that are there without being handed over."""
    producers, places = graph.producers(), {node: place for place, node in enumerate(graph.nodes)}
    names = {graph.inputs[name]: name for name in lasting if name in graph.inputs}
    handed: dict[str, Value] = {}
    families: dict[object, tuple[int, Family]] = {}
    members = []

    def name_of(value: Value) -> str:
        if value not in names:
            names[value] = f"{GIVEN if value.rank else NUMBER}{len(handed)}"
            handed[names[value]] = value
        return names[value]

    for rules in groups:
        form = _Form(graph, rules, producers, places)
        if (key := form.key) not in families:
            families[key] = len(families), form.family(f"{graph.name}.update")
        given, numbers = (tuple(map(name_of, values)) for values in (form.given, form.numbers))
        members.append(Member(families[key][0], tuple(rules), given, numbers))
    moved = {NEXT + name for rules in groups for name in rules}
    outputs = {name: value for name, value in graph.outputs.items() if name not in moved}
    rest = cut(graph.name, graph.nodes, graph.inputs, {**outputs, **handed}, graph.facts)
    return Blockwise(rest, tuple(family for _, family in families.values()), tuple(members))


class _Form:
    """What the rules of a group are, whatever their tensors are called and how large they are."""

    def __init__(
        self,
        graph: Graph,
        rules: Mapping[str, _Rule],
        producers: Mapping[Value, Node],
        places: Mapping[Node, int],
    ) -> None:
        nodes = {node for rule in rules.values() for node in rule.nodes}
        targets = [graph.outputs[NEXT + name] for name in rules]
        self._nodes = needed(sorted(nodes, key=places.__getitem__), targets)
        own = [graph.inputs[name] for name in rules]
        read = dict.fromkeys(value for rule in rules.values() for value in rule.tensors)
        self.given = [value for value in read if value not in own]
        scalars = dict.fromkeys(value for rule in rules.values() for value in rule.numbers)
        made = [producers.get(value) for value in scalars]
        self._fixed = [node for node in made if node is not None and isinstance(node.op, Constant)]
        fixed = {node.outputs[0] for node in self._fixed}
        self.numbers = [value for value in scalars if value not in fixed]
        self._own, self._targets = own, targets

    @property
    def key(self) -> object:
        """Equal for groups that one graph can serve."""
        numbers: dict[Value, int] = {}
        for value in (*self._own, *self.given, *self.numbers):
            numbers[value] = len(numbers)
        steps = []
        for node in (*self._fixed, *self._nodes):
            steps.append((_along(node.op), tuple(numbers[value] for value in node.inputs)))
            numbers[node.outputs[0]] = len(numbers)
        types = tuple((value.type.dtype, value.rank == 0) for value in (*self._own, *self.given, *self.numbers))
        ends = tuple(numbers[value] for value in self._targets)
        return len(self._own), len(self.given), types, tuple(steps), ends

    def family(self, name: str) -> Family:
        """The graph over vectors."""
        values: dict[Value, Value] = {}

        def vector(value: Value) -> Value:
            if value not in values:
                shape = LENGTH if value.rank else ()
                values[value] = Value(value.type.with_shape(shape), value.name, value.origin)
            return values[value]

        inputs = {f"carried/{place}": vector(value) for place, value in enumerate(self._own)}
        inputs |= {f"{GIVEN}{place}": vector(value) for place, value in enumerate(self.given)}
        inputs |= {f"{NUMBER}{place}": vector(value) for place, value in enumerate(self.numbers)}
        nodes = tuple(
            Node(_along(node.op), tuple(map(vector, node.inputs)), tuple(map(vector, node.outputs)), node.origin)
            for node in (*self._fixed, *self._nodes)
        )
        outputs = {f"{NEXT}{place}": vector(value) for place, value in enumerate(self._targets)}
        return Family(Graph(name, inputs, nodes, outputs), len(self._own), len(self.given), len(self.numbers))


def _along(op: Op) -> Op:
    """The op on a vector."""
    return Broadcast(LENGTH) if isinstance(op, Broadcast) else op
