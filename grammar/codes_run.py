"""Codes 06xx: data, files and runs."""

from __future__ import annotations

from .catalogue import Code

CODES: tuple[Code, ...] = ()
