"""The ``layers:`` of a YAML spec: a chain of stages, as statements of the language.

    {Conv: {filters: 32}}   is   |> Conv(filters=32)           {Dense: 10}        is  |> Dense(10)
    relu, or {relu: }       is   |> relu                       {Conv: [32, 3]}    is  |> Conv(32, 3)

The stages of a chain are one pipe, until an item names its value with ``as:`` or the value is needed twice; what has no
name then is called ``_`` (``_1``, ``_2`` in branches). ``from: h`` starts again at ``h``, and ``from: [a, b]`` hands on
both values as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, did_you_mean, fail
from archonnx.grammar.source import Span

from .nodes import Mapping, Node, Scalar, Sequence
from .reshaped import dashes, item_of_a_class, next_item, own_item, without_colon
from .scalars import expression, is_empty, name, scalar

MAX_PIPE = 40
"""Stages in one pipe: a longer chain is cut, since each stage of a pipe holds the ones before."""

_FORMS = {
    "repeat": ("repeat", "layers", "as"),
    "for": ("for", "in", "layers", "as"),
    "branches": ("branches", "join", "from", "as"),
}


@dataclass
class Chain:
    """Statements as they come about.

    Attributes:
        statements: Those so far.
        value: What the next stage gets; None where there is nothing to start from.
        unnamed: Where the value came about, if no name has been given to it.
    """

    report: Report
    running: str
    numbers: Iterable[int]
    value: ast.Expr | None
    statements: list[ast.Stmt] = field(default_factory=list)
    unnamed: Span | None = None
    stages: int = 0

    def read(self, node: Node) -> None:
        """Add the items of a ``layers:`` list."""
        if not isinstance(node, Sequence) or not node.items:
            fail(
                "AX0128",
                "`layers` is a list with at least one item",
                node.span,
                help=dashes(node),
            )
        for item in node.items:
            with self.report.collecting() as collected:
                self._item(item)
            if collected.error is not None:
                self.value = self.value or ast.Name(self.running, span=item.span)
                self.unnamed = None

    def assign(self, target: str, span: Span) -> None:
        """Name the value."""
        value = self._require(span)
        self.statements.append(ast.Assign((ast.Name(target, span=span),), (value,), span=span))
        self.value, self.unnamed, self.stages = ast.Name(target, span=span), None, 0

    def _require(self, span: Span) -> ast.Expr:
        if self.value is None:
            fail(
                "AX0129",
                "nothing says which value this layer gets",
                span,
                help="write `from: NAME` in this item; where there is one input, the layers start from it",
            )
        return self.value

    # ------------------------------------------------------------ items

    def _item(self, node: Node) -> None:
        if isinstance(node, Scalar):
            without_colon(node)
            self._pipe(expression(node), node.span)
            return
        if not isinstance(node, Mapping):
            fail(
                "AX0128",
                "a layer is a name, or a name with arguments, not a list",
                node.span,
                help="for example `- Dense: 10`",
            )
        entries = {key.text: (key, value) for key, value in node.items}
        form = next((form for form in _FORMS if form in entries), None)
        if form is not None:
            _check_keys(entries, _FORMS[form], form)
        if "from" in entries:
            self._start(entries["from"][1])
        if form == "branches":
            self._branches(entries, node.span)
        elif form is not None:
            self._loop(entries, form, node.span)
        else:
            self._layer(entries, node)
        if "as" in entries:
            target = name(entries["as"][1])
            self.assign(target.id, target.span)

    def _layer(self, entries: dict[str, tuple[Scalar, Node]], node: Mapping) -> None:
        layers = [key for key in entries if key not in ("as", "from")]
        if not layers:
            fail("AX0128", "this item has no layer", node.span, help="for example `- {Dense: 10, as: logits}`")
        if len(layers) > 1:
            extra, _ = entries[layers[1]]
            others = item_of_a_class(entries, node) or own_item(extra) or did_you_mean(extra.text, ["as", "from"])
            fail(
                "AX0127",
                f"an item is one layer, and this one has `{layers[0]}` and `{layers[1]}`",
                extra.span,
                help=others or "beside it, only `as` and `from` may stand",
            )
        key, value = entries[layers[0]]
        callee = expression(key)
        whole = key.span.to(value.span)
        given = () if is_empty(value) else arguments(value)
        if isinstance(value, Scalar) and given and isinstance(given[0].value, ast.Pipe):
            fail("AX0128", "a layer behind another is an item of its own", value.span, help=next_item(node, value))
        stage = ast.Call(callee, given, span=whole) if given else callee
        self._pipe(stage, whole)

    def _pipe(self, stage: ast.Expr, span: Span) -> None:
        if self.stages == MAX_PIPE:
            self.assign(self.running, span)
        value = self._require(span)
        self.value = ast.Pipe(value, stage, span=value.span.to(span))
        self.unnamed = span
        self.stages += 1

    def _start(self, node: Node) -> None:
        if self.unnamed is not None:
            fail(
                "AX0129",
                "nothing uses the value of this layer",
                self.unnamed,
                help="name it with `as: NAME`: the next item starts from another value",
            )
        values = [expression(item) for item in node.items] if isinstance(node, Sequence) else [expression(node)]
        if not values:
            fail("AX0128", "`from` names no value", node.span)
        self.value = values[0] if len(values) == 1 else ast.Tuple(tuple(values), span=node.span)

    # ------------------------------------------------------------ loops and branches

    def _loop(self, entries: dict[str, tuple[Scalar, Node]], form: str, span: Span) -> None:
        targets, iterable = _header(entries, form)
        layers = _entry(entries, "layers", form)
        if self.value != ast.Name(self.running, span=span):
            self.assign(self.running, span)
        inner = Chain(self.report, self.running, self.numbers, self.value)
        inner.read(layers)
        if inner.value != self.value:
            inner.assign(self.running, layers.span)
        self.statements.append(ast.For(targets, iterable, tuple(inner.statements), span=span))
        self.unnamed = span

    def _branches(self, entries: dict[str, tuple[Scalar, Node]], span: Span) -> None:
        branches = _entry(entries, "branches", "branches")
        if not isinstance(branches, Mapping) or not branches.items:
            fail(
                "AX0128",
                "`branches` is a mapping from names to lists of layers",
                branches.span,
                help="for example `branches: {a: [relu], b: []}`",
            )
        join = _entry(entries, "join", "branches")
        if self.value is not None and not isinstance(self.value, ast.Name):
            self.assign(self.running, span)
        for key, layers in branches.items:
            target = name(key)
            inner = Chain(self.report, f"_{next(iter(self.numbers))}", self.numbers, self.value)
            if not (isinstance(layers, Sequence) and not layers.items):
                inner.read(layers)
            inner.assign(target.id, target.span)
            self.statements += inner.statements
        self.value, self.unnamed = expression(join), span


def start(report: Report, value: ast.Expr | None) -> Chain:
    """An empty chain that starts from a value."""
    return Chain(report, "_", count(1), value)


def arguments(node: Node, read: Callable[[Node], ast.Expr] = expression) -> tuple[ast.Argument, ...]:
    """Arguments: a mapping gives them by keyword, a list by position, another value is the only one."""
    if is_empty(node):
        return ()
    if isinstance(node, Mapping):
        return tuple(ast.Argument(read(value), name(key).id, span=key.span.to(value.span)) for key, value in node.items)
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(ast.Argument(read(item), span=item.span) for item in items)


def _header(entries: dict[str, tuple[Scalar, Node]], form: str) -> tuple[tuple[ast.Name, ...], ast.Expr]:
    """The targets and the values of a loop."""
    key, value = entries[form]
    if form == "repeat":
        times = ast.Argument(expression(value), span=value.span)
        call = ast.Call(ast.Name("range", span=key.span), (times,), span=key.span.to(value.span))
        return (ast.Name("_i", span=key.span),), call
    words = scalar(value, "a name")
    parts = [Scalar(words.span, word.strip(), words.style) for word in words.text.split(",")]
    return tuple(name(part) for part in parts), expression(_entry(entries, "in", form))


def _entry(entries: dict[str, tuple[Scalar, Node]], key: str, form: str) -> Node:
    if key not in entries:
        fail(
            "AX0128",
            f"`{form}` needs `{key}` beside it",
            entries[form][0].span,
            help=f"its keys are {', '.join(_FORMS[form])}",
        )
    return entries[key][1]


def _check_keys(entries: dict[str, tuple[Scalar, Node]], known: tuple[str, ...], form: str) -> None:
    for key, (node, _) in entries.items():
        if key not in known:
            fail(
                "AX0127",
                f"`{form}` takes no key `{key}`",
                node.span,
                help=did_you_mean(key, known) or f"its keys are {', '.join(known)}",
            )
