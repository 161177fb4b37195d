"""What each data source takes: ``data = csv("wine.csv", target="quality")``.

A source is a class here, with ``@source``, and a function in ``runtime/data/loaders`` that loads it, with ``@loads``:
specs are checked without what reads files. Importing this module imports pydantic, so it is imported only where a
``train`` block is read. What this module does not do: look at any file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from archonnx.grammar.diagnostics import Report, did_you_mean
from archonnx.grammar.source import Span

from .settings import Count, PositiveCount, Settings, validated
from .tokens import CUTS, FILE

GENERATE = "generate"
"""The source that is a fn of the spec, whose arguments it takes."""
FRESH = "fresh"
"""The source that is another one, drawn anew in each epoch."""
PLANNED = frozenset({"gymnasium"})
"""Sources that are known and not built yet."""
SOURCES: dict[str, type[Settings]] = {}
"""What each kind of source takes."""
Taken = TypeVar("Taken", bound=type[Settings])


class Arguments(Settings):
    """Base of what sources take. What checks them is built where it is first used: a spec names one source of many."""

    model_config = ConfigDict(defer_build=True)


def source(kind: str) -> Callable[[Taken], Taken]:
    """Make a class the arguments of the data source ``kind``; positional arguments go by the order of its fields."""

    def register(taken: Taken) -> Taken:
        SOURCES[kind] = taken
        return taken

    return register


def _text_of_number(value: Any) -> Any:
    """``-1`` as it stands in a file."""
    return value if isinstance(value, bool) or not isinstance(value, int | float) else str(value)


BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""Data sets that scikit-learn carries with it; the others would be downloads."""
WIDTHS = {"breast_cancer": 30, "diabetes": 10, "digits": 64, "iris": 4, "wine": 13}
"""How many numbers an example of each has, so that feeds are checked before it is read."""


@source("sklearn")
class SklearnSource(Arguments):
    """``sklearn("digits")``."""

    name: str

    @field_validator("name")
    @classmethod
    def _bundled(cls, name: str) -> str:
        if name not in BUNDLED:
            close = did_you_mean(name, BUNDLED)
            raise ValueError(f"scikit-learn bundles {', '.join(BUNDLED)}" + (f"; {close}" if close else ""))
        return name


SERIES = (
    "anes96", "cancer", "ccard", "china_smoking", "co2", "committee", "copper", "cpunish", "danish_data", "elec_equip",
    "elnino", "engel", "fair", "fertility", "grunfeld", "heart", "interest_inflation", "longley", "macrodata",
    "modechoice", "nile", "randhie", "scotland", "spector", "stackloss", "star98", "statecrime", "strikes", "sunspots",
)  # fmt: skip
"""Data sets that statsmodels carries with it."""


@source("statsmodels")
class StatsmodelsSource(Arguments):
    """``statsmodels("sunspots")``: the columns of a data set that comes with statsmodels.

    ``target`` is what statsmodels explains by the others, where it says so; dates of a series are ``date``.
    """

    name: str

    @field_validator("name")
    @classmethod
    def _bundled(cls, name: str) -> str:
        if name not in SERIES:
            close = did_you_mean(name, SERIES)
            raise ValueError(f"statsmodels does not bundle it; {close or 'it has ' + ', '.join(SERIES)}")
        return name


class Arrays(Arguments):
    """Base of what reads arrays by name."""

    path: str
    whole: list[str] = Field(default_factory=list)
    """Arrays of numbers that have no row for each example, such as the edges of a graph, which are fed whole."""


@source("npz")
class NpzSource(Arrays):
    """``npz("moons.npz")``: every array of the file is a field."""


@source("npy")
class NpySource(Arrays):
    """``npy("arrays")``: every .npy file of the folder is a field, called like the file."""


GRAPHS = ("davis_southern_women", "florentine_families", "graph_atlas", "karate_club", "les_miserables")
"""Graphs that networkx carries with it; others are generated or would be downloads."""
EDGE_FIELDS = ("source", "target", "weight")
"""What a graph has that has no row for each node."""


