"""Where code of a spec is evaluated: scopes of declarations, frames of running bodies, and the build they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as replace_field
from functools import cached_property
from typing import Any

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import learn
from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import stop_gradient
from archonnx.compiler.program import SEED, STEP, Assumption
from archonnx.compiler.set_metrics import ARGUMENTS, SET_FUNCTIONS
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Label, Report, SpecError, did_you_mean, fail, make_error
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

from .forms import ASSIGNED, CALLABLES, FORMS, FUNCTION_FORMS, STATEMENTS
from .suites import bound_names, ends_body, first_line, misplaced, silenced
from .values import Derived, Given, Module, Returned, Scope, Slot, describe, is_callable

POISON = object()
"""Stands for a value whose making failed; using it is silent."""
NOTES = 6
"""Calls that a diagnostic lists."""
BUDGET = 300_000
"""Static evaluations allowed in one build; a spec that needs more is refused."""


PLANNED = frozenset({
    "onnx", "gymnasium", "text",
})  # fmt: skip
"""Functions of the language that wait for their turn; a spec may define its own in the meantime."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A name that a statement gave to a tensor; or what a ``module`` gave, by the name of the result if it has one.

    ``span`` is where the name, or the application, is written; ``frame`` is the body in which it is.
    """

    name: str
    value: Value
    span: Span
    frame: Frame
    module: Module | None = None


@dataclass
class Build:
    """One elaboration of a model: a graph under construction, in training mode or not."""

    report: Report
    root: Module
    training: bool = False
    float_type: DType = DType.f32
    """What a dtype left out stands for: the model's float, and inside an optimizer that of its parameter."""
    builder: Builder = field(default_factory=Builder)
    parameters: dict[Slot, Value] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)
    """Graph inputs other than parameters: fields, and seed and step once something draws."""
    spent: int = 0
    depth: int = 0
    seen_parameters: int | None = None
    """How many parameters there were when `self` was first used: later ones belong to it, too."""
    overrides: list[Derived] = field(default_factory=list)
    """Derived modules under application, innermost last: they say what a parameter is inside."""
    applied: list[tuple[Module, tuple[Value, ...]]] = field(default_factory=list)
    """Every application of a module, with the tensors it gave."""
    updates: dict[Slot, Value] = field(default_factory=dict)
    """Buffers as `update` left them."""
    updating: dict[Slot, list[Frame]] = field(default_factory=dict)
    """The applications in which that happened."""
    preparing: dict[Module, Frame] = field(default_factory=dict)
    """Modules whose setup is running."""
    substitutions: dict[str, Dim] = field(default_factory=dict)
    """Names of dims that an `assert` equates with something."""
    assumptions: list[Assumption] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    """What the spec calls its tensors, in program order: for people who look at them, and for nothing else."""
    frozen: frozenset[Module] = frozenset()
    """Modules that a program freezes."""
    stating: list[Any] = field(default_factory=list)
    """The ``backward`` clauses under elaboration, innermost last."""
    sites: dict[int, str] = field(default_factory=dict)
    """Where draws are made, by the numbers of their sites."""
    frozen_slots: bool = False
    """Set once the parameters are known: a later build may not make new ones."""

    def __post_init__(self) -> None:
        self.model_float = self.float_type

    def copy(self, builder: Builder | None = None) -> Build:
        """The same build with a graph of its own, to add to; work is counted anew. ``builder`` holds other nodes."""
        if builder is None:
            builder = Builder()
            builder.nodes = list(self.builder.nodes)
        return replace_field(
            self,
            builder=builder,
            parameters=dict(self.parameters),
            inputs=dict(self.inputs),
            updates=dict(self.updates),
            updating={slot: list(frames) for slot, frames in self.updating.items()},
            spent=0,
            depth=0,
            overrides=[],
            preparing={},
            applied=list(self.applied),
            assumptions=list(self.assumptions),
            bindings=list(self.bindings),
            sites=dict(self.sites),
        )

    @contextmanager
    def floats(self, dtype: DType) -> Iterator[None]:
        """Let a dtype left out be this one."""
        outer, self.float_type = self.float_type, dtype
        try:
            yield
        finally:
            self.float_type = outer

    def spend(self, span: Span, cost: int = 1) -> None:
        """Count static work; a diagnostic once the budget is spent."""
        self.spent += cost
        if self.spent > BUDGET:
            fail(
                "AX0215",
                f"this spec unrolls to more than {BUDGET:,} evaluations",
                span,
                help="a static `for` is unrolled: keep its range small",
            )

    def give_up(self) -> None:
        """End the build: going on would meet the same mistake again and again."""
        self.spent = BUDGET + 1

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

    def root_slots(self) -> list[Slot]:
        """All parameters made so far, in order of construction."""
        return self.root.made

    @contextmanager
    def deriving(self, module: Derived) -> Iterator[None]:
        """Apply a module with other parameters."""
        self.overrides.append(module)
        try:
            yield
        finally:
            self.overrides.pop()

    def tensor(self, slot: Slot) -> Value:
        """A parameter or buffer as it is here: updated, or what a derived module has in its place."""
        value = self.updates.get(slot) or self.parameter(slot)
        for derived in self.overrides:
            value = derived.replace(slot, value)
        return stop_gradient(value) if self.frozen and self.is_frozen(slot.owner) else value

    def is_frozen(self, module: Module | None) -> bool:
        """Whether a module, or one around it, is frozen."""
        while module is not None:
            if module in self.frozen:
                return True
            module = module.parent
        return False

    def is_training(self, owner: Module) -> bool:
        """The ``training`` of the language: not inside a frozen module."""
        return self.training and not any(derived.frozen for derived in self.overrides) and not self.is_frozen(owner)

    def parameter(self, slot: Slot) -> Value:
        """The graph input of a parameter."""
        if slot not in self.parameters:
            origin = Origin(f"param `{slot.name}`", slot.statement.span, owner=slot.owner)
            self.parameters[slot] = Value(slot.type, slot.name, origin)
        return self.parameters[slot]

    def randomness(self) -> tuple[Value, Value]:
        """The graph inputs ``seed`` and ``step``."""
        for name in (SEED, STEP):
            self.inputs.setdefault(name, Value(TensorType(DType.i64, ()), name, Origin(f"the run's {name}")))
        return self.inputs[SEED], self.inputs[STEP]


