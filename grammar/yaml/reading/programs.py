"""The ``train:`` and ``search:`` sections of a YAML spec, as declarations of the language.

Settings keep their order. In ``data: {sklearn: digits}`` the scalars below the name of the source are texts (numbers,
``true``, ``false`` and ``none`` are not); ``generate``, whose first argument is a fn, takes expressions, ``fresh`` a
source, and any source may be written as an expression: ``data: 'csv("a.csv")'``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Report, Suggestion, did_you_mean, fail
from archonnx.grammar.source import Span

from .layers import arguments
from .nodes import Mapping, Node, Scalar, Sequence
from .reshaped import listed, one_source
from .scalars import body, expression, literal_text, name
from .sections import FILE_KEYS, attempt, attempt_each, docstring, mapping, required, section

OF_A_PROGRAM = (
    *("data", "sources", "feed", "feed_whole", "fit", "steps", "minimize", "optimizer", "lr", "epochs", "batch_size"),
    *("epoch_of", "batches", "split", "early_stopping", "checkpoint", "shuffle", "seed", "precision", "drop_last"),
    *("buckets", "clip_norm", "clip_value", "accumulate", "recompute", "start_from", "freeze"),
)
"""Keys that stand below ``train``: settings, and what people take for one."""

_STEPS = {
    "minimize": ("minimize", "with", "over"),
    "update": ("update", "to"),
    "repeat": ("repeat", "while", "steps"),
    "every": ("every", "steps"),
    "together": ("together",),
    "body": ("body",),
}


def trains(key: Scalar, node: Node, report: Report) -> ast.Suite:
    """``train:`` with one program, or a list of several."""
    if isinstance(node, Mapping) and all(_is_program(value) for _, value in node.items) and node.items:
        names = [word for word, _ in node.items]
        edits = [Edit(word.span.to(_colon(word.span)), f"- name: {word.text}") for word in names]
        words = f"`- name: {names[0].text}`, with its settings below, and so for each"
        fail(
            "AX0128",
            "several programs are a list",
            names[0].span,
            help=Suggestion.at_places(words, *edits, otherwise=words),
        )
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(attempt_each(report, items, lambda item: _train(key, item, report)))


def _is_program(node: Node) -> bool:
    """Whether this has what only programs have."""
    return isinstance(node, Mapping) and any(word.text in ("data", "steps", "feed") for word, _ in node.items)


def _colon(span: Span) -> Span:
    """The colon behind a key."""
    at = span.source.text.index(":", span.end)
    return Span(span.source, at, at + 1)


def _train(key: Scalar, node: Node, report: Report) -> ast.Train:
    entries = mapping(node, "a program")
    title = next((value for word, value in entries if word.text == "name"), None)
    model = next((value for word, value in entries if word.text == "of"), None)
    doc = next((value for word, value in entries if word.text == "doc"), None)
    given = next((value for word, value in entries if word.text == "arguments"), None)
    named = None if title is None else name(title)
    rest = [(word, value) for word, value in entries if word.text not in ("name", "of", "doc", "arguments")]
    suites = attempt_each(report, rest, lambda entry: _settings(*entry, report))
    suite = tuple(statement for suite in suites for statement in suite)
    if not suite and not report.failed:
        fail("AX0128", "this program has no settings and no steps", key.span)
    return ast.Train(
        "" if named is None else named.id,
        None if model is None else name(model).id,
        suite,
        None if doc is None else docstring(doc),
        () if given is None else _model_arguments(given),
        span=key.span.to(node.span),
        name_span=key.span if named is None else named.span,
    )


def _model_arguments(node: Node) -> tuple[ast.Argument, ...]:
    """Arguments of the model that the data decides, by name."""
    mapping(node, "what the data decides")
    return arguments(node)


def _settings(key: Scalar, value: Node, report: Report) -> ast.Suite:
    """The statements of one key of a program."""
    span = key.span.to(value.span)
    match key.text:
        case "data":
            return (ast.Assign((ast.Name("data", span=key.span),), (_source(value),), span=span),)
        case "sources":
            return section(
                value, report, lambda word, node: ast.Data(name(word).id, _source(node), span=word.span.to(node.span))
            )
        case "feed" | "feed_whole":
            return section(
                value,
                report,
                lambda word, node: ast.Feed(
                    name(word).id, expression(node), key.text == "feed_whole", span=word.span.to(node.span)
                ),
            )
        case "fit":
            return section(
                value,
                report,
                lambda word, node: ast.Fit(name(word).id, expression(node), span=word.span.to(node.span)),
            )
        case "steps":
            return _steps(value, report)
        case "body":
            return body(value)
    if key.text in FILE_KEYS:
        words = f"`{key.text}` stands beside `train`, in the first column"
        fail("AX0127", f"`{key.text}` is a section of a spec, and no setting of a program", key.span, help=words)
    return (ast.Assign((name(key),), (expression(value),), span=span),)


def _source(node: Node) -> ast.Expr:
    if not isinstance(node, Mapping):
        return expression(node)
    if len(node.items) != 1:
        fail(
            "AX0128",
            "a data source is one name with its arguments",
            node.span,
            help=one_source(node) or "for example `{sklearn: digits}`",
        )
    ((key, value),) = node.items
    callee = name(key)
    if callee.id == "fresh":
        inner = _source(value)
        return ast.Call(callee, (ast.Argument(inner, span=inner.span),), span=key.span.to(value.span))
    given = arguments(value, expression if callee.id == "generate" else literal_text)
    return ast.Call(callee, given, span=key.span.to(value.span))


# ---------------------------------------------------------------- steps


def _steps(node: Node, report: Report) -> ast.Suite:
    if not isinstance(node, Sequence) or not node.items:
        fail(
            "AX0128",
            "steps are a list with at least one item",
            node.span,
            help=listed(node)
            if isinstance(node, Mapping)
            else 'for example `steps: [{minimize: objective, with: "adam(lr=1e-3)"}]`',
        )
    suites = attempt_each(report, node.items, lambda item: _step(item, report))
    return tuple(statement for suite in suites for statement in suite)


_MINIMIZED = re.compile(r"minimize\s+(?P<loss>.+?)(?:\s+over\s+(?P<over>.+?))?\s+with\s+(?P<optimizer>.+)")


def _as_text(node: Node) -> Suggestion | None:
    """``minimize objective with adam()``: a step as the language has it."""
    match = _MINIMIZED.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None:
        return None
    over = f", over: {match['over']}" if match["over"] else ""
    written = f'{{minimize: {match["loss"]}, with: "{match["optimizer"]}"{over}}}'
    words = f"a step has keys: `{written}`"
    return Suggestion.of(words, "", written, node.span, otherwise=words)


def _step(node: Node, report: Report) -> ast.Suite:
    text = _as_text(node)
    if text is not None:
        fail("AX0128", "a step is written as a mapping, `key: value`", node.span, help=text)
    entries = {key.text: value for key, value in mapping(node, "a step")}
    kind = next((kind for kind in _STEPS if kind in entries), None)
    if kind is None:
        fail(
            "AX0127",
            "this is not a step",
            node.span,
            help=next(filter(None, (did_you_mean(key, _STEPS) for key in entries)), None)
            or f"steps are {', '.join(_STEPS)}",
        )
    for key, _ in mapping(node, "a step"):
        if key.text not in _STEPS[kind]:
            fail(
                "AX0127",
                f"`{kind}` takes no key `{key.text}`",
                key.span,
                help=did_you_mean(key.text, _STEPS[kind]) or f"its keys are {', '.join(_STEPS[kind])}",
            )
    return _STEP[kind](entries, node.span, report)


def _minimize(entries: dict[str, Node], span: Span, report: Report) -> ast.Suite:
    loss = attempt(report, lambda: expression(entries["minimize"]))
    optimizer = attempt(report, lambda: expression(required(entries, "with", span)))
    over = _modules(entries["over"]) if "over" in entries else None
    return () if loss is None or optimizer is None else (ast.Minimize(loss, over, optimizer, span=span),)


def _modules(node: Node) -> ast.Expr:
    if not isinstance(node, Sequence):
        return expression(node)
    values = [expression(item) for item in node.items]
    if not values:
        fail("AX0128", "`over` names no modules", node.span)
    return values[0] if len(values) == 1 else ast.Tuple(tuple(values), span=node.span)


def _update(entries: dict[str, Node], span: Span, report: Report) -> ast.Suite:
    target, value = entries["update"], required(entries, "to", span)
    return (ast.Update(expression(target), expression(value), span=span),)


def _repeat(entries: dict[str, Node], span: Span, report: Report) -> ast.Suite:
    condition = expression(entries["while"]) if "while" in entries else None
    body = _steps(required(entries, "steps", span), report)
    return (ast.Repeat(expression(entries["repeat"]), condition, body, span=span),)


def _every(entries: dict[str, Node], span: Span, report: Report) -> ast.Suite:
    return (ast.Every(expression(entries["every"]), _steps(required(entries, "steps", span), report), span=span),)


def _together(entries: dict[str, Node], span: Span, report: Report) -> ast.Suite:
    return (ast.Together(_steps(entries["together"], report), span=span),)


def _body(entries: dict[str, Node], span: Span, report: Report) -> ast.Suite:
    return body(entries["body"])


_STEP: dict[str, Callable[[dict[str, Node], Span, Report], ast.Suite]] = {
    "minimize": _minimize,
    "update": _update,
    "repeat": _repeat,
    "every": _every,
    "together": _together,
    "body": _body,
}


# ---------------------------------------------------------------- search


def search(key: Scalar, node: Node, report: Report) -> ast.Suite:
    """``search:``."""

    def statement(word: Scalar, value: Node) -> ast.Suite:
        span = word.span.to(value.span)
        if word.text == "maximize":
            return (ast.Maximize(expression(value), span=span),)
        if word.text == "body":
            return body(value)
        return (ast.Assign((name(word),), (expression(value),), span=span),)

    entries = mapping(node, "a search")
    suites = attempt_each(report, entries, lambda entry: statement(*entry))
    suite = tuple(inner for suite in suites for inner in suite)
    if not suite and not report.failed:
        fail("AX0128", "this search is empty", key.span)
    return (ast.Search(suite, span=key.span.to(node.span)),)
