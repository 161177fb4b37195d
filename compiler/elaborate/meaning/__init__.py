"""What each form of the language means: a module a subject, whose functions enter the tables of ``core.forms``.

Importing the room fills the tables.
"""

from . import (
    asserts,
    attributes,
    calls,
    expressions,
    indexing,
    loops,
    methods,
    modules,
    repetition,
    schedules,
    statements,
)

__all__ = [
    "asserts",
    "attributes",
    "calls",
    "expressions",
    "indexing",
    "loops",
    "methods",
    "modules",
    "repetition",
    "schedules",
    "statements",
]
