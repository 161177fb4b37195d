"""Which nodes of a graph are one item of a drawing: a module at the depth that is shown, or a formula of the spec.

Nodes that only move elements or widen a tensor inside the library are not shown, nor what depends on neither fields nor
parameters. A module that is applied twice is two items. Bodies of loops are boxes. What this module does not do: say
which items repeat each other (``folding`` does).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.custom import StatedGradient
from archonnx.compiler.ops.shape import Broadcast, Transpose
from archonnx.compiler.program import ModelProgram
from archonnx.grammar import ast


@dataclass(frozen=True, slots=True)
class Step:
    """A box on the way from the model to an item: a module, which may be applied several times, or a loop.

    Attributes:
        path: of the module; of that which runs the loop.
        number: which application, or which loop.
        loop: whether it is a loop.
    """

    path: str
    number: int
    loop: bool = False


@dataclass(eq=False, slots=True)
class Group:
    """Nodes that are drawn as one.

    Attributes:
        way: the boxes that it is in.
        key: what its nodes have in common.
        label: what it is called in the spec.
        module: the path of the module that it is; None for a formula.
        depends: all groups before it on which it depends.
    """

    way: tuple[Step, ...]
    key: object
    label: str
    module: str | None
    origin: Origin
    nodes: list[Node] = field(default_factory=list)
    depends: set[Group] = field(default_factory=set)


Sources = tuple[tuple["Group | Value", Value], ...]
"""Groups and fields from which a value comes to its reader, each with the value that it is there."""


@dataclass(slots=True)
class Grouped:
    """Groups in order, and where values come from."""

    groups: list[Group]
    makers: Mapping[Value, Sources]
    aliases: Mapping[Value, tuple[Value, ...]]

    def sources(self, value: Value) -> Sources:
        """The groups and fields from which a value comes: through bodies, whose values may stand for each other."""
        found: dict[tuple[Group | Value, Value], None] = {}
        waiting, seen = [value], {value}
        while waiting:
            one = waiting.pop()
            found.update(dict.fromkeys(self.makers.get(one, ())))
            others = [other for other in self.aliases.get(one, ()) if other not in seen]
            waiting += reversed(others)
            seen.update(others)
        return tuple(found)


@dataclass(slots=True)
class _Placed:
    """A node with the loops in which it is."""

    node: Node
    way: tuple[tuple[str, int], ...]
    """The path of the module that runs the loop, and the number of the loop."""


class Grouping:
    """The groups of a graph at one depth."""

    def __init__(self, model: ModelProgram, graph: Graph, depth: int) -> None:
        self.model, self.graph, self.depth = model, graph, depth
        self.aliases: dict[Value, tuple[Value, ...]] = {}
        """Values of bodies, and what they are outside."""
        self.placed = list(self._flat(graph, ()))
        self.owners = {owner for path in model.modules for owner in owners(path, model.modules)}
        self.ends = self._ends()
        self.own_blocks = {d.name for d in model.spec.file.declarations if isinstance(d, ast.Block)}
        self.groups: list[Group] = []
        self.makers: dict[Value, Sources] = {
            value: ((value, value),) for name, value in graph.inputs.items() if name not in model.parameters
        }
        self.grouped = Grouped(self.groups, self.makers, self.aliases)
        self.live = self._live()

    def run(self) -> Grouped:
        """All groups."""
        for position, placed in enumerate(self.placed):
            self._place(position, placed)
        return self.grouped

    def _flat(self, graph: Graph, way: tuple[tuple[str, int], ...]) -> Iterator[_Placed]:
        """The nodes in order, those of bodies in place of the nodes that run them."""
        for node in graph.nodes:
            bodies = node.op.bodies()
            if not bodies:
                yield _Placed(node, way)
                continue
            inner = (*way, (node.origin.path, len(self.aliases)))
            for body in bodies:
                given = list(body.inputs.values())
                for taken, value in zip(reversed(given), reversed(node.inputs), strict=False):
                    if taken is not value:
                        self.aliases[taken] = (value,)
                yield from self._flat(body, inner)
                results = list(body.outputs.values())
                for value, made in zip(reversed(node.outputs), reversed(results), strict=False):
                    if made is not value:
                        self.aliases[value] = (*self.aliases.get(value, ()), made)

    def _live(self) -> set[Value]:
        """Values that depend on a field, a parameter or a draw."""
        live = set(self.graph.inputs.values())

        for placed in self.placed:
            if any(value in live or self._stands_for(value, live) for value in placed.node.inputs):
                live.update(placed.node.outputs)
        return live

    def _stands_for(self, value: Value, live: set[Value]) -> bool:
        """Whether a value of a body stands for one of these."""
        waiting, seen = list(self.aliases.get(value, ())), {value}
        while waiting:
            one = waiting.pop()
            if one in live:
                return True
            if one not in seen:
                seen.add(one)
                waiting += self.aliases.get(one, ())
        return False

    def _ends(self) -> dict[str, list[int]]:
        """By path where its applications end, as positions of nodes."""
        made = {value: i for i, placed in enumerate(self.placed) for value in placed.node.outputs}
        ends: dict[str, set[int]] = defaultdict(set)
        for application in self.model.applications:
            found = [made[value] for value in application.results if value in made]
            if found:
                ends[application.path].add(max(found))
        return {path: sorted(positions) for path, positions in ends.items()}

    def _way(self, position: int, placed: _Placed) -> list[Step]:
        """The modules and loops in which a node is, the outermost first."""
        path = placed.node.origin.path
        paths = [*([path] if path in self.model.modules else []), *owners(path, self.model.modules)]
        steps: list[Step] = [Step(one, bisect_left(self.ends.get(one, []), position)) for one in reversed(paths)]
        for owner, loop in reversed(placed.way):
            at = sum(1 for one in paths if owner == one or owner.startswith(f"{one}."))
            steps.insert(at, Step(owner, loop, loop=True))
        return steps

    def _place(self, position: int, placed: _Placed) -> None:
        node = placed.node
        if not any(value in self.live for value in node.outputs):
            return
        way = self._way(position, placed)
        cut = next((i for i, step in enumerate(way) if self._is_whole(step, i)), None)
        if cut is None:
            if self._is_plumbing(node):
                self._pass_on(node)
                return
            origin = node.origin
            what, place = (origin.subject, origin.place) if self._is_ours(node) else (origin.what, origin.span)
            self._join(node, tuple(way), (tuple(way), what, place), what.replace("`", ""), None)
            return
        block = self.model.modules[way[cut].path]
        self._join(node, tuple(way[:cut]), tuple(way[: cut + 1]), block, way[cut].path)

    def _is_whole(self, step: Step, depth: int) -> bool:
        """Whether a module is drawn as one item: nothing is inside, or it is deep enough."""
        return not step.loop and (depth + 1 >= self.depth or step.path not in self.owners)

    def _is_ours(self, node: Node) -> bool:
        """Whether a node is of the model itself or of a block of its file: then the spec's lines tell it apart."""
        path = node.origin.path
        return not path or self.model.modules.get(path) in self.own_blocks

    def _is_plumbing(self, node: Node) -> bool:
        """Whether a node computes nothing that a reader would look for."""
        if isinstance(node.op, Broadcast | StatedGradient):
            return True
        place = node.origin.span
        moves = Trait.VIEW in node.op.traits or isinstance(node.op, Transpose)
        return moves and (place is None or place.source != self.model.spec.source)

    def _pass_on(self, node: Node) -> None:
        stated = isinstance(node.op, StatedGradient)  # what it reads besides its results is for the gradient alone
        for number, value in enumerate(node.outputs):
            read = node.inputs[number : number + 1] if stated else node.inputs
            self.makers[value] = tuple(dict.fromkeys(source for one in read for source in self.grouped.sources(one)))

    def _join(self, node: Node, way: tuple[Step, ...], key: object, label: str, module: str | None) -> None:
        """Put a node in the group with which it is connected, or, of a module, in the one that there is."""
        before = {
            source for value in node.inputs for source, _ in self.grouped.sources(value) if isinstance(source, Group)
        }
        like = [one for one in self.groups if one.key == key and (one in before or module is not None)]
        like = [one for one in like if not any(one in other.depends for other in before if other is not one)]
        group = like[0] if like else None
        if group is None:
            group = Group(way, key, label, module, node.origin)
            self.groups.append(group)
        for other in like[1:]:
            if other in before and not self._between(group, other):
                self._merge(group, other)
                before.discard(other)
        group.nodes.append(node)
        self._depend(group, before)
        for value in node.outputs:
            self.makers[value] = ((group, value),)

    def _depend(self, group: Group, before: set[Group]) -> None:
        added = (before | {one for other in before for one in other.depends}) - {group}
        if not added <= group.depends:
            group.depends |= added
            for other in self.groups:
                if group in other.depends:
                    other.depends |= added - {other}

    def _between(self, one: Group, two: Group) -> bool:
        """Whether a third group depends on one of two and the other on it."""
        pairs = ((one, two), (two, one))
        return any(a in other.depends and other in b.depends for a, b in pairs for other in self.groups)

    def _merge(self, group: Group, other: Group) -> None:
        """Make two groups one."""
        self.groups.remove(other)
        group.nodes += other.nodes
        self._depend(group, other.depends)
        group.depends.discard(other)
        for one in self.groups:
            if other in one.depends:
                one.depends.discard(other)
                self._depend(one, {group})
        for value, found in self.makers.items():
            if any(source is other for source, _ in found):
                self.makers[value] = tuple((group if s is other else s, made) for s, made in found)


def owners(path: str, modules: Mapping[str, str]) -> list[str]:
    """The paths of the modules in which the one at this path is, the innermost first: labels may hold dots."""
    found = []
    while path:
        path = path.rpartition(".")[0]
        if path in modules:
            found.append(path)
    return found