@source("networkx")
class NetworkxSource(Arguments):
    """``networkx("karate_club")``: the nodes of a graph are the examples.

    ``node`` is what they are called, and their attributes are columns. ``A`` is [n, n]: A[i, j] is the weight of the
    edge from node j to node i. ``source``, ``target`` and ``weight`` are those of the edges, which have no row for each
    node; an undirected edge is there in both directions.

    ``graph_atlas`` are the graphs of up to 7 nodes, and these are the examples: ``A`` is [n, 7, 7], filled up with 0,
    and ``nodes`` says how many nodes there are.
    """

    name: str
    weight: str | None = "weight"
    """The attribute of edges that is their weight, 1 where edges have none of this name; None for 1 in any case."""

    @field_validator("name")
    @classmethod
    def _bundled(cls, name: str) -> str:
        if name not in GRAPHS:
            close = did_you_mean(name, GRAPHS)
            raise ValueError(f"networkx bundles {', '.join(GRAPHS)}" + (f"; {close}" if close else ""))
        return name


def rowless(kind: str, arguments: Mapping[str, Any]) -> frozenset[str]:
    """The fields of a source that have no row for each example."""
    return frozenset(EDGE_FIELDS) if kind == "networkx" else frozenset(arguments.get("whole") or ())


Kind = Literal["int", "float", "bool", "text", "date"]
"""What the cells of a column are."""


def _known_encoding(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise ValueError("no such encoding of text; utf-8, cp1252, latin-1 and utf-16 are usual") from None
    return encoding


_PARTS_OF_TIMES = frozenset({"%H", "%I", "%p", "%M", "%S", "%f", "%z", "%%"})
_PARTS_OF_DATES = frozenset({"%Y", "%y", "%m", "%b", "%B", "%d", "%j", "%a", "%A"}) | _PARTS_OF_TIMES


@source("csv")
class CsvSource(Arguments):
    """``csv("wine.csv", target="quality")``: every column is a field, by its name in the first line.

    ``data`` is the matrix of the columns of numbers and booleans but the target, in the order of the file.
    """

    path: str
    """The file, from the folder of the spec."""
    target: str | None = None
    """The column that ``data.target`` is another name of."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """What separates cells: ``";"``, ``"\\t"``."""
    decimal: Literal[".", ","] = "."
    """What separates the fraction of a number: ``","`` reads 3,5. Separators of thousands are not read."""
    missing: list[Annotated[str, BeforeValidator(_text_of_number)]] = Field(default_factory=list)
    """Cells that mean "no value" besides empty ones, NA, N/A, nan, null, none and ?; those count in columns of numbers,
    booleans and dates, while in a column of texts only empty cells and those named here do."""
    kinds: dict[str, Kind] = Field(default_factory=dict)
    """What columns are, by name: int, float, bool, text or date (ISO 8601). It is found out for the others."""
    encoding: str = "utf-8"
    """How the file's characters are written, such as ``"cp1252"``."""
    columns: list[str] | None = None
    """The columns that ``data`` has side by side, in this order; all of numbers and booleans but the target if None."""
    names: list[str] | None = None
    """What the columns are called, of a file whose first line is a row like the others."""
    without: dict[str, str] = Field(default_factory=dict)
    """Characters that are left out of the cells of a column, by its name, before they are read: ``{price: "$,"}``."""
    skip: Count = 0
    """How many lines stand above the names of the columns, as a title does."""
    comment: str | None = Field(default=None, min_length=1)
    """What lines begin with that are no rows: ``"#"``."""
    dates: dict[str, str] = Field(default_factory=dict)
    """How the dates of a column are written, by its name, as Python's ``strptime`` has it: ``{day: "%m/%d/%Y"}``.

    A month is its first day, a time of day one of 1970-01-01, and parts of a second, ``%f``, are left out.
    """

    @field_validator("dates")
    @classmethod
    def _says_the_day(cls, dates: dict[str, str]) -> dict[str, str]:
        for name, form in dates.items():
            parts = set(re.findall(r"%.", form))
            days = parts - _PARTS_OF_TIMES
            if days and not (days & {"%Y", "%y"} and days & {"%m", "%b", "%B", "%j"}):
                raise ValueError(f"`{name}` needs a month and a year, as `%d.%m.%Y` and `%Y-%m` have")
            if not days and not parts & {"%H", "%I"}:
                raise ValueError(f"`{name}` needs a day as `%d.%m.%Y` has one, or a time as `%H:%M`")
            if parts - _PARTS_OF_DATES:
                odd = min(parts - _PARTS_OF_DATES)
                raise ValueError(f"`{name}` has `{odd}`, which is none of {' '.join(sorted(_PARTS_OF_DATES))}")
        return dates

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, delimiter: str) -> str:
        if delimiter in '"\r\n':
            raise ValueError("a character between cells is needed, such as `;`")
        return delimiter

    _known = field_validator("encoding")(_known_encoding)


