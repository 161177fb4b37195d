"""``to_yaml`` writes a tree as YAML: short forms where they say the same, text in the language elsewhere.

Each short form is read back before it is used, so that ``parse_yaml(to_yaml(file)) == file`` holds by construction.
Comments are not part of a tree, and are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.format import format_body, format_declarations, format_node
from archonnx.grammar.source import Source
from archonnx.grammar.yaml.reading.files import parse_yaml

from .layout import Rows, Section, Value, write
from .parts import NoShortFormError, layers_value, parameters_value, result_value, value_of
from .programs import search_value, train_value

_SECTIONS: dict[type[ast.Stmt], str] = {
    ast.Import: "imports",
    ast.Fn: "fns",
    ast.Block: "blocks",
    ast.Optimizer: "optimizers",
    ast.Schedule: "schedules",
    ast.Model: "model",
    ast.Train: "train",
    ast.Search: "search",
}
_Returning = ast.Fn | ast.Entry | ast.Block | ast.Optimizer | ast.Schedule


def to_yaml(file: ast.File) -> str:
    """The YAML text of a tree, in the shortest of the ways that say the same."""
    declarations = file.declarations
    first = next((i for i, d in enumerate(declarations) if isinstance(d, ast.Model | ast.Train | ast.Search)), 0)
    for whole in (0, first):
        written = _try(lambda whole=whole: _file(declarations, whole), declarations)  # type: ignore[misc]
        if written is not None:
            return write(written)
    return write(_text(declarations))


def _text(declarations: ast.Suite) -> Section:
    return Section(declarations=format_declarations(declarations))


def _file(declarations: ast.Suite, whole: int) -> Section:
    """All declarations, the first ``whole`` of them as text."""
    sections = _text(declarations[:whole]) if whole else Section()
    for kind, group in groupby(declarations[whole:], key=type):
        key = _SECTIONS.get(kind)
        if key is None or key in sections:
            raise NoShortFormError
        sections |= _section(key, list(group))
    if not sections:
        raise NoShortFormError
    return sections


def _section(key: str, group: Sequence[ast.Stmt]) -> Section:
    match group:
        case [ast.Model() as model]:
            return _model(model)
        case [ast.Search() as search]:
            return Section(search=search_value(search))
        case [ast.Train() as train]:
            return Section(train=train_value(train))
        case [ast.Train(), *_]:
            return Section(train=Rows(train_value(train) for train in group if isinstance(train, ast.Train)))
        case [ast.Import(), *_]:
            imports = [node for node in group if isinstance(node, ast.Import)]
            return Section({key: Section({node.path.value: [name.id for name in node.names] for node in imports})})
    entries = Section()
    for node in group:
        if not isinstance(node, _Returning) or node.name in entries:
            raise NoShortFormError
        entries[node.name] = _returning(node)
    return Section({key: entries})


def _try(build: Callable[[], Section], declarations: ast.Suite) -> Section | None:
    """What ``build`` makes, if it is read back as these declarations."""
    try:
        section = build()
        return section if parse_yaml(Source("", write(section))).declarations == declarations else None
    except (NoShortFormError, SpecError):
        return None


# ---------------------------------------------------------------- models


def _model(node: ast.Model) -> Section:
    for with_layers in (True, False):
        written = _try(lambda short=with_layers: _model_sections(node, short), (node,))  # type: ignore[misc]
        if written is not None:
            return written
    raise NoShortFormError


def _model_sections(node: ast.Model, with_layers: bool) -> Section:
    sections = Section(model=node.name)
    if node.parameters:
        sections["args"] = parameters_value(node.parameters, defaults=True)
    if node.doc is not None:
        sections["doc"] = node.doc.text
    start = _take(sections, node.body, 0, (("inputs", ast.Input), ("targets", ast.Target)))
    start = _take_stored(sections, node.body, start)
    results, end = _results(node.body, start)
    middle = node.body[start:end]
    methods, end = _methods(middle)
    middle = middle[:end]
    if middle:
        inputs = [statement.name for statement in node.body if isinstance(statement, ast.Input)]
        sections |= _middle(middle, inputs, with_layers)
    return Section(sections | methods | results)


def _middle(middle: ast.Suite, inputs: Sequence[str], with_layers: bool) -> Section:
    if with_layers:
        return Section(layers=layers_value(middle, inputs[0] if len(inputs) == 1 else None))
    return Section(body=format_body(middle))


def _take(
    sections: Section,
    body: ast.Suite,
    start: int,
    kinds: Sequence[tuple[str, type[ast.Stmt]]],
) -> int:
    """Put statements into sections, from ``start`` on, as far as they come in this order; returns where that ends."""
    for key, kind in kinds:
        entries = Section()
        while start < len(body) and isinstance(body[start], kind) and _name(body[start]) not in entries:
            entries[_name(body[start])] = _entry_value(body[start])
            start += 1
        if entries:
            sections[key] = _compact(entries)
    return start


def _compact(entries: Section) -> Value:
    """A mapping that may stand on one line if its values are scalars."""
    return dict(entries) if all(isinstance(value, str) for value in entries.values()) else entries


def _take_stored(sections: Section, body: ast.Suite, start: int) -> int:
    """The same for asserts, parameters and buffers."""
    end = start
    while end < len(body) and isinstance(body[end], ast.Assert):
        end += 1
    asserts = [statement for statement in body[start:end] if isinstance(statement, ast.Assert)]
    if asserts and all(statement.message is None for statement in asserts):
        sections["asserts"] = Rows(format_node(statement.condition) for statement in asserts)
    elif asserts:
        messages = {format_node(statement.condition): statement.message for statement in asserts}
        if None in messages.values() or len(messages) < len(asserts):
            return start
        sections["asserts"] = Section({key: value_of(text) for key, text in messages.items() if text is not None})
    return _take(sections, body, end, (("params", ast.Param), ("buffers", ast.Buffer)))


def _results(body: ast.Suite, start: int) -> tuple[Section, int]:
    """The sections for the results at the end of a model, and where these begin."""
    sections, end = Section(), len(body)
    for key, kind in (("entries", ast.Entry), ("metrics", ast.Metric), ("losses", ast.Loss), ("outputs", ast.Output)):
        entries: list[tuple[str, Value]] = []
        while end > start and isinstance(body[end - 1], kind) and _name(body[end - 1]) not in dict(entries):
            entries.insert(0, (_name(body[end - 1]), _entry_value(body[end - 1])))
            end -= 1
        if entries:
            sections = Section({key: _compact(Section(entries))} | sections)
    return sections, end


def _methods(middle: ast.Suite) -> tuple[Section, int]:
    end = len(middle)
    entries: list[tuple[str, Value]] = []
    while end and isinstance(middle[end - 1], ast.Fn) and _name(middle[end - 1]) not in dict(entries):
        entries.insert(0, (_name(middle[end - 1]), _entry_value(middle[end - 1])))
        end -= 1
    return (Section(methods=Section(entries)) if entries else Section()), end


def _name(statement: ast.Stmt) -> str:
    name: str = getattr(statement, "name")  # noqa: B009
    return name


def _entry_value(node: ast.Stmt) -> Value:
    """A statement that has a name, without it."""
    match node:
        case ast.Input() | ast.Target():
            return format_node(node.type)
        case ast.Param():
            options = {argument.name or "": value_of(argument.value) for argument in node.options}
            return {"type": format_node(node.type), "init" if node.drawn else "value": value_of(node.value)} | options
        case ast.Buffer():
            return {"type": format_node(node.type), "value": value_of(node.value)}
        case ast.Output():
            if node.type is not None:
                return {"type": format_node(node.type), "value": value_of(node.value)}
            return format_node(node.value)
        case ast.Loss():
            return format_node(node.value)
        case ast.Metric():
            over = {} if node.over is None else {"over": node.over}
            better = {} if node.better is None else {"better": node.better.word}
            return {**over, "value": value_of(node.value), **better} if over or better else format_node(node.value)
        case ast.Fn() | ast.Entry():
            return _returning(node)
    raise NoShortFormError


# ---------------------------------------------------------------- what returns something


def _returning(node: _Returning) -> Section:
    """A fn, a block and the like, without its name."""
    for with_layers in (True, False):
        try:
            return _returning_sections(node, with_layers)
        except NoShortFormError:
            continue
    raise NoShortFormError


def _returning_sections(node: _Returning, with_layers: bool) -> Section:
    sections = Section()
    if node.doc is not None:
        sections["doc"] = node.doc.text
    if isinstance(node, ast.Block | ast.Optimizer | ast.Schedule):
        if node.hyperparameters:
            sections["args"] = parameters_value(node.hyperparameters, defaults=True)
        inputs = node.inputs
    else:
        inputs = node.parameters
    if isinstance(node, ast.Fn) and node.backward is not None:
        raise NoShortFormError
    if inputs:
        sections["inputs"] = parameters_value(inputs, defaults=False)
    if node.result is not None:
        sections["returns"] = result_value(node.result)
    if isinstance(node, ast.Fn) and node.better is not None:
        sections["better"] = node.better.word
    start = _take_stored(sections, node.body, 0)
    rest = node.body[start:]
    if len(rest) == 1 and isinstance(rest[0], ast.Return) and not with_layers:
        values = rest[0].values
        sections["return"] = format_node(values[0]) if len(values) == 1 else [format_node(value) for value in values]
    elif rest:
        sections |= _middle(rest, [parameter.name for parameter in inputs], with_layers)
    return sections
