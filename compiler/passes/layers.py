"""ONNX's LSTM, GRU and RNN in place of scans, in graphs to infer with.

What this module does not do: tell which scans are such layers (``recurrences`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.parts import cut
from archonnx.compiler.ir.types import Array
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.walk import changed
from archonnx.compiler.loops.recurrent import GATES, Recurrent
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.ops.elementwise import Add, neg
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.shape import Broadcast, Constant, full, squeeze, transpose, unsqueeze
from archonnx.compiler.ops.slicing import Concat, Split, concat
from archonnx.grammar.record import replace

from .recurrences import Gate, Layer, Part, Reader


def recognised(graph: Graph) -> Graph:
    """The graph with ONNX's recurrent layers in place of the scans that are such layers; itself if there are none."""
    return changed(graph, _recognised)


def _recognised(node: Node, made: Mapping[Value, Node]) -> tuple[list[Node], Mapping[Value, Value]] | None:
    op = node.op
    layer = _whole(node, op) if isinstance(op, Scan) else None
    if layer is None or not isinstance(op, Scan):
        return None
    builder = Builder(node.origin)
    with builder.active():
        found = written(node, op, layer, made)
    if found is None:
        return None
    states, hs = found
    return builder.nodes, dict(zip(node.outputs, [*states, *[hs] * len(node.outputs)], strict=False))


def _whole(node: Node, op: Scan) -> Layer | None:
    reader = Reader(node, op)
    layer = reader.layer()
    return layer if layer is not None and reader.emits_states_alone(layer) else None


def prepared(graph: Graph, weights: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """A graph with recurrent layers whose weights are inputs, as quantisers expect them, and these weights.

    Args:
        graph: with layers whose weights are made of parameters.
        weights: the parameters by name.
    """
    known = {name: value for name, value in graph.inputs.items() if name in weights}
    inputs, arrays = dict(graph.inputs), dict(weights)
    nodes = []
    for node in graph.nodes:
        if isinstance(node.op, Recurrent):
            given = list(node.inputs)
            for place in (1, 2, 3, *([len(given) - 1] if node.op.peepholes else [])):
                name = _unused(f"{node.origin.path or node.op.kind}/{'p' if place > 3 else '_wrb'[place]}", inputs)
                part = cut(name, graph.nodes, graph.inputs, {name: given[place]})
                if part.nodes and part.inputs.keys() <= known.keys():
                    arrays[name] = interpret(part, {key: weights[key] for key in part.inputs})[name]
                    given[place] = inputs[name] = Value(given[place].type, name, node.origin)
            node = Node(node.op, tuple(given), node.outputs, node.origin)
        nodes.append(node)
    kept = needed(nodes, graph.outputs.values())
    read = {value for node in kept for value in node.inputs} | set(graph.outputs.values())
    live = {name: value for name, value in inputs.items() if name not in arrays or value in read}
    return replace(graph, inputs=live, nodes=tuple(kept)), {name: arrays[name] for name in live if name in arrays}


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    number = next(n for n in range(len(taken) + 1) if (f"{name}{n or ''}") not in taken)
    return f"{name}{number or ''}"


def written(node: Node, op: Scan, layer: Layer, made: Mapping[Value, Node]) -> tuple[list[Value], Value] | None:
    """The last states and the states at all steps; None where what the scan reads is no product with an input."""
    inputs = [_product(gate.stack, made) for gate in layer.gates]
    x = inputs[0][0] if inputs[0] is not None else None
    if x is None or any(found is None or found[0] is not x for found in inputs):
        return None
    outer = [(found[1], found[2]) for found in inputs if found is not None]
    w = _rows([weights.columns() for weights, _ in outer], layer)
    r = _rows([gate.state.columns() for gate in layer.gates], layer)
    n = r.shape[2]
    zero = full([n], 0, x.type.dtype)
    biases = [
        _signed(_total([part.columns() for part in (*given, *gate.biases)], zero), gate)
        for (_, given), gate in zip(outer, layer.gates, strict=True)
    ]
    biases += [_total([part.columns() for part in gate.inner], zero) for gate in layer.gates]
    peepholes = layer.kind == "lstm" and any(gate.peephole is not None for gate in layer.gates)
    first = [node.inputs[j] for j in layer.order]
    started = not all(_is_zero(value, made) for value in first)
    given = [x, w, r, unsqueeze(concat(biases, 0), 0)]
    given += [unsqueeze(value, 0) for value in first] if started else []
    if peepholes:
        parts = [zero if gate.peephole is None else gate.peephole.columns() for gate in layer.gates[:3]]
        given.append(unsqueeze(concat(parts, 0), 0))
    recurrent = Recurrent(layer.kind, op.reverse, started, peepholes, layer.reset_after, layer.activation)
    hs, *last = current_builder().add_many(recurrent, *given)
    states = {j: squeeze(value, 0) for j, value in zip(layer.order, last, strict=True)}
    return [states[j] for j in range(op.states)], squeeze(hs, 1)


def _product(stack: Part, made: Mapping[Value, Node]) -> tuple[Value, Part, list[Part]] | None:
    """The input, the columns of the weights, and the biases, of columns of ``x @ W + b``."""
    node, biases = made.get(stack.of), []
    if node is not None and isinstance(node.op, Concat) and node.op.axis == stack.of.rank - 1:
        inner = _piece(node, stack)
        return None if inner is None else _product(inner, made)
    if node is not None and isinstance(node.op, Split) and node.op.axis == stack.of.rank - 1:
        start = sum(v.shape[-1].constant or 0 for v in node.outputs[: node.outputs.index(stack.of)])
        return _product(Part(node.inputs[0], start + stack.first, start + stack.last), made)
    while node is not None and isinstance(node.op, Add):
        sources = [made.get(value) for value in node.inputs]
        bias = next(
            (s for s in sources if s is not None and isinstance(s.op, Broadcast) and s.inputs[0].rank == 1), None
        )
        if bias is None:
            return None
        biases.append(Part(bias.inputs[0], stack.first, stack.last))
        node = next((s for s in sources if s is not bias), None)
    if node is None or not isinstance(node.op, MatMul) or node.op.transpose_a or node.op.transpose_b:
        return None
    x, weights = node.inputs
    return (x, Part(weights, stack.first, stack.last), biases) if x.rank == 3 and weights.rank == 2 else None


def _piece(node: Node, part: Part) -> Part | None:
    """Columns of a concatenation as columns of one of its pieces."""
    start = 0
    for piece in node.inputs:
        width = piece.shape[-1].constant
        if width is None:
            return None
        if start <= part.first and part.last <= start + width:
            return Part(piece, part.first - start, part.last - start)
        start += width
    return None


def _rows(columns: Sequence[Value], layer: Layer) -> Value:
    """The weights of the gates, [m, n] each, as ONNX wants them: [1, gates * n, m]."""
    assert len(columns) == GATES[layer.kind]
    signed = [_signed(value, gate) for value, gate in zip(columns, layer.gates, strict=True)]
    return unsqueeze(transpose(concat(signed, 1), (1, 0)), 0)


def _signed(value: Value, gate: Gate) -> Value:
    return neg(value) if gate.negative else value


def _total(values: Sequence[Value], zero: Value) -> Value:
    total = values[0] if values else zero
    for value in values[1:]:
        total = total + value
    return total


def _is_zero(value: Value, made: Mapping[Value, Node]) -> bool:
    node = made.get(value)
    while node is not None and isinstance(node.op, Broadcast):
        node = made.get(node.inputs[0])
    return node is not None and isinstance(node.op, Constant) and not node.op.array.any()
