"""Constants, and ops that change the shape of a tensor without arithmetic on its elements.

What this module does not do: dims as tensors (``sizes``), parts of tensors (``slicing``), indexing by tensors
(``index``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import ONE, Dim, product
from archonnx.compiler.ir.facts import is_one, same, way_to_tell
from archonnx.compiler.ir.op import Emitter, OnnxOp, Op, Trait, TypeProblem, register
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.record import field

from .broadcasting import broadcast_shapes, check_broadcast

VIEW = Trait.PURE | Trait.VIEW
KEEPS = VIEW | Trait.KEEPS
SHOWN = 16
"""Constants of up to this many elements are written out in the text of a graph."""
NUMBERS = 20
"""Numbers of a constant that cost a unit of work."""
MERGED = 64
"""Constants of up to this many elements are made once; to compare larger ones takes longer."""


@register
class Constant(Op):
    """A tensor known at compile time. Equal constants compare equal."""

    dtype: DType = DType.f32
    shape: tuple[int, ...] = ()
    data: bytes = field(default=b"", repr=False)

    @staticmethod
    def of(array: Array, dtype: DType | None = None) -> Constant:
        """The op for this array."""
        dtype = dtype or DType.from_numpy(array.dtype)
        return Constant(dtype, array.shape, np.ascontiguousarray(array, dtype=dtype.numpy).tobytes())

    @property
    def array(self) -> Array:
        """The tensor."""
        return np.frombuffer(self.data, dtype=self.dtype.numpy).reshape(self.shape)

    def text(self) -> str:
        shown = f"... {self.array.size} elements" if self.array.size > SHOWN else self._written(self.array.tolist())
        return f"{self.name}({shown})"

    def _written(self, numbers: Any) -> str:
        if isinstance(numbers, list):
            return f"[{', '.join(map(self._written, numbers))}]"
        return str(self.dtype.numpy.type(numbers)) if self.dtype.is_float else str(numbers)

    @classmethod
    def read(cls, result: TensorType, arguments: Sequence[Any], attributes: Mapping[str, Any]) -> Constant:
        return cls.of(np.array(arguments[0]).astype(result.dtype.numpy), result.dtype)

    def infer(self) -> TensorType:
        return TensorType(self.dtype, tuple(Dim.of(n) for n in self.shape))

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        return not np.less(self.array, 0).any()

    def evaluate(self) -> Any:
        return self.array

    def vjp(self, dy: Value, y: Value) -> tuple[Value | None, ...]:
        return ()

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit.constant(self.array, self.dtype)


@register
class StopGradient(Op):
    """The same tensor, through which no gradient flows. Export leaves it out."""

    traits = KEEPS

    stops_gradient: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return x

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return x

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (None,)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return inputs[0]


@register
class Broadcast(Op):
    """Repeat along new leading axes and along axes of size 1. The only op whose gradient sums.

    Export leaves it out where the ONNX op that reads it broadcasts by itself.
    """

    traits = KEEPS
    shape: tuple[Dim, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        check_broadcast(x.shape, self.shape, str(x))
        return x.with_shape(self.shape)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return np.broadcast_to(x, [d.evaluate({}) for d in self.shape])

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        new = len(self.shape) - x.rank
        repeated = tuple(
            axis
            for axis, (old, dim) in enumerate(zip(x.shape, self.shape[new:], strict=True))
            if is_one(old) and not is_one(dim)
        )
        if not new:
            return (dy.sum(repeated, keep=True),)
        total = dy.sum((*range(new), *(new + axis for axis in repeated)))
        return (unsqueeze(total, repeated),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        new = len(self.shape) - types[0].rank
        kept = zip(types[0].shape, self.shape[new:], strict=True)
        repeats = [*self.shape[:new], *(ONE if same(old, dim) else dim for old, dim in kept)]
        if all(dim == ONE for dim in repeats) and not new:
            return inputs[0]  # the same sizes under other names
        return emit.node("Expand", inputs[0], emit.dims(repeats))


def _proportional(a: Dim, b: Dim) -> bool:
    """Whether one of two different dims is a multiple of the other."""
    return len(a.terms) == len(b.terms) == 1 and a.terms[0][0] == b.terms[0][0]


@register
class Reshape(Op):
    """The same elements in row-major order under another shape."""

    traits = KEEPS
    shape: tuple[Dim, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        result = x.with_shape(self.shape)
        equal = same(result.size, x.size)
        if equal is None and _proportional(result.size, x.size):
            equal = False  # 12 * B is 10 * B only for an empty batch
        if equal is None:
            raise TypeProblem(
                "AX0305",
                f"cannot tell whether {x} has as many elements as {_shown(self.shape)}",
                notes=(f"{x.size} elements against {result.size}",),
                help=way_to_tell(x.size, result.size),
            )
        if not equal:
            raise TypeProblem(
                "AX0324",
                f"cannot reshape {x} to {_shown(self.shape)}: {x.size} elements against {result.size}",
                argument="shape",
            )
        return result

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        (place,) = places
        assert place is not None
        leading = product(inputs[0].shape[:place])  # axes before it must be as they were; those after it may merge
        return product(self.shape[:result]) == leading

    def evaluate(self, x: Any) -> Any:
        return np.reshape(x, [d.evaluate({}) for d in self.shape])

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (reshape(dy, x.shape),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        sizes = [d.constant for d in self.shape]
        if sizes.count(None) == 1 and 0 not in sizes:
            return emit.node("Reshape", inputs[0], emit.constant([-1 if n is None else n for n in sizes]))
        return emit.node("Reshape", inputs[0], emit.dims(self.shape))


@register
class Transpose(Op):
    """Axes in another order: axis ``i`` of the result is axis ``permutation[i]`` of ``x``."""

    traits = KEEPS
    onnx = OnnxOp("Transpose", attributes={"permutation": "perm"})
    permutation: tuple[int, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.permutation) != list(range(x.rank)):
            raise TypeProblem(
                "AX0320",
                f"an order of axes names each axis of {x} once: {list(self.permutation)} does not",
                argument="axes",
            )
        return x.with_shape(tuple(x.shape[axis] for axis in self.permutation))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return np.transpose(x, self.permutation)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (transpose(dy, sorted(range(x.rank), key=self.permutation.__getitem__)),)


@register
class Unsqueeze(Op):
    """New axes of size 1; ``axes`` are their places in the result, in order."""

    traits = KEEPS
    axes: tuple[int, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        shape = list(x.shape)
        for axis in self.axes:
            shape.insert(axis, ONE)
        return x.with_shape(tuple(shape))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return np.expand_dims(x, self.axes)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (squeeze(dy, self.axes),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit.node("Unsqueeze", inputs[0], emit.constant(self.axes))


@register
class Squeeze(Op):
    """Drop axes, which have size 1."""

    traits = KEEPS
    axes: tuple[int, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        for axis in self.axes:
            if not is_one(x.shape[axis]):
                raise TypeProblem(
                    "AX0322",
                    f"`squeeze` drops axes of size 1, and axis {axis} of {x} is {x.shape[axis]}",
                    argument="axis",
                )
        return x.with_shape(tuple(dim for axis, dim in enumerate(x.shape) if axis not in self.axes))

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any) -> Any:
        return np.squeeze(x, self.axes)

    def vjp(self, dy: Value, y: Value, x: Value) -> tuple[Value | None, ...]:
        return (unsqueeze(dy, self.axes),)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return emit.node("Squeeze", inputs[0], emit.constant(self.axes))


# Axes.


def normal_axis(axis: int, rank: int, op: str) -> int:
    """An axis counted from the front. TypeProblem if the tensor has no such axis."""
    if not -rank <= axis < rank:
        allowed = f"axes run from {-rank} to {rank - 1}" if rank else "a scalar has no axes"
        raise TypeProblem("AX0320", f"`{op}` has no axis {axis} to work along: {allowed}", argument="axis")
    return axis % rank


def normal_axes(axes: int | Sequence[int] | None, rank: int, op: str) -> tuple[int, ...]:
    """Axes counted from the front, in order; None is all of them. TypeProblem if one is out of range or repeated."""
    if axes is None:
        return tuple(range(rank))
    given = [normal_axis(axis, rank, op) for axis in ([axes] if isinstance(axes, int) else axes)]
    if len(set(given)) < len(given):
        raise TypeProblem("AX0320", f"`{op}` is given an axis twice: {list(given)}", argument="axis")
    return tuple(sorted(given))


# What the ops are used by.


def reshape(x: Value, shape: Sequence[Dim | int]) -> Value:
    """``x`` under another shape; itself where it has it already."""
    dims = tuple(Dim.of(d) for d in shape)
    return x if dims == x.shape else current_builder().add(Reshape(dims), x)


def flatten(x: Value, first: int, last: int) -> Value:
    """``x`` with axes ``first`` up to, not including, ``last`` made one."""
    merged = TensorType(x.type.dtype, x.shape[first:last]).size
    return reshape(x, (*x.shape[:first], merged, *x.shape[last:]))


def constant(array: Any, dtype: DType | None = None) -> Value:
    """A constant; equal small ones are made once."""
    numbers = np.asarray(array, dtype=dtype.numpy if dtype else None)
    spend(Cost.numbers, numbers.size // NUMBERS)
    hold(Cost.numbers, 2 * numbers.nbytes)
    op = Constant.of(numbers, dtype)
    return current_builder().add_once(op) if op.array.size <= MERGED else current_builder().add(op)


def broadcast(*operands: Value | float) -> tuple[Value, ...]:
    """Operands brought to one shape by NumPy's rule, as explicit Broadcast nodes; TypeProblem if none fits.

    Python numbers take the dtype of the first tensor.
    """
    dtype = next(operand.type.dtype for operand in operands if isinstance(operand, Value))
    values = [operand if isinstance(operand, Value) else constant(operand, dtype) for operand in operands]
    shape = broadcast_shapes([value.shape for value in values])
    return tuple(broadcast_to(value, shape) for value in values)


def broadcast_to(x: Value, shape: Sequence[Dim | int]) -> Value:
    """``x`` repeated to a shape; itself where it has it already."""
    dims = tuple(Dim.of(d) for d in shape)
    return x if dims == x.shape else current_builder().add(Broadcast(dims), x)


def full(shape: Sequence[Dim | int], number: float, dtype: DType) -> Value:
    """A tensor of one number."""
    return broadcast_to(constant(number, dtype), shape)


def zeros_like(x: Value) -> Value:
    """Zeros of the type of ``x``."""
    return full(x.shape, 0, x.type.dtype)


def transpose(x: Value, permutation: Sequence[int]) -> Value:
    """``x`` with its axes in this order; itself where that is their order."""
    order = tuple(normal_axis(axis, x.rank, "transpose") for axis in permutation)
    return x if order == tuple(range(x.rank)) else current_builder().add(Transpose(order), x)


def move_axis(x: Value, source: int, target: int) -> Value:
    """``x`` with one axis moved; the others keep their order."""
    source, target = normal_axis(source, x.rank, "transpose"), normal_axis(target, x.rank, "transpose")
    order = [axis for axis in range(x.rank) if axis != source]
    return transpose(x, [*order[:target], source, *order[target:]])


def unsqueeze(x: Value, axes: int | Sequence[int]) -> Value:
    """``x`` with new axes of size 1 at these places of the result."""
    count = 1 if isinstance(axes, int) else len(axes)
    places = normal_axes(axes, x.rank + count, "unsqueeze")
    return current_builder().add(Unsqueeze(places), x) if places else x


def squeeze(x: Value, axes: int | Sequence[int]) -> Value:
    """``x`` without these axes, which have size 1."""
    places = normal_axes(axes, x.rank, "squeeze")
    return current_builder().add(Squeeze(places), x) if places else x


def stop_gradient(x: Value) -> Value:
    """``x``, through which no gradient flows."""
    return current_builder().add(StopGradient(), x)


def _shown(shape: Sequence[Dim]) -> str:
    return f"[{', '.join(map(str, shape))}]"
