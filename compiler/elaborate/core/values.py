"""What an expression can be while a spec is elaborated.

Static values are Python's own (int, float, bool, str, None, list, dict) and the classes here; tensors are
``ir.graph.Value``; a symbolic dim is ``ir.dims.Dim`` (a known one is an int).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.tokens import Tokens
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, hold, spend
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .forms import CALLABLES

StaticDim = int | Dim
MODULE, MODULE_BYTES = 30, 3_000
"""What a module costs, in work and in memory."""


class Scope:
    """Names declared in a file, and behind them the library's; ``find`` is None for an unknown name."""

    def __init__(self, declared: Mapping[str, Any], outer: Scope | None = None) -> None:
        self.declared = declared
        self.outer = outer
        self.dependences: dict[int, Any] = {}
        """What ``dependence`` read off the declarations of this scope, by their identities; it owns them."""

    def find(self, name: str) -> Any | None:
        """The declaration of a name."""
        found = self.declared.get(name)
        return self.outer.find(name) if found is None and self.outer is not None else found

    def names(self) -> Iterable[str]:
        """All names, for suggestions."""
        yield from self.declared
        if self.outer is not None:
            yield from self.outer.names()


class Given(Record):
    """An argument: an expression still to be evaluated, or a value that is there already (a piped one).

    ``parts`` are the places of the items of a value that is a list, where they are known.
    """

    span: Span
    expr: ast.Expr | None = None
    value: Any = None
    parts: tuple[Span, ...] = ()


class Returned(Record):
    """What a ``return`` gives, and where each value was written."""

    values: list[Any]
    spans: list[Span]


class Choice(Record):
    """A word of a ``choice[...]`` parameter."""

    word: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return self.word


class Results(Record):
    """Several results of a call; ``names`` where the signature names them."""

    items: tuple[Any, ...]
    names: tuple[str | None, ...]


class Around(Record, eq=False):
    """What a ``fn`` inside another body sees of it: names bound above it, and dims that have a meaning there."""

    names: Mapping[str, Any]
    dims: Mapping[str, tuple[Any, Span]]


class TextColumn(Record):
    """A column of texts of the data. ``filled`` is what stands where none is; ``tokens`` says how they are cut."""

    name: str
    filled: str | None = None
    tokens: Tokens | None = None


class Vocabulary(Record):
    """The values of a column, in order: a value's number is its position. ``unknown`` ones have the next number."""

    keys: tuple[str | int, ...]
    unknown: bool = False

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.keys) + self.unknown


class Function(Record):
    """A ``fn``, with the scope in which it was written, and with what is around it inside another body."""

    declaration: ast.Fn
    scope: Scope
    around: Around | None = None


class Method(Record):
    """A ``fn`` nested in a block or model, of one module."""

    declaration: ast.Fn
    module: Module
    derived: Derived | None = None


class BlockType(Record):
    """A ``block``: calling it makes a module. One that is declared in another body has that body's module around."""

    declaration: ast.Block
    scope: Scope
    around: Module | None = None


class ModelType(Record):
    """A ``model``, of which there is one module: all it has."""

    declaration: ast.Model
    scope: Scope


class OptimizerType(Record):
    """An ``optimizer``: calling it sets its hyperparameters."""

    declaration: ast.Optimizer
    scope: Scope


class ScheduleType(Record):
    """A ``schedule``: calling it sets its hyperparameters."""

    declaration: ast.Schedule
    scope: Scope


class Configured(Record):
    """An optimizer or a schedule with its hyperparameters."""

    of: OptimizerType | ScheduleType
    arguments: Mapping[str, Any]


class ConstantSchedule(Record):
    """A number where a schedule is expected."""

    value: float


class OpenSchedule(Record):
    """A schedule whose value is given to every step from outside: a scalar that the graph takes as an input."""

    value: Value


