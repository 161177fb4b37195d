"""The order of nodes, which decides what is alive at once.

onnxruntime goes back from results that nothing reads, from the last node on, and makes for each node the later ones of
its inputs first. So nodes stand by the length of the way to them: of a cotangent and a weight that was turned for its
product, or a mask of what the forward pass has kept, the cotangent comes first, with all that is behind it, and the
other is made when it is needed. What this module does not do: add or take away nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from math import prod

from archonnx.compiler.ir.graph import Graph, Node, needed
from archonnx.compiler.ir.value import Value
from archonnx.grammar.record import replace


def in_order(graph: Graph, losses: Collection[Value], handed: Collection[Value]) -> Graph:
    """The same nodes in an order in which less is alive at once: losses come first, and by length where it is worth it.

    Results then come as soon as may be, so that what only they read is let go. But a gradient that is handed over, and
    is larger than what it is made of, comes when the others are there and activations are gone, the largest first. MB
    that are alive of ResNet-50 at 64x64, whose late layers have large kernels and small images: 94, and 105 to 116 with
    losses first alone, 132 if all results come as soon as may be; ResNet-18 at 32x32 45, 56 and 57. Where nothing is
    handed over, length costs as much as it saves (measured: MobileNetV2 188 and 191, GPT d256 149 and 145).

    Args:
        graph: all of whose dims are integers.
        losses: those of its results that come before all others.
        handed: those for which onnxruntime takes the memory when they are made (``blockwise``).
    """
    if not handed:
        others = set(needed(graph.nodes, [value for value in graph.outputs.values() if value not in losses]))
        return replace(graph, nodes=tuple(sorted(graph.nodes, key=lambda node: node not in others)))
    depth, readers = dict[Value, int](), Counter[Value]()
    for node in graph.nodes:
        depth |= dict.fromkeys(node.outputs, 1 + max((depth.get(value, 0) for value in node.inputs), default=0))
        readers.update(node.inputs)
    made = graph.producers()

    def place(node: Node) -> tuple[int, int]:
        """Where it stands among others: what stands last is made first."""
        result = node.outputs[0]
        if any(readers[value] for value in node.outputs):
            return 0, depth[result]
        if result in losses:
            return 3, 0
        late = result in handed and bytes_of(result) > _waiting(node, made, readers)
        return (1, bytes_of(result)) if late else (2, -depth[result])

    return replace(graph, nodes=tuple(sorted(graph.nodes, key=place)))


def _waiting(node: Node, made: Mapping[Value, Node], readers: Mapping[Value, int]) -> int:
    """Bytes of results that have to be there for a node, or for what is made for it alone."""
    total, stack, seen = 0, [node], set[Value]()
    while stack:
        for value in stack.pop().inputs:
            if value in made and value not in seen:
                seen.add(value)
                if readers[value] == 1:
                    stack.append(made[value])
                else:
                    total += bytes_of(value)
    return total


def bytes_of(value: Value) -> int:
    """What a value takes, as far as its shape is known."""
    return prod(value.type.static_shape or (0,)) * value.type.dtype.numpy.itemsize
