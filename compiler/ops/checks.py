"""Checks that shape rules of several families share."""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.compiler.ir.dims import ZERO, Dim
from archonnx.compiler.ir.facts import same, way_to_tell
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.types import DType, TensorType

UNSIGNED = frozenset({DType.u8, DType.u32, DType.u64})


def accepts(kind: str, dtype: DType) -> bool:
    """Whether a dtype is of a kind (``number``, ``signed``, ``float``, ``bool``, ``any``)."""
    match kind:
        case "bool":
            return dtype is DType.bool
        case "float":
            return dtype.is_float
        case "number":
            return dtype is not DType.bool
        case "signed":
            return dtype is not DType.bool and dtype not in UNSIGNED
    return True


def check_dtypes(name: str, kind: str, *inputs: TensorType) -> None:
    """TypeProblem unless all inputs have one dtype, of a kind."""
    first = inputs[0].dtype
    for position, other in enumerate(inputs[1:], 1):
        if other.dtype is not first:
            raise TypeProblem(
                "AX0303",
                f"`{name}` needs one dtype: {first} and {other.dtype}",
                operands=(position, 0),
                help=f"convert one of them: `{first}(...)`",
            )
    if not accepts(kind, first):
        raise TypeProblem(
            "AX0303",
            f"`{name}` is not defined for {first}: it takes {kind} tensors",
            help="compare it: `x != 0`" if kind == "bool" else "convert it: `f32(...)`",
        )


def check_float(op: str, **inputs: TensorType) -> None:
    """TypeProblem unless all these inputs are floats of one dtype. Name them in the order of the op's inputs."""
    first = next(iter(inputs.values()))
    for position, (name, given) in enumerate(inputs.items()):
        if not given.dtype.is_float:
            raise TypeProblem(
                "AX0303", f"`{op}` is not defined for {given.dtype}: `{name}` is a float tensor", operands=(position,)
            )
        if given.dtype is not first.dtype:
            raise TypeProblem(
                "AX0303",
                f"`{op}` needs one dtype: {first.dtype} and {given.dtype}",
                operands=(position, 0),
                help=f"convert one of them: `{first.dtype}(...)`",
            )


def check_equal(
    left: Dim, right: Dim, headline: str, *, operands: tuple[int, ...] = (0,), help: str | None = None
) -> None:
    """TypeProblem unless two dims are equal; the headline says what each of them is."""
    equal = same(left, right)
    if equal is None:
        raise TypeProblem(
            "AX0305",
            f"cannot tell whether {left} equals {right}",
            operands=operands,
            notes=(headline,),
            help=way_to_tell(left, right),
        )
    if not equal:
        raise TypeProblem("AX0302", headline, operands=operands, help=help)


def check_same_shape(left: Sequence[Dim], right: Sequence[Dim], headline: str, *, operands: tuple[int, ...]) -> None:
    """TypeProblem unless two shapes are equal; the headline says what each of them is."""
    if len(left) != len(right):
        raise TypeProblem("AX0302", headline, operands=operands)
    for one, other in zip(left, right, strict=True):
        check_equal(one, other, headline, operands=operands)


def check_divides(
    parts: int, size: Dim, headline: str, *, operands: tuple[int, ...] = (0,), argument: str = ""
) -> None:
    """TypeProblem unless a dim is a multiple of a number; the headline says what each of them is."""
    rest = size % parts
    whole = same(rest, ZERO)
    if whole is None:
        raise TypeProblem(
            "AX0305",
            f"cannot tell whether {size} is a multiple of {parts}",
            operands=operands,
            notes=(headline,),
            help=f"state it: `assert {rest} == 0`",
        )
    if not whole:
        raise TypeProblem("AX0322", headline, operands=operands, argument=argument)


def one_place(places: Sequence[int | None]) -> bool:
    """Whether examples lie along one and the same axis of all inputs that have any."""
    return len({place for place in places if place is not None}) == 1
