"""What makes a function the loader of a data source: ``@loads``. The loaders stand in ``loaders``, a file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import Settings
from archonnx.grammar.diagnostics import Diagnostic, did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.grammar.spec import near_file
from archonnx.runtime.paths import is_there, kind_at, short

from . import loaders
from .overlaps import Spans
from .subwords import TokenizerFiles

Fields = dict[str, Array]
"""Arrays by name, all with as many examples."""
PIECE = 2**24
"""Bytes that are copied at once."""
Taken = TypeVar("Taken", bound=Settings)
KINDS = {"i": "int", "u": "int", "f": "float", "b": "bool", "O": "text", "M": "date"}
"""What a column is called by the kind of its NumPy type."""
TOKENS = "ids"
"""The field of the tokens of a text."""
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""How names of pictures mostly end."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a source holds: fields by name, and what is known of where they come from.

    Attributes:
        fields: arrays by name, all with as many rows: i64 and f64 numbers (NaN where a cell is missing), bool,
            texts (objects that are ``str``, ``""`` where missing), dates (datetime64[s], NaT where missing), pictures.
        where: what messages call the source: ``people.csv``.
        lines: for each row, the line of the file on which it ends; None where the source has no lines.
        matrix: the columns that the field ``data`` stacks, in order.
        target: the column that the field ``target`` is another name of.
        classes: names of the classes of integer fields, where the source knows them.
        columns_of: names of the columns of matrices, where the source knows them.
        problems: what is wrong with a column that cannot be read; it is not among the fields, and to be raised when
            the column is used.
        made: fields that are not columns of the source but made of them: ``data``, ``target``, ``index``.
        settled: arguments of the source that this reading found out (``colour``), for the next one to be given.
        notes: what was left out, in a sentence each.
        files: what was read.
        tokens: what a text was cut into, if the field ``TOKENS`` holds tokens of one (``characters``).
        alphabet: all tokens of a text by their numbers, where a file says which there are.
        tokenizers: the files that say how texts are cut.
        kin: columns that one vocabulary numbers, which is of all of them.
        whole: arrays that have no row for each example, as the edges of a graph: they may be fed whole alone. Numbers.
        spans: where each row is made of several rows of a series, the first of them and the one after the last, [n, 2],
            numbered so that rows of one stretch follow each other.
        moments: when each row is, where rows are of several series that lie beside each other in time: any numbers.
        first: the number of its first row, where it is a part of something.
        clocks: of columns of dates, where the source says so: they have no offset from UTC ("local"), are all by
            it ("UTC"), or have one ("offset").
    """

    fields: Fields
    where: str
    lines: npt.NDArray[np.int64] | None = None
    matrix: tuple[str, ...] = ()
    target: str | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: Mapping[str, Diagnostic] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    settled: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    whole: Mapping[str, Array] = field(default_factory=dict)
    spans: Spans | None = None
    moments: npt.NDArray[Any] | None = None
    tokens: str | None = None
    kin: tuple[str, ...] = ()
    alphabet: tuple[str, ...] | None = None
    first: int = 0
    clocks: Mapping[str, str] = field(default_factory=dict)
    tokenizers: TokenizerFiles = field(default_factory=TokenizerFiles, repr=False)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the columns by name: their order does not matter, that of the rows does."""
        digest = sha256()
        for name in sorted(self.kinds):
            array = self.column(name)
            digest.update(f"{name}\0{KINDS[array.dtype.kind]}\0{array.shape}\0".encode())
            if array.dtype.kind == "O":
                digest.update("\0".join(array.ravel().tolist()).encode("utf-8", "surrogatepass"))
            else:
                for begin in range(0, len(array), step := max(1, PIECE // max(1, array[:1].nbytes))):
                    digest.update(np.ascontiguousarray(array[begin : begin + step]).tobytes())
        return digest.hexdigest()

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each column: ``int``, ``float``, ``bool``, ``text`` or ``date``. Those without rows come last."""
        held = {**{name: array for name, array in self.fields.items() if name not in self.made}, **self.whole}
        return {name: KINDS[array.dtype.kind] for name, array in held.items()}

    def part(self, begin: int, end: int) -> Loaded:
        """Rows that follow each other, as a source of their own; what has no row for each example is as it was."""
        return replace(
            self,
            fields={name: array[begin:end] for name, array in self.fields.items()},
            lines=None if self.lines is None else self.lines[begin:end],
            first=self.first + begin,
        )

    def column(self, name: str) -> Array:
        """A field, or an array that has no rows."""
        return self.whole[name] if name in self.whole else self.fields[name]


