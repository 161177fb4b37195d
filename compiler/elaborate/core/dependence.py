"""What can be read off the text of a block or model: its module dims, and which statements are setup.

A name of a signature (the block's own, or a method's) is a module dim if it reaches the type or value of a ``param`` or
``buffer``, or a hyperparameter of a module made in the body, directly or through assignments. A statement is setup if
it depends on no input, call dim or draw; the rest runs at each application.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.record import Record, fields

from .values import BlockType, ModelType


class Dependence(Record):
    """What the text of a block or model says about its names, of one declaration in one scope.

    Attributes:
        declaration: what was read. Kept, since ``applied`` names its statements by identity.
        module_dims: names of the signatures that are fixed at a module's first use; a model has none.
        applied: identities of the statements that run at each application; all others are setup.
    """

    declaration: ast.Block | ast.Model
    module_dims: frozenset[str]
    applied: frozenset[int]


def dependence(block: BlockType | ModelType) -> Dependence:
    """What the text tells, read once for each declaration; the scope of its file keeps it."""
    known: dict[int, Dependence] = block.scope.dependences
    found = known.get(id(block.declaration))
    if found is None:
        found = known[id(block.declaration)] = _read(block)
    return found


def module_dims(block: BlockType) -> frozenset[str]:
    """Names of the input signature that are fixed at a module's first use."""
    return dependence(block).module_dims


def application_statements(block: BlockType | ModelType) -> frozenset[int]:
    """Identities of the statements that run at each application; all others are setup."""
    return dependence(block).applied


def _read(block: BlockType | ModelType) -> Dependence:
    declaration, marker = block.declaration, _Marker()
    dims: frozenset[str] = frozenset()
    if isinstance(block, BlockType):
        dims = _module_dims(block)
        inputs = block.declaration.inputs
        called = {n.id for p in inputs for n in walk(p.type) if isinstance(n, ast.Name)}
        called |= {n.name for p in inputs for n in walk(p.type) if isinstance(n, ast.Dots) and n.name}
        marker.varying = {p.name for p in inputs} | called
        marker.varying -= {p.name for p in block.declaration.hyperparameters} | dims
    else:
        marker.fixed = {p.name for p in block.declaration.parameters}
    marker.body(declaration.body)
    return Dependence(declaration, dims, frozenset(marker.marked))


def _module_dims(block: BlockType) -> frozenset[str]:
    declaration = block.declaration
    signatures = [declaration.inputs, *(method.parameters for method in methods(declaration).values())]
    signature = {n.id for ps in signatures for p in ps for n in walk(p.type) if isinstance(n, ast.Name)}
    signature -= {p.name for p in declaration.hyperparameters}
    local = _local_blocks(block)
    reaching: set[str] = set()
    assignments: list[tuple[set[str], set[str]]] = []
    for node in walk(declaration.body):
        match node:
            case ast.Param() | ast.Buffer():
                reaching |= names_in(node.type) | names_in(node.value)
            case ast.Call(callee=ast.Name(id=name)) if name in local or isinstance(block.scope.find(name), BlockType):
                reaching |= names_in(node.arguments)
            case ast.Assign():
                assignments.append((names_in(node.targets), names_in(node.values)))
            case ast.TypedAssign():
                assignments.append(({node.name}, names_in(node.value)))
            case ast.For():
                assignments.append((names_in(node.targets), names_in(node.iterable)))
    grown = True
    while grown:
        before = len(reaching)
        for targets, sources in assignments:
            if targets & reaching:
                reaching |= sources
        grown = len(reaching) > before
    return frozenset(signature & reaching)


def methods(declaration: ast.Block | ast.Model) -> dict[str, ast.Fn]:
    """The fns nested in a block or model, by name."""
    return {node.name: node for node in declaration.body if isinstance(node, ast.Fn)}


def blocks(declaration: ast.Block | ast.Model) -> dict[str, ast.Block]:
    """The blocks declared in a block or model, by name."""
    return {node.name: node for node in declaration.body if isinstance(node, ast.Block)}


