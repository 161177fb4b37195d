"""A name that nothing declares, in the body of a declaration that nothing uses and whose body is therefore not run."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.elaborate.files.library import library
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

Declared = ast.Fn | ast.Block | ast.Optimizer | ast.Schedule


@lint("AX0816")
def unknown_in_unused(sight: Sight) -> Iterator[Diagnostic]:
    """Types and values are known where a declaration is used; names without that."""
    declared = [d for d in sight.tree.declarations if isinstance(d, Declared)]
    unused = [d for d in declared if not _reached(sight, d, declared)]
    if not unused:
        return
    imported = {name.id for line in sight.syntax(ast.Import) for name in line.names}
    known = {d.name for d in declared} | imported | {*library().names()}
    for declaration in unused:
        bound = _bound(declaration)
        for name in _called(declaration):
            if name.id not in known | bound:
                kind = type(declaration).__name__.lower()
                yield warning(
                    "AX0816",
                    f"unknown name `{name.id}`, in {kind} `{declaration.name}`, which nothing uses",
                    name.span,
                    "not defined here",
                    help=f"define it, or leave `{declaration.name}` out",
                )


def _reached(sight: Sight, declaration: Declared, declared: list[Declared]) -> bool:
    """Whether anything else names it."""
    others = tuple(d for d in sight.tree.declarations if d is not declaration)
    return any(name.id == declaration.name for name in sight.names(others))


def _bound(declaration: Declared) -> set[str]:
    """All that a declaration gives a name, somewhere: parameters, dims, variables, states, fns inside it."""
    found: set[str] = set()
    for node in walk(declaration):
        if isinstance(node, ast.Type):
            found |= {n.id for n in walk(node) if isinstance(n, ast.Name)}
        targets = getattr(node, "targets", ())
        found |= {n.id for target in targets for n in walk(target) if isinstance(n, ast.Name)}
        name = getattr(node, "name", None)
        found |= {name} if isinstance(name, str) and not isinstance(node, ast.Attribute | ast.Argument) else set()
    return found | {"training", "decay"}


def _called(declaration: Declared) -> Iterator[ast.Name]:
    """Names that are called or piped into: others may be words of a choice."""
    for node in walk(declaration.body):
        callee = node.callee if isinstance(node, ast.Call) else node.stage if isinstance(node, ast.Pipe) else None
        if isinstance(callee, ast.Name):
            yield callee
