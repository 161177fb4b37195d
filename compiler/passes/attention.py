"""The gradient of attention in fewer numbers: what softmax subtracts is summed of narrower tensors, and of two factors
the narrower one is turned.

What this module does not do: fuse attention (onnxruntime's fused operators keep no weights for a gradient).
"""

from __future__ import annotations

from math import prod

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Mul
from archonnx.compiler.ops.linalg import MatMul, matrix_product
from archonnx.compiler.ops.reduce import ReduceSum, reduce_sum
from archonnx.compiler.ops.shape import Transpose, transpose
from archonnx.grammar.record import replace

from .rewrite import Site, rule

WIDER = 4
"""How much wider the weights must be. onnxruntime copies a factor that it reads turned, piece by piece, which is slow
where it has left the caches: of weights [8, 8, 128, 128] and [8, 8, 128, 32], 1,045 us where the weights are turned in
a step of a GPT, and 430 where they were read just before. At [16, 4, 64, 64] with [16, 4, 64, 32] neither gains."""


class SumsOfWeights:
    """``sum(p * (g @ v^T), -1)`` is ``sum(g * (p @ v), -1)``, where ``p @ v`` is there and narrower than ``p``.

    It is what the gradient of softmax subtracts, of weights ``p`` of attention and the cotangent ``g`` of its result
    (Dao et al. 2022, section 3.1).
    """

    name = "sums-of-weights"

    def run(self, graph: Graph) -> Graph:
        """The graph with these sums taken of fewer numbers."""
        made = {value: node for node in graph.nodes for value in node.outputs}
        products = {node.inputs: node.outputs[0] for node in graph.nodes if node.op == MatMul()}
        nodes: list[Node] = []
        for node in graph.nodes:
            terms = _terms(node, made, products)
            nodes += [node] if terms is None else _summed(node, *terms)
        return replace(graph, nodes=tuple(nodes))


def _terms(node: Node, made: dict[Value, Node], products: dict[tuple[Value, ...], Value]) -> tuple[Value, Value] | None:
    """``g`` and ``p @ v`` of such a sum."""
    inner = made.get(node.inputs[0]) if isinstance(node.op, ReduceSum) else None
    if inner is None or not isinstance(inner.op, Mul) or node.op != ReduceSum((inner.outputs[0].rank - 1,), keep=True):
        return None
    for p, cotangent in (inner.inputs, inner.inputs[::-1]):
        source = made.get(cotangent)
        if source is not None and source.op == MatMul(transpose_b=True):
            g, v = source.inputs
            product = products.get((p, v))
            if product is not None and _is_narrower(product, p):
                return g, product
    return None


def _is_narrower(value: Value, other: Value) -> bool:
    size, others = (one.type.static_shape for one in (value, other))
    return size is not None and others is not None and prod(others) >= WIDER * prod(size)


def _summed(node: Node, g: Value, product: Value) -> list[Node]:
    """The sum, with the result of the node."""
    builder = Builder(node.origin)
    with builder.active():
        reduce_sum(g * product, -1, keep=True)
    *before, last = builder.nodes
    return [*before, Node(last.op, last.inputs, node.outputs, node.origin)]


@rule(Transpose)
def narrower_turned(site: Site) -> Value | None:
    """``a^T @ b`` in another order of axes, with a wide ``a``, is ``b^T @ a`` in one."""
    op, product = site.node.op, site.made_by(site.inputs[0], MatMul)
    if product is None or not site.reads_alone(product.outputs[0]) or product.op != MatMul(transpose_a=True):
        return None
    assert isinstance(op, Transpose)
    a, b = product.inputs
    wide, narrow = a.shape[-1].constant, b.shape[-1].constant
    if a.rank < 3 or wide is None or narrow is None or wide < WIDER * narrow:
        return None
    swapped = {a.rank - 1: a.rank - 2, a.rank - 2: a.rank - 1}
    order = [swapped.get(axis, axis) for axis in op.permutation]
    return transpose(matrix_product(b, a, transpose_a=True), order)
