"""What an op is: a record whose fields are its attributes, and which knows all there is to know of it.

Its shape rule (``infer``), its meaning (``evaluate``, in NumPy), its gradient (``vjp``, built of ops) and its ONNX
form (``lower``) stand together. Nothing outside an op's class names the op; passes ask for its traits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Flag, auto
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

from archonnx.grammar.record import Record, fields, replace

from .dims import ZERO, Dim
from .types import DType, TensorType
from .value import Value

Merging: TypeAlias = Literal["mean", "sum", "largest", "smallest"]
"""How figures of parts are made that of the whole: the mean weighs each part by its size."""


class Trait(Flag):
    """What passes may assume of an op."""

    PURE = auto()
    """Same inputs, same results, no effect: may be merged, moved, dropped, folded."""
    ELEMENTWISE = auto()
    """Acts element by element on inputs of one shape; ONNX's form broadcasts by itself."""
    COMMUTATIVE = auto()
    RANDOM = auto()
    """Draws: a function of its inputs (seed, step) and its site. Never folded."""
    DISCRETE = auto()
    """Its result jumps as its inputs change, so a gradient through it is refused, not zero."""
    VIEW = auto()
    """Moves no arithmetic: reshapes, transposes, slices."""
    KEEPS = auto()
    """Every element of its inputs stands unchanged in its result (where both are integers)."""
    PADS = auto()
    """Elements that are of none of its inputs stand in its result."""
    PART = auto()
    """The elements of its results are some of those of its input, unchanged."""
    CHOOSES = auto()
    """Elements of its inputs may have no part in its result, which is finite though they are NaN."""


class TypeProblem(Exception):  # noqa: N818 - becomes a diagnostic; it is not an error of the program
    """Inputs do not fit an op.

    ``operands`` are positions of the inputs concerned, the primary one first. ``argument`` names the one at fault, such
    as ``axis``, where that is not an input: where a call writes it, it is a better place than the tensor.
    """

    def __init__(
        self,
        code: str,
        headline: str,
        *,
        operands: tuple[int, ...] = (0,),
        argument: str = "",
        notes: tuple[str, ...] = (),
        help: str | None = None,
    ) -> None:
        super().__init__(code, headline)
        self.code, self.headline, self.notes, self.help = code, headline, notes, help
        self.operands, self.argument = operands, argument

    def __str__(self) -> str:
        return self.headline


