"""The sections of a YAML spec whose entries are statements of one line: inputs, parameters, outputs and the like.

What this module does not do: read bodies and declarations (``files`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, fail

from .nodes import Mapping as MappingNode
from .nodes import Node, Scalar, Sequence
from .reshaped import stored
from .scalars import expression, name, type_
from .sections import attempt, attempt_each, known_keys, section
from .signatures import Entries, better

Build = Callable[[Report, Scalar, Node], ast.Stmt]
"""Makes the statement of one entry from its key and its value."""


def statements_of(entries: Entries, builders: Mapping[str, Build], report: Report) -> list[ast.Stmt]:
    """The statements of several sections, one for each entry."""
    suite: list[ast.Stmt] = []
    for key, build in builders.items():
        if key in entries:
            suite += attempt(report, partial(section, entries[key][1], report, partial(build, report))) or ()
    return suite


def asserts(node: Node, report: Report) -> ast.Suite:
    """A list of conditions, or a mapping from conditions to messages."""
    if isinstance(node, MappingNode):
        return section(
            node,
            report,
            lambda key, value: ast.Assert(expression(key), expression(value), span=key.span.to(value.span)),
        )
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(attempt_each(report, items, lambda item: ast.Assert(expression(item), None, span=item.span)))


def _field(kind: type[ast.Input] | type[ast.Target], report: Report, key: Scalar, node: Node) -> ast.Stmt:
    return kind(name(key).id, type_(node), span=key.span.to(node.span))


def _param(report: Report, key: Scalar, node: Node) -> ast.Param:
    if not isinstance(node, MappingNode):
        fail(
            "AX0128",
            "a parameter has a type and a value",
            node.span,
            help=stored(node),
        )
    entries = {word.text: (word, value) for word, value in node.items}
    given = [word for word in ("init", "value") if word in entries]
    if "type" not in entries or len(given) != 1:
        fail("AX0128", f"the parameter `{key.text}` needs `type`, and either `init` or `value`", key.span)
    options = tuple(
        ast.Argument(expression(value), name(word).id, span=word.span.to(value.span))
        for word, value in node.items
        if word.text not in ("type", *given)
    )
    return ast.Param(
        name(key).id,
        type_(entries["type"][1]),
        given[0] == "init",
        expression(entries[given[0]][1]),
        options,
        span=key.span.to(node.span),
    )


def _buffer(report: Report, key: Scalar, node: Node) -> ast.Buffer:
    entries = known_keys(node, ("type", "value"), "a buffer", report)
    if len(entries) != 2:
        fail("AX0128", f"the buffer `{key.text}` needs `type` and `value`", key.span)
    return ast.Buffer(
        name(key).id, type_(entries["type"][1]), expression(entries["value"][1]), span=key.span.to(node.span)
    )


def _output(report: Report, key: Scalar, node: Node) -> ast.Output:
    span = key.span.to(node.span)
    if not isinstance(node, MappingNode):
        return ast.Output(name(key).id, None, expression(node), span=span)
    entries = known_keys(node, ("type", "value"), "an output", report)
    if "value" not in entries:
        fail("AX0128", f"the output `{key.text}` needs a `value`", key.span)
    declared = type_(entries["type"][1]) if "type" in entries else None
    return ast.Output(name(key).id, declared, expression(entries["value"][1]), span=span)


def _loss(report: Report, key: Scalar, node: Node) -> ast.Loss:
    return ast.Loss(name(key).id, expression(node), span=key.span.to(node.span))


def _metric(report: Report, key: Scalar, node: Node) -> ast.Metric:
    span = key.span.to(node.span)
    if not isinstance(node, MappingNode):
        return ast.Metric(name(key).id, None, expression(node), span=span)
    entries = known_keys(node, ("over", "value", "better"), "a metric", report)
    if "value" not in entries:
        fail("AX0128", f"the metric `{key.text}` needs a `value`", key.span)
    over = name(entries["over"][1]).id if "over" in entries else None
    return ast.Metric(name(key).id, over, expression(entries["value"][1]), better(entries), span=span)


FIELDS: dict[str, Build] = {"inputs": partial(_field, ast.Input), "targets": partial(_field, ast.Target)}
STORED: dict[str, Build] = {"params": _param, "buffers": _buffer}
MEASURED: dict[str, Build] = {"outputs": _output, "losses": _loss, "metrics": _metric}
