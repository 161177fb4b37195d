"""Rules over a program and its data, which ``check --data`` and ``train`` ask once the data is open.

What this module does not do: open it (the runtime says what it found).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .rules import Sight


class Labels(Record):
    """The different numbers in a field of labels: in all parts, and in the train part."""

    all: frozenset[int]
    train: frozenset[int]


class DataSight(Record):
    """A program and what is known of its data.

    Attributes:
        model: whose program.
        program: whose data, with the settings that count.
        rows: how many examples there are.
        parts: how many are in each part.
        labels: of each target that is the number of a class.
        per_epoch: how many steps an epoch has; 0 where that is not known.
        bounds: 0, or the smallest and the largest number of fields of floats and of targets, in the train part.
    """

    model: ModelProgram
    program: TrainProgram
    rows: int
    parts: Mapping[str, int]
    labels: Mapping[str, Labels] = {}
    per_epoch: int = 0
    bounds: Mapping[str, tuple[float, float]] = {}

    def described(self) -> Iterator[str]:
        """``train 80``, ``test 10``."""
        return (f"{name} {size:,}" for name, size in self.parts.items() if size)

    def place(self, setting: str) -> Span | None:
        """Where a setting is written, or its program."""
        return Sight(self.model).setting(self.program, setting)

    def written(self, setting: str) -> Span | None:
        """Where a setting is written; None where the spec does not."""
        place = self.place(setting)
        return None if place == self.program.span else place


DataRule = Callable[[DataSight], Iterator[Diagnostic]]
DATA_RULES: dict[str, DataRule] = {}
"""All rules over data by their codes."""


def data_lint(code: str) -> Callable[[DataRule], DataRule]:
    """Register a rule over data: all that it finds has this code."""

    def register(rule: DataRule) -> DataRule:
        DATA_RULES[code] = rule
        return rule

    return register
