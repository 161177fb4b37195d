"""What the parts of the elaboration of a ``train`` block share: the block as it is read, and its frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from archonnx.compiler.elaborate.core.build import Build, Mode
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Module, Scope
from archonnx.compiler.elaborate.model.model import Elaboration
from archonnx.compiler.ir.types import DType
from archonnx.compiler.plan import Plan
from archonnx.compiler.program import DataSource, Feed, Fit
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, Suggestion
from archonnx.grammar.source import Span

Syntax = TypeVar("Syntax", bound=ast.Node)


@dataclass(frozen=True, slots=True)
class Bound(Generic[Syntax]):
    """A piece of a ``train`` block that is evaluated later, and what the variables of the loops around it stood for."""

    node: Syntax
    names: Mapping[str, Any]


Statement: TypeAlias = tuple[Bound[ast.Minimize | ast.Update | ast.Repeat], ...]
"""What is one step: a statement that trains alone, those of a ``together``, or the condition of a ``repeat``."""


@dataclass(eq=False, repr=False)
class ProgramBlock:
    """A ``train`` block as its statements are read."""

    declaration: ast.Train
    loop: Mapping[str, Any]
    """Variables of the ``for``s around the block, and of those around the statement that is being read."""
    settings: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    sources: dict[str, DataSource] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    fits: dict[str, Fit] = field(default_factory=dict)
    freeze: Bound[ast.Expr] | None = None
    statements: list[Statement] = field(default_factory=list)
    """What trains, flat, loops unrolled: each is one step."""
    plan: Plan = ()

    def bound(self, node: Syntax) -> Bound[Syntax]:
        """A piece of the block, to be evaluated later."""
        return Bound(node, self.loop)


def part(span: Span, word: str) -> Span:
    """Where a word stands in a span."""
    return Suggestion.of("", word, "").place(span) or span


def program_frame(scope: Scope, report: Report, trained: Elaboration, known: Mapping[str, Any]) -> Frame:
    """The frame in which expressions of a block are evaluated; ``known`` are names besides the model's arguments."""
    build = trained.build
    return block_frame(scope, report, build.root.made_at, build.float_type, {**trained.arguments, **known})


def block_frame(scope: Scope, report: Report, at: Span, float_type: DType, names: Mapping[str, Any]) -> Frame:
    """The same, of all names and the place of what has them."""
    build = Build(report, Module(None, {}, None, None, at), Mode(float_type=float_type))
    return Frame.top(build, scope, "train", locals=dict(names), sealed=True)
