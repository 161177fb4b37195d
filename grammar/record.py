"""Records: immutable classes of named fields, for what is made by the thousand or declared by the hundred.

    class Name(Node):
        id: str
        span: Span = field(compare=False, repr=False, kw_only=True)

A record is what a frozen dataclass with slots is: built by position or by keyword, compared, hashed and printed by its
fields, copied and pickled by their values. But a dataclass writes and compiles its methods when its class is made, and
that was a third of the time in which the command line starts. A record compiles its constructor when it is first
called; the rest is shared.

What this module does not do: make defaults anew for each record, call ``__post_init__``, or let a class define its own
constructor.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn, Self, TypeVar, dataclass_transform

REQUIRED: Any = object()
"""Stands for the default of a field without one."""


class Field:
    """A field of a record; see ``field``."""

    __slots__ = ("compare", "default", "kw_only", "name", "repr")

    def __init__(self, name: str, default: Any, compare: bool, repr: bool, kw_only: bool) -> None:
        self.name, self.default, self.compare, self.repr, self.kw_only = name, default, compare, repr, kw_only


def field(*, default: Any = REQUIRED, compare: bool = True, repr: bool = True, kw_only: bool = False) -> Any:
    """Declare more about a field than its default.

    Args:
        default: the value where none is given.
        compare: whether it takes part in equality and hash.
        repr: whether it is printed.
        kw_only: whether it is given by keyword alone.
    """
    return Field("", default, compare, repr, kw_only)


class RecordType(type):
    """The class of record classes: turns annotations into slots."""

    _fields: tuple[Field, ...]
    _key: Callable[[Any], tuple[Any, ...]]

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        eq: bool = True,
    ) -> RecordType:
        """Make a class; ``eq=False`` compares its records by identity."""
        annotations: dict[str, str] = namespace.get("__annotations__", {})  # texts: annotations are not evaluated
        names = [key for key, annotation in annotations.items() if not annotation.startswith("ClassVar")]
        own = [_field(key, namespace.pop(key, REQUIRED)) for key in names]
        inherited = {f.name: f for base in bases for f in getattr(base, "_fields", ())}
        fields = tuple((inherited | {f.name: f for f in own}).values())
        namespace["__slots__"] = tuple(names)
        namespace["__match_args__"] = tuple(f.name for f in fields if not f.kw_only)
        namespace["__init__"] = _first_call
        if not eq:
            namespace |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
        cls = super().__new__(mcs, name, bases, namespace)
        cls._fields = fields
        cls._key = _key([f.name for f in fields if f.compare])
        return cls


def _field(name: str, value: Any) -> Field:
    if isinstance(value, Field):
        return Field(name, value.default, value.compare, value.repr, value.kw_only)
    return Field(name, value, compare=True, repr=True, kw_only=False)


def _key(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The function from a record to the values that it is compared by."""
    if len(names) > 1:
        return attrgetter(*names)
    if names:
        only = attrgetter(names[0])
        return lambda record: (only(record),)
    return lambda record: ()


def _first_call(self: Any, *args: Any, **kwargs: Any) -> None:
    """The constructor of every record class until its first call."""
    cls: Any = type(self)
    cls.__init__ = _constructor(cls)
    cls.__init__(self, *args, **kwargs)


def _constructor(cls: RecordType) -> Any:
    """Compile the constructor: as a function with real parameters it is as fast as if written by hand."""
    scope: dict[str, Any] = {}
    positional, keywords, body = ["self"], ["*"], []
    for f in cls._fields:
        scope |= {f"_set_{f.name}": getattr(cls, f.name).__set__, f"_default_{f.name}": f.default}
        parameter = f.name if f.default is REQUIRED else f"{f.name}=_default_{f.name}"
        (keywords if f.kw_only else positional).append(parameter)
        body.append(f"_set_{f.name}(self, {f.name})")
    parameters = ", ".join(positional + (keywords if len(keywords) > 1 else []))
    exec(f"def __init__({parameters}): {'; '.join(body) or 'pass'}", scope)
    constructor = scope["__init__"]
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    return constructor


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record(metaclass=RecordType):
    """Base of all records."""

    def __eq__(self, other: object) -> bool:
        cls = type(self)
        return cls._key(self) == cls._key(other) if type(other) is cls else NotImplemented

    def __hash__(self) -> int:
        return hash(type(self)._key(self))

    def __repr__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __getstate__(self) -> tuple[Any, ...]:
        """The values of all fields in order, also of those that equality leaves out."""
        return tuple(getattr(self, f.name) for f in fields(self))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for f, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, f.name, value)

    def __replace__(self, /, **changes: Any) -> Self:
        """What ``copy.replace`` calls (Python 3.13)."""
        return replace(self, **changes)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} does not change: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} does not change: cannot delete {name}")


AnyRecord = TypeVar("AnyRecord", bound=Record)


def fields(record: Record | type[Record]) -> tuple[Field, ...]:
    """The fields of a record or of its class, those of its bases first."""
    return (record if isinstance(record, RecordType) else type(record))._fields


def replace(record: AnyRecord, **changes: Any) -> AnyRecord:
    """A record like this one with some fields changed."""
    return type(record)(**{f.name: getattr(record, f.name) for f in fields(record)} | changes)