class Builtin(Record):
    """A function of the language that is written in Python.

    ``names`` are those of its parameters, of which the first ``positional`` may be given by position; ``sized`` ones
    take any further keywords as sizes of axes.
    """

    name: str
    parameters: tuple[BuiltinParameter, ...]
    call: Callable[..., Any]
    doc: str
    names: tuple[str, ...]
    positional: int
    sized: bool = False


class BuiltinParameter(Record):
    """``kind`` says what is accepted (see ``kinds``); keyword-only ones cannot be given by position."""

    name: str
    kind: str
    default: Any
    required: bool
    keyword_only: bool


class Partial(Record):
    """A function with some arguments given; the rest, from the first missing one on, come at the call."""

    function: Function | Builtin
    arguments: Mapping[str, Any]


@dataclass(eq=False, slots=True)
class Slot:
    """A parameter of a module: declared once, shared by every graph that is built."""

    name: str
    owner: Module
    type: TensorType
    statement: ast.Param | ast.Buffer
    trainable: bool
    decay: bool
    buffer: bool
    initial: Callable[[str], Any] = field(repr=False)
    """Builds the graph of the initial value, given the parameter's path."""
    indices: tuple[int, ...] = ()
    """Positions in the static loops around its declaration."""

    @property
    def path(self) -> str:
        """``conv.0.W``. Final once the owner's other children are known."""
        return ".".join(part for part in (self.owner.path, self.name) if part)


@dataclass(eq=False, slots=True)
class Module:
    """An instance of a block (or of the model): hyperparameters, parameters, and the modules made inside it.

    ``key`` is a stable identity (it names sites of draws before paths are final).
    """

    block: BlockType | ModelType | None
    arguments: dict[str, Any]
    parent: Module | None
    name: str | None
    made_at: Span
    ordinal: int = 0
    dims: dict[str, tuple[int, Span]] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    children: dict[Any, Module] = field(default_factory=dict)
    made: list[Slot] = field(default_factory=list)
    """Of the model itself: all parameters, in order of construction."""
    labels: dict[str, int] = field(default_factory=dict)
    """How many children have a label."""
    copy_of: Module | None = None
    final_path: str | None = None
    """Its path, kept once the model is complete."""

    @property
    def kind(self) -> str:
        """The block's name in snake case."""
        return snake_case(self.block.declaration.name) if isinstance(self.block, BlockType) else "model"

    @property
    def key(self) -> str:
        if self.parent is None:
            return ""
        return f"{self.parent.key}/{self.name or f'{self.kind}.{self.ordinal}'}"

    @property
    def label(self) -> str:
        """Its name, or its block's in snake case."""
        return self.name or self.kind

    @property
    def path(self) -> str:
        """Owner's path and own label; labels that repeat in an owner are numbered (a single named one is not)."""
        if self.parent is None:
            return ""
        if self.final_path is not None:
            return self.final_path
        own = self.label
        peers = [m for m in self.parent.children.values() if m.label == own]
        return _dotted(self.parent.path, next(text for m, text in _numbered(peers) if m is self))

    def adopt(self, key: Any, child: Module) -> None:
        """Make a module one of those inside this one."""
        spend(Cost.modules, MODULE)
        hold(Cost.modules, MODULE_BYTES)
        child.ordinal = self.labels.get(child.label, 0)
        self.labels[child.label] = child.ordinal + 1
        self.children[key] = child

    def copied_path(self) -> str | None:
        """For a copy, and all inside it: the path of the original."""
        if self.copy_of is not None:
            return self.copy_of.path
        outer = self.parent.copied_path() if self.parent is not None else None
        if outer is None or self.parent is None:
            return None
        return ".".join(part for part in (outer, self.path.removeprefix(self.parent.path).removeprefix(".")) if part)

    def clear(self) -> None:
        """Forget what was made in it: the model is built again."""
        self.slots.clear()
        self.children.clear()
        self.labels.clear()
        self.made.clear()

    def settle(self) -> None:
        """Keep the paths of this module and all inside it: no more modules will be made."""
        groups: dict[str, list[Module]] = {}
        for child in self.children.values():
            groups.setdefault(child.label, []).append(child)
        for peers in groups.values():
            for child, text in _numbered(peers):
                child.final_path = _dotted(self.path, text)
                child.settle()


