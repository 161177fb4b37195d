"""Rules of indices: one that is certainly not negative need not be looked at.

What this module does not do: know what data holds (``compiler.ranges.trusting`` does).
"""

from __future__ import annotations

from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.checks import UNSIGNED
from archonnx.compiler.ops.index import FromFront

from .rewrite import Rule, Site, rule

DEPTH = 12
"""So many nodes back it is asked what an index is made of."""


@rule(FromFront)
def index_is_not_negative(site: Site) -> Value | None:
    """An index that is certainly at least 0 is itself."""
    (indices,) = site.inputs
    return indices if _never_negative(site, indices, DEPTH) else None


def _never_negative(site: Site, value: Value, depth: int) -> bool:
    """Whether every number of a value is certainly at least 0."""
    if value.type.dtype is DType.bool or value.type.dtype in UNSIGNED:
        return True
    node = site.producers.get(value)
    if node is None or not depth or not value.type.dtype.is_integer:
        return False
    known = [_never_negative(site, given, depth - 1) for given in node.inputs]
    return node.op.never_negative(known, node.outputs.index(value))


INDICES: tuple[Rule, ...] = (index_is_not_negative,)
