"""Training through a small scan that is ONNX's own LSTM or GRU: the layer goes through time first, and with the
states it found all steps are computed at once, by large products. Of an LSTM two nodes a step are left, which make the
cell; of a GRU none. (A step of an RNN is one node already, and stays.)

Of the layer nothing but the state before each step is used. onnxruntime's kernel makes finite numbers of NaN and of
infinity; what is computed of its states does not, so a loss tells of them as before. What this module does not do: tell
which scans are such layers (``recurrences`` does), or move work out of the scan that is left (``loops.motion`` does).
"""

from __future__ import annotations

from collections.abc import Mapping

from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.walk import changed
from archonnx.compiler.loops.gradient import delayed
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.loops.scanning import body_of
from archonnx.compiler.ops.slicing import take_at
from archonnx.grammar.record import replace

from .layers import written
from .recurrences import Layer, Reader

STEPS, NUMBERS, PRODUCTS = 48, 256, 8192
"""From how many steps on, up to how many numbers in a state, and up to how many multiplications with a gate's weights
the layer goes first: products and functions are computed twice, and what is saved is half a microsecond a node and
step. Time of a training step over that without, by units x steps x batch, on two threads (on one, and where another
process wants the second core, 32x64x8 gains 2% instead of 11%):

==== ======= ======= ======= ======= ======= ======= ======= ======= ======== ========
of   16x64x4 32x64x1 32x32x4 32x64x8 32x48x8 32x16x8 64x64x8 8x64x64 4x64x500 128x64x1
==== ======= ======= ======= ======= ======= ======= ======= ======= ======== ========
LSTM 0.84    0.80    0.98    0.89    1.01    1.09    0.97    1.24    1.50     1.15
GRU  0.77    0.70                    0.99
==== ======= ======= ======= ======= ======= ======= ======= ======= ======== ========
"""


def replayed(graph: Graph) -> Graph:
    """The graph with layers of ONNX before the scans that are such layers and emit more; itself if there are none."""
    return changed(graph, _replayed)


def _replayed(node: Node, made: Mapping[Value, Node]) -> tuple[list[Node], Mapping[Value, Value]] | None:
    op = node.op
    if not isinstance(op, Scan) or not _is_small(node, op):
        return None
    reader = Reader(node, op)
    layer = reader.layer()
    if layer is None or reader.emits_states_alone(layer):
        return None
    builder = Builder(node.origin)
    with builder.active():
        given = written(node, op, layer, made)
        if given is None:
            return None
        _, hs = given
        results = _again(node, op, reader, layer, hs)
    return builder.nodes, results


def _is_small(node: Node, op: Scan) -> bool:
    """Whether its nodes cost more than their arithmetic, and it does not save memory by computing twice already."""
    length = op.times([value.type for value in node.inputs]).constant
    shape = node.inputs[0].type.static_shape if op.states else None
    if op.recompute or length is None or shape is None or len(shape) != 2 or node.inputs[0].type.dtype is not DType.f32:
        return False
    batch, units = shape
    return length >= STEPS and batch * units <= NUMBERS and batch * units**2 <= PRODUCTS


def _again(node: Node, op: Scan, reader: Reader, layer: Layer, hs: Value) -> Mapping[Value, Value]:
    """Add a scan in which the state ``h`` before a step is a slice; all results.

    Args:
        node: the scan.
        op: its op.
        reader: its body.
        layer: what it is.
        hs: ``h`` at all steps, ``[T, B, n]``.
    """
    h = layer.order[0]
    others = [j for j in range(op.states) if j != h]
    stacks = {**reader.stacks, reader.before[h]: delayed(node.inputs[h], hs, op.reverse)}
    emitted = list(dict.fromkeys([*reader.emitted, reader.after[h]]))
    body = body_of(
        op.body.nodes,
        [reader.before[j] for j in others],
        stacks,
        reader.captured,
        [reader.after[j] for j in others],
        emitted,
    )
    scan = replace(op, body=body, states=len(others), scanned=len(stacks))
    first = (node.inputs[j] for j in others)
    made = current_builder().add_many(scan, *first, *stacks.values(), *reader.captured.values())
    found = dict(zip(emitted, made[len(others) :], strict=True))
    results = {node.outputs[j]: value for j, value in zip(others, made, strict=False)}
    results[node.outputs[h]] = take_at(found[reader.after[h]], 0, 0 if op.reverse else -1)
    return results | {old: found[value] for value, old in zip(reader.emitted, node.outputs[op.states :], strict=True)}
