"""A spec as it was read; ``pipeline`` reads it and makes a model of it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.record import Record
from archonnx.grammar.source import Source

from .ir.types import DType


class Spec(Record):
    """A spec: its text, its tree, and the arguments given for its model."""

    name: str
    source: Source
    file: ast.File
    path: Path | None = None
    arguments: Mapping[str, Any] = {}
    float_type: DType = DType.f32
    """What a dtype left out stands for."""
    model: str | None = None
    """Which of several models of the file is meant; None for that of the first program."""
    imports: Mapping[str, str] | None = None
    """The texts of the files that it imports, by their paths from its folder; None where they are read when needed."""

    def _repr_html_(self) -> str:
        """How a notebook shows it: its text."""
        return f"<strong>{escape(self.name)}</strong><pre>{escape(self.source.text)}</pre>"

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r:.40}" for name, value in list(self.arguments.items())[:3])
        return f"<Spec {self.name} ({self.float_type}{', ' if given else ''}{given})>"
