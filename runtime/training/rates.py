"""Learning rates of a trainer: those of the spec, until others are given.

A rate that is given is an input of the step, so that it changes without compiling anew. The step that has this input is
compiled when it is first needed. What this module does not do: schedules (they are code of the language).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import TrainStep
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime.device.step import StepRunner

RATE, COUNT = "/lr", "/t"
"""How a statement's learning rate and its count of steps are called, after its name."""


class Rates:
    """The learning rates of the statements that a runner runs.

    Args:
        runner: runs them.
        opened: the same statements with their learning rates as inputs.

    Attributes:
        given: those that are not the spec's, by the name of the statement; None if all are.
    """

    def __init__(self, runner: StepRunner, opened: Callable[[], Sequence[TrainStep]]) -> None:
        self._runner, self._plain = runner, runner.steps
        self._make = opened
        self._made: tuple[TrainStep, ...] | None = None
        self.given: dict[str, float] | None = None

    def _opened(self) -> tuple[TrainStep, ...]:
        if self._made is None:
            self._made = tuple(self._make())
        return self._made

    def names(self) -> list[str]:
        """The statements that have one; SpecError if none has."""
        names = [name.removesuffix(RATE) for step in self._opened() for name in step.rates]
        if not names:
            fail(
                "AX0607",
                "nothing here has a learning rate: no optimizer has a hyperparameter `lr` that is a schedule",
                None,
                help="`optimizer NAME(lr: schedule = 1e-3)(p, g, t)` has one",
            )
        return names

    def read(self) -> dict[str, float]:
        """That of the next step of each statement."""
        names = self.names()
        if self.given is not None:
            return dict(self.given)
        done = self._runner.optimizer_state()
        graphs = {name.removesuffix(RATE): graph for step in self._opened() for name, graph in step.rates.items()}
        return {
            name: _number(interpret(graphs[name], {"t": np.int64(done[f"{name}{COUNT}"] + 1)})["value"])
            for name in names
        }

    def only(self) -> float:
        """The rate, if all statements have the same."""
        rates = self.read()
        if len(set(rates.values())) > 1:
            shown = ", ".join(f"{name}: {rate:g}" for name, rate in rates.items())
            fail("AX0607", f"there are several learning rates: {shown}", None, help="read `learning_rates`")
        return next(iter(rates.values()))

    def give(self, rates: Mapping[str, float] | None) -> None:
        """Others for all statements, or None for those of the spec again."""
        if rates is None:
            if self.given is not None:
                self._runner.exchange(self._plain)
            self.given = None
            return
        checked = self._checked(rates)
        if self.given is None:
            self._runner.exchange(self._opened())
        self.given = checked
        for name, key in self._runner.rates().items():
            step = next(step for step in self._opened() if name in step.rates)
            self._runner.write(key, np.array(checked[name.removesuffix(RATE)], step.constants[name].dtype.numpy))

    def _checked(self, rates: Mapping[str, float]) -> dict[str, float]:
        names = self.names()
        for name in rates:
            if name not in names:
                known = did_you_mean(name, names) or f"those that have one: {', '.join(names)}"
                fail("AX0607", f"no statement `{name}` has a learning rate", None, help=known)
        for name in names:
            if name not in rates:
                fail("AX0607", f"the learning rate of `{name}` is not given", None, help="give all of them")
        for rate in rates.values():
            number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
            if not number or not math.isfinite(rate):
                fail("AX0702", f"a learning rate is a finite number, not {rate!r:.40}", None)
        return {name: float(rates[name]) for name in names}


def _number(value: Array) -> float:
    """The number as its own float type prints it: 0.001, not 0.0010000000474974513."""
    return float(str(value[()]))