@dataclass(frozen=True, slots=True)
class Place:
    """Where data is asked for: files are looked for in the folder of the spec, and may not lie outside it.

    Attributes:
        base: the folder.
        span: the place in the spec, for what is wrong with the data.
        path: what is read instead of what the spec names: the user's own, which may lie anywhere.
        kinds: what columns were in an earlier reading, and must be now.
        targets: whether what is to be foretold must be there.
        tokenizers: the files that say how texts are cut.
        inner: loads a source that this one takes, by its kind and its arguments.
    """

    base: Path
    span: Span | None
    path: Path | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    targets: bool = True
    tokenizers: TokenizerFiles = field(default_factory=TokenizerFiles)
    inner: Callable[[str, Mapping[str, Any]], Loaded] | None = None

    @property
    def own(self) -> bool:
        """Whether a file must have the columns that the spec names; one that was read before says what has changed."""
        return self.path is None and not self.kinds

    def file(self, name: str) -> Path:
        """A file; SpecError if there is none."""
        return self._found(name, "file")

    def folder(self, name: str) -> Path:
        """A folder; SpecError if there is none."""
        return self._found(name, "folder")

    def beside(self, name: str) -> Path:
        """A folder that goes with the one that the spec names, which nothing replaces; SpecError if there is none."""
        return self._inside(name, "folder")

    def file_beside(self, name: str) -> Path:
        """The same for a file."""
        return self._inside(name, "file")

    def _found(self, name: str, what: Literal["file", "folder"]) -> Path:
        if self.path is None:
            return self._inside(name, what)
        if not is_there(self.path, what):
            fail("AX0601", f"there is no {what} {short(str(self.path))}", None, help=near_file(self.path))
        return self.path

    def _inside(self, name: str, what: Literal["file", "folder"]) -> Path:
        path = (self.base / name).absolute()
        if kind_at(path)[0] != "other":  # which is refused below, and may be no path
            path = path.resolve()
        if not path.is_relative_to(self.base.resolve()):
            fail(
                "AX0601",
                f"`{short(name)}` lies outside the folder of the spec",
                self.span,
                help="copy it beside the spec, and give its path from there",
            )
        if not is_there(path, what, self.span, name):
            here = sorted(p.name for p in path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
            fail(
                "AX0601",
                f"there is no {what} `{short(name)}` beside the spec",
                self.span,
                help=did_you_mean(path.name, here),
                notes=[f"looked for {short(str(path))}"],
            )
        return path


LOADERS: dict[type[Settings], Callable[[Any, Place], Loaded]] = {}
"""By what the source takes; those whose files have been imported."""


def loads(taken: type[Taken]) -> Callable[[Callable[[Taken, Place], Loaded]], Callable[[Taken, Place], Loaded]]:
    """Make a function the loader of the source that takes this."""

    def register(load: Callable[[Taken, Place], Loaded]) -> Callable[[Taken, Place], Loaded]:
        LOADERS[taken] = load
        return load

    return register


def loader_of(taken: type[Settings]) -> Callable[[Any, Place], Loaded]:
    """The loader of the source that takes this."""
    for module in iter_modules(loaders.__path__):
        import_module(f"{loaders.__name__}.{module.name}")
    return LOADERS[taken]
