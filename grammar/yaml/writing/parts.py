"""Parts of trees as values to be written in YAML: expressions, signatures, layers."""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.grammar import ast
from archonnx.grammar.format import format_node
from archonnx.grammar.yaml.reading.signatures import STATIC_TYPES, literal_type

from .layout import Rows, Section, Value


class NoShortFormError(Exception):
    """What is to be written has no short form in YAML."""


def value_of(node: ast.Expr) -> Value:
    """An expression: lists and dicts as those of YAML, the rest as text."""
    if isinstance(node, ast.List) and not any(isinstance(item, ast.Dots) for item in node.items):
        return [value_of(item) for item in node.items]
    if isinstance(node, ast.Dict):
        return {key.value: value_of(value) for key, value in node.items}
    return format_node(node)


def arguments_value(arguments: Sequence[ast.Argument]) -> Value:
    """The arguments of a call: a mapping, a list, or the only one."""
    if arguments and all(argument.name is not None for argument in arguments):
        return {argument.name or "": value_of(argument.value) for argument in arguments}
    if not arguments or any(argument.name is not None for argument in arguments):
        raise NoShortFormError
    values = [value_of(argument.value) for argument in arguments]
    return values[0] if len(values) == 1 and isinstance(values[0], str) else values


# ---------------------------------------------------------------- signatures


def parameters_value(parameters: Sequence[ast.Parameter], *, defaults: bool) -> Value:
    """A list of parameters; ``defaults``: a scalar stands for the default and not for the type."""
    build = _with_default if defaults else _with_type
    values = {parameter.name: build(parameter) for parameter in parameters}
    if len(values) < len(parameters):
        raise NoShortFormError
    return values


def _with_type(parameter: ast.Parameter) -> Value:
    if parameter.type is None or parameter.default is not None:
        return _in_full(parameter)
    return format_node(parameter.type)


def _with_default(parameter: ast.Parameter) -> Value:
    declared, default = parameter.type, parameter.default
    if default is None:
        static = isinstance(declared, ast.NamedType) and declared.name in STATIC_TYPES
        return format_node(declared) if declared is not None and static else _in_full(parameter)
    word = literal_type(default)
    said = None if word is None else ast.NamedType(word, span=default.span)
    if declared != said or isinstance(default, ast.Dict | ast.Index | ast.Name):
        return _in_full(parameter)
    return value_of(default)


def _in_full(parameter: ast.Parameter) -> Value:
    declared = {} if parameter.type is None else {"type": format_node(parameter.type)}
    return declared if parameter.default is None else declared | {"default": value_of(parameter.default)}


def result_value(node: ast.Result) -> Value:
    """What follows ``->``."""
    if not node.parenthesised:
        return format_node(node.fields[0].type)
    values = {field.name: format_node(field.type) for field in node.fields if field.name is not None}
    if len(values) < len(node.fields):
        raise NoShortFormError
    return values


# ---------------------------------------------------------------- layers


def layers_value(statements: ast.Suite, first: str | None) -> Value:
    """Statements that are a chain of pipes, as ``layers``; the chain starts at the input ``first``."""
    items, current = Rows(), first
    for statement in statements:
        name, value = _step(statement, last=statement is statements[-1])
        stages: list[ast.Expr] = []
        while isinstance(value, ast.Pipe):
            stages.append(value.stage)
            value = value.value
        begins = isinstance(value, ast.Name) and value.id == current
        if not stages:
            if name is None and begins and items:
                return items
            raise NoShortFormError
        for i, stage in enumerate(reversed(stages)):
            source = None if i or begins else value
            target = name if i + 1 == len(stages) else None
            items.append(_layer(stage, source, target))
        current = name
    return items


def _step(statement: ast.Stmt, last: bool) -> tuple[str | None, ast.Expr]:
    """The name that a statement gives, and its value; a result at the end has no name."""
    match statement:
        case ast.Assign(targets=(ast.Name(id=name),), values=(value,)):
            return name, value
        case ast.Return(values=(value,)) if last:
            return None, value
    raise NoShortFormError


def _layer(stage: ast.Expr, source: ast.Expr | None, target: str | None) -> Value:
    item: Value = format_node(stage)
    if isinstance(stage, ast.Call):
        try:
            item = {format_node(stage.callee): arguments_value(stage.arguments)}
        except NoShortFormError:
            item = format_node(stage)
    marks: dict[str, Value] = {}
    if isinstance(source, ast.Tuple):
        marks["from"] = [format_node(value) for value in source.items]
    elif source is not None:
        marks["from"] = format_node(source)
    if target is not None:
        marks["as"] = target
    if not marks:
        return item
    return item | marks if isinstance(item, dict) else Section({str(item): None} | marks)
