"""Scopes of files: the library's, whose declarations are parsed when they are first asked for, and a spec's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import archonnx.specs
from archonnx.compiler.elaborate.builtin.table import builtins
from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.elaborate.core.values import BlockType, Function, OptimizerType, ScheduleType, Scope
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.outline import Outlined, outline
from archonnx.grammar.text.parser import parse_declaration

SPECS = Path(archonnx.specs.__file__).parent
KINDS: dict[type[ast.Stmt], Any] = {
    ast.Fn: Function, ast.Block: BlockType, ast.Optimizer: OptimizerType, ast.Schedule: ScheduleType,
}  # fmt: skip


class LazyDeclarations(Mapping[str, Any]):
    """Declarations of the library's files by name. Their texts are scanned for names; only what is used is parsed."""

    def __init__(self, folder: Path) -> None:
        self.scope: Scope | None = None
        self._places: dict[str, tuple[Source, Outlined]] = {}
        self._made: dict[str, Any] = {}
        for path in sorted(folder.glob("*.arch")):
            source = Source(f"std/{path.name}", path.read_text("utf-8"), library=True)
            self._places.update((item.name, (source, item)) for item in outline(source))

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            source, place = self._places[name]
            declaration = parse_declaration(source, place.start, place.end)
            self._made[name] = KINDS[type(declaration)](declaration, self.scope)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def text(self, name: str) -> str:
        """A declaration as it is written."""
        source, place = self._places[name]
        return source.text[place.start : place.end].rstrip()

    def place(self, name: str) -> Span:
        """Where a declaration begins."""
        source, place = self._places[name]
        return Span(source, place.start, place.start)

    def by_file(self) -> dict[str, list[str]]:
        """The names that each file declares, in order."""
        files: dict[str, list[str]] = {}
        for name, (source, _) in self._places.items():
            files.setdefault(source.name, []).append(name)
        return files


class LibraryScope(Scope):
    """The scope of the library, which is one for all: a pickle of it is its name."""

    def __reduce__(self) -> tuple[Callable[[], Scope], tuple[()]]:
        return library, ()


@cache
def library_texts() -> LazyDeclarations:
    """The declarations of ``specs/std``."""
    return LazyDeclarations(SPECS / "std")


@cache
def library() -> Scope:
    """The scope of ``specs/std``, with the builtin functions behind it."""
    declarations = library_texts()
    scope = LibraryScope(declarations, Scope(builtins()))
    declarations.scope = scope
    return scope


def declare(file: ast.File, scope: Scope, declared: dict[str, Any], report: Report) -> None:
    """Enter a file's own fns, blocks, optimizers and schedules, which shadow the library's."""
    first: dict[str, ast.Declaration] = {}
    for declaration in file.declarations:
        if not isinstance(declaration, ast.Declaration) or not declaration.name:
            continue
        kind = type(declaration)
        earlier = first.get(declaration.name)
        if earlier is not None and kind is not ast.Train and type(earlier) is not ast.Train:
            report.error(
                "AX0205",
                f"`{declaration.name}` is declared twice",
                declaration.name_span,
                "again here",
                others=[Label(earlier.name_span, "first here")],
            )
            continue
        first[declaration.name] = declaration
        for nested in walk(declaration):
            if isinstance(nested, ast.Declaration):
                check_signature(nested, report)
        if kind in KINDS:
            declared[declaration.name] = KINDS[kind](declaration, scope)


def check_signature(declaration: ast.Declaration, report: Report) -> None:
    """No two parameters, and no two named results, of one name."""
    lists = [getattr(declaration, key, ()) for key in ("parameters", "hyperparameters", "inputs")]
    result = getattr(declaration, "result", None)
    for named in ([p for part in lists for p in part], result.fields if result is not None else ()):
        seen: dict[str, ast.Node] = {}
        for item in named:
            if item.name is not None and item.name in seen:
                report.error(
                    "AX0205",
                    f"`{item.name}` occurs twice in the signature of `{declaration.name}`",
                    item.span,
                    "again here",
                    others=[Label(seen[item.name].span, "first here")],
                )
            elif item.name is not None:
                seen[item.name] = item