def _numbered(peers: Sequence[Module]) -> Iterator[tuple[Module, str]]:
    """Modules of one owner and one label, with their labels in it: numbered, unless it is one, or one that is named."""
    named = [m for m in peers if m.name]
    alone = named[0] if len(named) == 1 else peers[0] if len(peers) == 1 else None
    others = [m for m in peers if m is not alone]
    if alone is not None:
        yield alone, alone.label
    yield from ((m, f"{m.label}.{number}") for number, m in enumerate(others))


def _dotted(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label


class Derived(Record, eq=False):
    """A module with other tensors in place of its parameters; it is applied like the module.

    ``replace`` gives the tensor for a parameter (which may be its own); ``values`` lists them, where they are known.
    """

    base: Module
    replace: Callable[[Slot, Value], Value]
    values: Mapping[Slot, Value] | None = None
    frozen: bool = False


class Remat(Record, eq=False):
    """Something that can be called, of which gradients compute again what they read, in place of keeping it."""

    base: Any


def one_of(results: Any, text: str) -> str | None:
    """How a spec takes one of several results that it has called ``text``; None if the value is something else."""
    if not isinstance(results, Results):
        return None
    first = next((name for name in results.names if name), None)
    names = ", ".join("abcdefgh"[: len(results.items)])
    whole = f"({text})" if "|>" in text else text
    return f"take one of them: `{whole}.{first}`" if first else f"take them apart: `{names} = {text}`"


@cache
def snake_case(name: str) -> str:
    """``LayerNorm`` -> ``layer_norm``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def is_callable(value: Any) -> bool:
    """Whether a value can be called; a list of such is applied in order."""
    if isinstance(value, list):
        return bool(value) and all(map(is_callable, value))
    return type(value) in CALLABLES


def describe(value: Any) -> str:
    """What a value is, in a few words."""
    match value:
        case Value():
            return str(value.type)
        case bool():
            return f"the bool {str(value).lower()}"
        case int():
            return f"the int {value}"
        case float():
            return f"the float {value:g}"
        case str():
            return f'the string "{value}"'
        case None:
            return "none"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a dict"
        case Dim():
            return f"the dim {value}"
        case TextColumn():
            what = "the column of texts" if value.tokens is None else f"{value.tokens.unit} of the column of texts"
            return f"{what} `{value.name}`"
        case Vocabulary():
            return f"a vocabulary of {value.size}"
        case Choice():
            return f"the word `{value.word}`"
        case Results():
            return f"{len(value.items)} results"
        case Function() | BlockType() | OptimizerType() | ScheduleType():
            return f"{type(value.declaration).__name__.lower()} `{value.declaration.name}`"
        case Builtin():
            return f"fn `{value.name}`"
        case Partial():
            function = value.function
            return (
                f"fn `{function.name if isinstance(function, Builtin) else function.declaration.name}` (partly applied)"
            )
        case Module():
            return f"a `{value.block.declaration.name}` module" if isinstance(value.block, BlockType) else "the model"
        case Derived():
            return f"{describe(value.base)} (derived)"
        case Remat():
            return describe(value.base)
        case Method():
            return f"method `{value.declaration.name}`"
        case Configured():
            return f"{type(value.of.declaration).__name__.lower()} `{value.of.declaration.name}`"
        case ConstantSchedule():
            return f"the constant schedule {value.value:g}"
        case OpenSchedule():
            return "a schedule that is given at each step"
        case DType():
            return f"dtype {value}"
    return f"a {type(value).__name__.lower()}"


def static_dim(value: StaticDim) -> StaticDim:
    """A dim as an int where it is known."""
    if isinstance(value, Dim) and (constant := value.constant) is not None:
        return constant
    return value