class Emitter(Protocol):
    """What ``lower`` writes ONNX with. Names are ONNX value names; nothing of onnx itself is needed by an op."""

    @property
    def portable(self) -> bool:
        """Whether only the ai.onnx domain may be used."""

    @property
    def everywhere(self) -> bool:
        """Whether runtimes are to compute the same that have no u64 which wraps, or add where they overwrite."""

    @property
    def opset(self) -> int:
        """The version of the ai.onnx operators; an op that came later is written by those that were there."""

    def node(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output. A DType as attribute becomes ONNX's code; None leaves the attribute out."""

    def nodes(self, op_type: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node of several outputs. An empty input name is an input left out."""

    def constant(self, array: Any, dtype: DType | None = None) -> str:
        """A constant (made once for equal ones). Python ints give i64, floats f32 unless dtype is given."""

    def dims(self, dims: Sequence[Dim]) -> str:
        """A 1-D i64 tensor of these dims: a constant where all are known, else computed from the graph's inputs."""

    def once(self, key: str, make: Callable[[], list[str]]) -> list[str]:
        """What ``make`` emits, before the op that is lowered, and for all others that ask for the same key."""

    def body(self, graph: Any, captured: Sequence[str]) -> Any:
        """A graph as an attribute. Its last inputs are values of the graph around it, by these names."""


class OnnxOp(Record):
    """A one-to-one mapping onto an ONNX operator; serves export and import. ``attributes`` renames ours to ONNX's."""

    type: str
    attributes: Mapping[str, str] | None = None
    domain: str = ""


class Arithmetic(Record):
    """How many multiplications (divisions are some) and additions (subtractions are some) a formula has.

    A sum of n terms has n - 1 additions. Comparisons, changes of sign and functions (``exp``, ``tanh``, ``pow``, draws)
    are neither. What padding adds is counted; how a kernel saves work is not.
    """

    multiplications: Dim = ZERO
    additions: Dim = ZERO

    def __add__(self, other: Arithmetic) -> Arithmetic:
        return Arithmetic(self.multiplications + other.multiplications, self.additions + other.additions)


class Places(Record):
    """What an input of indices may name: one of ``count`` places, counted from 0.

    Attributes:
        count: how many there are.
        noun: what they are, in the plural.
        certain: whether an index that names none is an error; else its result is NaN, and may be left out.
    """

    count: Dim
    noun: str
    certain: bool = True


class Op(Record):
    """Base of all ops. Ops are records, so they hash, compare and print by their attributes."""

    name: ClassVar[str] = ""
    traits: ClassVar[Trait] = Trait.PURE
    onnx: ClassVar[OnnxOp | None] = None
    stops_gradient: ClassVar[bool] = False
    """Whether the author of the spec says, by this op, that its inputs are constants for the gradient."""
    not_differentiable: ClassVar[str | None] = None
    """Why asking for a gradient through the op is an error (a zero gradient is None in ``vjp``'s result)."""

    wide: ClassVar[bool] = False
    """Whether it adds up or magnifies, so that in f16 its results would leave the range, or lose what counts."""
    remedy: ClassVar[str | None] = None
    """How a spec keeps the result finite, where finite inputs can make it infinite or no number."""

    def infer(self, *inputs: Any) -> TensorType | tuple[TensorType, ...]:
        """Types of the results; TypeProblem if the inputs do not fit."""
        raise TypeError(f"{type(self).__name__} has no shape rule")

    def evaluate(self, *inputs: Any) -> Any:
        """The result in NumPy (a tuple where there are several). All dims among the attributes are constants here."""
        raise TypeError(f"{type(self).__name__} has no meaning in NumPy")

    def vjp(self, dy: Any, y: Any, *inputs: Any) -> tuple[Value | None, ...]:
        """Cotangents of the inputs, None where the gradient is zero.

        ``dy`` and ``y`` are the cotangent and the result (tuples where the op has several results; a cotangent that
        nothing needs is None there).
        """
        raise TypeError(f"{type(self).__name__} has no gradient")

    def vjp_towards(self, needed: Sequence[bool], dy: Any, y: Any, inputs: Sequence[Value]) -> Sequence[Value | None]:
        """The same as ``vjp``, where cotangents of some inputs alone are needed; the others may be None."""
        return self.vjp(dy, y, *inputs)

    def bodies(self) -> tuple[Any, ...]:
        """The graphs (``ir.graph.Graph``) that the op runs. All they read is among their inputs."""
        return ()

    def with_bodies(self, bodies: Sequence[Any]) -> Op:
        """The op with other graphs of the same inputs and outputs."""
        return self

    def times(self, inputs: Sequence[TensorType]) -> Dim:
        """How often the bodies run, given the types of the inputs."""
        return Dim.of(1)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        """Write the op in ONNX; the name or names of its results. ``types`` are those of the inputs."""
        if self.onnx is None:
            raise TypeError(f"{type(self).__name__} has no ONNX form")
        renamed = self.onnx.attributes or {}
        attributes = {renamed.get(f.name, f.name): getattr(self, f.name) for f in fields(self)}
        if len(results) == 1:
            return emit.node(self.onnx.type, *inputs, domain=self.onnx.domain, **attributes)
        return emit.nodes(self.onnx.type, *inputs, outputs=len(results), domain=self.onnx.domain, **attributes)

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        """The multiplications and additions of its formula, given the types of its inputs and results."""
        return Arithmetic()

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        """Whether examples do not meet in the op, so that a batch gives what its parts give, one after the other.

        ``places`` are the axes of the inputs along which examples lie, one after the other (None: all of them share the
        input), and ``result`` the axis of the results that has their size. Where an op does not say so, they may meet.
        """
        return False

    def indices(self, inputs: Sequence[TensorType]) -> Mapping[int, Places]:
        """The inputs that are indices, by position, and what they may name."""
        return {}

    def merges(self, places: Sequence[int | None], inputs: Sequence[TensorType]) -> Merging | None:
        """How results for parts of the examples, which lie along these axes, are made the result for all of them.

        None where examples are not folded, or cannot be in parts.
        """
        return None

    def never_negative(self, inputs: Sequence[bool], result: int) -> bool:
        """Whether an integer result is certainly at least 0, given for which inputs that is certain."""
        return bool(self.traits & (Trait.KEEPS | Trait.PART)) and Trait.PADS not in self.traits and all(inputs)

    def symbols(self) -> set[str]:
        """Names of dims among the attributes."""
        own: set[str] = set().union(*(_symbols(getattr(self, f.name)) for f in fields(self)))
        return own.union(*(body.all_symbols() for body in self.bodies()))

    def substitute(self, values: Mapping[str, Dim]) -> Op:
        """The op with names of dims among its attributes replaced."""
        changed = {}
        for f in fields(self):
            old = getattr(self, f.name)
            new = _substitute(old, values)
            if new is not old:
                changed[f.name] = new
        op = replace(self, **changed) if changed else self
        bodies = op.bodies()
        return op.with_bodies([body.substitute(values) for body in bodies]) if bodies else op

    def text(self) -> str:
        """The op with the attributes that are not its defaults, as ``print_graph`` writes it: ``softmax(axis=1)``."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        shown = [f"{name}={attribute_text(value)}" for name, value in given.items()]
        return self.name + (f"({', '.join(shown)})" if shown else "")

    @classmethod
    def read(cls, result: TensorType, arguments: Sequence[Any], attributes: Mapping[str, Any]) -> Op:
        """The op that ``text`` wrote as ``name(*arguments, **attributes)``, whose first result has this type."""
        return cls(*arguments, **attributes)

    def __str__(self) -> str:
        shown = [f"{f.name}={_show(getattr(self, f.name))}" for f in fields(self) if f.repr]
        return self.name + (f"({', '.join(shown)})" if shown else "")


def attribute_text(value: Any) -> str:
    """An attribute of an op, as ``print_graph`` writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(attribute_text, value))}]"
    return str(value) if isinstance(value, Dim | DType) else repr(value)


def _symbols(value: Any) -> set[str]:
    if isinstance(value, Dim):
        return {*value.symbols()}
    return set().union(*map(_symbols, value)) if isinstance(value, tuple) else set()


def _substitute(value: Any, values: Mapping[str, Dim]) -> Any:
    if isinstance(value, Dim):
        return value.substitute(values) if value.symbols() & values.keys() else value
    if isinstance(value, tuple) and value:
        new = tuple(_substitute(item, values) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_show, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


_registry: dict[str, type[Op]] = {}
OpClass = TypeVar("OpClass", bound=type[Op])


def register(cls: OpClass) -> OpClass:
    """Class decorator: name the op after its class, in snake case, and enter it in the registry."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    if name in _registry:
        raise ValueError(f"op {name} is registered twice")
    cls.name = name
    _registry[name] = cls
    return cls


def registered() -> Mapping[str, type[Op]]:
    """The ops that are imported, by name."""
    return _registry
