"""Which dims of a block size its parameters: read off its text, once for each block.

A name of the input signature is a module dim if it reaches the type or value of a ``param`` or ``buffer``, or a
hyperparameter of a module made in the body, directly or through assignments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from archonnx.grammar import ast

from .values import BlockType

_known: dict[int, tuple[ast.Block, frozenset[str]]] = {}


def module_dims(block: BlockType) -> frozenset[str]:
    """Names of the input signature that are fixed at a module's first use."""
    declaration = block.declaration
    found = _known.get(id(declaration))
    if found is None or found[0] is not declaration:
        found = (declaration, _find(block))
        _known[id(declaration)] = found
    return found[1]


def _find(block: BlockType) -> frozenset[str]:
    declaration = block.declaration
    signature = {n.id for p in declaration.inputs for n in walk(p.type) if isinstance(n, ast.Name)}
    signature -= {p.name for p in declaration.hyperparameters}
    reaching: set[str] = set()
    assignments: list[tuple[set[str], set[str]]] = []
    for node in walk(declaration.body):
        match node:
            case ast.Param() | ast.Buffer():
                reaching |= names_in(node.type) | names_in(node.value)
            case ast.Call(callee=ast.Name(id=name)) if isinstance(block.scope.find(name), BlockType):
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


def names_in(node: Any) -> set[str]:
    """Every name that occurs in a piece of syntax."""
    return {n.id for n in walk(node) if isinstance(n, ast.Name)}


def walk(node: Any) -> Iterator[ast.Node]:
    """A piece of syntax and all its parts."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif isinstance(node, ast.Node):
        yield node
        for f in fields(node):
            if f.name not in ("span", "op_span", "name_span"):
                yield from walk(getattr(node, f.name))
