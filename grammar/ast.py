"""The syntax tree. Both spellings, ``.arch`` and YAML, give this tree; nodes are frozen and know their span.

Spans do not take part in equality: two trees are equal when they say the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .source import Span


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that was written down."""

    span: Span = field(compare=False, repr=False, kw_only=True)


# ---------------------------------------------------------------- expressions


class Expr(Node):
    """An expression."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Name(Expr):
    id: str


@dataclass(frozen=True, slots=True)
class Number(Expr):
    """``1`` is an int, ``1.0`` and ``1e3`` are floats. Equality distinguishes them."""

    value: int | float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class String(Expr):
    value: str


@dataclass(frozen=True, slots=True)
class Constant(Expr):
    """``true``, ``false`` or ``none``."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Dots(Expr):
    """``...`` in a subscript, or ``...S`` among dims."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tuple(Expr):
    """``a, b``: several values, in results and assignments."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class List(Expr):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Expr):
    """``[element for targets in iterable if condition]``; as a call argument the brackets may be left out."""

    element: Expr
    targets: tuple[Name, ...]
    iterable: Expr
    condition: Expr | None = None


@dataclass(frozen=True, slots=True)
class Dict(Expr):
    """``{key: value}``; keys are words or strings."""

    items: tuple[tuple[String, Expr], ...]


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """``-x``, ``+x``, ``not x``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """``+ - * / // % @ **``, ``== != < <= > >=``, ``in``, ``and``, ``or``."""

    op: str
    left: Expr
    right: Expr
    op_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Conditional(Expr):
    """``then if condition else otherwise``."""

    then: Expr
    condition: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Pipe(Expr):
    """``value |> stage``."""

    value: Expr
    stage: Expr


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """One argument of a call; ``name`` is set where it was given by keyword."""

    value: Expr
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Expr):
    callee: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Slice(Expr):
    """``start:stop:step`` inside a subscript."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None


@dataclass(frozen=True, slots=True)
class Index(Expr):
    value: Expr
    subscripts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Expr):
    value: Expr
    name: str
    name_span: Span = field(compare=False, repr=False, kw_only=True)


# ---------------------------------------------------------------- types and signatures


@dataclass(frozen=True, slots=True)
class Type(Node):
    """``f32[B, 784]`` (name and dims), ``[B]`` (dims alone), ``int`` (name alone), ``list[int]``, ``choice[a, b]``.

    Dims are expressions; ``Dots`` stands for any number of them.
    """

    name: str | None
    dims: tuple[Expr, ...] | None


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """One entry of a signature."""

    name: str
    type: Type | None
    default: Expr | None


@dataclass(frozen=True, slots=True)
class ResultField(Node):
    name: str | None
    type: Type


@dataclass(frozen=True, slots=True)
class Result(Node):
    """After ``->``: one type, or several fields in parentheses (named, if they are to be read as ``.name``)."""

    fields: tuple[ResultField, ...]
    parenthesised: bool


# ---------------------------------------------------------------- statements


class Stmt(Node):
    """A statement."""

    __slots__ = ()


Suite = tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Input(Stmt):
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Target(Stmt):
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Output(Stmt):
    name: str
    type: Type | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Loss(Stmt):
    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Metric(Stmt):
    """``over`` is ``set`` in ``metric auc over set = ...``."""

    name: str
    over: str | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Param(Stmt):
    """``param W: [n, m] ~ init`` (``drawn``) or ``= value``, with options such as ``trainable=false``."""

    name: str
    type: Type
    drawn: bool
    value: Expr
    options: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Buffer(Stmt):
    name: str
    type: Type
    value: Expr


@dataclass(frozen=True, slots=True)
class State(Stmt):
    """State of an optimizer."""

    name: str
    type: Type
    value: Expr


@dataclass(frozen=True, slots=True)
class Update(Stmt):
    target: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Feed(Stmt):
    name: str
    value: Expr
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Data(Stmt):
    """``data NAME = SOURCE``. The unnamed ``data = SOURCE`` is an ordinary assignment."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Minimize(Stmt):
    loss: Expr
    over: Expr | None
    optimizer: Expr


