"""Kernels that lie with their elements first (``compiler.turned``), as the rules for convolutions find them.

What this module does not do: choose between products and blocks (``small_images`` and ``blocks`` do).
"""

from __future__ import annotations

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import Transpose, transpose
from archonnx.compiler.ops.slicing import Slice
from archonnx.grammar.record import replace

from .rewrite import Site, rule


def kernel_first(rank: int) -> tuple[int, ...]:
    """The order of the axes of a turned kernel: ``[O, C, *kernel]`` to ``[*kernel, C, O]``."""
    return (*range(2, rank), 1, 0)


def kernel_last(rank: int) -> tuple[int, ...]:
    """The order of axes that turns it back."""
    return (rank - 1, rank - 2, *range(rank - 2))


def turned_kernel(site: Site, w: Value) -> Value | None:
    """The kernel ``[*kernel, C, O]`` that was turned to be this one; None where it lies as it is read."""
    made = site.made_by(w, Transpose)
    if made is None or made.op != Transpose(kernel_last(w.rank)):
        return None
    return made.inputs[0]


@rule(Slice)
def slice_of_turned(site: Site) -> Value | None:
    """What is cut out of a turned tensor is cut out before it is turned: less is moved, in longer pieces."""
    op, made = site.node.op, site.made_by(site.inputs[0], Transpose)
    assert isinstance(op, Slice)
    if made is None:
        return None
    assert isinstance(made.op, Transpose)
    order = made.op.permutation
    bounds = zip((order[axis] for axis in op.axes), op.starts, op.ends, op.steps, strict=True)
    axes, starts, ends, steps = zip(*sorted(bounds, key=lambda bound: bound[0]), strict=True)
    cut = current_builder().add(replace(op, axes=axes, starts=starts, ends=ends, steps=steps), made.inputs[0])
    return transpose(cut, order)