@source("parquet")
class ParquetSource(Arguments):
    """``parquet("wine.parquet", target="quality")``: fields as those of ``csv``."""

    path: str
    """The file, from the folder of the spec."""
    target: str | None = None
    """The column that ``data.target`` is another name of."""
    columns: list[str] | None = None
    """The columns that ``data`` has side by side, as in ``csv``."""


@source("images")
class ImagesSource(Arguments):
    """``images("pets", size=[32, 32])``: pictures from a folder whose subfolders are the classes.

    ``image`` is [n, c, h, w] from 0 to 1, ``label`` the number of the subfolder, ``file`` the name of the picture. A
    folder of pictures without subfolders has no ``label``.
    """

    path: str
    """The folder, from the folder of the spec."""
    size: Annotated[list[PositiveCount], Field(min_length=2, max_length=2)] | None = None
    """Height and width to which every picture is scaled; they must be of one size unless it is given."""
    colour: Literal["grey", "rgb"] | None = None
    """One channel or three; grey if all pictures are grey, unless it is given."""
    masks: str | None = None
    """A folder with a picture of the same name for each, whose pixels are class numbers: ``mask``, i64[n, h, w]."""
    classes: list[str] | None = None
    """The subfolders that are the classes, in the order of their numbers; all of them by their names unless given."""
    boxes: str | None = None
    """A CSV file with a line for each box: ``file``, ``left``, ``top``, ``right`` and ``bottom`` in pixels of the
    upright picture, and ``label`` if wanted. ``boxes`` is [n, m, 4] in pixels of the picture as it is scaled, for the m
    boxes of the picture that has most; ``box_count`` is how many there are, and ``box_label`` [n, m]. The rest is 0."""
    box_classes: list[str] | None = None
    """The labels of boxes that are classes, in the order of their numbers; all texts by name unless given."""

    @field_validator("classes", "box_classes")
    @classmethod
    def _once(cls, classes: list[str] | None) -> list[str] | None:
        if classes is not None and len(set(classes)) < len(classes):
            raise ValueError("each class is named once")
        return classes

    @model_validator(mode="after")
    def _of_boxes(self) -> ImagesSource:
        if self.box_classes is not None and self.boxes is None:
            raise ValueError("`box_classes` are those of `boxes`, which names a file")
        return self


