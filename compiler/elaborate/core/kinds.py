"""The kinds of arguments: what a parameter of a kind takes, what it makes of it, and how it is named when it refuses.

One table serves the parameters that a spec declares (``n: int``) and those of the functions that are written in Python.
A kind is added here, and nowhere else. What a parameter's type says beyond its kind, the words of a ``choice`` and the
items of a ``list``, is read in ``signatures``; the dims of tensors are matched in ``meaning.matching``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import is_length
from archonnx.grammar.record import Record

from .frame import Frame
from .static import is_number, is_size, is_whole
from .tensors import as_tensor
from .values import (
    BlockType,
    Choice,
    Configured,
    ConstantSchedule,
    Module,
    Results,
    ScheduleType,
    TextColumn,
    Vocabulary,
    is_callable,
)


def _as_it_is(frame: Frame, value: Any) -> Any:
    return value


class Kind(Record):
    """What arguments of one kind are.

    Attributes:
        word: its name, as a spec writes it where it is ``declared``.
        accepts: whether a value is of the kind.
        wanted: what a builtin says that it takes.
        coerce: the value as the parameter has it; of accepted values.
        declared: whether a spec may declare a parameter of the kind.
        united: whether it may be one of several, as in ``int | list``.
        called: whether a call that lacks arguments is an argument of it, as in ``map(scale(by=2))``.
    """

    word: str
    accepts: Callable[[Any], bool]
    wanted: str
    coerce: Callable[[Frame, Any], Any] = _as_it_is
    declared: bool = True
    united: bool = True
    called: bool = False


def _of(*types: Any) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


def _is_operand(value: Any) -> bool:
    return isinstance(value, Value | int | float | Dim)


def _is_tensor_like(value: Any) -> bool:
    return _is_operand(value) or _is_array(value)


def _is_array(value: Any) -> bool:
    """Whether it is a list of numbers, or of such lists of one length."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(item, list) for item in value):
        return len({len(item) for item in value}) == 1 and all(_is_array(item) for item in value)
    return all(isinstance(item, int | float) for item in value)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(is_size(item) for item in value)


def _is_parts(value: Any) -> bool:
    return is_whole(value) or (_is_shape(value) and bool(value))


def _is_ints(value: Any) -> bool:
    return is_whole(value) or (isinstance(value, list) and all(is_whole(item) for item in value))


def _ints(frame: Frame, value: Any) -> list[int]:
    return value if isinstance(value, list) else [value]


def _is_int(value: Any) -> bool:
    return is_whole(value) or is_length(value)


def _is_module(value: Any) -> bool:
    return isinstance(value, Module) or (isinstance(value, list) and all(isinstance(item, Module) for item in value))


def _is_schedule(value: Any) -> bool:
    configured = isinstance(value, Configured) and isinstance(value.of, ScheduleType)
    return configured or isinstance(value, ConstantSchedule) or is_number(value)


def _schedule(frame: Frame, value: Any) -> Any:
    return ConstantSchedule(float(value)) if is_number(value) else value


def _is_vocabulary(value: Any) -> bool:
    if isinstance(value, list):
        kinds = {type(item) for item in value}
        return len(kinds) == 1 and kinds <= {str, int} and len(set(value)) == len(value)
    return isinstance(value, Vocabulary)


def _vocabulary(frame: Frame, value: Any) -> Vocabulary:
    return Vocabulary(tuple(value)) if isinstance(value, list) else value


_KINDS = (
    Kind("int", _is_int, "an int"),
    Kind("float", is_number, "a number", lambda frame, value: float(value)),
    Kind("bool", _of(bool), "true or false"),
    Kind("string", _of(str), "a string"),
    Kind("list", _of(list), "a list"),
    Kind("dict", _of(dict), "a dict"),
    Kind("dim", is_size, "a dim"),
    Kind("dtype", _of(DType), "a dtype"),
    Kind("choice", _of(Choice), "a word"),
    Kind("fn", is_callable, "a fn", united=False, called=True),
    Kind("block", _of(BlockType), "a block", united=False, called=True),
    Kind("module", _is_module, "a module", united=False, called=True),
    Kind("schedule", _is_schedule, "a schedule", _schedule, united=False),
    Kind("tensor", _is_tensor_like, "a tensor", as_tensor, declared=False),
    Kind("column", _of(Value, TextColumn), "a column of the data", declared=False),
    Kind("vocabulary", _is_vocabulary, "a vocabulary, or a list of different keys", _vocabulary, declared=False),
    Kind("operand", _is_operand, "a tensor or number", declared=False),
    Kind("whole", is_whole, "an int", declared=False),
    Kind("shape", _is_shape, "a list of dims", declared=False),
    Kind("parts", _is_parts, "how many parts there are, or a list of their sizes", declared=False),
    Kind("axes", _is_ints, "an axis or several", _ints, declared=False),
    Kind("ints", _is_ints, "an int or a list of ints", _ints, declared=False),
    Kind(
        "items", _of(list, Results), "a list",
        lambda frame, value: list(value.items) if isinstance(value, Results) else value, declared=False,
    ),
    Kind("sizes", _of(dict), "sizes by name", declared=False),
    Kind("any", lambda value: True, "a value", declared=False),
)  # fmt: skip
KINDS = {kind.word: kind for kind in _KINDS}
"""All kinds by their words."""
DECLARED = {kind.word: kind for kind in _KINDS if kind.declared}
"""Those that a spec may declare."""
