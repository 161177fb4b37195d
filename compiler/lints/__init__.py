"""What was probably not meant, though it compiles: one rule a module, found by registration."""

from __future__ import annotations
