"""What a ``train`` block may set, checked by pydantic. A setting is declared as a field of ``TrainSettings``; what it
does stands where it is read, mostly in ``runtime/training/fit.py``.

Importing this module imports pydantic, so it is imported only where a ``train`` block is read. What this module does
not do: steps and feeds (they are statements, not settings), and whether the data fits (only a run can tell).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from archonnx.grammar.diagnostics import Report, did_you_mean
from archonnx.grammar.source import Span


def _number(value: Any) -> Any:
    """Numbers are numbers: ``true`` is none, and neither is a text. They are finite, since JSON holds no others."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is needed")
    if not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return value


SEEDS = 2**63
"""A seed is a number below this one, from 0 on: an i64 in graphs."""


class _Compiled:
    """A mark on a setting."""


COMPILED = _Compiled()
"""Marks a setting that shapes the graphs or the order of programs: it is given in the spec, not at the command line."""
Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=0)]
Seed = Annotated[Count, Field(lt=SEEDS)]
PositiveCount = Annotated[int, BeforeValidator(_number), Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Split(Settings):
    """How the examples are shared out: fractions that sum to 1, or counts (all of them integers, more than 1 in all).

    Fields are named as in a feed: ``label`` is one of the model or of the data, ``data.label`` one of the data.

    Attributes:
        seed: of what is drawn.
        by: ``order`` takes the first examples for training and the last for the test, ``random`` draws; unless given,
            what ``shuffle`` says.
        stratify: a field whose values keep their proportions in every part.
        group: a field; the examples that share a value of it are in one part.
        column: a field of texts that says for each example in which part it is; then there are no sizes.
        fold: ``(i, k)``: what is not in the test part is cut into ``k`` pieces, and the ``i``-th is the valid part.
    """

    train: Annotated[int | float, BeforeValidator(_number), Field(gt=0)] = 1.0
    valid: Annotated[int | float, BeforeValidator(_number), Field(ge=0)] = 0
    test: Annotated[int | float, BeforeValidator(_number), Field(ge=0)] = 0
    seed: Seed = 0
    by: Literal["order", "random"] | None = None
    stratify: str | None = None
    group: str | None = None
    column: str | None = None
    fold: tuple[PositiveCount, PositiveCount] | None = None

    @property
    def parts(self) -> dict[str, int | float]:
        """Sizes of the three parts, in order."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    @property
    def counts(self) -> bool:
        """Whether the sizes are numbers of examples."""
        sizes = self.parts.values()
        return all(isinstance(size, int) for size in sizes) and sum(sizes) > 1

    def may_have(self, part: str) -> bool:
        """Whether there may be examples in a part; with ``column`` the data alone knows."""
        return self.column is not None or bool(self.parts[part]) or (part == "valid" and self.fold is not None)

    def in_order(self, shuffle: bool) -> bool:
        """Whether the parts are pieces of the data as it stands, the first for training."""
        rules = (self.stratify, self.group, self.column)
        return self.by == "order" or (self.by is None and not shuffle and all(rule is None for rule in rules))

    @field_validator("fold")
    @classmethod
    def _one_of_several(cls, fold: tuple[int, int] | None) -> tuple[int, int] | None:
        if fold is not None and not (fold[0] <= fold[1] and fold[1] >= 2):
            raise ValueError("the number of a fold and of all folds is needed, as in [1, 5]")
        return fold

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        total = sum(self.parts.values())
        if not self.counts and abs(total - 1) > 1e-9 and self.column is None:
            raise ValueError(f"the fractions sum to {total:g}, not to 1")
        return self

    @model_validator(mode="after")
    def _rules_agree(self) -> Split:
        """Each rule says for every example where it is; two of them would say different things."""
        named = {"stratify": self.stratify, "group": self.group, "column": self.column}
        rules = [name for name, field in named.items() if field is not None]
        if self.by == "order" or (self.by is not None and self.column is not None):
            rules.append(f"by: {self.by}")
        if len(rules) > 1:
            raise ValueError(f"`{rules[0]}` and `{rules[1]}` exclude each other")
        sizes = [name for name, size in self.parts.items() if size != type(self).model_fields[name].default]
        if self.column is not None and sizes:
            raise ValueError(f"`column` says which part each example is in, so `{sizes[0]}` is not given")
        return self


class Transfer(Settings):
    """Weights of another run or program: those at or below a path there, to stand at or below a path here.

    Attributes:
        run: the path of the run directory, from the folder of the spec.
        program: an earlier program of the file, in place of a run.
        path: where they are there; empty for all.
        into: where they go; None for the same path.
    """

    run: str = ""
    program: str | None = None
    path: str = ""
    into: str | None = None

    @property
    def whole(self) -> bool:
        """Whether it takes what there is rather than what was named."""
        return not self.path and self.into is None

    @property
    def shared(self) -> Transfer:
        """The same without a place of this machine: of a run that is not beside the spec, its name alone."""
        return self.model_copy(update={"run": Path(self.run).name}) if Path(self.run).is_absolute() else self

    @property
    def name(self) -> str:
        """What has the weights, for people."""
        return self.run if self.program is None else f"program {self.program}"

    def __str__(self) -> str:
        path = f":{self.path}" if self.path or self.into is not None else ""
        return f"{self.name}{path}" + (f"={self.into}" if self.into is not None else "")


class EarlyStopping(Settings):
    """Stop when ``monitor`` (``valid.objective``) has not improved by ``min_delta`` for ``patience`` epochs.

    The parameters of the best epoch are restored. ``mode`` says whether small or large values are good, which otherwise
    the loss or metric says.
    """

    monitor: str
    patience: PositiveCount = 5
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    mode: Literal["min", "max"] | None = None

    @field_validator("monitor")
    @classmethod
    def _names_a_part(cls, monitor: str) -> str:
        part, dot, name = monitor.partition(".")
        if part not in ("train", "valid") or not dot or not name:
            raise ValueError("the part and the loss or metric are needed, as in `valid.objective`")
        return monitor


class Checkpoint(Settings):
    """How often the state of a training is kept: every so many minutes, or passes, whichever is sooner.

    Where neither is given, every minute.
    """

    minutes: Positive | None = None
    steps: PositiveCount | None = None

    @property
    def seconds(self) -> float | None:
        """The longest time of which the work may be lost; None where steps alone count."""
        if self.minutes is None:
            return 60.0 if self.steps is None else None
        return 60 * self.minutes


class Buckets(Settings):
    """Batches of examples of like length.

    Attributes:
        by: an integer field of the model: how long each example is.
        dim: the dim that is as long as the longest example; in a batch it is the bound of its bucket.
        at: the bounds, growing; the last bucket goes up to the longest example of all.
    """

    by: str
    dim: str
    at: Annotated[list[PositiveCount], Field(min_length=1)]

    @field_validator("at")
    @classmethod
    def _growing(cls, at: list[int]) -> list[int]:
        if any(later <= earlier for earlier, later in pairwise(at)):
            raise ValueError("bounds grow, as in [16, 32, 64]")
        return at


class TrainSettings(Settings):
    """Settings of a ``train`` block."""

    epochs: PositiveCount = 10
    batch_size: PositiveCount | Literal["all"] = 32
    batches: Annotated[Mapping[str, PositiveCount], COMPILED] = {}
    """Sizes of batches of sources by name, where their examples are counted by a dim of their own."""
    epoch_of: Annotated[str | None, COMPILED] = None
    """The source whose examples make an epoch, where there are several; the first one otherwise."""
    shuffle: bool = True
    drop_last: bool = False
    """Leave out the last batch of an epoch where it is smaller than the others."""
    buckets: Buckets | None = None
    """Put examples of like length into a batch, which is as long as its bucket; measured is at the full length."""
    seed: Seed = 0
    precision: Literal["f32", "bf16"] = "f32"
    """In what products and convolutions of training steps are computed; what is measured, and exported, is f32."""
    split: Split = Split()
    early_stopping: EarlyStopping | None = None
    checkpoint: Checkpoint = Checkpoint()
    """How often the state is kept, from which a training goes on after its process has ended."""
    clip_norm: Annotated[Positive | None, COMPILED] = None
    """Scale the gradients of a step down to this norm."""
    clip_value: Annotated[Positive | None, COMPILED] = None
    """Hold each element of the gradients between this and its opposite."""
    accumulate: Annotated[PositiveCount, COMPILED] = 1
    """How many batches one after the other make one update, by the mean of their gradients."""
    recompute: Annotated[bool, COMPILED] = False
    """Compute the steps of scans again for their gradients, in place of keeping what they computed."""
    start_from: Annotated[str | tuple[Transfer, ...] | None, COMPILED] = None
    """The earlier program whose parameters this one starts with, or weights of other runs and of parts of programs;
    fresh ones otherwise."""

    @property
    def starts_from(self) -> set[str]:
        """The earlier programs whose parameters this one takes."""
        if isinstance(self.start_from, str):
            return {self.start_from}
        return {one.program for one in self.start_from or () if one.program is not None}

    @field_validator("batch_size", mode="before")
    @classmethod
    def _batch_size(cls, value: Any) -> Any:
        if value != "all" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError("a positive number, or `all`, is needed")
        return value

    @field_validator("accumulate")
    @classmethod
    def _has_batches(cls, accumulate: int, known: ValidationInfo) -> int:
        if accumulate > 1 and known.data.get("batch_size") == "all":
            raise ValueError("an epoch with `batch_size = all` has one batch, and several are to make an update")
        return accumulate

    def changed(
        self, changes: Mapping[str, Any], report: Report, kind: type[TrainSettings] | None = None
    ) -> TrainSettings:
        """These settings with some replaced, as by ``--set split.train=0.7``; dotted keys reach inside.

        Those of a spec become ``AskedSettings`` unless another kind is wanted.
        """
        values, fields = self.model_dump(), type(self).model_fields
        for key, value in changes.items():
            outer, _, inner = key.partition(".")
            if outer in fields and COMPILED in fields[outer].metadata:
                way = "`--from RUN` starts with the weights of a run" if outer == "start_from" else None
                report.error(
                    "AX0704", f"`{key}` shapes what is compiled and can be set in the spec only", None, help=way
                )
            elif inner:
                values[outer] = {**(values.get(outer) or {}), inner: value}
            else:
                values[outer] = value
        own = AskedSettings if type(self) is TrainSettings else type(self)
        return validated(kind or own, values, {}, None, report) or self


class AskedSettings(TrainSettings):
    """The same as one may ask for a training: no epochs leave a run of what it starts with, measured."""

    epochs: Count = 10


def read_settings(values: Mapping[str, Any], spans: Mapping[str, Span], report: Report) -> TrainSettings | None:
    """Settings from the static values of a ``train`` block; None (and errors in the report) if they are wrong.

    Args:
        values: by name; nested ones as dicts.
        spans: where each was written: ``"epochs"``, and ``"split.train"`` where it is known so finely.
    """
    return validated(TrainSettings, values, spans, None, report)


# ---------------------------------------------------------------- pydantic's errors as diagnostics


Kind = TypeVar("Kind", bound=Settings)


def validated(
    kind: type[Kind],
    values: Mapping[str, Any],
    spans: Mapping[str, Span],
    default: Span | None,
    report: Report,
) -> Kind | None:
    """Settings of a kind; None (and errors in the report, at their spans or the default one) if they are wrong."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        seen: set[str] = set()
        for problem in error.errors(include_url=False):
            place = _place(kind, problem)
            if place not in seen:  # a union reports each alternative that failed
                seen.add(place)
                key = spans.get(f"{place}:key") if problem["type"] == "extra_forbidden" else None
                _report(kind, place, dict(problem), key or _span(spans, place) or default, report)
        return None


def _report(kind: type[Settings], place: str, problem: dict[str, Any], span: Span | None, report: Report) -> None:
    if problem["type"] == "extra_forbidden":
        known = _known(kind, place)
        help_text = did_you_mean(place.rpartition(".")[2], known) or f"known: {', '.join(known)}"
        report.error("AX0701", f"there is no setting `{place}`", span, help=help_text)
    elif problem["type"] == "missing":
        report.error("AX0702", f"`{place}` is not given", span)
    else:
        message = "a dictionary is needed" if problem["type"] == "model_type" else problem["msg"]
        message = message.removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
        subject = f"`{place}`" if place else "the settings"
        given = problem["input"]
        shown = f" (given: {given!r})" if isinstance(given, int | float | str) else ""
        report.error("AX0702", f"{subject}: {message}{shown}", span)


def _place(kind: type[Settings], problem: Mapping[str, Any]) -> str:
    """Where a problem is, in the spec's words: pydantic's location without the alternatives of a union."""
    names = [str(item) for item in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        return ".".join(names)
    return ".".join(name for name in names[:2] if name in _known(kind, f"{names[0]}.") or name == names[0])


def _known(kind: type[Settings], place: str) -> list[str]:
    """Names that may stand where the last name of a place stands."""
    outer, dot, _ = place.partition(".")
    owner = _nested(kind, outer) if dot else kind
    return list(owner.model_fields) if owner is not None else []


def _nested(kind: type[Settings], name: str) -> type[Settings] | None:
    """The settings inside a setting, such as those of ``split``."""
    field = kind.model_fields.get(name)
    alternatives = (field.annotation, *get_args(field.annotation)) if field is not None else ()
    return next((one for one in alternatives if isinstance(one, type) and issubclass(one, Settings)), None)


def _span(spans: Mapping[str, Span], place: str) -> Span | None:
    return spans.get(place) or spans.get(place.partition(".")[0])
