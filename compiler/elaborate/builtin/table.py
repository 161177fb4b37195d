"""All functions of the language that are written in Python, the dtypes and the constants, by name."""

from __future__ import annotations

import copyreg
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from archonnx.compiler.elaborate.core.signatures import DTYPES
from archonnx.compiler.elaborate.core.values import Builtin

from . import columns, images, indices, modules, reductions, tensors
from .calling import FUNCTIONS

FAMILIES = (columns, images, indices, modules, reductions, tensors)
"""Modules that enter their functions when they are imported."""


@cache
def builtins() -> Mapping[str, Any]:
    """All of them."""
    tensors.add_elementwise(FUNCTIONS)
    return {**FUNCTIONS, **DTYPES, "pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}


def builtin_named(name: str) -> Builtin:
    """A builtin function by its name."""
    found: Builtin = builtins()[name]
    return found


def _by_name(builtin: Builtin) -> tuple[Callable[[str], Builtin], tuple[str]]:
    """How it is pickled."""
    return builtin_named, (builtin.name,)


copyreg.pickle(Builtin, _by_name)
