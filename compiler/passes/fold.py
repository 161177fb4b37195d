"""Constant folding: what depends on constants alone is computed now, in NumPy.

Results may differ from the runtime's in the last bit. What this module does not do: fold draws, or write out what is
larger than what it was made from (a ``Broadcast`` of one number stays a number).
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Value
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ops.base import Op, Trait
from archonnx.compiler.ops.shape import Constant

from .rewrite import Site, rule

SMALL = 4096
"""Nodes without inputs (ranges, identity matrices) are folded up to this many elements."""


@rule(Op, exact=False)
def fold(site: Site) -> Value | None:
    """Any node of constants."""
    op, output = site.node.op, site.output
    if isinstance(op, Constant) or Trait.PURE not in op.traits or Trait.RANDOM in op.traits or _symbolic(op):
        return None
    producers = [site.made_by(value, Constant) for value in site.inputs]
    shape = output.type.static_shape
    if shape is None or None in producers or len(site.node.outputs) > 1 or output.type.dtype is DType.bf16:
        return None
    arrays = [node.op.array for node in producers if node is not None and isinstance(node.op, Constant)]
    if math.prod(shape) > (sum(array.size for array in arrays) if arrays else SMALL):
        return None
    with np.errstate(all="ignore"):
        result = op.evaluate(*arrays)
    return current_builder().constant(np.asarray(result).reshape(shape), output.type.dtype)


def _symbolic(op: Op) -> bool:
    """Whether a dim among the attributes is no known integer."""
    return any(map(_unknown, (getattr(op, f.name) for f in fields(op))))


def _unknown(attribute: Any) -> bool:
    if isinstance(attribute, tuple):
        return any(map(_unknown, attribute))
    return isinstance(attribute, Dim) and attribute.constant is None
