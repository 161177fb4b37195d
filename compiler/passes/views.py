"""Rules of layout: chains of reshapes, transposes and broadcasts that are one step, or none. All are exact."""

from __future__ import annotations

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.broadcasting import broadcasts
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.reduce import Reduction
from archonnx.compiler.ops.shape import (
    Broadcast,
    Reshape,
    Squeeze,
    Transpose,
    Unsqueeze,
    broadcast_to,
    reshape,
    squeeze,
    transpose,
)
from archonnx.grammar.record import replace

from .rewrite import Rule, Site, rule

RESHAPES = (Reshape, Unsqueeze, Squeeze)
"""The ops that keep the elements and their order."""


@rule(*RESHAPES, Transpose, Broadcast)
def view_of_number(site: Site) -> Value | None:
    """A view of one number, broadcast, is that number broadcast to the view's shape."""
    broadcast = site.made_by(site.inputs[0], Broadcast)
    if broadcast is None or broadcast.inputs[0].type.size != ONE:
        return None
    return broadcast_to(reshape(broadcast.inputs[0], ()), site.output.shape)


@rule(*RESHAPES, Broadcast)
def view_to_same(site: Site) -> Value | None:
    """A reshape or broadcast to the shape that a value has."""
    (x,) = site.inputs
    return x if x.shape == site.output.shape else None


@rule(Transpose)
def transpose_to_same(site: Site) -> Value | None:
    """A transpose that leaves the order of axes."""
    (x,) = site.inputs
    assert isinstance(site.node.op, Transpose)
    return x if site.node.op.permutation == tuple(range(x.rank)) else None


@rule(*RESHAPES)
def reshape_twice(site: Site) -> Value | None:
    """A reshape of a reshape. Where several dims are symbolic (reading them costs), only one that undoes it."""
    inner = site.made_by(site.inputs[0], RESHAPES)
    if inner is None:
        return None
    (x,), shape = inner.inputs, site.output.shape
    simple = sum(dim.constant is None for dim in shape) <= 1
    return reshape(x, shape) if simple or x.shape == shape else None


@rule(Transpose)
def transpose_twice(site: Site) -> Value | None:
    """A transpose of a transpose."""
    inner, op = site.made_by(site.inputs[0], Transpose), site.node.op
    if inner is None:
        return None
    assert isinstance(op, Transpose) and isinstance(inner.op, Transpose)
    return transpose(inner.inputs[0], [inner.op.permutation[axis] for axis in op.permutation])


@rule(Broadcast)
def broadcast_twice(site: Site) -> Value | None:
    """A broadcast of a broadcast."""
    inner, shape = site.made_by(site.inputs[0], Broadcast), site.output.shape
    # Each step may rest on another fact about dims, and nothing need tell what both steps together do.
    return broadcast_to(inner.inputs[0], shape) if inner and broadcasts(inner.inputs[0].shape, shape) else None


@rule(Broadcast)
def broadcast_of_leading_ones(site: Site) -> Value | None:
    """A broadcast adds leading axes by itself: a reshape that only puts ones in front is not needed."""
    inner = site.made_by(site.inputs[0], RESHAPES)
    if inner is None:
        return None
    (x,), shape = inner.inputs, inner.outputs[0].shape
    extra = len(shape) - x.rank
    leading = extra > 0 and shape[extra:] == x.shape and all(dim == ONE for dim in shape[:extra])
    return broadcast_to(x, site.output.shape) if leading else None


@rule(Reduction)
def reduce_nothing(site: Site) -> Value | None:
    """A reduction over no axes, or over axes of size 1."""
    (x,), op = site.inputs, site.node.op
    assert isinstance(op, Reduction)
    if any(x.shape[axis] != ONE for axis in op.axes):
        return None
    return x if op.keep else squeeze(x, op.axes)


@rule(Squeeze, Unsqueeze)
def reduce_and_keep(site: Site) -> Value | None:
    """A reduction can drop or keep its axes by itself."""
    inner, op = site.made_by(site.inputs[0], Reduction), site.node.op
    if inner is None or not site.reads_alone(inner.outputs[0]):
        return None
    assert isinstance(inner.op, Reduction) and isinstance(op, Squeeze | Unsqueeze)
    if op.axes != inner.op.axes or inner.op.keep != isinstance(op, Squeeze):
        return None
    return current_builder().add(replace(inner.op, keep=not inner.op.keep), *inner.inputs)


@rule(MatMul)
def transposed_factor(site: Site) -> Value | None:
    """A product reads a factor transposed by itself, so that no transpose need move the innermost axis."""
    op = site.node.op
    assert isinstance(op, MatMul)
    for position, flag in enumerate(("transpose_a", "transpose_b")):
        inner = site.made_by(site.inputs[position], Transpose)
        if inner is None:
            continue
        (x,), axes = inner.inputs, inner.op.permutation if isinstance(inner.op, Transpose) else ()
        if axes[-2] == x.rank - 1:
            factors = list(site.inputs)
            factors[position] = transpose(x, (*axes[:-2], axes[-1], axes[-2]))
            return current_builder().add(replace(op, **{flag: not getattr(op, flag)}), *factors)
    return None


@rule(MatMul)
def shared_factor(site: Site) -> Value | None:
    """A matrix broadcast to a batch of equal ones is shared by the product itself."""
    for position, value in enumerate(site.inputs):
        inner, other = site.made_by(value, Broadcast), site.inputs[1 - position]
        if inner is None or other.rank == 2 or inner.inputs[0].shape != value.shape[-2:]:
            continue
        factors = list(site.inputs)
        factors[position] = inner.inputs[0]
        return current_builder().add(site.node.op, *factors)
    return None


VIEWS: tuple[Rule, ...] = (
    view_of_number,
    view_to_same,
    transpose_to_same,
    reshape_twice,
    transpose_twice,
    broadcast_twice,
    broadcast_of_leading_ones,
    reduce_nothing,
    reduce_and_keep,
    transposed_factor,
    shared_factor,
)
