"""From the graph of a model to the outline of its drawing, at the greatest depth at which it can be read.

What this module does not do: fold what repeats itself (``folding`` does), or draw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import ModelProgram, Parameter

from .folding import fold
from .grouping import Group, Grouped, Grouping, Step, owners
from .outline import (
    READABLE,
    Box,
    Edge,
    Item,
    Outline,
    is_input_of_draws,
    numbers,
    said,
    short,
    shown_graph,
    type_text,
)  # fmt: skip
from .programs import add_programs


def outline(
    model: ModelProgram, graph: str | None = None, *, depth: int | None = None, programs: bool = True
) -> Outline:
    """What a drawing of a model shows.

    Args:
        model: what is drawn.
        graph: ``infer``, ``evaluate`` or an entry; all outputs, losses and metrics of the model otherwise.
        depth: how many modules are drawn inside each other; 1 shows the outermost. As many as can be read otherwise.
        programs: whether to show what trains the model, too.
    """
    shown = shown_graph(model, graph)
    deepest = max((len(owners(path, model.modules)) + 1 for path in model.modules), default=0) + 1
    wanted = deepest if depth is None else max(depth, 1)
    while True:
        found = _Building(model, shown, wanted).run()
        fold(found)
        if depth is not None or wanted <= 1 or sum(1 for _ in found.root.items()) <= READABLE:
            break
        wanted = min(wanted - 1, _deepest(found.root))
    if programs and graph is None:
        add_programs(model, found)
    return found


def _deepest(box: Box) -> int:
    return 1 + max((_deepest(part) for part in box.parts if isinstance(part, Box)), default=0)


class _Building:
    """The outline at one depth, nothing folded."""

    def __init__(self, model: ModelProgram, graph: Graph, depth: int) -> None:
        self.model, self.graph = model, graph
        self.grouped: Grouped = Grouping(model, graph, depth).run()
        self.inside: dict[str, list[Parameter]] = defaultdict(list)
        for path, parameter in model.parameters.items():
            owner = path
            while owner:
                owner = owner.rpartition(".")[0]
                self.inside[owner].append(parameter)
        self.names = {value: path for path, value in graph.inputs.items() if path in model.parameters}
        self.root = Box(model.name, tuple(filter(None, [numbers(self._trained(""))])), path="")
        self.boxes: dict[tuple[Step, ...], Box] = {(): self.root}
        self.items: dict[Group | Value, Item] = {}
        self.edges: dict[tuple[Item, Item, str], Edge] = {}

    def run(self) -> Outline:
        """Fields first, then what is computed, then what comes out."""
        for name, value in self.graph.inputs.items():
            if name not in self.model.parameters and not is_input_of_draws(name):
                self._put((), value, self._field(name, value))
        for group in self.grouped.groups:
            self._put(group.way, group, self._item(group))
        for group in self.grouped.groups:
            self._connect(group, [value for node in group.nodes for value in node.inputs])
        for name, value in self.graph.outputs.items():
            result = self._result(name, value)
            self.root.parts.append(result)
            self._edges(result, [value])
        used = {edge.source for edge in self.edges.values()}
        self.root.parts = [
            part for part in self.root.parts if not (isinstance(part, Item) and part.kind == "field") or part in used
        ]
        return Outline(self.model.name, self.root, list(self.edges.values()))

    def _put(self, way: tuple[Step, ...], of: Group | Value, item: Item) -> None:
        self.items[of] = item
        self._box(way).parts.append(item)

    def _box(self, way: tuple[Step, ...]) -> Box:
        if way not in self.boxes:
            step = way[-1]
            outer = self._box(way[:-1])
            if step.loop:
                box = Box("for each step", path=step.path)
            else:
                block = self.model.modules[step.path]
                label = step.path.removeprefix(outer.path).removeprefix(".")
                box = Box(block, tuple(filter(None, [label, numbers(self._trained(step.path))])), path=step.path)
            outer.parts.append(box)
            self.boxes[way] = box
        return self.boxes[way]

    def _trained(self, path: str) -> list[Parameter]:
        return [parameter for parameter in self.inside[path] if not parameter.buffer]

    def _field(self, name: str, value: Value) -> Item:
        field = self.model.fields.get(name)
        details = ("target",) if field is not None and field.target else ()
        return Item("field", name, details, said(field.origin if field is not None else value.origin))

    def _item(self, group: Group) -> Item:
        if group.module is None:
            return self._formula(group)
        outer = self._box(group.way).path
        label = group.module.removeprefix(outer).removeprefix(".")
        details = tuple(filter(None, [label, numbers(self._trained(group.module))]))
        return Item("module", group.label, details, said(group.origin), path=group.module)

    def _formula(self, group: Group) -> Item:
        read = dict.fromkeys(
            self.names[value].rpartition(".")[2] for node in group.nodes for value in node.inputs if value in self.names
        )
        details = (short(f"with {', '.join(read)}"),) if read else ()
        return Item("formula", short(group.label), details, said(group.origin))

    def _result(self, name: str, value: Value) -> Item:
        kind = "loss" if name in self.model.losses else "metric" if self._is_metric(name) else "result"
        return Item(kind, name, (kind,) if kind != "result" else (), said(self._named(name, value)))

    def _is_metric(self, name: str) -> bool:
        return name in self.model.metrics or name in self.model.evaluate.outputs

    def _named(self, name: str, value: Value) -> Origin:
        place = next((one.span for one in self.model.use.names if one.name == name and not one.inner), None)
        return value.origin if place is None else Origin(name, place)

    def _connect(self, group: Group, values: Iterable[Value]) -> None:
        self._edges(self.items[group], values)

    def _edges(self, target: Item, values: Iterable[Value]) -> None:
        for value in values:
            for source, made in self._sources(value):
                item = self.items.get(source)
                if item is not None and item is not target:
                    label = type_text(made.type, self.model.float_type)
                    self.edges.setdefault((item, target, label), Edge(item, target, label))

    def _sources(self, value: Value) -> tuple[tuple[Group | Value, Value], ...]:
        return self.grouped.sources(value)