@source("text")
class TextSource(Arguments):
    """``text("book.txt")``: a text, cut into tokens, a row each: ``ids``.

    Characters and words are texts, which a vocabulary numbers; bytes are their numbers, 0 to 255.
    """

    path: str
    """The file, from the folder of the spec."""
    tokens: str = "characters"
    """What rows are: ``characters``, ``bytes``, or ``words``, which are runs of letters, digits and underscores, and
    each other character that is not white space by itself; or a tokenizer of Hugging Face, ``"tokenizer.json"``."""
    encoding: str = "utf-8"
    """How the file's characters are written; bytes are taken as they are."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """The SHA-256 of the file, which another file does not have."""

    _known = field_validator("encoding")(_known_encoding)

    @field_validator("tokens")
    @classmethod
    def _cuts(cls, tokens: str) -> str:
        if tokens not in CUTS and not tokens.endswith(FILE):
            close = did_you_mean(tokens, CUTS)
            known = f'{", ".join(CUTS)}, or a tokenizer, as in `tokens="tokenizer.json"`'
            raise ValueError(close or f"known are {known}")
        return tokens


class Inner(Arguments):
    """A source that another one takes: its kind and its arguments, which have been checked."""

    kind: str
    arguments: dict[str, Any]


@source("windows")
class WindowsSource(Arguments):
    """``windows(csv("co2.csv"), length=24)``: stretches of a series, and what comes after each.

    A field ``c`` of numbers becomes ``c``, [n, length], and ``c_next``, [n, horizon]. ``data`` and ``data_next`` are
    the columns of numbers side by side, [n, length, columns] and [n, horizon, columns]; ``target`` is ``c_next`` of
    the source's target. Texts, dates, ``time`` and ``by`` are those of the last row of the window.

    ``windows(text("book.txt"), context=128)``: stretches, and the same a row later, [n, context] both. The tokens of a
    text are ``ids``, and those that come next ``next``.
    """

    rows: Inner
    """The source whose rows are the series, in the order of time."""
    length: PositiveCount | None = None
    """How many rows a window has."""
    horizon: Count = 1
    """How many rows after it are to be foretold."""
    stride: PositiveCount | None = None
    """By how many rows the next window begins later: 1, or ``context``, unless given."""
    time: str | None = None
    """A column of dates or numbers that grows by the same step from row to row, in seconds or in months."""
    gaps: Literal["refuse", "split"] = "refuse"
    """What is done where ``time`` takes a larger or smaller step: ``split`` lets no window reach across."""
    by: str | None = None
    """A column that tells series apart, which may be interleaved."""
    columns: list[str] | None = None
    """The columns that ``data`` has side by side, in this order; all columns of numbers unless given."""
    context: PositiveCount | None = None
    """How many rows a window has after each of which the next one is to be foretold, in place of ``length``."""

    @property
    def held(self) -> int:
        """How many rows a window has."""
        return self.length or self.context or 1

    @property
    def ahead(self) -> tuple[int, int]:
        """Which rows are to be foretold, counted from the first row of the window: the first, and how many."""
        return (1, self.context) if self.context is not None else (self.held, self.horizon)

    @property
    def step(self) -> int:
        """By how many rows the next window begins later."""
        return self.stride or self.context or 1

    @model_validator(mode="after")
    def _of_one_length(self) -> WindowsSource:
        if self.length is None and self.context is None:
            raise ValueError("say how many rows a window has: `length=24`, or `context=128` to foretell each next row")
        if self.context is not None and (self.length is not None or "horizon" in self.model_fields_set):
            raise ValueError("`context` foretells the row after each; `length` and `horizon` are of other windows")
        return self

    @field_validator("rows", mode="before")
    @classmethod
    def _is_source(cls, rows: Any) -> Any:
        if not isinstance(rows, Mapping) or rows.keys() != {"kind", "arguments"}:
            raise ValueError('a source is needed, as in `windows(csv("co2.csv"), length=24)`')
        return rows


def source_arguments(
    kind: str,
    positional: Sequence[Any],
    named: Mapping[str, Any],
    span: Span | None,
    report: Report,
) -> dict[str, Any] | None:
    """Arguments of a data source by name; None (and errors in the report) if they are wrong."""
    if kind not in SOURCES:
        known = [*SOURCES, GENERATE, FRESH]
        report.error(
            "AX0705",
            f"there is no data source `{kind}`",
            span,
            help=did_you_mean(kind, known) or f"known: {', '.join(known)}",
        )
        return None
    names = list(SOURCES[kind].model_fields)
    if len(positional) > len(names):
        report.error("AX0702", f"`{kind}` takes {', '.join(names)} and nothing more", span)
        return None
    values = {**dict(zip(names, positional, strict=False)), **named}
    given = validated(SOURCES[kind], values, {}, span, report)
    return given.model_dump() if given is not None else None