@dataclass
class Frame:
    """A running body. ``site`` names it for draws; ``note`` tells, in a diagnostic, how we got here."""

    build: Build
    scope: Scope
    owner: Module
    site: str = ""
    locals: dict[str, Any] = field(default_factory=dict)
    statics: dict[str, tuple[Any, Span]] = field(default_factory=dict)
    """Dims and arguments that keep their meaning in types, with the place that fixed them."""
    caller: Frame | None = None
    note: str = ""
    called_at: Span | None = None
    indices: tuple[int, ...] = ()
    """Positions in the static loops around."""
    makes: tuple[Any, ...] = ()
    """Where modules made here belong among their owner's: the calls of fns on the way."""
    kind: str = "fn"
    fixed: set[str] = field(default_factory=set)
    """Names that may not be rebound: parameters and modules."""
    ordinals: dict[str, int] = field(default_factory=dict)
    results: list[Any] | None = None
    """What the body returned, once it has run."""
    sealed: bool = False
    """In methods and entries: no modules are made here."""
    skip: frozenset[int] = frozenset()
    """Identities of statements that are left out: where only the setup of a body is run."""
    special: Mapping[type[ast.Stmt], Callable[[Frame, Any], None]] = field(default_factory=dict)
    """Statements that only this kind of body has."""

    def lookup(self, name: str, *, callable_only: bool = False) -> Any | None:
        """A name's value: locals, then declarations. In call position what cannot be called is skipped."""
        if name in self.locals:
            value = self.locals[name]
            if not callable_only or value is POISON or is_callable(value):
                return value
        if name == "training" and not callable_only:
            return self.build.is_training(self.owner)
        return self.scope.find(name)

    def resolve(self, node: ast.Name, *, callable_only: bool = False) -> Any:
        """A name's value, or a diagnostic with the closest known name."""
        name = node.id
        if name in self.locals and self.locals[name] is None and not callable_only:
            return None
        value = self.lookup(name, callable_only=callable_only)
        if value is POISON:
            raise SpecError(Report())
        if value is None and callable_only and name in self.locals:
            fail("AX0306", f"`{name}` is {describe(self.locals[name])}, which cannot be called", node.span)
        if value is None:
            if name in PLANNED:
                fail("AX0001", f"not built yet: `{name}`", node.span)
            if name in SET_FUNCTIONS:
                fail(
                    "AX0226",
                    f"`{name}` is a function of a whole set of examples, not of the tensors of a batch",
                    node.span,
                    help=f"declare `metric NAME over set = {name}({', '.join(ARGUMENTS)})`",
                )
            known = [*self.locals, *self.scope.names()]
            fail("AX0201", f"unknown name `{name}`", node.span, "not defined here", help=did_you_mean(name, known))
        return value

    def evaluate(self, expr: ast.Expr, hint: str | None = None) -> Any:
        """The value of an expression that stands here; ``hint`` is the name that a module made there takes."""
        self.build.spend(expr.span)
        try:
            meaning = FORMS.get(type(expr))
            if meaning is None:
                fail("AX0306", "this cannot stand here", expr.span)
            return meaning(self, expr, hint)
        except TypeProblem as problem:  # of a part that has no expression of its own
            fail(problem.code, problem.headline, expr.span, notes=problem.notes, help=problem.help)
        except OverflowError:
            fail("AX0311", "a number here is out of range", expr.span)
        except RecursionError:
            fail("AX0216", "this nests too deep", expr.span)

    def evaluate_function(self, expr: ast.Expr, hint: str | None = None) -> Any:
        """The same where a fn is expected: a call that lacks its first argument is a partial there."""
        meaning = FUNCTION_FORMS.get(type(expr))
        return self.evaluate(expr, hint) if meaning is None else meaning(self, expr, hint)

    def run(self, suite: ast.Suite) -> Returned | None:
        """Run statements up to a ``return``.

        An error ends its statement, poisons the names it would bind, and is reported; the next statement goes on, and
        what follows from a poisoned name says nothing.
        """
        for statement in suite:
            if id(statement) in self.skip:
                continue
            try:
                returned = self.execute(statement)
            except (SpecError, TypeProblem) as error:
                for diagnostic in _findings(error, statement):
                    self.build.report.add_at_place(self.explain(diagnostic))
                for name in bound_names(statement):
                    self.locals[name] = POISON
                if self.build.spent > BUDGET or ends_body(statement):
                    raise silenced() from None
                continue
            if returned is not None:
                return returned
        return None

    def execute(self, statement: ast.Stmt) -> Returned | None:
        """Run one statement; what it returns, if it does."""
        self.build.spend(statement.span)
        kind = type(statement)
        meaning = STATEMENTS.get(kind) or self.special.get(kind)
        if meaning is None:
            misplaced(statement, self.kind)
        returned: Returned | None = meaning(self, statement)
        return returned

    def call(
        self,
        callee: Any,
        arguments: Sequence[ast.Argument],
        piped: Sequence[Given],
        span: Span,
        hint: str | None = None,
    ) -> Any:
        """Apply anything that can be applied: to arguments as written, and before them to values that are there."""
        meaning = CALLABLES.get(type(callee))
        if meaning is None:
            fail("AX0306", f"this is {describe(callee)}, which cannot be called", span)
        return meaning(self, callee, arguments, piped, span, hint)

    def call_values(self, callee: Any, values: Sequence[Any], span: Span) -> Any:
        """Apply something to values that are there already."""
        return self.call(callee, (), [Given(span, value=value) for value in values], span)

    def call_assigned(self, callee: Any, given: Mapping[str, Given], span: Span) -> Any:
        """Apply a fn whose arguments have found their parameters."""
        return ASSIGNED[type(callee)](self, callee, given, span)

    def ordinal(self, label: str) -> int:
        """How often this label was met before in this frame."""
        count = self.ordinals.get(label, 0)
        self.ordinals[label] = count + 1
        return count

    def enter(self, label: str) -> str:
        """The site of something that happens here for the nth time."""
        return f"{self.site}/{label}#{self.ordinal(label)}"

    def draw_site(self, label: str) -> int:
        """The number of the site of a draw that is made here."""
        site = self.enter(label)
        number = site_number(site)
        self.build.sites[number] = site
        return number

    def bind(self, name: str, value: Any, span: Span) -> None:
        """Give a name a value; parameters and modules keep theirs."""
        if name in self.fixed and self.locals.get(name) is not value:
            fail(
                "AX0204",
                f"`{name}` is a parameter or module and may not be rebound",
                span,
                help="use another name for the new value",
            )
        self.locals[name] = value
        self.note_tensors(name, value, span)

    def note_tensors(self, name: str, value: Any, span: Span, module: Module | None = None) -> None:
        """Remember what the spec calls a tensor, or the tensors of a list."""
        if isinstance(value, Value):
            self.build.bindings.append(Binding(name, value, span, self, module))
        elif isinstance(value, list):
            for position, item in enumerate(value):
                self.note_tensors(f"{name}[{position}]", item, span, module)

    def at(self, span: Span, what: str) -> AbstractContextManager[None]:
        """Nodes made inside come from this place."""
        use, used = self._use if span.source.library else (None, "")
        return self.build.builder.at(Origin(what, span, owner=self.owner, use=use, used=used))

    @cached_property
    def _use(self) -> tuple[Span | None, str]:
        """Where the spec called into the library, and what it called."""
        if self.called_at is not None and not self.called_at.source.library:
            return self.called_at, self.note.partition(" with ")[0].partition(" ")[2]
        return self.caller._use if self.caller is not None else (None, "")

    def explain(self, diagnostic: Diagnostic) -> Diagnostic:
        """Add how we got here. In library code the primary label moves to the user's call."""
        labels, notes = list(diagnostic.labels), []
        span = diagnostic.span
        frame: Frame | None = self
        while frame is not None:
            if frame.note and frame.called_at is not None:
                name, _, dims = frame.note.partition(" with ")
                if span is not None and span.source.library and not frame.called_at.source.library:
                    labels = [Label(lab.span, lab.text or ("here" if lab.primary else ""), False) for lab in labels]
                    span = frame.called_at
                    labels.insert(0, Label(span, f"in this use of {name}", True))
                notes.append(f"inside {name}, called at {frame.called_at}{' with ' * bool(dims)}{dims}")
            frame = frame.caller
        if len(notes) > NOTES:
            notes[NOTES - 2 : -1] = [f"... and {len(notes) - NOTES + 1} more calls like it"]
        return replace(diagnostic, labels=tuple(labels), notes=(*diagnostic.notes, *notes))


def _findings(error: SpecError | TypeProblem, statement: ast.Stmt) -> list[Diagnostic]:
    """What went wrong in a statement; a problem that no expression has placed is the statement's own."""
    if isinstance(error, SpecError):
        return error.diagnostics
    place = first_line(statement.span)
    return [make_error(error.code, error.headline, place, notes=error.notes, help=error.help)]


def site_number(site: str) -> int:
    """A draw's site as a non-negative 63-bit integer."""
    return int.from_bytes(hashlib.blake2b(site.encode(), digest_size=8).digest(), "little") >> 1
