"""The signatures of declarations in YAML: hyperparameters, inputs and results.

What this module does not do: read bodies (``files`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report

from .nodes import Mapping as MappingNode
from .nodes import Node, Scalar
from .scalars import expression, name, parameter_type, type_
from .sections import attempt, known_keys, section

STATIC_TYPES = frozenset(
    {"int", "float", "bool", "string", "list", "dict", "dim", "dtype", "fn", "block", "module", "schedule"}
)

Entries: TypeAlias = Mapping[str, tuple[Scalar, Node]]
"""Keys as they stand, with their values, by word."""


def hyperparameters(entries: Entries, report: Report) -> tuple[ast.Parameter, ...]:
    """Hyperparameters, or the arguments of a model."""
    if "args" not in entries:
        return ()
    return attempt(report, lambda: section(entries["args"][1], report, partial(_parameter, _default, report))) or ()


def inputs(entries: Entries, report: Report) -> tuple[ast.Parameter, ...]:
    """Inputs, or the parameters of a fn: a scalar is a type."""
    if "inputs" not in entries:
        return ()
    return attempt(report, lambda: section(entries["inputs"][1], report, partial(_parameter, _typed, report))) or ()


def _parameter(
    build: Callable[[Scalar, Node], ast.Parameter],
    report: Report,
    key: Scalar,
    node: Node,
) -> ast.Parameter:
    if not isinstance(node, MappingNode):
        return build(key, node)
    entries = known_keys(node, ("type", "default"), "a parameter", report)
    declared = parameter_type(entries["type"][1]) if "type" in entries else None
    default = expression(entries["default"][1]) if "default" in entries else None
    return ast.Parameter(name(key).id, declared, default, span=key.span.to(node.span))


def _typed(key: Scalar, node: Node) -> ast.Parameter:
    return ast.Parameter(name(key).id, parameter_type(node), None, span=key.span.to(node.span))


def _default(key: Scalar, node: Node) -> ast.Parameter:
    span = key.span.to(node.span)
    value = expression(node)
    if isinstance(node, Scalar) and _is_static_type(value):
        return ast.Parameter(name(key).id, type_(node), None, span=span)
    word = literal_type(value)
    declared = None if word is None else ast.NamedType(word, span=value.span)
    return ast.Parameter(name(key).id, declared, value, span=span)


def _is_static_type(value: ast.Expr) -> bool:
    if isinstance(value, ast.Index):
        return value.value in (ast.Name("list", span=value.span), ast.Name("choice", span=value.span))
    return isinstance(value, ast.Name) and value.id in STATIC_TYPES


def literal_type(value: ast.Expr) -> str | None:
    """The static type of a literal."""
    if isinstance(value, ast.Unary) and isinstance(value.operand, ast.Number):
        value = value.operand
    if isinstance(value, ast.Number):
        return type(value.value).__name__
    if isinstance(value, ast.Constant) and value.value is not None:
        return "bool"
    return "string" if isinstance(value, ast.String) else None


def better(entries: Entries) -> ast.Better | None:
    """``better: smaller``, of a fn or a metric."""
    if "better" not in entries:
        return None
    word = name(entries["better"][1])
    return ast.Better(word.id, span=word.span)


def needed_result(key: Scalar, entries: Entries, report: Report) -> ast.Result:
    if "returns" not in entries:
        report.error(
            "AX0128", f"`{key.text}` does not say what it returns", key.span, help='add `returns`, such as `"[B, n]"`'
        )
    return result(entries, report) or ast.Result((), True, span=key.span)


def result(entries: Entries, report: Report) -> ast.Result | None:
    """What ``returns`` says."""
    return attempt(report, lambda: _results(entries["returns"][1], report)) if "returns" in entries else None


def _results(node: Node, report: Report) -> ast.Result:
    """One type, or a mapping from the names of several results to their types."""
    if isinstance(node, MappingNode):
        fields = section(
            node, report, lambda key, value: ast.ResultField(name(key).id, type_(value), span=key.span.to(value.span))
        )
        return ast.Result(fields, True, span=node.span)
    return ast.Result((ast.ResultField(None, type_(node), span=node.span),), False, span=node.span)
