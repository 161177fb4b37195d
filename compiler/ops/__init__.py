"""Tensor operations: one class each, holding all that is known of it. Importing the room registers all of them."""

from __future__ import annotations

from collections.abc import Mapping

from archonnx.compiler.ir.op import Op, registered
from archonnx.compiler.ir.value import Operators, install_operators

from . import (
    blocks,
    compare,
    conv,
    einsum,
    elementwise,
    functions,
    index,
    linalg,
    loss,
    norm,
    pool,
    random,
    reduce,
    remat,
    resize,
    shape,
    sizes,
    slicing,
    sort,
)

_MODULES = (
    elementwise, compare, functions, reduce, linalg, einsum, shape, sizes, slicing, index, sort, conv, blocks, pool,
    resize, norm, loss, random, remat,
)  # fmt: skip
FAMILIES = tuple(module.__name__.rpartition(".")[2] for module in _MODULES)
"""The modules that register ops, by name, in the order of the reference page."""

install_operators(
    Operators(
        add=elementwise.add,
        sub=elementwise.sub,
        mul=elementwise.mul,
        div=elementwise.div,
        pow=functions.power,
        neg=elementwise.neg,
        greater=compare.greater,
        less=compare.less,
        greater_equal=compare.greater_equal,
        less_equal=compare.less_equal,
        sum=reduce.reduce_sum,
    )
)


def registry() -> Mapping[str, type[Op]]:
    """All ops of this room by name; those that run graphs are in ``loops``."""
    return {name: op for name, op in registered().items() if op.__module__.rpartition(".")[0] == __name__}
