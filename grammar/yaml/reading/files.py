"""The YAML spelling of specs: ``parse_yaml`` gives the tree that the same spec has as a ``.arch`` file.

Sections. At the top: ``model`` with ``args doc inputs targets asserts params buffers body layers methods outputs losses
metrics entries``, and beside it ``imports fns blocks optimizers schedules train search``; ``declarations: |`` and, in a
model, block, fn or program, ``body: |`` hold text in the language, for what has no short form. Declarations keep the
order of their sections. The statements of a model come in the order named here, whatever order the keys have, since
tools that write YAML sort keys.

Scalars. YAML's own types do not exist here: a scalar is a text of the language, an expression nearly everywhere
(``yes`` and ``1e-3`` are what they are in a ``.arch`` file), and whether it stands in YAML's quotes makes no
difference. At this stage nothing is known of what a layer's parameters are, so a string is written with its own quotes
inside: ``{einsum: '"b t, t d -> b d"'}``; words of a ``choice`` are names. Only below a data source are scalars texts
(``programs``). A list is a list, or several arguments below a layer's name; a mapping is a dict, or arguments by
name.

Types. In ``inputs``, ``targets`` and ``returns`` a scalar is a type, and so is a list in brackets. In ``args`` a
scalar is a default, which also gives the type if it is a literal (``{width: 32}`` is ``width: int = 32``); the name of
a static type is a type without a default (``{init: fn}``); both are ``{width: {type: int, default: 32}}``.

What this module does not do: write YAML (``writing`` does), or look anything up.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report
from archonnx.grammar.source import Source, Span

from . import programs
from .layers import Chain, start
from .nodes import Mapping as MappingNode
from .nodes import Node, Scalar, Sequence, compose
from .reshaped import with_a_name
from .scalars import body, declarations, expression, key_string, name
from .sections import (
    FILE_KEYS,
    MODEL_KEYS,
    Findings,
    ReportFullError,
    attempt,
    attempt_each,
    docstring,
    known_keys,
    section,
)
from .signatures import Entries, better, hyperparameters, inputs, needed_result, result
from .statements import FIELDS, MEASURED, STORED, Build, asserts, statements_of

_BODY_KEYS = ("asserts", "params", "buffers", "body", "layers", "methods", "return")
_FN_KEYS = ("doc", "inputs", "returns", *_BODY_KEYS)
_BLOCK_KEYS = ("doc", "args", "inputs", "returns", *_BODY_KEYS)
_TwoLists: TypeAlias = type[ast.Block] | type[ast.Optimizer] | type[ast.Schedule]


def parse_yaml(source: Source) -> ast.File:
    """The tree of a spec in YAML; its spans are places in the YAML text.

    Raises:
        SpecError: It is no YAML, or no spec. Unless the YAML itself cannot be read, all mistakes are in the report.
    """
    report = Findings()
    found: list[ast.Stmt] = []
    try:
        entries = known_keys(compose(source, report), FILE_KEYS, "a spec", report, programs.OF_A_PROGRAM)
        if "model" not in entries:
            for word in [word for word in entries if word in MODEL_KEYS]:
                report.error(
                    "AX0128",
                    f"`{word}` belongs to a model, and there is none",
                    entries[word][0].span,
                    help="add `model: NAME`",
                )
        for key, value in entries.values():
            found += attempt(report, partial(_declarations, key, value, entries, report)) or ()
    except ReportFullError:
        pass
    report.diagnostics.sort(key=lambda diagnostic: diagnostic.span.start if diagnostic.span is not None else 0)
    report.finish()
    return ast.File(tuple(found), span=Span(source, 0, len(source.text)))


def _declarations(key: Scalar, value: Node, entries: Entries, report: Report) -> ast.Suite:
    """The declarations of one section of a file."""
    match key.text:
        case "model":
            return (_model(key, value, entries, report),)
        case "imports":
            return section(value, report, _import)
        case "fns":
            return section(value, report, partial(_fn, report))
        case "blocks" | "optimizers" | "schedules":
            return section(value, report, partial(_two_lists, *_TWO_LISTS[key.text], report))
        case "declarations":
            return declarations(value)
        case "train":
            return programs.trains(key, value, report)
        case "search":
            return programs.search(key, value, report)
    return ()  # a section of the model


def _import(key: Scalar, node: Node) -> ast.Import:
    items = node.items if isinstance(node, Sequence) else (node,)
    return ast.Import(key_string(key), tuple(name(item) for item in items), span=key.span.to(node.span))


# ---------------------------------------------------------------- declarations


def _model(key: Scalar, value: Node, entries: Entries, report: Report) -> ast.Model:
    title = name(value)
    sections = {word: entry for word, entry in entries.items() if word in MODEL_KEYS}
    suite = statements_of(sections, FIELDS, report)
    statements, chain = _body(sections, report)
    if chain is not None and chain.unnamed is not None:
        report.error(
            "AX0129",
            "the value of the last layer has no name",
            chain.unnamed,
            help=with_a_name(chain.unnamed, sections),
        )
    suite += [*statements, *statements_of(sections, _RESULTS, report)]
    if not suite and not report.failed:
        report.error(
            "AX0128", "this model is empty", key.span, help="it needs `inputs`, `layers` or a `body`, and `outputs`"
        )
    return ast.Model(
        title.id,
        hyperparameters(sections, report),
        tuple(suite),
        _doc(sections, report),
        span=key.span.to(value.span),
        name_span=title.span,
    )


def _fn(report: Report, key: Scalar, node: Node) -> ast.Fn:
    entries = known_keys(node, (*_FN_KEYS, "better"), "a fn", report)
    return ast.Fn(
        parameters=inputs(entries, report),
        result=result(entries, report),
        better=attempt(report, lambda: better(entries)),
        **_common(key, node, entries, report),
    )


def _entry(report: Report, key: Scalar, node: Node) -> ast.Entry:
    entries = known_keys(node, _FN_KEYS, "an entry", report)
    return ast.Entry(
        parameters=inputs(entries, report),
        result=needed_result(key, entries, report),
        **_common(key, node, entries, report),
    )


def _two_lists(kind: _TwoLists, what: str, report: Report, key: Scalar, node: Node) -> ast.Stmt:
    """What has hyperparameters and inputs; the result of a schedule is a scalar unless it says otherwise."""
    entries = known_keys(node, _BLOCK_KEYS, what, report)
    declared = result if kind is ast.Schedule else partial(needed_result, key)
    return kind(
        hyperparameters=hyperparameters(entries, report),
        inputs=inputs(entries, report),
        result=declared(entries, report),  # type: ignore[arg-type]  # None in a schedule alone
        **_common(key, node, entries, report),
    )


def _common(key: Scalar, node: Node, entries: Entries, report: Report) -> dict[str, Any]:
    """The fields that all declarations have."""
    return {
        "name": name(key).id,
        "body": _whole_body(key, entries, report),
        "doc": _doc(entries, report),
        "span": key.span.to(node.span),
        "name_span": key.span,
    }


_TWO_LISTS: dict[str, tuple[_TwoLists, str]] = {
    "blocks": (ast.Block, "a block"),
    "optimizers": (ast.Optimizer, "an optimizer"),
    "schedules": (ast.Schedule, "a schedule"),
}


def _doc(entries: Entries, report: Report) -> ast.Doc | None:
    return attempt(report, lambda: docstring(entries["doc"][1])) if "doc" in entries else None


# ---------------------------------------------------------------- bodies


def _whole_body(key: Scalar, entries: Entries, report: Report) -> ast.Suite:
    """The body of what returns something: the value of ``layers`` is returned unless ``return`` says otherwise."""
    suite, chain = _body(entries, report)
    if "return" in entries:
        word, value = entries["return"]
        if chain is not None and chain.unnamed is not None:
            report.error(
                "AX0129",
                "the value of the last layer has no name",
                chain.unnamed,
                help="add `as: NAME`, or leave out `return` to return it",
            )
        items = value.items if isinstance(value, Sequence) else (value,)
        values = attempt_each(report, items, expression)
        suite += [ast.Return(tuple(values), span=word.span.to(value.span))]
    elif chain is not None and chain.value is not None:
        suite += [ast.Return((chain.value,), span=chain.value.span)]
    if not suite and not report.failed:
        report.error("AX0128", f"`{key.text}` has no body", key.span, help="add `body: |`, `layers` or `return`")
    return tuple(suite)


def _body(entries: Entries, report: Report) -> tuple[list[ast.Stmt], Chain | None]:
    """The statements up to the results, in the order that ``MODEL_KEYS`` names, and the chain of the layers."""
    suite: list[ast.Stmt] = []
    chain: Chain | None = None
    if "asserts" in entries:
        suite += attempt(report, lambda: asserts(entries["asserts"][1], report)) or ()
    suite += statements_of(entries, STORED, report)
    if "body" in entries:
        suite += attempt(report, lambda: body(entries["body"][1])) or ()
    if "layers" in entries:
        chain = start(report, _first_value(entries))
        attempt(report, lambda: chain.read(entries["layers"][1]))
        suite += chain.statements
    if "methods" in entries:
        suite += attempt(report, lambda: section(entries["methods"][1], report, partial(_fn, report))) or ()
    return suite, chain


def _first_value(entries: Entries) -> ast.Expr | None:
    """What the layers start from: the input, if there is one and no more."""
    if "inputs" not in entries:
        return None
    word, value = entries["inputs"]
    if not isinstance(value, MappingNode):  # which has been told
        return ast.Name(word.text, span=word.span)
    items = value.items
    return ast.Name(items[0][0].text, span=items[0][0].span) if len(items) == 1 else None


_RESULTS: dict[str, Build] = {**MEASURED, "entries": _entry}
