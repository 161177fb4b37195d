"""Programs and searches as values to be written in YAML."""

from __future__ import annotations

from itertools import groupby

from archonnx.grammar import ast
from archonnx.grammar.format import format_body, format_node
from archonnx.grammar.yaml.reading.scalars import LITERAL

from .layout import Quoted, Rows, Section, Value
from .parts import NoShortFormError, arguments_value, value_of

_RESERVED = frozenset(
    {"name", "of", "doc", "arguments", "data", "sources", "fit", "feed", "feed_whole", "steps", "body"}
)
_STEPS = (ast.Minimize, ast.Update, ast.Repeat, ast.Every, ast.Together)


def train_value(node: ast.Train) -> Section:
    """A program."""
    head = Section()
    if node.name:
        head["name"] = node.name
    if node.model is not None:
        head["of"] = node.model
    if node.arguments:
        head["arguments"] = arguments_value(node.arguments)
    if node.doc is not None:
        head["doc"] = node.doc.text
    try:
        return Section(head | _settings(node.body))
    except NoShortFormError:
        return Section(head | {"body": format_body(node.body)})


def _settings(body: ast.Suite) -> Section:
    sections = Section()
    for key, group in groupby(body, key=_key):
        if key in sections:
            raise NoShortFormError
        statements = list(group)
        if key == "steps":
            sections[key] = Rows(_step(statement) for statement in statements)
        elif len(statements) == 1 and isinstance(statements[0], ast.Assign):
            (value,) = statements[0].values
            sections[key] = _source(value) if key == "data" else value_of(value)
        else:
            entries = [
                (s.name, _source(s.value) if isinstance(s, ast.Data) else value_of(s.value))
                for s in statements
                if isinstance(s, ast.Data | ast.Feed | ast.Fit)
            ]
            if len(dict(entries)) < len(statements):
                raise NoShortFormError
            sections[key] = dict(entries)
    return sections


def _key(statement: ast.Stmt) -> str:
    """The key of the section that a statement belongs to."""
    match statement:
        case ast.Assign(targets=(ast.Name(id=name),), values=(_,)) if name not in _RESERVED or name == "data":
            return name
        case ast.Data():
            return "sources"
        case ast.Fit():
            return "fit"
        case ast.Feed():
            return "feed_whole" if statement.whole else "feed"
    if isinstance(statement, _STEPS):
        return "steps"
    raise NoShortFormError


def _step(node: ast.Stmt) -> Value:
    match node:
        case ast.Minimize():
            over = {} if node.over is None else {"over": _modules(node.over)}
            return {"minimize": format_node(node.loss)} | over | {"with": format_node(node.optimizer)}
        case ast.Update():
            return {"update": format_node(node.target), "to": format_node(node.value)}
        case ast.Repeat():
            asked = {} if node.condition is None else {"while": format_node(node.condition)}
            return Section({"repeat": format_node(node.count)} | asked | {"steps": Rows(map(_step, node.body))})
        case ast.Every():
            return Section({"every": format_node(node.count), "steps": Rows(map(_step, node.body))})
        case ast.Together():
            return Section({"together": Rows(map(_step, node.body))})
    return Section(body=format_body((node,)))


def _modules(node: ast.Expr) -> Value:
    return [format_node(item) for item in node.items] if isinstance(node, ast.Tuple) else format_node(node)


def _source(node: ast.Expr) -> Value:
    """A data source."""
    try:
        if isinstance(node, ast.Call) and isinstance(node.callee, ast.Name):
            name = node.callee.id
            if name == "fresh" and [argument.name for argument in node.arguments] == [None]:
                return {name: _source(node.arguments[0].value)}
            return {name: arguments_value(node.arguments) if name == "generate" else _texts(node)}
    except NoShortFormError:
        pass
    return format_node(node)


def _texts(node: ast.Call) -> Value:
    """The arguments of a source: by position, or by name."""
    values = [_text(argument.value) for argument in node.arguments]
    names = [argument.name for argument in node.arguments if argument.name is not None]
    if values and len(names) == len(values):
        return dict(zip(names, values, strict=True))
    if not values or names:
        raise NoShortFormError
    return values[0] if len(values) == 1 and isinstance(values[0], str) else values


def _text(node: ast.Expr) -> Value:
    """A value where texts are usual."""
    match node:
        case ast.String():
            own_quotes = not node.value.strip() or node.value[0] == node.value[-1] == '"'
            if own_quotes or "\n" in node.value:
                return Quoted(format_node(node))
            return Quoted(node.value) if LITERAL.fullmatch(node.value) else node.value
        case ast.List():
            return [_text(item) for item in node.items]
        case ast.Dict():
            return {key.value: _text(value) for key, value in node.items}
    text = format_node(node)
    if LITERAL.fullmatch(text):
        return text
    raise NoShortFormError


def search_value(node: ast.Search) -> Section:
    """A search."""
    entries: list[tuple[str, Value]] = []
    for statement in node.body:
        match statement:
            case ast.Maximize():
                entries.append(("maximize", value_of(statement.value)))
            case ast.Assign(targets=(ast.Name(id=name),), values=(value,)) if name not in ("maximize", "body"):
                entries.append((name, value_of(value)))
            case _:
                return Section(body=format_body(node.body))
    return Section(entries) if len(dict(entries)) == len(entries) else Section(body=format_body(node.body))
