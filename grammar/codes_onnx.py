"""Codes 05xx: ONNX, export and import."""

from __future__ import annotations

from .catalogue import Code

CODES: tuple[Code, ...] = ()
