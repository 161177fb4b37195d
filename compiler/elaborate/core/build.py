"""One elaboration of a model: how it is done, the graph that grows, what it costs, and what was seen on the way.

A build is derived from another by ``copy`` (the same graph, to add to) or ``fresh`` (the same model, from the start);
so what a build knows of its model is passed on, whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any

from archonnx.compiler.directions import Direction
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import learn
from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.bodies import Step
from archonnx.compiler.ops.shape import stop_gradient
from archonnx.compiler.program import SEED, STEP, Assumption
from archonnx.grammar.diagnostics import Report
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span

from .columns import Columns
from .place import Place
from .values import Derived, Module, Slot


class Mode(Record):
    """How a model is elaborated.

    Attributes:
        training: whether ``training`` is true, but for frozen modules.
        float_type: the model's float: what a dtype left out stands for.
        frozen: modules that a program freezes.
        complete: whether all parameters are known: then none may be made.
        substitutions: names of dims that an ``assert`` equates with something.
        settled: whether the dims keep their names, as they do once a model is built; until then an ``assert`` that
            equates one starts the build again.
    """

    training: bool = False
    float_type: DType = DType.f32
    frozen: frozenset[Module] = frozenset()
    complete: bool = False
    substitutions: Mapping[str, Dim] = {}
    settled: bool = True


@dataclass(eq=False, repr=False)
class Nesting:
    """Arguments inside arguments, which are bounded, and whether the build was given up at the bound."""

    depth: int = 0
    given_up: bool = False


@dataclass(eq=False, repr=False)
class Growing:
    """The graph under construction.

    Attributes:
        builder: its nodes.
        parameters: its inputs that are parameters or buffers.
        inputs: its other inputs: fields, and seed and step once something draws.
        updates: buffers as ``update`` left them.
        updating: what the applications gave in which that happened; None while the body runs, or is the model's.
        regions: how many regions it has that are computed again for gradients.
        searches: how often it was asked how a tensor was made: what was added then depends on more than types.
        repeats: applications of modules, by all that decides what they add (``meaning.repeats``).
    """

    builder: Builder = field(default_factory=Builder)
    parameters: dict[Slot, Value] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)
    updates: dict[Slot, Value] = field(default_factory=dict)
    updating: dict[Slot, list[Outcome]] = field(default_factory=dict)
    regions: int = 0
    searches: int = 0
    repeats: dict[object, Any] = field(default_factory=dict)

    def copy(self) -> Growing:
        """The same nodes and inputs, to add to."""
        builder = Builder()
        builder.nodes = list(self.builder.nodes)
        updating = {slot: list(outcomes) for slot, outcomes in self.updating.items()}
        return changed(
            self,
            builder=builder,
            parameters=dict(self.parameters),
            inputs=dict(self.inputs),
            updates=dict(self.updates),
            updating=updating,
            repeats={},
        )


@dataclass(eq=False, repr=False)
class Outcome:
    """What a body returned, once it has run."""

    values: list[Any] | None = None


class Binding(Record):
    """A name that a statement gave to a tensor; or what a ``module`` gave, by the name of the result if it has one.

    ``span`` is where the name, or the application, is written; ``place`` is the body in which it is.
    """

    name: str
    value: Value
    span: Span
    place: Place
    module: Module | None = None


@dataclass(eq=False, repr=False)
class Observed:
    """What was seen on the way, for later stages and for people; the values of the graph do not depend on it.

    Attributes:
        applied: every application of a module, with the tensors it gave.
        assumptions: what the graph relies on, for the runtime to check.
        bindings: what the spec calls its tensors, in program order.
        better: of what a fn gave that says which results are good, which.
        sites: where draws are made, by the numbers of their sites.
        parameters_in_self: how many parameters there were when `self` was first used: later ones belong to it, too.
    """

    applied: list[tuple[Module, tuple[Value, ...]]] = field(default_factory=list)
    assumptions: list[Assumption] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    better: dict[Value, Direction] = field(default_factory=dict)
    sites: dict[int, str] = field(default_factory=dict)
    parameters_in_self: int | None = None

    def copy(self) -> Observed:
        """The same, to add to. What a copy assumes the original relies on as well: it is one and the same list."""
        return changed(self, applied=list(self.applied), bindings=list(self.bindings), sites=dict(self.sites))


@dataclass(eq=False, repr=False)
class UnderWay:
    """What is going on at this moment, innermost last; empty between the statements of a model or program.

    Attributes:
        derived: derived modules under application: they say what a parameter is inside.
        stating: the ``backward`` clauses under elaboration.
        floats: what a dtype left out stands for, where it is not the model's float.
        iterations: steps of the loops around, whose draws differ.
    """

    derived: list[Derived] = field(default_factory=list)
    stating: list[Any] = field(default_factory=list)
    floats: list[DType] = field(default_factory=list)
    iterations: list[Step] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class Build:
    """One elaboration of a model, in training mode or not, over parameters that all builds of the model share."""

    report: Report
    root: Module
    mode: Mode = field(default_factory=Mode)
    graph: Growing = field(default_factory=Growing)
    observed: Observed = field(default_factory=Observed)
    nesting: Nesting = field(default_factory=Nesting)
    under_way: UnderWay = field(default_factory=UnderWay)
    columns: Columns | None = None
    """Of the data, where a feed is elaborated."""
    starts: dict[object, Any] = field(default_factory=dict)
    """What parameters start from, by all that decides it (``meaning.starts``)."""

    def copy(self) -> Build:
        """The same with a graph of its own, to add to. The dims are settled."""
        return changed(
            self,
            mode=replace(self.mode, settled=True),
            graph=self.graph.copy(),
            observed=self.observed.copy(),
            nesting=Nesting(),
            under_way=UnderWay(),
        )

    def fresh(self, report: Report | None = None, **changes: Any) -> Build:
        """The same model from the start, with these changes of its mode: nothing is built or seen yet."""
        return Build(report or self.report, self.root, replace(self.mode, **changes))

    def apart(self) -> Build:
        """For a value that is computed before anything runs: a graph of its own, in the float type of this place."""
        return self.fresh(training=False, float_type=self.float_type, settled=True)

    # ------------------------------------------------------------ the graph, by short names

    @property
    def builder(self) -> Builder:
        """Of the graph under construction."""
        return self.graph.builder

    @property
    def parameters(self) -> dict[Slot, Value]:
        """Inputs of the graph that are parameters or buffers."""
        return self.graph.parameters

    @property
    def inputs(self) -> dict[str, Value]:
        """The other inputs of the graph."""
        return self.graph.inputs

    @property
    def given_up(self) -> bool:
        """Whether the build has ended."""
        return self.nesting.given_up

    def give_up(self) -> None:
        """End the build: going on would meet the same mistake again and again."""
        self.nesting.given_up = True

    def behind(self, values: Iterable[Value]) -> list[Node]:
        """The nodes on which these values depend, in order."""
        self.graph.searches += 1
        return self.builder.behind(values)

    # ------------------------------------------------------------ floats and facts

    @property
    def float_type(self) -> DType:
        """What a dtype left out stands for: the model's float, and inside an optimizer that of its parameter."""
        return self.under_way.floats[-1] if self.under_way.floats else self.mode.float_type

    @contextmanager
    def floats(self, dtype: DType) -> Iterator[None]:
        """Let a dtype left out be this one."""
        self.under_way.floats.append(dtype)
        try:
            yield
        finally:
            self.under_way.floats.pop()

    def assume(self, op: str, left: Dim, right: Dim) -> None:
        """Use an inequality from here on."""
        gaps = {
            "<=": (right - left,),
            "<": (right - left - 1,),
            ">=": (left - right,),
            ">": (left - right - 1,),
            "==": (left - right, right - left),
        }.get(op, ())
        for gap in gaps:
            learn(gap)

    def size_of(self, name: str) -> Dim:
        """The dim of a name that nothing has bound: a symbol, or what an ``assert`` equates it with."""
        return self.mode.substitutions.get(name, Dim.of(name))

    # ------------------------------------------------------------ parameters and draws

    def root_slots(self) -> list[Slot]:
        """All parameters made so far, in order of construction."""
        return self.root.made

    @contextmanager
    def deriving(self, module: Derived) -> Iterator[None]:
        """Apply a module with other parameters."""
        self.under_way.derived.append(module)
        try:
            yield
        finally:
            self.under_way.derived.pop()

    def tensor(self, slot: Slot) -> Value:
        """A parameter or buffer as it is here: updated, or what a derived module has in its place."""
        value = self.graph.updates.get(slot) or self.parameter(slot)
        for derived in self.under_way.derived:
            value = derived.replace(slot, value)
        return stop_gradient(value) if self.mode.frozen and self.is_frozen(slot.owner) else value

    def is_frozen(self, module: Module | None) -> bool:
        """Whether a module, or one around it, is frozen."""
        while module is not None:
            if module in self.mode.frozen:
                return True
            module = module.parent
        return False

    def is_training(self, owner: Module) -> bool:
        """The ``training`` of the language: not inside a frozen module."""
        derived = self.under_way.derived
        return self.mode.training and not any(one.frozen for one in derived) and not self.is_frozen(owner)

    def parameter(self, slot: Slot) -> Value:
        """The graph input of a parameter."""
        if slot not in self.parameters:
            origin = Origin(f"param `{slot.name}`", slot.statement.span, owner=slot.owner)
            self.parameters[slot] = Value(slot.type, slot.name, origin)
        return self.parameters[slot]

    def randomness(self) -> tuple[Value, Value]:
        """The graph inputs ``seed`` and ``step``; in a loop, a number of its own for each step of it."""
        for name in (SEED, STEP):
            self.inputs.setdefault(name, Value(TensorType(DType.i64, ()), name, Origin(f"the run's {name}")))
        step = self.inputs[STEP]
        for iteration in self.under_way.iterations:
            step = iteration.number(step)
        return self.inputs[SEED], step
