"""What a ``train`` block may set, and what each data source takes: types, ranges, and what must hold between them.

Every setting has a reader, which says what is wrong with a value. What this module does not do: steps and feeds (they
are statements, not settings), and whether the data fits (only a run can tell).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar

from archonnx.grammar.diagnostics import Report, did_you_mean
from archonnx.grammar.record import REQUIRED, Record, field, fields
from archonnx.grammar.source import Span

# ---------------------------------------------------------------- readers

Reader = Callable[[Any], Any]
"""From a value to the setting that it means; ValueError, in words, where it means none."""
Readers = Mapping[str, "Reader | type[Settings]"]
"""How each setting is read; nested settings are read by their class."""


def _number(value: Any) -> int | float:
    """Numbers are numbers: ``true`` is none, and neither is a text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is needed")
    return value


def _above(bound: float) -> Reader:
    def read(value: Any) -> int | float:
        if not _number(value) > bound:
            raise ValueError(f"should be greater than {bound}")
        return _number(value)

    return read


def _at_least(bound: float) -> Reader:
    def read(value: Any) -> int | float:
        if not _number(value) >= bound:
            raise ValueError(f"should be greater than or equal to {bound}")
        return _number(value)

    return read


def _count(least: int) -> Reader:
    def read(value: Any) -> int:
        if isinstance(_number(value), float) and not value.is_integer():
            raise ValueError("a valid integer is needed")
        return int(_at_least(least)(value))

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is needed")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is needed")
    return value


def _batch_size(value: Any) -> int | str:
    if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("a positive number, or `all`, is needed")
    return value  # type: ignore[no-any-return]


def _mode(value: Any) -> str:
    if value not in ("min", "max"):
        raise ValueError("should be 'min' or 'max'")
    return _text(value)


def _monitor(value: Any) -> str:
    part, dot, name = _text(value).partition(".")
    if part not in ("train", "valid") or not dot or not name:
        raise ValueError("the part and the loss or metric are needed, as in `valid.objective`")
    return _text(value)


def _delimiter(value: Any) -> str:
    if len(_text(value)) != 1:
        raise ValueError("one character is needed")
    return _text(value)


def _bundled(value: Any) -> str:
    if value not in BUNDLED:
        close = did_you_mean(str(value), BUNDLED)
        raise ValueError(f"scikit-learn bundles {', '.join(BUNDLED)}" + (f"; {close}" if close else ""))
    return _text(value)


# ---------------------------------------------------------------- settings of a train block


class Settings(Record):
    """Base of all settings. A setting whose default is None may be none."""

    READERS: ClassVar[Readers] = {}

    def as_dict(self) -> dict[str, Any]:
        """The settings by name; nested ones as dicts."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value.as_dict() if isinstance(value, Settings) else value for name, value in values.items()}

    def disagreement(self) -> str | None:
        """What must hold between the settings and does not."""
        return None


class Split(Settings):
    """How the examples are shared out: fractions that sum to 1, or counts (all of them integers, more than 1 in all).

    ``stratify`` names a field whose values keep their proportions in every part.
    """

    READERS: ClassVar[Readers] = {
        "train": _above(0), "valid": _at_least(0), "test": _at_least(0), "seed": _count(0), "stratify": _text,
    }
    train: int | float = 1.0
    valid: int | float = 0
    test: int | float = 0
    seed: int = 0
    stratify: str | None = None

    @property
    def parts(self) -> dict[str, int | float]:
        """Sizes of the three parts, in order."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def counts(self) -> bool:
        """Whether the sizes are numbers of examples."""
        sizes = self.parts.values()
        return all(isinstance(size, int) for size in sizes) and sum(sizes) > 1

    def disagreement(self) -> str | None:
        total = sum(self.parts.values())
        return None if self.counts or abs(total - 1) <= 1e-9 else f"the fractions sum to {total:g}, not to 1"


class EarlyStopping(Settings):
    """Stop when ``monitor`` (``valid.objective``) has not improved by ``min_delta`` for ``patience`` epochs.

    The parameters of the best epoch are restored. ``mode`` is ``min`` for losses and ``max`` for metrics unless given.
    """

    READERS: ClassVar[Readers] = {
        "monitor": _monitor, "patience": _count(1), "min_delta": _at_least(0), "mode": _mode,
    }
    monitor: str
    patience: int = 5
    min_delta: float = 0.0
    mode: Literal["min", "max"] | None = None


class TrainSettings(Settings):
    """Settings of a ``train`` block."""

    COMPILED: ClassVar[frozenset[str]] = frozenset({"clip_norm", "start_from"})
    """Settings that shape the graphs or the order of programs: given in the spec, not at the command line."""
    READERS: ClassVar[Readers] = {
        "epochs": _count(1), "batch_size": _batch_size, "shuffle": _flag, "seed": _count(0), "split": Split,
        "early_stopping": EarlyStopping, "clip_norm": _above(0), "start_from": _text,
    }

    epochs: int = 10
    batch_size: int | Literal["all"] = 32
    shuffle: bool = True
    seed: int = 0
    split: Split = field(default=Split())
    early_stopping: EarlyStopping | None = None
    clip_norm: float | None = None
    """Scale the gradients of a step down to this norm."""
    start_from: str | None = None
    """The earlier program whose parameters this one starts with; fresh ones otherwise."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Settings from values by name, as ``as_dict`` gives them; SpecError if they are wrong."""
        report = Report()
        settings = _read(cls, values, {}, None, report)
        report.finish()
        assert settings is not None
        return settings

    def changed(self, changes: Mapping[str, Any], report: Report) -> TrainSettings:
        """These settings with some replaced, as by ``--set split.train=0.7``; dotted keys reach inside."""
        values = self.as_dict()
        for key, value in changes.items():
            outer, _, inner = key.partition(".")
            if outer in self.COMPILED:
                report.error("AX0704", f"`{key}` shapes what is compiled and can be set in the spec only", None)
            elif inner:
                values[outer] = {**(values.get(outer) or {}), inner: value}
            else:
                values[outer] = value
        return read_settings(values, {}, report) or self


