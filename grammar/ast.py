"""The syntax tree. Both spellings, ``.arch`` and YAML, give this tree; nodes are frozen and know their span.

Spans do not take part in equality: two trees are equal when they say the same thing.
"""

from __future__ import annotations

from .record import Record, field
from .source import Span


class Node(Record):
    """A part of a spec, with the place where it is written."""

    span: Span = field(compare=False, repr=False, kw_only=True)


# ---------------------------------------------------------------- expressions


class Expr(Node):
    """An expression."""


class Name(Expr):
    id: str


class Number(Expr):
    """``1`` is an int, ``1.0`` and ``1e3`` are floats. Equality distinguishes them."""

    value: int | float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


class String(Expr):
    value: str


class Constant(Expr):
    """``true``, ``false`` or ``none``."""

    value: bool | None


class Dots(Expr):
    """``...`` in a subscript, or ``...S`` among dims."""

    name: str | None = None


class Tuple(Expr):
    """``a, b``: several values, in results and assignments."""

    items: tuple[Expr, ...]


class List(Expr):
    items: tuple[Expr, ...]


class Comprehension(Expr):
    """``[element for targets in iterable if condition]``; as a call argument the brackets may be left out."""

    element: Expr
    targets: tuple[Name, ...]
    iterable: Expr
    condition: Expr | None = None


class Dict(Expr):
    """``{key: value}``; keys are words or strings."""

    items: tuple[tuple[String, Expr], ...]


class Unary(Expr):
    """``-x``, ``+x``, ``not x``."""

    op: str
    operand: Expr


class Binary(Expr):
    """``+ - * / // % @ **``, ``== != < <= > >=``, ``in``, ``and``, ``or``."""

    op: str
    left: Expr
    right: Expr
    op_span: Span = field(compare=False, repr=False, kw_only=True)


class Conditional(Expr):
    """``then if condition else otherwise``."""

    then: Expr
    condition: Expr
    otherwise: Expr


class Pipe(Expr):
    """``value |> stage``."""

    value: Expr
    stage: Expr


class Argument(Node):
    """One argument of a call; ``name`` is set where it was given by keyword."""

    value: Expr
    name: str | None = None


class Call(Expr):
    callee: Expr
    arguments: tuple[Argument, ...]


