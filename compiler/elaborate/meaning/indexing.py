"""Indexing: lists and dicts by static values; tensors by integers, slices, ``none``, ``...``, at most one tensor."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.elaborate.core.columns import Columns
from archonnx.compiler.elaborate.core.forms import form
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.problems import problems, provenance
from archonnx.compiler.elaborate.core.static import bounded, is_size, is_whole
from archonnx.compiler.elaborate.core.values import Choice, Results, describe, one_of
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import at_most
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.index import from_front, gather
from archonnx.compiler.ops.shape import unsqueeze
from archonnx.compiler.ops.sizes import dim_value, iota
from archonnx.compiler.ops.slicing import slice_axis, take_at
from archonnx.compiler.program import Assumption
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import did_you_mean, fail


@form(ast.Index)
def _index(frame: Frame, expr: ast.Index, hint: str | None) -> Any:
    value = frame.evaluate(expr.value)
    if isinstance(value, Value):
        return index_tensor(frame, expr, value)
    if isinstance(value, Results):
        fail(
            "AX0306", f"{describe(value)} cannot be indexed", expr.value.span, help=one_of(value, expr.value.span.text)
        )
    if len(expr.subscripts) != 1 or isinstance(expr.subscripts[0], ast.Dots):
        fail("AX0306", f"{describe(value)} takes one index", expr.span)
    subscript = expr.subscripts[0]
    if isinstance(value, dict):
        key = frame.evaluate(subscript)
        key = key.word if isinstance(key, Choice) else key
        if not isinstance(key, str) or key not in value:
            fail("AX0206", f"no key {describe(key)} here", subscript.span, help=did_you_mean(str(key), value))
        return value[key]
    if isinstance(value, Columns):
        name = frame.evaluate(subscript)
        if not isinstance(name, str):
            fail("AX0306", f"a column is read by its name, not by {describe(name)}", subscript.span)
        return value.read(name, subscript.span)
    if not isinstance(value, list):
        fail("AX0306", f"{describe(value)} cannot be indexed", expr.value.span)
    if isinstance(subscript, ast.Slice):
        start, stop, step = (_bound(frame, part) for part in (subscript.start, subscript.stop, subscript.step))
        if step == 0:
            fail("AX0312", "the step of a slice is 0", subscript.span)
        return bounded(value[start:stop:step], subscript.span)
    position = frame.evaluate(subscript)
    if not is_whole(position):
        fail("AX0306", f"an index into a list is an int, not {describe(position)}", subscript.span)
    if not -len(value) <= position < len(value):
        fail("AX0312", f"index {position} is outside a list of {len(value)}", subscript.span)
    return value[position]


def _bound(frame: Frame, expr: ast.Expr | None) -> int | None:
    if expr is None:
        return None
    value = frame.evaluate(expr)
    if not is_whole(value):
        fail("AX0306", f"a slice bound is an int here, not {describe(value)}", expr.span)
    return value


def index_tensor(frame: Frame, expr: ast.Index, value: Value) -> Value:
    """``x[i, a:b, none, ..., ids]``."""
    subscripts = _spread(expr, value)
    with frame.at(expr.span, "`[...]`"), problems(frame, expr.span, [expr.value], [value]):
        axis, gathered = 0, False
        for subscript in subscripts:
            if isinstance(subscript, ast.Slice):
                value = _slice(frame, value, axis, subscript)
                axis += 1
                continue
            position = frame.evaluate(subscript)
            if position is None:
                value = unsqueeze(value, axis)
                axis += 1
            elif isinstance(position, Value) and position.rank:
                if gathered:
                    fail(
                        "AX0318",
                        "at most one index may be a tensor",
                        subscript.span,
                        help="gather twice, or use a flat index",
                    )
                gathered = True
                _check_indices(position, subscript)
                value = gather(value, from_front(position, value.shape[axis]), axis)
                axis += position.rank
            else:
                value = _take(frame, value, axis, position, subscript)
    return value


def _spread(expr: ast.Index, value: Value) -> list[ast.Expr]:
    """Subscripts with ``...`` written out, and the axes left out at the end."""
    used = sum(1 for s in expr.subscripts if not _is_new_axis(s) and not isinstance(s, ast.Dots))
    if used > value.rank:
        fail("AX0318", f"{used} indices into a tensor of {value.rank} axes", expr.span, provenance(value))
    everything = ast.Slice(None, None, None, span=expr.span)
    rest = [everything] * (value.rank - used)
    dots = [i for i, s in enumerate(expr.subscripts) if isinstance(s, ast.Dots)]
    if len(dots) > 1:
        fail("AX0318", "`...` stands once among the indices", expr.subscripts[dots[1]].span)
    if not dots:
        return [*expr.subscripts, *rest]
    return [*expr.subscripts[: dots[0]], *rest, *expr.subscripts[dots[0] + 1 :]]


def _is_new_axis(subscript: ast.Expr) -> bool:
    return isinstance(subscript, ast.Constant) and subscript.value is None


def _check_indices(position: Value, subscript: ast.Expr) -> None:
    if position.type.dtype is DType.bool:
        fail(
            "AX0318",
            "a tensor cannot be indexed by a mask: the result's shape would depend on its values",
            subscript.span,
            provenance(position),
            help="keep the shape: `where(mask, x, 0.0)`",
        )
    if not position.type.dtype.is_integer:
        fail("AX0318", f"an index is an integer, not {position.type.dtype}", subscript.span, provenance(position))


def _take(frame: Frame, value: Value, axis: int, position: Any, subscript: ast.Expr) -> Value:
    """One position along an axis, which goes away."""
    if isinstance(position, Value):
        _check_indices(position, subscript)
        return gather(value, from_front(position, value.shape[axis]), axis)
    if isinstance(position, Dim):
        return gather(value, dim_value(position), axis)
    if not is_whole(position):
        fail(
            "AX0318",
            f"an index is an int, a slice, `none` or an integer tensor, not {describe(position)}",
            subscript.span,
        )
    size = value.shape[axis]
    known = size.constant
    if known is not None and not -known <= position < known:
        fail("AX0318", f"index {position} is outside axis {axis}, of size {known}", subscript.span)
    wanted = position + 1 if position >= 0 else -position
    _assume(frame, size, wanted, f"an axis of size {size} is indexed at {position}", subscript)
    return take_at(value, axis, position)


def _assume(frame: Frame, size: Dim, wanted: int, message: str, subscript: ast.Expr) -> None:
    """Count it as a fact that an axis has so many positions, which the runtime checks, unless that is certain."""
    if size.constant is None and not at_most(Dim.of(wanted), size):
        frame.build.observed.assumptions.append(Assumption(">=", size, Dim.of(wanted), message, subscript.span))
        frame.build.assume(">=", size, Dim.of(wanted))


def _slice(frame: Frame, value: Value, axis: int, subscript: ast.Slice) -> Value:
    start, stop, step = (
        frame.evaluate(part) if part is not None else None for part in (subscript.start, subscript.stop, subscript.step)
    )
    if isinstance(start, Value) or isinstance(stop, Value):
        return _window(frame, value, axis, subscript, start)
    for bound, part in ((start, subscript.start), (stop, subscript.stop), (step, subscript.step)):
        if bound is not None and not is_size(bound):
            assert part is not None
            fail("AX0318", f"a slice bound is an int or a dim, not {describe(bound)}", part.span)
    if isinstance(step, Dim) or step == 0:
        fail("AX0318", "the step of a slice is a known int, not 0", subscript.span)
    if left := _left_out(start, stop, step):
        _assume(
            frame,
            value.shape[axis],
            left,
            f"a slice leaves out {left} positions of an axis of size {value.shape[axis]}",
            subscript,
        )
    for bound, part in ((start, subscript.start), (stop, subscript.stop)):
        if bound is not None and part is not None:
            _check_bound(value.shape[axis], axis, bound, part)
    if isinstance(start, Dim) or isinstance(stop, Dim):
        _check_order(value.shape[axis], start, stop, subscript)
    return slice_axis(value, axis, start, stop, step or 1)


def _left_out(start: Any, stop: Any, step: Any) -> int:
    """How many positions ``x[2:]``, ``x[:-1]`` and ``x[2:-1]`` leave out, so many the axis has to have.

    0 for other slices: ``x[:10]`` and ``x[-10:]`` say how much is wanted, and of a shorter axis all may be meant.
    """
    first, last = (0 if bound is None else bound for bound in (start, stop))
    known = is_whole(first) and is_whole(last) and (step or 1) > 0
    return first - last if known and first >= 0 >= last and stop != 0 else 0


def _check_order(size: Dim, start: Any, stop: Any, subscript: ast.Slice) -> None:
    """The start of a slice with a symbolic bound is not behind its end."""
    first, last = (
        size + b if isinstance(b, int) and b < 0 else Dim.of(b) for b in (start or 0, size if stop is None else stop)
    )
    if not at_most(first, last):
        fail(
            "AX0317",
            f"cannot tell whether {first} is at most {last}, the bounds of this slice",
            subscript.span,
            help=f"state it: `assert {first} <= {last}`",
        )


def _check_bound(size: Dim, axis: int, bound: Any, part: ast.Expr) -> None:
    """Where the axis or the bound is symbolic, the slice's length must be certain."""
    if size.constant is not None and isinstance(bound, int):
        return
    reach = Dim.of(bound if not isinstance(bound, int) or bound >= 0 else -bound)
    if not at_most(Dim.of(0), reach):
        fail(
            "AX0317",
            f"cannot tell whether the bound {reach} of this slice is at least 0",
            part.span,
            help=f"state it: `assert {reach} >= 0`",
        )
    if not at_most(reach, size):
        fail(
            "AX0317",
            f"cannot tell whether {reach} is at most {size}, the size of axis {axis}",
            part.span,
            help=f"state it: `assert {reach} <= {size}`",
        )


def _window(frame: Frame, value: Value, axis: int, subscript: ast.Slice, start: Any) -> Value:
    """``x[i:i+k]`` with a tensor i: k positions from i on."""
    stop = subscript.stop
    length = None
    if isinstance(stop, ast.Binary) and stop.op == "+" and stop.left == subscript.start and subscript.step is None:
        length = frame.evaluate(stop.right)
    if not isinstance(start, Value) or not is_size(length):
        fail(
            "AX0317",
            "the length of a slice between tensors must be certain",
            subscript.span,
            help="write `x[i:i+4]`: the same start on both sides, plus an int",
        )
    _check_indices(start, subscript)
    return gather(value, from_front(start + iota(length, start.type.dtype), value.shape[axis]), axis)