def read_settings(values: Mapping[str, Any], spans: Mapping[str, Span], report: Report) -> TrainSettings | None:
    """Settings from the static values of a ``train`` block; None (and errors in the report) if they are wrong.

    Args:
        values: by name; nested ones as dicts.
        spans: where each was written: ``"epochs"``, and ``"split.train"`` where it is known so finely.
        report: takes what is wrong.
    """
    return _read(TrainSettings, values, spans, None, report)


# ---------------------------------------------------------------- data sources

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""Data sets that scikit-learn carries with it; the others would be downloads."""


class SklearnSource(Settings):
    """``sklearn("digits")``."""

    READERS: ClassVar[Readers] = {"name": _bundled}
    name: str


class NpzSource(Settings):
    """``npz("moons.npz")``: every array of the file is a field."""

    READERS: ClassVar[Readers] = {"path": _text}
    path: str


class CsvSource(Settings):
    """``csv("wine.csv", target="quality")``: every column is a field; ``data`` is the matrix of the numeric ones."""

    READERS: ClassVar[Readers] = {"path": _text, "target": _text, "delimiter": _delimiter}
    path: str
    target: str | None = None
    delimiter: str = ","


SOURCES: Mapping[str, type[Settings]] = {"sklearn": SklearnSource, "npz": NpzSource, "csv": CsvSource}
"""Kinds of sources with fixed arguments. (``generate`` takes those of the function it is given.)"""


def source_arguments(
    kind: str, positional: Sequence[Any], named: Mapping[str, Any], span: Span | None, report: Report,
) -> dict[str, Any] | None:
    """Arguments of a data source by name; None (and errors in the report) if they are wrong."""
    if kind not in SOURCES:
        report.error("AX0705", f"there is no data source `{kind}`", span,
                     help=did_you_mean(kind, [*SOURCES, "generate"]) or f"known: {', '.join([*SOURCES, 'generate'])}")
        return None
    names = [f.name for f in fields(SOURCES[kind])]
    if len(positional) > len(names):
        report.error("AX0702", f"`{kind}` takes {', '.join(names)} and nothing more", span)
        return None
    values = {**dict(zip(names, positional, strict=False)), **named}
    source = _read(SOURCES[kind], values, {}, span, report)
    return source.as_dict() if source is not None else None


# ---------------------------------------------------------------- reading

Kind = TypeVar("Kind", bound=Settings)


def _read(
    kind: type[Kind], values: Mapping[str, Any], spans: Mapping[str, Span], default: Span | None, report: Report,
) -> Kind | None:
    reading = _Reading(spans, default, report)
    settings = reading.settings(kind, values)
    return None if reading.failed else settings


class _Reading:
    """Reads settings by their places (``split.train``), and tells the report what is wrong with each."""

    def __init__(self, spans: Mapping[str, Span], default: Span | None, report: Report) -> None:
        self.spans, self.default, self.report = spans, default, report
        self.failed = False

    def settings(self, kind: type[Kind], values: Mapping[str, Any], outer: str = "") -> Kind | None:
        """Settings of a kind, nested in the setting ``outer``; None if one of them is wrong."""
        known = {f.name: f for f in fields(kind)}
        read: dict[str, Any] = {}
        for name, value in values.items():
            place = _inside(outer, name)
            if name not in known:
                self._error("AX0701", f"there is no setting `{place}`", place,
                            did_you_mean(name, known) or f"known: {', '.join(known)}")
            elif value is None and known[name].default is None:
                read[name] = None
            else:
                read[name] = self._value(kind.READERS[name], value, place)
        for f in known.values():
            if f.default is REQUIRED and f.name not in values:
                self._error("AX0702", f"`{_inside(outer, f.name)}` is not given", outer)
        if self.failed:
            return None
        settings = kind(**read)
        if (what := settings.disagreement()) is not None:
            self._error("AX0702", f"`{outer}`: {what}", outer)
        return settings

    def _value(self, reader: Reader | type[Settings], value: Any, place: str) -> Any:
        try:
            if not isinstance(reader, type):
                return reader(value)
            if not isinstance(value, Mapping):
                raise ValueError("a dictionary is needed")
            return self.settings(reader, value, place)
        except ValueError as error:
            shown = f" (given: {value!r})" if isinstance(value, int | float | str) else ""
            self._error("AX0702", f"`{place}`: {error}{shown}", place)
            return None

    def _error(self, code: str, headline: str, place: str, help: str | None = None) -> None:
        """An error at the finest place that is known."""
        span = self.spans.get(place) or self.spans.get(place.partition(".")[0]) or self.default
        self.report.error(code, headline, span, help=help)
        self.failed = True


def _inside(outer: str, name: str) -> str:
    return f"{outer}.{name}" if outer else name