class Slice(Expr):
    """``start:stop:step`` inside a subscript."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None


class Index(Expr):
    value: Expr
    subscripts: tuple[Expr, ...]


class Attribute(Expr):
    value: Expr
    name: str
    name_span: Span = field(compare=False, repr=False, kw_only=True)


# ---------------------------------------------------------------- types and signatures


class Type(Node):
    """What a declaration says that a value is."""


class TensorType(Type):
    """``f32[B, 784]``, or ``[B, 784]``, which is of the model's float type.

    Dims are expressions; ``Dots`` stands for any number of them.
    """

    dtype: str | None
    dims: tuple[Expr, ...]


class NamedType(Type):
    """``int``, ``fn``, ``list``: a static type that is one word."""

    name: str


class ListType(Type):
    """``list[int]``."""

    items: Type


class ChoiceType(Type):
    """``choice[small, none]``."""

    words: tuple[Name, ...]


class UnionType(Type):
    """``choice[valid, same] | int``: what a parameter may be, two types or more."""

    types: tuple[Type, ...]


class Parameter(Node):
    """One entry of a signature."""

    name: str
    type: Type | None
    default: Expr | None


class ResultField(Node):
    name: str | None
    type: Type


class Result(Node):
    """After ``->``: one type, or several fields in parentheses (named, if they are to be read as ``.name``)."""

    fields: tuple[ResultField, ...]
    parenthesised: bool


# ---------------------------------------------------------------- statements


class Stmt(Node):
    """A statement."""


Suite = tuple[Stmt, ...]


class Input(Stmt):
    name: str
    type: Type


class Target(Stmt):
    name: str
    type: Type


class Output(Stmt):
    name: str
    type: Type | None
    value: Expr


class Loss(Stmt):
    name: str
    value: Expr


class Better(Node):
    """``smaller`` or ``larger``, or whatever word stands there."""

    word: str


class Metric(Stmt):
    """``over`` is ``set`` in ``metric auc over set = ...``; ``better`` stands after it: ``metric m = ..., smaller``."""

    name: str
    over: str | None
    value: Expr
    better: Better | None = None


class Param(Stmt):
    """``param W: [n, m] ~ init`` (``drawn``) or ``= value``, with options such as ``trainable=false``."""

    name: str
    type: Type
    drawn: bool
    value: Expr
    options: tuple[Argument, ...] = ()


class Buffer(Stmt):
    name: str
    type: Type
    value: Expr


class State(Stmt):
    """State of an optimizer."""

    name: str
    type: Type
    value: Expr


class Update(Stmt):
    target: Expr
    value: Expr


class Feed(Stmt):
    name: str
    value: Expr
    whole: bool = False


class Fit(Stmt):
    """``fit NAME = VALUE``: what is learned from the data of the train part before the first step, and kept."""

    name: str
    value: Expr


class Data(Stmt):
    """``data NAME = SOURCE``. The unnamed ``data = SOURCE`` is an ordinary assignment."""

    name: str
    value: Expr


class Minimize(Stmt):
    loss: Expr
    over: Expr | None
    optimizer: Expr


class Maximize(Stmt):
    value: Expr


class Return(Stmt):
    values: tuple[Expr, ...]


class Emit(Stmt):
    values: tuple[Expr, ...]


class Assert(Stmt):
    condition: Expr
    message: Expr | None


class Draw(Stmt):
    """``z: [B, k] ~ normal(0, 1)``."""

    name: str
    type: Type
    distribution: Expr


class TypedAssign(Stmt):
    """``x: [B, n] = value``."""

    name: str
    type: Type
    value: Expr


class Assign(Stmt):
    """``a, b = x, y``. Targets are names, or items of a list (``keys[j] = e``)."""

    targets: tuple[Expr, ...]
    values: tuple[Expr, ...]


class ExprStmt(Stmt):
    value: Expr


class For(Stmt):
    targets: tuple[Name, ...]
    iterable: Expr
    body: Suite


class If(Stmt):
    """``branches`` are (condition, body) for ``if`` and each ``elif``; ``otherwise`` is the ``else`` body."""

    branches: tuple[tuple[Expr, Suite], ...]
    otherwise: Suite = ()


class Repeat(Stmt):
    """``condition`` is what stands after ``while``: it is asked before each turn."""

    count: Expr
    condition: Expr | None
    body: Suite


class Every(Stmt):
    count: Expr
    body: Suite


class Together(Stmt):
    body: Suite


class Binding(Node):
    """In a scan or loop header: ``name in value along axis`` (``each``) or ``name = value`` (a state)."""

    name: str
    value: Expr
    each: bool
    axis: Expr | None = None


class Collect(Node):
    """In a scan header after ``->``: ``name along axis``."""

    name: str
    axis: Expr | None = None


class Scan(Stmt):
    reversed: bool
    bindings: tuple[Binding, ...]
    collects: tuple[Collect, ...]
    body: Suite


class Loop(Stmt):
    bindings: tuple[Binding, ...]
    condition: Expr | None
    body: Suite


# ---------------------------------------------------------------- declarations


class Doc(Node):
    """The docstring of a body, dedented."""

    text: str


class Backward(Node):
    """``backward(dy):`` and its body."""

    parameters: tuple[str, ...]
    body: Suite


class Declaration(Stmt):
    """A named declaration at the top of a file; fns and blocks also stand inside bodies. ``name_span`` is its name."""

    name: str
    name_span: Span = field(compare=False, repr=False, kw_only=True)


class Fn(Declaration):
    """``better`` says which results are good, for metrics that are calls of it: ``fn f(x) -> [], smaller:``."""

    parameters: tuple[Parameter, ...]
    result: Result | None
    body: Suite
    backward: Backward | None = None
    doc: Doc | None = None
    better: Better | None = None


class Entry(Declaration):
    parameters: tuple[Parameter, ...]
    result: Result
    body: Suite
    doc: Doc | None = None


class Block(Declaration):
    """Two argument lists: hyperparameters make a module, inputs apply it."""

    hyperparameters: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: Result
    body: Suite
    doc: Doc | None = None


class Optimizer(Declaration):
    hyperparameters: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: Result
    body: Suite
    doc: Doc | None = None


class Schedule(Declaration):
    hyperparameters: tuple[Parameter, ...]
    inputs: tuple[Parameter, ...]
    result: Result | None
    body: Suite
    doc: Doc | None = None


class Model(Declaration):
    parameters: tuple[Parameter, ...]
    body: Suite
    doc: Doc | None = None


class Train(Declaration):
    """``train [NAME] [of MODEL[(ARGUMENTS)]]:``. The name is ``""`` where none was given.

    ``arguments`` are those of the model that the data decides, as in ``train of Rent(cities=size(city)):``.
    """

    model: str | None
    body: Suite
    doc: Doc | None = None
    arguments: tuple[Argument, ...] = ()


class Search(Stmt):
    body: Suite


class Import(Stmt):
    path: String
    names: tuple[Name, ...]


class File(Node):
    """A whole spec."""

    declarations: tuple[Stmt, ...]
