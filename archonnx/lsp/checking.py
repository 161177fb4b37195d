"""What ``archonnx check`` finds in a text, and the value of every expression in it, as far as it got.

A check may run in a thread of its own: ``stop`` ends it at the next thing that it counts. What this module does not do:
open data, or keep anything between two checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archonnx.compiler.checking import warnings
from archonnx.compiler.elaborate.core.suites import bound_names
from archonnx.compiler.elaborate.core.values import BlockType, Derived, Module, Results, describe
from archonnx.compiler.elaborate.core.watching import watching
from archonnx.compiler.elaborate.files.imports import Importer
from archonnx.compiler.helps.trial import tried
from archonnx.compiler.ir.value import Value
from archonnx.compiler.lints.finding import UNLEVELLED, findings
from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate_untried, errors_in, parse_source
from archonnx.compiler.spec import Spec
from archonnx.grammar import ast
from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import Budget
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, Suggestion
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Source, Span
from archonnx.grammar.spec import read_file
from archonnx.grammar.text.characters import confusable_names

SEVERAL = 4
"""Different values of one expression that are kept: a block is applied more than once."""
LOOKED_AT = 64
"""Values of one expression that are looked at: a `for` is unrolled."""


class Seen(Record):
    """A value of an expression: what it is, where it came from (``""`` if that says nothing).

    Attributes:
        what: its type, if it is a tensor; else what it is in a few words.
        shape: of a tensor, its type with the shape; ``""`` otherwise.
        origin: ``` `@` at std/layers.arch:10:9```.
        owner: of a module, the name of its block.
        members: what may be read of it as an attribute.
    """

    what: str
    shape: str = ""
    origin: str = ""
    owner: str = ""
    members: tuple[str, ...] = ()


Places = dict[tuple[int, int], tuple[Seen, ...]]
"""By ``start:end`` in the text."""


class Checked(Record, eq=False):
    """What a check found in a text.

    Attributes:
        text: what was checked.
        diagnostics: the findings.
        seen: the values of its expressions.
        tree: what it says, as far as that can be read; None where it cannot.
        done: whether fixes were tried.
    """

    text: str
    diagnostics: tuple[Diagnostic, ...]
    seen: Places
    tree: ast.File | None
    done: bool = True


Early = Callable[[Checked], None]


class OpenFirst(Mapping[str, str]):
    """The texts of files by their paths from a folder: as they are in an editor, or else on the disk."""

    def __init__(self, folder: Path, opened: Mapping[Path, str]) -> None:
        self._folder, self._opened = folder, opened

    def __getitem__(self, name: str) -> str:
        """SpecError if the file cannot be read."""
        path = self._folder / name
        return self._opened[path] if path in self._opened else read_file(path, name, said=f'"{name}"').text

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return (path.relative_to(self._folder).as_posix() for path in self._opened if self._folder in path.parents)

    def __len__(self) -> int:
        return len(list(iter(self)))


class Check:
    """One check of one text."""

    def __init__(
        self, text: str, name: str, path: Path | None = None, others: Mapping[Path, str] | None = None
    ) -> None:
        """Prepare to check.

        Args:
            text: the text.
            name: the name of its source in messages; its ending says which spelling it is in.
            path: its file, beside which imports are looked for.
            others: texts that stand in place of files.
        """
        self.source = Source(name, text)
        self.path = path
        self.others = others or {}
        self.budget = Budget()
        self.stopped = False
        self._tree: ast.File | None = None
        self._values: dict[tuple[int, int], list[Any]] = {}
        self._looked: dict[tuple[int, int], int] = {}

    def stop(self) -> None:
        """End it, from any thread: it costs too much, or nobody waits for it."""
        self.stopped = True
        self.budget.left = -1

    def run(self, early: Early = lambda found: None) -> Checked:
        """Check the text.

        Args:
            early: is told what is found before fixes are tried, if there are some: that may take several times as long.
        """
        report = Report()
        with report.collecting(), bounded(self.budget), watching(self._look):
            for diagnostic in self._found(early):
                report.add_at_place(diagnostic)
        return self._checked(report.diagnostics)

    def _checked(self, found: Sequence[Diagnostic], done: bool = True) -> Checked:
        seen = {place: _described(values) for place, values in self._values.items()}
        return Checked(self.source.text, tuple(found), seen, self._tree, done)

    def _before_trials(self, found: Sequence[Diagnostic], early: Early) -> None:
        """Tell what is found, if something of it is to be tried."""
        if any(isinstance(one.help, Suggestion) for one in found):
            early(self._checked(untried(found), done=False))

    def _found(self, early: Early) -> Sequence[Diagnostic]:
        empty = ast.File((), span=Span(self.source, 0, 0))
        spec = Spec(Path(self.source.name).stem, self.source, empty, self.path, imports=self._imports())
        try:
            tree = self._tree = parse_source(self.source)
        except SpecError as error:
            self._tree = error.recovered if isinstance(error.recovered, ast.File) else None
            return self._tried(spec, errors_in(spec), early)
        if not any(isinstance(one, ast.Model | ast.Train | ast.Search) for one in tree.declarations):
            return self._of_declarations(tree, spec)
        spec = replace(spec, file=tree)
        try:
            models = [elaborate_untried(one) for one in specs_of_models(spec)]
        except SpecError as error:
            return self._tried(spec, error.diagnostics, early)
        looking_alike = confusable_names(self.source, tree)
        self._before_trials([*looking_alike, *(w for model in models for w in findings(model))], early)
        return [*looking_alike, *(w for model in models for w in warnings(model, UNLEVELLED))]

    def _tried(self, spec: Spec, found: Sequence[Diagnostic], early: Early) -> Sequence[Diagnostic]:
        """What was found, with fixes that were tried."""
        self._before_trials(found, early)
        errors = Report(list(found))
        return tried(self.source, errors, lambda other: errors_in(replace(spec, source=other))).diagnostics

    def _of_declarations(self, tree: ast.File, spec: Spec) -> Sequence[Diagnostic]:
        """What is wrong with the declarations of a file without a model, by themselves."""
        folder, report = self.path.parent if self.path is not None else None, Report()
        with report.collecting():
            Importer(folder, parse_source, spec.imports).scope_of(tree, folder, report)
        return untried(report.diagnostics)

    def _imports(self) -> Mapping[str, str] | None:
        """What files are imported as, where some of them stand in an editor."""
        folder = self.path.parent.resolve() if self.path is not None else None
        beside = any(folder in path.parents for path in self.others if path != self.path)
        return OpenFirst(folder, self.others) if folder is not None and beside else None

    def _look(self, span: Span, value: Any) -> None:
        if span.source is not self.source:
            return
        place = (span.start, span.end)
        looked = self._looked[place] = self._looked.get(place, 0) + 1
        if looked <= LOOKED_AT:
            self._values.setdefault(place, []).append(value)


def untried(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The same without suggestions: nobody reads one that was not tried."""
    return [replace(one, help=None) if isinstance(one.help, Suggestion) else one for one in found]


def _described(values: list[Any]) -> tuple[Seen, ...]:
    return tuple(dict.fromkeys(map(_seen, values)))[:SEVERAL]


def _seen(value: Any) -> Seen:
    if isinstance(value, Value):
        place = value.origin.place
        origin = f"{value.origin.subject} at {place}" if place is not None else ""
        return Seen(str(value.type), str(value.type), origin)
    if isinstance(value, Results):
        pairs = zip(value.names, map(_short, value.items), strict=True)
        items = [f"{name}: {what}" if name else what for name, what in pairs]
        return Seen(f"({', '.join(items)})", members=tuple(name for name in value.names if name))
    module = value.base if isinstance(value, Derived) else value
    if isinstance(module, Module) and isinstance(module.block, BlockType):
        path, declaration = module.path, module.block.declaration
        kinds = ast.Param | ast.Buffer | ast.Fn | ast.Block | ast.Assign
        members = [name for one in declaration.body if isinstance(one, kinds) for name in bound_names(one)]
        what = describe(value) + (f" `{path}`" if path else "")
        return Seen(what, owner=declaration.name, members=tuple(dict.fromkeys(members)))
    return Seen(describe(value))


def _short(value: Any) -> str:
    return str(value.type) if isinstance(value, Value) else describe(value)
