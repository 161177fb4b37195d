"""Which numbers fields of a model may hold, because a graph uses them as indices: labels, ids, positions.

An index that names nothing is an error on one device, the last row or a row of zeros on another. What flows unchanged
from a field to an index is known before anything runs, so that data can be refused where it stands. What this module
does not do: look at numbers (``runtime.data.ranges`` does), or follow arithmetic: ``max(label, 0)`` is any number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span

from .ir.dims import Dim
from .ir.graph import Graph, Node, needed
from .ir.op import Places, Trait
from .ir.text import print_graph
from .ir.value import Value
from .ops.index import FromFront
from .program import ModelProgram


class FieldRange(Record):
    """Elements of a field are indices: each is one of ``0 ... count - 1``.

    Attributes:
        field: the name of the field.
        count: how many places there are; may be a symbolic dim of the model.
        noun: what they are: ``classes``, ``rows``.
        user: what takes the indices, in the words of the spec: ```cross_entropy```.
        span: where it stands.
        selection: the graph from the field to the elements that are indices; None where all of them are.
    """

    field: str
    count: Dim
    noun: str
    user: str = ""
    span: Span | None = None
    selection: Graph | None = None


class _Flow(Record, eq=False):
    """How a value came from a field: ``nodes`` make ``value`` of the field, and of that all elements stand in it."""

    field: str
    value: Value
    nodes: tuple[Node, ...] = ()
    part: bool = False
    """Whether a node has left elements out."""
    joined: bool = False
    """Whether elements that are not the field's stand among them."""


def model_ranges(model: ModelProgram) -> tuple[FieldRange, ...]:
    """What a model takes for indices, in training and in use."""
    graphs = model.training.graph, model.evaluate, model.infer
    return merged(r for graph in graphs for r in field_ranges(graph, model.fields))


def field_ranges(graph: Graph, fields: Collection[str]) -> tuple[FieldRange, ...]:
    """What a graph takes for indices, of the inputs that are these fields.

    >>> from archonnx.compiler.ir.parse import parse_graph
    >>> text = "graph g\\ninput W: f32[5, 2]\\ninput id: i64[B]\\n%0: f32[B, 2] = gather W, id\\noutput y = %0\\n"
    >>> [f"{r.field} below {r.count}" for r in field_ranges(parse_graph(text), ["id"])]
    ['id below 5']
    """
    found: list[tuple[Node, Places, _Flow]] = []
    for node, flows in _flowing(graph, fields):
        for position, places in node.op.indices([value.type for value in node.inputs]).items():
            found += [(node, places, flow) for flow in flows.get(node.inputs[position], ())]
    masked = _masked(graph) if any(not places.certain for _, places, _ in found) else set()
    return merged(
        _range(graph, node, places, flow)
        for node, places, flow in found
        if places.certain or masked.isdisjoint(node.outputs)
    )


def _flowing(graph: Graph, fields: Collection[str]) -> Iterator[tuple[Node, Mapping[Value, list[_Flow]]]]:
    """The nodes that are needed and read elements of fields, each with all that has come from fields so far."""
    flows: dict[Value, list[_Flow]] = {
        graph.inputs[name]: [_Flow(name, graph.inputs[name])]
        for name in fields
        if name in graph.inputs and graph.inputs[name].type.dtype.is_integer
    }
    for node in needed(graph.nodes, graph.outputs.values()) if flows else ():
        if not flows.keys().isdisjoint(node.inputs):
            yield node, flows
            _follow(node, flows)


def trusting(graph: Graph, fields: Collection[str]) -> Graph:
    """The graph for data that has been looked at: what flows unchanged from these fields to an index is in range.

    Its outputs, and all other values, are those of the graph.
    """
    known: dict[Value, Value] = {}
    for node, flows in _flowing(graph, fields):
        if not isinstance(node.op, FromFront) or node.op.symbols() or node.outputs[0] in graph.outputs.values():
            continue
        if any(not flow.joined for flow in flows[node.inputs[0]]):
            known[node.outputs[0]] = node.inputs[0]
    if not known:
        return graph
    nodes = (
        Node(node.op, tuple(known.get(value, value) for value in node.inputs), node.outputs, node.origin)
        for node in graph.nodes
        if node.outputs[0] not in known
    )
    return replace(graph, nodes=tuple(nodes))


def _follow(node: Node, flows: dict[Value, list[_Flow]]) -> None:
    """Note the results of a node that are elements of fields."""
    traits = node.op.traits
    if isinstance(node.op, FromFront):  # what it changes is out of range before and after
        flows[node.outputs[0]] = flows[node.inputs[0]]
        return
    part = Trait.PART in traits
    if not part and Trait.KEEPS not in traits:
        return
    given = [flow for value in node.inputs for flow in flows.get(value, ()) if not (part and flow.joined)]
    joins = len(node.inputs) > 1 or Trait.PADS in traits
    for result in node.outputs:
        if result.type.dtype.is_integer and given:
            flows[result] = [
                replace(flow, joined=True)
                if joins or flow.joined
                else _Flow(flow.field, result, (*flow.nodes, node), flow.part or part)
                for flow in given
            ]


def _range(graph: Graph, node: Node, places: Places, flow: _Flow) -> FieldRange:
    selection = None
    if flow.part:
        selection = Graph("indices", {flow.field: graph.inputs[flow.field]}, flow.nodes, {"indices": flow.value})
    origin = node.origin
    return FieldRange(flow.field, places.count, places.noun, origin.subject, origin.place, selection)


def _masked(graph: Graph) -> set[Value]:
    """Values of which ``where`` may leave elements out, before they are summed up."""
    found: set[Value] = set()
    for node in reversed(graph.nodes):
        chosen = Trait.CHOOSES in node.op.traits
        through = Trait.ELEMENTWISE in node.op.traits or Trait.VIEW in node.op.traits
        if chosen or (through and not found.isdisjoint(node.outputs)):
            found.update(node.inputs)
    return found


def merged(ranges: Iterable[FieldRange]) -> tuple[FieldRange, ...]:
    """Each range once; of those that say the same of a whole field the first."""
    return tuple({_key(r): r for r in reversed(list(ranges))}.values())[::-1]


def _key(r: FieldRange) -> tuple[str, Dim, str]:
    return r.field, r.count, "" if r.selection is None else print_graph(r.selection, origins=False)
