"""Tensor operations: one class each, holding all that is known of it."""

from __future__ import annotations

from importlib import import_module

FAMILIES = (
    "elementwise",
    "compare",
    "functions",
    "reduce",
    "linalg",
    "einsum",
    "shape",
    "slicing",
    "index",
    "sort",
    "conv",
    "pool",
    "resize",
    "norm",
    "loss",
    "random",
)
"""The modules of this package that register ops."""


def load_all() -> None:
    """Import every family, which registers its ops."""
    for family in FAMILIES:
        import_module(f"{__name__}.{family}")
