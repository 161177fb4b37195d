"""Functions of the language over modules (``grad``, ``frozen``, ``vec``) and static values (``range``, ``len``)."""

from __future__ import annotations

import math
from typing import Any

from archonnx.compiler.elaborate.core import algebra
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import is_whole
from archonnx.compiler.elaborate.core.tensors import as_tensor
from archonnx.compiler.elaborate.core.values import Choice, Remat, describe, static_dim
from archonnx.compiler.elaborate.meaning.differentiation import differentiate
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops import elementwise
from archonnx.grammar.source import Span

from .calling import Fn, Items, Operand, Size, Tensor, axis_of, builtin, require


@builtin
def grad(frame: Frame, y: Tensor, x: Any, *, weight: Tensor | None = None) -> Any:
    """The gradient of the scalar ``y`` (or of ``sum(weight * y)``) with respect to a tensor or a module."""
    return differentiate(frame, y, x, weight, _here(frame))


@builtin
def frozen(frame: Frame, m: Any) -> Any:
    """A module that is used but not trained: no gradient reaches its parameters, ``training`` is false inside."""
    _group(m, "frozen")
    return algebra.freeze(m)


@builtin
def remat(frame: Frame, m: Fn) -> Any:
    """What is called as ``m`` is, but what it computes is not kept for the gradient: it is computed again for it."""
    return Remat(m)


@builtin
def map_(frame: Frame, f: Fn, m: Any, n: Any = None) -> Any:
    """A module whose parameters are ``f(p)``, or ``f(p, q)`` of two modules."""
    groups = [_group(m, "map")] if n is None else [_group(m, "map"), _group(n, "map")]
    return algebra.map_groups(frame, lambda *p: frame.call_values(f, p, _here(frame)), groups, _here(frame))


@builtin
def vec(frame: Frame, m: Any) -> Value:
    """All parameters of a module, or a tensor, as one vector."""
    return algebra.vector(frame, m if isinstance(m, Value) else _group(m, "vec"), _here(frame))


@builtin
def unvec(frame: Frame, v: Tensor, m: Any) -> Any:
    """A module like ``m`` with parameters cut from a vector, in the order of ``vec``."""
    return algebra.unvector(frame, v, _group(m, "unvec"), _here(frame))


@builtin
def parameters(frame: Frame, m: Any) -> list[Any]:
    """The tensors of a module as a list; a tensor is its own."""
    if isinstance(m, Value):
        return [m]
    if isinstance(m, list):
        return [tensor for item in m for tensor in parameters(frame, item)]
    group = _group(m, "parameters")
    items = group if isinstance(group, list) else [group]
    return [
        algebra.tensor_of(frame, item, slot) for item in items for slot in algebra.slots_of(frame, item, _here(frame))
    ]


def _group(value: Any, name: str) -> Any:
    require(algebra.is_group(value), "AX0306", f"`{name}` takes a module or a list of modules, not {describe(value)}")
    return algebra.plain(value)


def _here(frame: Frame) -> Span:
    """The call under evaluation."""
    span = frame.build.builder.origin.span
    assert span is not None
    return span


# ---------------------------------------------------------------- static values


@builtin
def range_(frame: Frame, start: int, stop: int | None = None, step: int = 1) -> list[int]:
    """Ints from start (0 if left out) up to stop, which is not included."""
    require(step != 0, "AX0311", "the step of `range` is 0")
    first, last = (0, start) if stop is None else (start, stop)
    count = max(0, -((first - last) // step) if step > 0 else -((last - first) // -step))
    require(count <= 100_000, "AX0215", f"a range of {count:,} is unrolled at compile time: too long")
    return list(range(first, last, step))


@builtin
def len_(frame: Frame, x: Any) -> int:
    """Number of items of a list, or of rows of a tensor."""
    if isinstance(x, Value):
        require(x.rank > 0, "AX0308", "a scalar tensor has no length")
        length = static_dim(x.shape[0])
        require(isinstance(length, int), "AX0309", f"the length {length} is known only when the model runs")
        return int(str(length))
    require(isinstance(x, list | dict | str), "AX0306", f"{describe(x)} has no length")
    return len(x)


@builtin
def reversed_(frame: Frame, x: Items) -> list[Any]:
    """A list from its end to its start."""
    return x[::-1]


@builtin
def enumerate_(frame: Frame, x: Items) -> list[Any]:
    """Pairs of position and item."""
    return [[i, item] for i, item in enumerate(x)]


@builtin
def zip_(frame: Frame, a: Items, b: Items) -> list[Any]:
    """Pairs of items of two lists of one length."""
    require(len(a) == len(b), "AX0304", f"`zip` joins lists of one length, not of {len(a)} and {len(b)}")
    return [[x, y] for x, y in zip(a, b, strict=True)]


@builtin
def is_list(frame: Frame, x: Any) -> bool:
    """Whether a static value is a list."""
    return isinstance(x, list)


@builtin
def is_word(frame: Frame, x: Any) -> bool:
    """Whether a static value is a word of a ``choice[...]``, where a parameter takes other types as well."""
    return isinstance(x, Choice)


@builtin
def is_int(frame: Frame, x: Any) -> bool:
    """Whether a value is a known int, not a symbolic dim or anything else."""
    return is_whole(x)


@builtin
def same_size(frame: Frame, a: Size, b: Size) -> bool:
    """Whether two sizes are certainly equal, by what is known where it is asked."""
    return same(Dim.of(a), Dim.of(b)) is True


@builtin
def is_tensor(frame: Frame, x: Any) -> bool:
    """Whether a value is a tensor, not a static number."""
    return isinstance(x, Value)


@builtin
def float_(frame: Frame, x: Operand) -> Value | float:
    """A static number as a float; a tensor, or the size of a dim, in the model's float type."""
    require(not isinstance(x, bool), "AX0306", "`float` takes a number or a tensor, not a bool")
    return elementwise.cast(as_tensor(frame, x), frame.build.float_type) if isinstance(x, Value | Dim) else float(x)


@builtin
def int_(frame: Frame, x: float) -> int:
    """A static number as an int, towards zero."""
    require(math.isfinite(x), "AX0311", f"{x:g} is not an int")
    return int(x)


@builtin
def axis_of_(frame: Frame, x: Tensor, axis: int) -> int:
    """An axis of a tensor counted from the front: -1 is the last."""
    return axis_of(x, axis)


@builtin
def shape_of(frame: Frame, x: Tensor) -> list[Any]:
    """The dims of a tensor, as a list."""
    return [static_dim(d) for d in x.shape]
