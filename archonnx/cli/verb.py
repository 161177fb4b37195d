"""What makes a function a verb of the command line: ``@verb``. The verbs stand in ``verbs``, a file each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from . import verbs

Function = TypeVar("Function", bound=Callable[..., None])


class Group(StrEnum):
    """Headings under which the help lists verbs, in this order."""

    specs = "Specs"
    training = "Training"
    use = "Trained models"
    onnx = "ONNX"
    insight = "Looking inside"


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: typer reads its options from the signature of ``run``, and its help from the docstring."""

    name: str
    group: Group
    run: Callable[..., Any]


VERBS: dict[str, Verb] = {}
"""Those whose files have been imported."""


def verb(name: str, group: Group) -> Callable[[Function], Function]:
    """Make a function the verb ``name``."""

    def register(run: Function) -> Function:
        VERBS[name] = Verb(name, group, run)
        return run

    return register


def all_verbs() -> list[Verb]:
    """The verbs of every file in the folder, as the help lists them: by group, then by name."""
    for module in iter_modules(verbs.__path__):
        import_module(f"{verbs.__name__}.{module.name}")
    order = list(Group)
    return sorted(VERBS.values(), key=lambda one: (order.index(one.group), one.name))
