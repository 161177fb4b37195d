"""``from "blocks.arch" import Residual``: files beside the spec, never outside its folder, each read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from archonnx.compiler.elaborate.core.frame import POISON
from archonnx.compiler.elaborate.core.values import Scope
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, Suggestion, did_you_mean, fail
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_file, shown_path

from .library import declare, library

MAX_FILES = 100
MANY = 1_000
"""Names of files beside a spec that are compared with one that is not there."""


class Importer:
    """Reads imported files. ``root`` is the folder of the spec: nothing outside it is opened.

    Attributes:
        texts: of those that were read, by their paths from the root; where they are given, nothing else is opened.
    """

    def __init__(
        self, root: Path | None, parse: Callable[[Source], ast.File], texts: Mapping[str, str] | None = None
    ) -> None:
        self._given = texts
        self.texts: dict[str, str] = {}
        self._root = root.resolve() if root is not None else None
        self._parse = parse
        self._scopes: dict[Path, Scope] = {}
        self._reading: list[Path] = []

    def scope_of(self, file: ast.File, folder: Path | None, report: Report) -> Scope:
        """The scope of a file: what it declares and imports, in front of the library."""
        declared: dict[str, Any] = {}
        scope = Scope(declared, library())
        declare(file, scope, declared, report)
        for statement in file.declarations:
            if isinstance(statement, ast.Import):
                with report.collecting() as collected:
                    self._import(statement, folder, declared, report)
                if collected.error is not None:
                    for name in statement.names:
                        declared.setdefault(name.id, POISON)
        return scope

    def _import(self, statement: ast.Import, folder: Path | None, declared: dict[str, Any], report: Report) -> None:
        path = self._resolve(statement, folder)
        scope = self._scope(path, statement, report)
        for name in statement.names:
            found = scope.declared.get(name.id)
            if found is None:
                fail(
                    "AX0201",
                    f'"{statement.path.value}" declares no `{name.id}`',
                    name.span,
                    help=did_you_mean(name.id, scope.declared)
                    or f"it declares {', '.join(scope.declared) or 'nothing'}",
                )
            if name.id in declared:
                fail("AX0205", f"`{name.id}` is also declared in this file", name.span)
            declared[name.id] = found

    def _resolve(self, statement: ast.Import, folder: Path | None) -> Path:
        written, span = statement.path.value, statement.path.span
        if self._root is None or folder is None:
            fail("AX0223", "a spec that is not a file cannot import files", span)
        try:
            path = (folder / written).resolve()
            path.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL in it, links in a circle
            reason = error.strerror if isinstance(error, OSError) else str(error)
            fail("AX0601", f'cannot read "{shown_path(written)}": {reason}', span)
        if not path.is_relative_to(self._root):
            fail(
                "AX0223",
                f'"{written}" is outside the folder of the spec',
                span,
                help="imported files lie beside the spec, or in folders below it",
            )
        if self._given is None and not path.exists() and (near := _beside(path, written)) is not None:
            fail("AX0601", f'there is no file "{shown_path(written)}" beside the spec', span, help=near)
        if path.suffix not in (".arch", ".yaml", ".yml"):
            fail("AX0223", f'"{written}" is not a spec: its name does not end in .arch or .yaml', span)
        if path in self._reading:
            circle = " -> ".join(p.name for p in [*self._reading[self._reading.index(path) :], path])
            fail("AX0224", f"files import each other in a circle: {circle}", span)
        return path

    def _scope(self, path: Path, statement: ast.Import, report: Report) -> Scope:
        if path in self._scopes:
            return self._scopes[path]
        if len(self._scopes) >= MAX_FILES:
            fail("AX0223", f"more than {MAX_FILES} files are imported", statement.span)
        assert self._root is not None
        name, written = path.relative_to(self._root).as_posix(), statement.path
        source = self._source(path, name, written)
        self.texts[name] = source.text
        self._reading.append(path)
        try:
            self._scopes[path] = self.scope_of(self._parse(source), path.parent, report)
        finally:
            self._reading.pop()
        return self._scopes[path]

    def _source(self, path: Path, name: str, written: ast.String) -> Source:
        if self._given is None:
            return read_file(path, name, said=f'"{shown_path(written.value)}"', span=written.span)
        if name not in self._given:
            fail("AX0601", f'"{written.value}" is not among the files that the spec came with', written.span)
        return Source(name, self._given[name])


def _beside(path: Path, written: str) -> Suggestion | None:
    """A spec of nearly that name in the same folder: what to write in place of ``written``."""
    try:
        names = [one.name for one in sorted(path.parent.iterdir())[:MANY] if one.suffix in (".arch", ".yaml", ".yml")]
    except OSError:
        return None
    ends = {name.rpartition(".")[0]: name for name in names}
    near = did_you_mean(path.stem, ends)  # their ends, which are alike, do not count
    if near is None:
        return None
    name = ends[near.replacement]
    start = written[: len(written) - len(written.rsplit("/", 1)[-1])]
    return Suggestion.of(f"did you mean `{start}{name}`?", written, start + name)
