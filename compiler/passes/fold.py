"""Constant folding: what depends on constants alone is computed now, in NumPy.

Results may differ from the runtime's in the last bit. What this module does not do: fold draws, or write out what is
larger than what it was made from (a ``Broadcast`` of one number stays a number).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import Op, Trait
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import Broadcast, Constant, constant
from archonnx.grammar.record import fields

from .rewrite import Site, rule

SMALL = 4096
"""Up to this many elements, ranges are folded, and numbers are repeated to compute with them."""


@rule(Op, exact=False)
def fold(site: Site) -> Value | None:
    """A node of constants, or of constants broadcast."""
    op, shape = site.node.op, site.output.type.static_shape
    if shape is None or not _foldable(site):
        return None
    arrays, given = [], 0
    for value in site.inputs:
        known, full = _constant(site, value), value.type.static_shape
        if known is None or full is None or math.prod(full) > max(known.size, SMALL):
            return None
        arrays.append(np.broadcast_to(known, full))
        given += known.size
    if math.prod(shape) > (given if arrays else SMALL):
        return None
    with np.errstate(all="ignore"):
        result = op.evaluate(*arrays)
    return constant(np.asarray(result).reshape(shape), site.output.type.dtype)


def _foldable(site: Site) -> bool:
    """Whether a node has the same result at any time, in a dtype that NumPy has too."""
    op, dtypes = site.node.op, {value.type.dtype for value in (site.output, *site.inputs)}
    if isinstance(op, Constant) or Trait.PURE not in op.traits or Trait.RANDOM in op.traits:
        return False
    return DType.bf16 not in dtypes and not _symbolic(op)


def _constant(site: Site, value: Value) -> Array | None:
    """The constant that a value is, or is broadcast from."""
    if broadcast := site.made_by(value, Broadcast):
        (value,) = broadcast.inputs
    node = site.made_by(value, Constant)
    return node.op.array if node is not None and isinstance(node.op, Constant) else None


def _symbolic(op: Op) -> bool:
    """Whether a dim among the attributes is not a known integer."""
    return any(map(_unknown, (getattr(op, f.name) for f in fields(op))))


def _unknown(attribute: Any) -> bool:
    if isinstance(attribute, tuple):
        return any(map(_unknown, attribute))
    return isinstance(attribute, Dim) and attribute.constant is None
