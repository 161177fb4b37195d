"""Updates of tables of which a step looks up few rows, as an embedding's.

The gradient of such a table is zero but for those rows. So it is never made: the table changes in blocks as by a
gradient of zeros, and its rows that were looked up are computed by the whole rule besides, and written over what the
blocks made of them. Results are those of the whole gradient (``blockwise``). What this module does not do: run
anything, or leave rows as they are (a rule may change them without a gradient, as Adam and weight decay do).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod

from archonnx.grammar.record import Record, replace

from .blockwise import GIVEN, NUMBER, Blockwise, Family, Looked, Member
from .ir.bind import bind
from .ir.builder import Builder, current_builder
from .ir.dims import Dim
from .ir.graph import Graph, Node
from .ir.parts import cut, inline
from .ir.types import TensorType
from .ir.value import Value
from .ops.elementwise import Cast
from .ops.index import ScatterAdd, gather, scatter_add, scatter_max
from .ops.shape import Broadcast, Constant, full, reshape, zeros_like
from .ops.sizes import iota
from .program import NEXT

FEW = 4
"""So many rows of a table for each that is looked up. Of a table's row five of Adam's thirteen passes and four over the
gradient are saved, of one that is looked up some twenty-five are made."""


class _Found(Record):
    """A member of one table's gradient: where it is added up, from what."""

    member: Member
    rows: Value
    updates: Value
    table: TensorType


def looked_up(apart: Blockwise, dims: Mapping[str, int]) -> Blockwise:
    """The updates, for batches of these sizes, with those of tables of which few rows are looked up without a gradient
    of the whole table."""
    rest = bind(apart.rest, dims) if dims else apart.rest
    producers = rest.producers()
    readers = Counter(value for node in rest.nodes for value in node.inputs)
    readers.update(rest.outputs.values())
    found = {
        number: one
        for number, member in enumerate(apart.members)
        if (one := _found(rest, member, producers, readers)) is not None
    }
    return _without_gradients(apart, rest, found) if found else apart


def _found(rest: Graph, member: Member, producers: Mapping[Value, Node], readers: Mapping[Value, int]) -> _Found | None:
    """What a member's gradient is made of, if it is that of few rows, and nothing else reads it."""
    if len(member.given) != 1 or member.given[0] not in rest.outputs:
        return None
    gradient = rest.outputs[member.given[0]]
    node = producers.get(gradient)
    if node is None or not isinstance(node.op, ScatterAdd) or readers[gradient] > 1:
        return None
    start, rows, updates = node.inputs
    size, count = gradient.type.static_shape, rows.type.static_shape
    if size is None or count is None or not _zero(start, producers) or FEW * prod(count) > size[0]:
        return None
    return _Found(member, rows, updates, gradient.type)


def _zero(value: Value, producers: Mapping[Value, Node]) -> bool:
    """Whether a tensor is all zeros."""
    node = producers.get(value)
    if node is not None and isinstance(node.op, Broadcast | Cast):
        return _zero(node.inputs[0], producers)
    return node is not None and isinstance(node.op, Constant) and not node.op.array.any()


def _without_gradients(apart: Blockwise, rest: Graph, found: Mapping[int, _Found]) -> Blockwise:
    """The updates with the rows of these members computed by the rest."""
    builder, inputs, outputs = Builder(), dict(rest.inputs), dict(rest.outputs)
    builder.nodes += rest.nodes
    families, members, still = list(apart.families), list(apart.members), dict[int, int]()

    def read(name: str, type_: TensorType) -> Value:
        return outputs[name] if name in outputs else inputs.setdefault(name, Value(type_, name))

    for number, one in found.items():
        member = one.member
        family = apart.families[member.family]
        with builder.active():
            at, rows = _rows(one, family, read)
        names = tuple(f"{GIVEN}{number}/{place}" for place in range(len(rows)))
        where = f"{GIVEN}{number}/at"
        del outputs[member.given[0]]
        outputs |= {**dict(zip(names, rows, strict=True)), where: at}
        if member.family not in still:
            still[member.family] = len(families)
            families.append(_still(family))
        members[number] = replace(member, family=still[member.family], given=(), looked=Looked(where, names))
    graph = cut(rest.name, builder.nodes, inputs, outputs, rest.facts)
    return replace(apart, rest=graph, families=tuple(families), members=tuple(members))


def _rows(one: _Found, family: Family, read: Callable[[str, TensorType], Value]) -> tuple[Value, list[Value]]:
    """Which rows were looked up, some perhaps more than once, and what becomes of them."""
    count = prod(one.rows.type.static_shape or ())
    shape = (Dim.of(count), *one.table.shape[1:])
    at = reshape(one.rows, (count,))
    values = {f"{GIVEN}0": _total(at, reshape(one.updates, shape), one.table.shape[0])}
    for place, name in enumerate(one.member.carried):
        type_ = one.table.with_dtype(family.graph.inputs[f"carried/{place}"].type.dtype)
        values[f"carried/{place}"] = gather(read(name, type_), at, 0)
    for place, name in enumerate(one.member.numbers):
        values[f"{NUMBER}{place}"] = read(name, family.graph.inputs[f"{NUMBER}{place}"].type)
    return at, _along(family.graph, values, shape)


def _total(at: Value, updates: Value, rows: Dim) -> Value:
    """For each update the sum of all that are of its row: each row has one place for it, that of its last update."""
    last = scatter_max(full((rows,), 0, at.type.dtype), at, iota(updates.shape[0], at.type.dtype), 0)
    place = gather(last, at, 0)
    return gather(scatter_add(zeros_like(updates), place, updates, 0), place, 0)


def _along(graph: Graph, given: Mapping[str, Value], shape: Sequence[Dim]) -> list[Value]:
    """What a family's rule makes of tensors of a shape, in order."""
    values = {value: given[name] for name, value in graph.inputs.items()}
    builder = current_builder()
    for node in graph.nodes:
        op = Broadcast(tuple(shape)) if isinstance(node.op, Broadcast) else node.op
        with builder.at(node.origin):
            values[node.outputs[0]] = builder.add(op, *(values[value] for value in node.inputs))
    return [values[graph.outputs[f"{NEXT}{place}"]] for place in range(len(graph.outputs))]


def _still(family: Family) -> Family:
    """The family where the gradient is zero."""
    builder, graph = Builder(), family.graph
    with builder.active():
        gradient = graph.inputs[f"{GIVEN}0"]
        zeros = full(gradient.shape, 0, gradient.type.dtype)
    given = [zeros if value is gradient else value for value in graph.inputs.values()]
    results = inline(graph, builder, given)
    inputs = {name: value for name, value in graph.inputs.items() if value is not gradient}
    return Family(builder.graph(graph.name, inputs, dict(zip(graph.outputs, results, strict=True))),
                  family.carried, 0, family.numbers)  # fmt: skip
