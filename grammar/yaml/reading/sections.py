"""What the sections of a YAML spec have in common: mappings with known keys, lists of entries, docstrings.

A mistake in one entry does not keep the others from being read: each is reported, and what is left out then is never
seen, since the report ends the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Report, did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.grammar.text.literals import dedent

from .nodes import Mapping, Node, Scalar
from .reshaped import keyed
from .scalars import scalar

T = TypeVar("T")
U = TypeVar("U")

MAX_ERRORS = 20

MODEL_KEYS = (
    "model",
    "args",
    "doc",
    "inputs",
    "targets",
    "asserts",
    "params",
    "buffers",
    "body",
    "layers",
    "methods",
    "outputs",
    "losses",
    "metrics",
    "entries",
)
FILE_KEYS = ("imports", "fns", "blocks", "optimizers", "schedules", "declarations", *MODEL_KEYS, "train", "search")


class ReportFullError(Exception):
    """Enough has been found to stop reading."""


class Findings(Report):
    """A report that ends the reading when it is long enough, so that reading any text takes bounded time."""

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a finding."""
        super().add(diagnostic)
        if len(self.diagnostics) >= MAX_ERRORS:
            raise ReportFullError


Entries = tuple[tuple[Scalar, Node], ...]


def attempt(report: Report, build: Callable[[], T]) -> T | None:
    """What ``build`` makes, or None after a mistake, which goes to the report."""
    with report.collecting():
        return build()
    return None


def attempt_each(report: Report, items: Iterable[T], build: Callable[[T], U]) -> list[U]:
    """What ``build`` makes of each item, mistakes left out."""
    results = [attempt(report, lambda item=item: [build(item)]) for item in items]  # type: ignore[misc]
    return [result[0] for result in results if result is not None]


def mapping(node: Node, what: str) -> Entries:
    """The entries of a mapping."""
    if not isinstance(node, Mapping):
        fail("AX0128", f"{what} is written as a mapping, `key: value`", node.span, help=keyed(node, what))
    return node.items


def known_keys(
    node: Node, known: Iterable[str], what: str, report: Report, trained: Collection[str] = ()
) -> dict[str, tuple[Scalar, Node]]:
    """The entries of a mapping whose keys are known; others are reported, those in ``trained`` as keys of ``train``."""
    words = tuple(known)
    for key, _ in mapping(node, what):
        if key.text not in words:
            report.error(
                "AX0127",
                f"{what} has no key `{key.text}`",
                key.span,
                help=f"it stands below `train:`, as `{key.text}` of a program"
                if key.text in trained
                else did_you_mean(key.text, words) or f"its keys are {', '.join(words)}",
            )
    return {key.text: (key, value) for key, value in mapping(node, what) if key.text in words}


def required(entries: dict[str, Node], key: str, span: Span) -> Node:
    """The value of a key that has to be there."""
    if key not in entries:
        example = "with: adam()" if key == "with" else f"{key}: ..."
        fail("AX0128", f"`{next(iter(entries))}` needs `{key}` beside it", span, help=f"beside it stands `{example}`")
    return entries[key]


def section(node: Node, report: Report, build: Callable[[Scalar, Node], T]) -> tuple[T, ...]:
    """What ``build`` makes of each entry of a mapping."""
    return tuple(attempt_each(report, mapping(node, "this section"), lambda entry: build(*entry)))


def docstring(node: Node) -> ast.Doc:
    """A docstring."""
    text = dedent("\n" + scalar(node, "a text").text)
    if '"""' in text:
        fail("AX0128", 'a docstring cannot hold `"""`', node.span)
    return ast.Doc(text, span=node.span)
