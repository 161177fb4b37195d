"""Where code of a spec is evaluated: frames of running bodies, which reach the meaning of all that stands in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.ir.op import TypeProblem
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.value import Value
from archonnx.compiler.set_metrics import ARGUMENTS, SET_FUNCTIONS
from archonnx.grammar import ast
from archonnx.grammar.budget import Cost, current, spend
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, did_you_mean, fail, make_error
from archonnx.grammar.source import Span

from .build import Binding, Build, Outcome
from .forms import ASSIGNED, CALLABLES, FORMS, FUNCTION_FORMS, STATEMENTS
from .place import Call, Place
from .suites import bound_names, ends_body, first_line, misplaced, silenced
from .values import Given, Module, Returned, Scope, describe, is_callable, static_dim
from .watching import ONLOOKER

EXPRESSION, LEAF, STATEMENT = 12, 5, 10
"""What evaluating an expression, one without parts, and running a statement cost by themselves."""
LEAVES = frozenset({ast.Name, ast.Number, ast.String, ast.Constant})
FINDING, SILENT = 400, 20
"""What it costs that a statement fails: with something to say, and where what it follows from was said before."""
ITEMS = 20
"""Items of a list that cost a unit of work to look at."""
NAMED = 3
"""Units of work to name a tensor of a list."""
POISON = object()
"""Stands for a value whose making failed; using it is silent."""
PLANNED = frozenset({
    "onnx", "gymnasium",
})  # fmt: skip
"""Functions of the language that wait for their turn; a spec may define its own in the meantime."""


@dataclass(eq=False, repr=False)
class Frame:
    """A running body: where it is, and what its names stand for.

    Attributes:
        build: what it adds to.
        scope: what is declared around it.
        place: its kind, its module, and how it was called.
        site: its name for draws.
        locals: what its names stand for.
        statics: dims and arguments that keep their meaning in types, with the place that fixed them.
        fixed: names that may not be rebound: parameters and modules.
        sealed: whether no modules are made here, as in methods and entries.
        chain: calls of fns on the way, with their loops: where modules made here belong among their owner's.
        indices: positions in the static loops around.
        own_statements: statements that this body alone has.
        left_out: identities of statements that do not run: where only the setup of a body is run.
        preparing: modules whose setup is running around this body, with its frame.
        owner: the module to which modules made here belong: that of the place, but for arguments of a block.
        named: lists by their names, whose tensors have names.
        outcome: what the body returned, once it has run.
        emission: what the scan emits in whose body this is.
    """

    build: Build
    scope: Scope
    place: Place
    site: str = ""
    locals: dict[str, Any] = field(default_factory=dict)
    statics: dict[str, tuple[Any, Span]] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    sealed: bool = False
    chain: tuple[Any, ...] = ()
    indices: tuple[int, ...] = ()
    own_statements: Mapping[type[ast.Stmt], Callable[[Frame, Any], None]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    preparing: Mapping[Module, Frame] = field(default_factory=dict)
    ordinals: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[Any]] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    emission: Any = None

    def __post_init__(self) -> None:
        self.owner = self.place.owner

    @staticmethod
    def top(build: Build, scope: Scope, kind: str, **others: Any) -> Frame:
        """The frame of a body that nothing called: a model's, an entry's, a program's."""
        return Frame(build, scope, Place(kind, build.root), **others)

    def inner(self, scope: Scope, owner: Module, kind: str = "fn", call: Call | None = None, **others: Any) -> Frame:
        """The frame of a body that is called from here, or evaluated for what stands here."""
        return Frame(self.build, scope, Place(kind, owner, call, self.place), preparing=self.preparing, **others)

    def apart(self) -> Frame:
        """The same names over a graph of their own, for a value that is computed before anything runs."""
        build, place = self.build.apart(), Place(self.kind, self.owner)
        return Frame(build, self.scope, place, locals=dict(self.locals), statics=dict(self.statics), sealed=True)

    @property
    def kind(self) -> str:
        """The kind of the body: ``fn``, ``block``, ``model``."""
        return self.place.kind

    @property
    def called_at(self) -> Span | None:
        """Where the call is written that runs this body."""
        return self.place.call.at if self.place.call is not None else None

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
        if (budget := current()) is not None:
            budget.spend(Cost.expressions, LEAF if type(expr) in LEAVES else EXPRESSION)
        try:
            meaning = FORMS.get(type(expr))
            if meaning is None:
                fail("AX0306", "this cannot stand here", expr.span)
            value = meaning(self, expr, hint)
            if (onlooker := ONLOOKER.get()) is not None:
                onlooker(expr.span, value)
            return value
        except TypeProblem as problem:  # of a part that has no expression of its own
            fail(problem.code, problem.headline, expr.span, notes=problem.notes, help=problem.help)
        except OverflowError:
            fail("AX0311", "a number here is out of range", expr.span)
        except RecursionError:
            fail("AX0216", "this is nested too deeply", expr.span)

    def evaluate_function(self, expr: ast.Expr, hint: str | None = None) -> Any:
        """The same where a fn is expected: a call that lacks its first argument is a partial there."""
        meaning = FUNCTION_FORMS.get(type(expr))
        return self.evaluate(expr, hint) if meaning is None else meaning(self, expr, hint)

    def run(self, suite: ast.Suite) -> Returned | None:
        """Run statements up to a ``return``.

        An error ends its statement, poisons the names it would bind, and is reported; the next statement goes on, and
        what follows from a poisoned name says nothing. Where an assert failed, nothing follows.
        """
        for statement in suite:
            if id(statement) in self.left_out:
                continue
            try:
                returned = self.execute(statement)
            except (SpecError, TypeProblem) as error:
                spend(Cost.findings, SILENT)
                for diagnostic in _findings(error, statement):
                    spend(Cost.findings, FINDING)
                    self.build.report.add_at_place(self.place.explain(diagnostic))
                for name in bound_names(statement):
                    self.locals[name] = POISON
                if self.build.given_up or ends_body(statement, error, called=self.place.call is not None):
                    raise silenced(error) from None
                continue
            if returned is not None:
                return returned
        return None

    def execute(self, statement: ast.Stmt) -> Returned | None:
        """Run one statement; what it returns, if it does."""
        kind = type(statement)
        meaning = STATEMENTS.get(kind) or self.own_statements.get(kind)
        if meaning is None:
            misplaced(statement, self.kind)
        budget, charged = current(), None
        if budget is not None:
            if not statement.span.source.library:  # what the library does is the work of whoever calls it
                charged = budget.enter(statement.span)
            budget.spend(Cost.expressions, STATEMENT)
        try:
            returned: Returned | None = meaning(self, statement)
            return returned
        except OverflowError:
            fail("AX0311", "a number here is out of range", first_line(statement.span))
        finally:
            if budget is not None and charged is not None:
                budget.leave(charged)

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
        self.build.observed.sites[number] = site
        return number

    def bind(self, name: str, value: Any, span: Span) -> None:
        """Give a name a value; parameters and modules keep theirs."""
        if name in self.fixed and self.locals.get(name) is not value:
            fail(
                "AX0204",
                f"`{name}` is a parameter or module and may not be rebound",
                span,
                help="use another name for the new value"
                + (", or make a list of modules: `[Dense(8) for _ in range(3)]`" if self.indices else ""),
            )
        self.locals[name] = value
        if (onlooker := ONLOOKER.get()) is not None:
            onlooker(span, value)
        self.note_tensors(name, value, span)

    def bind_dim(self, name: str, span: Span) -> None:
        """Let a name be a symbolic dim, or what an ``assert`` equates it with, here and in types."""
        size = static_dim(self.build.size_of(name))
        self.locals[name] = size
        self.statics[name] = (size, span)

    def note_tensors(self, name: str, value: Any, span: Span, module: Module | None = None) -> None:
        """Remember what the spec calls a tensor, or the tensors of a list; those that stood in it are known already."""
        if isinstance(value, Value):
            self.build.observed.bindings.append(Binding(name, value, span, self.place, module))
        elif isinstance(value, list):
            spend(Cost.items, 1 + len(value) // ITEMS)
            if not {Value, list}.isdisjoint(map(type, value)):
                before = self.named.get(name, ())
                self.named[name] = value
                fresh = [at for at, item in enumerate(value) if at >= len(before) or item is not before[at]]
                spend(Cost.items, NAMED * len(fresh))
                for position in fresh:
                    self.note_tensors(f"{name}[{position}]", value[position], span, module)

    def at(self, span: Span, what: str) -> AbstractContextManager[None]:
        """Nodes made inside come from this place."""
        use, used = self.place.use if span.source.library else (None, "")
        return self.build.builder.at(Origin(what, span, owner=self.owner, use=use, used=used))


def _findings(error: SpecError | TypeProblem, statement: ast.Stmt) -> list[Diagnostic]:
    """What went wrong in a statement; a problem that no expression has placed is the statement's own."""
    if isinstance(error, SpecError):
        return error.diagnostics
    place = first_line(statement.span)
    return [make_error(error.code, error.headline, place, notes=error.notes, help=error.help)]


def site_number(site: str) -> int:
    """A draw's site as a non-negative 63-bit integer."""
    return int.from_bytes(hashlib.blake2b(site.encode(), digest_size=8).digest(), "little") >> 1