@dataclass(frozen=True, slots=True)
class Maximize(Stmt):
    value: Expr


@dataclass(frozen=True, slots=True)
class Return(Stmt):
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Emit(Stmt):
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Assert(Stmt):
    condition: Expr
    message: Expr | None


@dataclass(frozen=True, slots=True)
class Draw(Stmt):
    """``z: [B, k] ~ normal(0, 1)``."""

    name: str
    type: Type
    distribution: Expr


@dataclass(frozen=True, slots=True)
class TypedAssign(Stmt):
    """``x: [B, n] = value``."""

    name: str
    type: Type
    value: Expr


@dataclass(frozen=True, slots=True)
class Assign(Stmt):
    """``a, b = x, y``. Targets are names, or items of a list (``keys[j] = e``)."""

    targets: tuple[Expr, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ExprStmt(Stmt):
    value: Expr


@dataclass(frozen=True, slots=True)
class For(Stmt):
    targets: tuple[Name, ...]
    iterable: Expr
    body: Suite


@dataclass(frozen=True, slots=True)
class If(Stmt):
    """``branches`` are (condition, body) for ``if`` and each ``elif``; ``otherwise`` is the ``else`` body."""

    branches: tuple[tuple[Expr, Suite], ...]
    otherwise: Suite = ()


@dataclass(frozen=True, slots=True)
class Repeat(Stmt):
    count: Expr
    body: Suite


@dataclass(frozen=True, slots=True)
class Every(Stmt):
    count: Expr
    body: Suite


@dataclass(frozen=True, slots=True)
class Together(Stmt):
    body: Suite


@dataclass(frozen=True, slots=True)
class Binding(Node):
    """In a scan or loop header: ``name in value along axis`` (``each``) or ``name = value`` (a state)."""

    name: str
    value: Expr
    each: bool
    axis: Expr | None = None


@dataclass(frozen=True, slots=True)
class Collect(Node):
    """In a scan header after ``->``: ``name along axis``."""

    name: str
    axis: Expr | None = None


@dataclass(frozen=True, slots=True)
class Scan(Stmt):
    reversed: bool
    bindings: tuple[Binding, ...]
    collects: tuple[Collect, ...]
    body: Suite


@dataclass(frozen=True, slots=True)
class Loop(Stmt):
    bindings: tuple[Binding, ...]
    condition: Expr | None
    body: Suite


# ---------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class Doc(Node):
    """The docstring of a body, dedented."""

    text: str


@dataclass(frozen=True, slots=True)
class Backward(Node):
    """``backward(dy):`` and its body."""

    parameters: tuple[str, ...]
    body: Suite


@dataclass(frozen=True, slots=True)
class Declaration(Stmt):
    """Something named at the top of a file (fns and blocks: nested, too). ``name_span`` is where its name stands."""

    name: str
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Fn(Declaration):
    parameters: tuple[Parameter, ...]
    result: Result | None
    body: Suite
    backward: Backward | None = None
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Entry(Declaration):
    parameters: tuple[Parameter, ...]
    result: Result
    body: Suite
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Block(Declaration):
    """Two argument lists: hyperparameters make a module, inputs apply it."""

    hyperparameters: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: Result
    body: Suite
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Optimizer(Declaration):
    hyperparameters: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: Result
    body: Suite
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Schedule(Declaration):
    hyperparameters: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: Result | None
    body: Suite
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Model(Declaration):
    parameters: tuple[Parameter, ...]
    body: Suite
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Train(Declaration):
    """``train [NAME] [of MODEL]:``. The name is ``""`` where none was given."""

    model: str | None
    body: Suite
    doc: Doc | None = None


@dataclass(frozen=True, slots=True)
class Search(Stmt):
    body: Suite


@dataclass(frozen=True, slots=True)
class Import(Stmt):
    path: String
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole spec."""

    declarations: tuple[Stmt, ...]
