"""What makes a function the loader of a data source: ``@loads``. The loaders stand in ``loaders``, a file each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import Settings
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span

from . import loaders

Fields = dict[str, Array]
"""Arrays by name, all with as many examples."""
Taken = TypeVar("Taken", bound=Settings)


@dataclass(frozen=True, slots=True)
class Place:
    """Where data is asked for: files are looked for in the folder of the spec, and may not lie outside it.

    Attributes:
        base: the folder.
        span: the place in the spec, for what is wrong with the data.
    """

    base: Path
    span: Span | None

    def file(self, name: str) -> Path:
        """A file; SpecError if there is none."""
        return self._inside(name, "file", Path.is_file)

    def folder(self, name: str) -> Path:
        """A folder; SpecError if there is none."""
        return self._inside(name, "folder", Path.is_dir)

    def _inside(self, name: str, what: str, exists: Callable[[Path], bool]) -> Path:
        path = (self.base / name).resolve()
        if not path.is_relative_to(self.base.resolve()):
            fail(
                "AX0601",
                f"`{name}` lies outside the folder of the spec",
                self.span,
                help="copy it beside the spec, and give its path from there",
            )
        if not exists(path):
            here = sorted(p.name for p in path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
            fail(
                "AX0601",
                f"there is no {what} `{name}` beside the spec",
                self.span,
                help=did_you_mean(path.name, here),
                notes=[f"looked for {path}"],
            )
        return path


LOADERS: dict[type[Settings], Callable[[Any, Place], Fields]] = {}
"""By what the source takes; those whose files have been imported."""


def loads(taken: type[Taken]) -> Callable[[Callable[[Taken, Place], Fields]], Callable[[Taken, Place], Fields]]:
    """Make a function the loader of the source that takes this."""

    def register(load: Callable[[Taken, Place], Fields]) -> Callable[[Taken, Place], Fields]:
        LOADERS[taken] = load
        return load

    return register


def loader_of(taken: type[Settings]) -> Callable[[Any, Place], Fields]:
    """The loader of the source that takes this."""
    for module in iter_modules(loaders.__path__):
        import_module(f"{loaders.__name__}.{module.name}")
    return LOADERS[taken]
