"""The names in a statement, and what each is there: bound, used, called, an argument, an attribute, a dim.

What this module does not do: say what a name means (``names`` does, which knows what is around).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import FORMS, RESERVED

BINDS = "bind"
"""The role of a name that gets its meaning here; ``kind`` says what it is."""
GENERATE = "generate"
PARTS = ("train", "valid", "test")


class Mention(Record):
    """A name at ``start:end``.

    Attributes:
        role: ``bind``; ``use``; ``call``; ``dim`` (in a type, where it is bound if nothing else is); ``keyword`` (of a
            call); ``attribute``; ``setting`` and ``field`` (of a ``train`` or ``search`` block); ``key`` (of a dict);
            ``import`` (of another file).
        kind: of what is bound: ``input``, ``param``, ``variable`` ...
        inner: whether it belongs into the body of its statement, as parameters do.
        of: of a keyword, the name that is called; of an attribute, the name it is taken of; of an import, the path.
        at: of an attribute or keyword, where that stands.
    """

    start: int
    end: int
    name: str
    role: str
    kind: str = ""
    inner: bool = False
    of: str | None = None
    at: tuple[int, int] | None = None


_KINDS: dict[type[ast.Node], str] = {
    ast.Fn: "fn", ast.Entry: "entry", ast.Block: "block", ast.Optimizer: "optimizer", ast.Schedule: "schedule",
    ast.Model: "model", ast.Train: "train",
    ast.Input: "input", ast.Target: "target", ast.Output: "output", ast.Loss: "loss", ast.Metric: "metric",
    ast.Param: "param", ast.Buffer: "buffer", ast.State: "state", ast.Fit: "fit", ast.Data: "data",
    ast.Draw: "variable", ast.TypedAssign: "variable",
}  # fmt: skip
_MORE_WORDS = frozenset({"with", "over", "along", "while", "of", "import", "whole", "reversed"})
OPENS = (ast.Fn, ast.Entry, ast.Block, ast.Optimizer, ast.Schedule, ast.Model, ast.Train, ast.Search, ast.Backward)
"""Statements whose bodies have names of their own."""
_NO_NAMES = ("name", "span", "body")
_SIGNATURES = ("parameters", "hyperparameters", "inputs")


def mentions(tree: ast.Stmt | ast.Backward) -> list[Mention]:
    """The names of a statement, without its body, in the order of the text."""
    return sorted(_statement(tree), key=lambda one: (one.start, one.end))


_LOOSE = re.compile(
    r'(?P<bracket>[({)}])|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*|(?P<attribute>\.[ \t]*)?(?P<name>[^\W\d]\w*)(?P<call>[ \t]*\()?'
    r"(?P<bound>[ \t]*(?::(?=[ \t]*\w*\[)|=(?!=)))?"
)


def loose(text: str) -> Iterator[Mention]:
    """The names in a statement that cannot be read: used, but for one that a value is given to at its beginning."""
    opened = 0
    for match in _LOOSE.finditer(text):
        name, bracket = match["name"], match["bracket"] or ("(" if match["call"] else "")
        inside, opened = opened > 0, opened + (bracket in ("(", "{")) - (bracket in (")", "}"))
        if name is None or is_word(name):
            continue
        start = match.start("name")
        if match["attribute"] or (match["bound"] and inside):
            continue
        role, kind = (BINDS, "variable") if match["bound"] and not match["call"] else ("use", "")
        yield Mention(start, start + len(name), name, "call" if match["call"] else role, kind)


def is_word(name: str) -> bool:
    """Whether a name is a word of the language."""
    return name in RESERVED or name in FORMS or name in _MORE_WORDS


def _statement(node: ast.Stmt | ast.Backward) -> Iterator[Mention]:
    match node:
        case ast.Declaration():
            yield from _declaration(node)
        case ast.Backward():
            for name in node.parameters:
                yield from _found(node.span, name, "parameter", inner=True)
        case ast.Import():
            for one in node.names:
                yield Mention(*_place(one.span, one.id), one.id, "import", "import", of=node.path.value)
        case ast.Assign():
            for target in node.targets:
                yield from _bound([target], "variable") if isinstance(target, ast.Name) else _in(target)
            yield from _in(node.values)
        case ast.For():
            yield from _bound(node.targets, "variable")
            yield from _in(node.iterable)
        case ast.If():
            yield from _in(tuple(condition for condition, _ in node.branches))
        case ast.Scan() | ast.Loop():
            yield from _loop(node)
        case ast.Feed():
            yield from _found(node.span, node.name, "", role="field", skip=("feed", "whole"))
            yield from _in(node.value)
        case _:
            kind, bound = _KINDS.get(type(node)), getattr(node, "name", None)
            if kind is not None and isinstance(bound, str):
                yield from _found(node.span, bound, kind, skip=(kind,))
            yield from _in(tuple(getattr(node, key.name) for key in type(node)._fields if key.name not in _NO_NAMES))


def _declaration(node: ast.Declaration) -> Iterator[Mention]:
    if node.name:
        yield Mention(*_place(node.name_span, node.name), node.name, BINDS, _KINDS[type(node)])
    for group in _SIGNATURES:
        for parameter in getattr(node, group, ()):
            yield from _found(parameter.span, parameter.name, "parameter", inner=True)
            yield from _inside(_in((parameter.type, parameter.default)))
    result = getattr(node, "result", None)
    for field in result.fields if isinstance(result, ast.Result) else ():
        if field.name is not None:
            yield from _found(field.span, field.name, "result", inner=True, role="result")
        yield from _inside(_in(field.type))
    if isinstance(node, ast.Train):
        if node.model is not None:
            match = re.search(rf"\bof:?[ \t]+(?={re.escape(node.model)}\b)", node.span.text)
            if match is not None:
                start = node.span.start + match.end()
                yield Mention(start, start + len(node.model), node.model, "use", "model")
        yield from _inside(_arguments(node.arguments, node.model, node.span))


def _loop(node: ast.Scan | ast.Loop) -> Iterator[Mention]:
    for binding in node.bindings:
        yield from _found(binding.span, binding.name, "variable")
        yield from _in((binding.value, binding.axis))
    if isinstance(node, ast.Loop):
        yield from _in(node.condition)
        return
    for collect in node.collects:
        yield from _found(collect.span, collect.name, "variable")
        yield from _in(collect.axis)


def _in(value: Any) -> Iterator[Mention]:
    """The names of expressions and types."""
    match value:
        case tuple():
            for item in value:
                yield from _in(item)
        case ast.Name():
            yield Mention(*_place(value.span, value.id), value.id, "use")
        case ast.Call():
            yield from _call(value)
        case ast.Pipe():
            yield from _in(value.value)
            yield from _call(value.stage) if isinstance(value.stage, ast.Call) else _callee(value.stage)
        case ast.Attribute():
            yield from _in(value.value)
            root = value.value.id if isinstance(value.value, ast.Name) else None
            at = (value.value.span.start, value.value.span.end)
            yield Mention(*_place(value.name_span, value.name), value.name, "attribute", of=root, at=at)
        case ast.Comprehension():
            yield from _bound(value.targets, "variable")
            yield from _in((value.element, value.iterable, value.condition))
        case ast.Dict():
            for key, item in value.items:
                if key.span.text == key.value:
                    yield Mention(key.span.start, key.span.end, key.value, "key")
                yield from _in(item)
        case ast.TensorType():
            for dim in value.dims:
                yield from _dim(dim)
        case ast.ChoiceType():
            return
        case ast.Argument():
            yield from _arguments([value], None, value.span)
        case ast.Node():
            for of in type(value)._fields:
                item = getattr(value, of.name)
                if isinstance(item, ast.Node | tuple):
                    yield from _in(item)


def _dim(expr: ast.Expr) -> Iterator[Mention]:
    if isinstance(expr, ast.Dots):
        if expr.name is not None:
            yield from _found(expr.span, expr.name, "dim", role="dim")
        return
    for one in _in(expr):
        yield Mention(one.start, one.end, one.name, "dim", "dim") if one.role == "use" else one


def _call(call: ast.Call) -> Iterator[Mention]:
    yield from _callee(call.callee)
    name = call.callee.id if isinstance(call.callee, ast.Name) else None
    if isinstance(call.callee, ast.Attribute):
        name = call.callee.name
    at = call.callee.span
    drawn = call.arguments[0].value if name == GENERATE and call.arguments else None
    if isinstance(drawn, ast.Name):  # its arguments are those of the fn that draws
        name, at = drawn.id, drawn.span
    yield from _arguments(call.arguments, name, at)


def _callee(expr: ast.Expr) -> Iterator[Mention]:
    if isinstance(expr, ast.Name):
        yield Mention(*_place(expr.span, expr.id), expr.id, "call")
    else:
        yield from _in(expr)


def _arguments(arguments: Iterable[ast.Argument], callee: str | None, at: Span) -> Iterator[Mention]:
    for argument in arguments:
        if argument.name is not None:
            place = (at.start, at.end)
            for one in _found(argument.span, argument.name, "", role="keyword"):
                yield Mention(one.start, one.end, one.name, "keyword", of=callee, at=place)
        yield from _in(argument.value)


def _bound(targets: Iterable[ast.Expr], kind: str) -> Iterator[Mention]:
    for target in targets:
        if isinstance(target, ast.Name):
            yield Mention(*_place(target.span, target.id), target.id, BINDS, kind)


def _inside(found: Iterable[Mention]) -> Iterator[Mention]:
    for one in found:
        yield Mention(one.start, one.end, one.name, one.role, one.kind, True, one.of, one.at)


def _place(span: Span, name: str) -> tuple[int, int]:
    """Where a name stands in its span, which may have brackets around it."""
    if span.end - span.start == len(name):
        return span.start, span.end
    at = max(0, span.text.find(name))
    return span.start + at, span.start + at + len(name)


def _found(
    span: Span, name: str, kind: str, *, role: str = BINDS, inner: bool = False, skip: tuple[str, ...] = ()
) -> Iterator[Mention]:
    """The name that a statement, parameter or field begins with, behind the words of the language; if it is there."""
    at = 0
    text = span.text
    for word in skip:
        if (match := re.compile(rf"{word}[ \t]+(?=[^\W\d])").match(text, at)) is not None:
            at = match.end()
    match = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)").search(text, at)
    if match is not None:
        yield Mention(span.start + match.start(), span.start + match.end(), name, role, kind, inner)
