"""Rules of sums: of sums, and of products of matrices, which are one product of longer ones. Rounding may change."""

from __future__ import annotations

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.reduce import ReduceSum, reduce_sum
from archonnx.compiler.ops.shape import flatten, transpose
from archonnx.grammar.record import replace

from .rewrite import Rule, Site, rule


@rule(ReduceSum, exact=False)
def sum_twice(site: Site) -> Value | None:
    """A sum of sums over axes that go away is one sum."""
    op, inner = site.node.op, site.made_by(site.inputs[0], ReduceSum)
    if inner is None or not site.reads_alone(inner.outputs[0]):
        return None
    assert isinstance(op, ReduceSum) and isinstance(inner.op, ReduceSum)
    if op.keep or inner.op.keep:
        return None
    left = [axis for axis in range(inner.inputs[0].rank) if axis not in inner.op.axes]
    axes = sorted((*inner.op.axes, *(left[axis] for axis in op.axes)))
    return current_builder().add(replace(op, axes=tuple(axes)), *inner.inputs)


@rule(ReduceSum, exact=False)
def sum_of_products(site: Site) -> Value | None:
    """The sum of a batch of products of matrices is one product of the matrices joined; a shared factor goes last."""
    op, inner = site.node.op, site.made_by(site.inputs[0], MatMul)
    if inner is None or not site.reads_alone(inner.outputs[0]):
        return None
    assert isinstance(op, ReduceSum) and isinstance(inner.op, MatMul)
    if op.keep or op.axes != (0,) or inner.outputs[0].rank != 3:
        return None
    a, b = inner.inputs
    if a.rank == b.rank == 3:
        joined = _joined(a, inner.op.transpose_a), _joined(b, not inner.op.transpose_b)
        return current_builder().add(inner.op, *joined)
    summed = [reduce_sum(x, 0) if x.rank == 3 else x for x in (a, b)]
    return current_builder().add(inner.op, *summed)


def _joined(x: Value, leads: bool) -> Value:
    """A batch of matrices as one: joined along the axis that is summed, which leads or is the last one."""
    return flatten(x, 0, 2) if leads else flatten(transpose(x, (1, 0, 2)), 1, 3)


SUMS: tuple[Rule, ...] = (sum_twice, sum_of_products)