def _local_blocks(block: BlockType | ModelType) -> set[str]:
    """Names of the blocks that are declared in a block and in the bodies around it."""
    names = set(blocks(block.declaration))
    around = block.around.block if isinstance(block, BlockType) and block.around is not None else None
    return names | _local_blocks(around) if around is not None else names


class _Marker:
    """Walks a body in order and keeps which names vary from one application to the next."""

    def __init__(self) -> None:
        self.varying: set[str] = set()
        self.fixed: set[str] = set()
        """Arguments of a model: they are not dims of its inputs."""
        self.marked: set[int] = set()

    def body(self, body: ast.Suite) -> None:
        """All statements but the fns and blocks that stand directly in the body: they are bound before it runs."""
        self.suite(tuple(s for s in body if not isinstance(s, ast.Fn | ast.Block)), False)

    def suite(self, body: ast.Suite, applied: bool) -> None:
        for statement in body:
            self.statement(statement, applied)

    def statement(self, statement: ast.Stmt, applied: bool) -> None:
        match statement:
            case ast.Param() | ast.Buffer():
                return
            case ast.Assign():
                targets = {t.id for t in statement.targets if isinstance(t, ast.Name)}
                targets |= {
                    t.value.id for t in statement.targets if isinstance(t, ast.Index) and isinstance(t.value, ast.Name)
                }
                self._bind(statement, targets, applied or self._varies(statement.values))
            case ast.TypedAssign():
                self._bind(statement, {statement.name}, applied or self._varies((statement.type, statement.value)))
            case ast.For():
                varies = applied or self._varies(statement.iterable)
                self._mark(statement, varies)
                self.varying -= set() if varies else {t.id for t in statement.targets}
                self.suite(statement.body, varies)
            case ast.If():
                varies = applied or self._varies(tuple(condition for condition, _ in statement.branches))
                self._mark(statement, varies)
                for suite in (*(body for _, body in statement.branches), statement.otherwise):
                    self.suite(suite, varies)
            case ast.Assert():
                if applied or self._varies(statement.condition):
                    self.marked.add(id(statement))
            case ast.Input() | ast.Target():
                declared = statement.type.dims if isinstance(statement.type, ast.TensorType) else ()
                dims = {d.id for d in declared if isinstance(d, ast.Name)} - self.fixed
                self._bind(statement, {statement.name, *dims}, True)
            case _:
                self._bind(statement, _bound(statement), True)

    def _mark(self, statement: ast.Stmt, varies: bool) -> None:
        if varies:
            self.marked.add(id(statement))

    def _bind(self, statement: ast.Stmt, names: set[str], varies: bool) -> None:
        if varies:
            self.marked.add(id(statement))
            self.varying |= names
        else:
            self.varying -= names

    def _varies(self, node: Any) -> bool:
        return not self.varying.isdisjoint(names_in(node))


def _bound(statement: ast.Stmt) -> set[str]:
    name = getattr(statement, "name", None)
    names = {name} if isinstance(name, str) else set()
    for binding in (*getattr(statement, "bindings", ()), *getattr(statement, "collects", ())):
        names.add(binding.name)
    return names


def names_in(node: Any) -> set[str]:
    """Every name that occurs in a piece of syntax."""
    return {n.id for n in walk(node) if isinstance(n, ast.Name)}


PLACES = ("span", "op_span", "name_span")


def statements_of(statement: ast.Stmt) -> Iterator[ast.Stmt]:
    """A statement and those in its bodies; its expressions, which hold none, are passed over."""
    waiting: list[Any] = [statement]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting += part
        elif isinstance(part, ast.Stmt):
            yield part
            waiting += [getattr(part, f.name) for f in fields(part) if f.name not in PLACES]


def walk(node: Any) -> Iterator[ast.Node]:
    """A piece of syntax and all its parts, in their order."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting += reversed(part)
        elif isinstance(part, ast.Node):
            yield part
            names = [f.name for f in fields(part) if f.name not in PLACES]
            waiting += [getattr(part, name) for name in reversed(names)]
