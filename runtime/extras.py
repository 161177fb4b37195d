"""Packages that only some need: what is said where one of them is not installed."""

from __future__ import annotations

from typing import NoReturn

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span


def missing(what: str, package: str, extra: str, span: Span | None) -> NoReturn:
    """SpecError that names the package and the extra that brings it."""
    fail("AX0619", f"{what} needs {package}, which is not installed", span, help=f"`pip install 'archonnx[{extra}]'`")
