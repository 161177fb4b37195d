"""What one kernel of onnxruntime computes, put so that it does: a product in a weighted sum is one Gemm, and gates of a
loop are products with a function behind each.

This comes last, before a graph is run. What this module does not do: choose kernels (onnxruntime does).
"""

from __future__ import annotations

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.products import apart
from archonnx.compiler.ops.elementwise import Add, Mul, Neg, Sub
from archonnx.compiler.ops.linalg import MatMul, ProductSum

from .blocks import in_blocks
from .dce import DeadCode
from .loops import has_loops
from .manager import Pipeline, optimise
from .rewrite import Rewrite, Site, rule


def for_kernels(graph: Graph, block: int | None = None) -> Graph:
    """A graph that computes the same in fewer or faster kernels.

    ``block`` is how many channels the machine's convolutions take in a block; None leaves convolutions as they are.
    """
    if block is not None:
        graph = in_blocks(graph, block)
    if has_loops(graph):
        with assuming(graph.facts):
            parted = apart(graph)
        graph = graph if parted is graph else optimise(parted)
    return Pipeline((Rewrite((weighted_sum,), name="weighted-sums"), DeadCode())).run(graph)


@rule(Add, Sub, exact=False)
def weighted_sum(site: Site) -> Value | None:
    """``p - c * (a @ b)`` and its like as one op, as where a parameter follows its gradient by plain descent.

    A sum with the product as it stands is left: onnxruntime joins it itself.
    """
    if site.output.type.dtype is not DType.f32:
        return None
    second = -1.0 if isinstance(site.node.op, Sub) else 1.0
    first, other = (_weighted(site, value) for value in site.inputs)
    terms = [first, (second * other[0], other[1])]
    for (alpha, inner), (beta, rest) in (terms[::-1], terms):
        product = site.made_by(inner, MatMul)
        if product is None or alpha == 1.0 or not site.reads_alone(inner):
            continue
        assert isinstance(product.op, MatMul)
        a, b = product.inputs
        if a.rank == b.rank == 2:
            op = ProductSum(product.op.transpose_a, product.op.transpose_b, alpha=alpha, beta=beta)
            return current_builder().add(op, a, b, rest)
    return None


def _weighted(site: Site, value: Value) -> tuple[float, Value]:
    """A value as ``number * value``, as far as nothing else reads what is between."""
    factor = 1.0
    while site.reads_alone(value):
        if (negated := site.made_by(value, Neg)) is not None:
            factor, value = -factor, negated.inputs[0]
            continue
        product = site.made_by(value, Mul)
        numbers = [site.number(given) for given in product.inputs] if product is not None else []
        place = next((place for place, number in enumerate(numbers) if number is not None), None)
        if product is None or place is None:
            break
        factor, value = factor * float(numbers[place] or 0.0), product.inputs[1 - place]
    return factor, value
