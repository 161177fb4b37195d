"""What the parts of the elaboration of a ``train`` block share: the block as it is read, and its frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archonnx.compiler.program import DataSource, Plan
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, Suggestion
from archonnx.grammar.source import Span

from .frame import Build, Frame, Scope
from .model import Elaboration
from .values import Module


@dataclass
class ProgramBlock:
    """A ``train`` block as its statements are read."""

    declaration: ast.Train
    loop: Mapping[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    source: DataSource | None = None
    feeds: dict[str, ast.Feed] = field(default_factory=dict)
    freeze: ast.Expr | None = None
    statements: list[tuple[ast.Minimize, ...] | ast.Update] = field(default_factory=list)
    """What trains, flat: each is one step."""
    plan: Plan = ()


def part(span: Span, word: str) -> Span:
    """Where a word stands in a span."""
    return Suggestion.of("", word, "").place(span) or span


def program_frame(scope: Scope, report: Report, trained: Elaboration, known: Mapping[str, Any]) -> Frame:
    build = Build(report, Module(None, {}, None, None, trained.build.root.made_at), float_type=trained.build.float_type)
    return Frame(build, scope, build.root, kind="train", locals={**trained.arguments, **known}, sealed=True)
