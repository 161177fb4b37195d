"""Codes 07xx: settings."""

from __future__ import annotations

from .catalogue import Code

CODES: tuple[Code, ...] = ()
