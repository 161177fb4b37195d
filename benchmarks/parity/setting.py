"""What is compared: a setting, an expression of the language with its inputs and an oracle; and families of them.

A family is a generator from a seed. Everything about a setting follows from the name of its family and its seed, so
that one number reproduces what a table reports. What this module does not do: run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .analytic import Array

Oracle = Callable[[Mapping[str, Any]], Any]
"""From inputs and parameters by name, in float64 or complex numbers, to the value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One expression beside its oracle.

    Attributes:
        text: an expression of the language, in which ``$x`` is the input x, and ``$m`` the module.
        inputs: arrays by name, floats in float64 (they are rounded to float32, so that all see the same numbers).
        oracle: the value in NumPy. Without a gradient it need not take complex numbers.
        wrt: the inputs and parameters for which there is a gradient to compare.
        module: a call that makes ``$m``, as in ``Conv(3, kernel=2)``.
        parameters: the parameters of ``$m`` by their path below it; the oracle has them by the same name.
        second: also compare the gradient of a gradient, for the first of ``wrt``.
        elementwise: each element of the result depends on the same element of each input.
        normwise: rounding is counted by the largest number of the result, not by each.
        given: values that are known, in place of the oracle's: ``value``, and ``slope NAME`` for a cotangent of ones.
        units: how much rounding may be, in units (see ``judging``); the family's own if None.
        refused: a setting that is wrong on purpose, which the compiler has to refuse.
    """

    text: str
    inputs: Mapping[str, Array]
    oracle: Oracle | None
    wrt: tuple[str, ...] = ("x",)
    module: str = ""
    parameters: Mapping[str, Array] = field(default_factory=dict)
    second: bool = False
    elementwise: bool = False
    normwise: bool = False
    given: Mapping[str, Array] = field(default_factory=dict)
    units: float | None = None
    refused: bool = False

    @property
    def shown(self) -> str:
        """The expression for people."""
        made = f"{self.module} in " if self.module else ""
        return made + self.text.replace("$", "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found.

    Attributes:
        what: ``value f32``, ``slope x f64``, ``second f32`` and so on.
        units: the largest error in units of rounding; infinite where a number is not finite that should be.
        note: what was got and what was wanted, where it is worst.
        skipped: the runtime has no kernel for this dtype.
    """

    what: str
    units: float
    note: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Direct:
    """A setting that compares by itself, where an expression is not enough: training steps, draws, schedules.

    Attributes:
        text: what it is, for people; it names the declarations that it tries.
        check: runs and compares.
    """

    text: str
    check: Callable[[], list[Outcome]]
    units: float | None = None

    @property
    def shown(self) -> str:
        """As a setting's."""
        return self.text


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of settings.

    Attributes:
        name: for people and for ``--family``.
        make: a setting from a generator of random numbers.
        seeds: how many there are in the whole suite.
        sample: how many of these are enough for the tests.
        units: how much rounding may be.
        double: whether the sample is run in float64 as well; the whole suite is.
    """

    name: str
    make: Callable[[np.random.Generator, int], Setting | Direct]
    seeds: int
    sample: int
    units: float = 16.0
    double: bool = False

    def setting(self, seed: int) -> Setting | Direct:
        """The setting of a seed."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        return self.make(rng, seed)


FAMILIES: dict[str, Family] = {}


def family(
    name: str, *, seeds: int, sample: int = 8, units: float = 16.0, double: bool = False
) -> Callable[[Callable[[np.random.Generator, int], Setting | Direct]], Callable[..., Setting | Direct]]:
    """Enter a generator as a family. It is given random numbers, and the seed where it goes through a list."""

    def enter(
        make: Callable[[np.random.Generator, int], Setting | Direct],
    ) -> Callable[[np.random.Generator, int], Setting | Direct]:
        assert name not in FAMILIES, f"two families are called {name}"
        FAMILIES[name] = Family(name, make, seeds, sample, units, double)
        return make

    return enter


def single(x: Any) -> Array:
    """Numbers of float32 in float64, so that every side is given the same ones."""
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(x, np.float32), np.float64)


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Normal numbers of float32."""
    return single(scale * rng.normal(size=shape))


def between(rng: np.random.Generator, low: float, high: float, *shape: int) -> Array:
    """Even numbers of float32."""
    return single(rng.uniform(low, high, shape))


def number(rng: np.random.Generator, low: float, high: float) -> float:
    """A number of three digits, as people write arguments."""
    return float(f"{rng.uniform(low, high):.3g}")


def choose(rng: np.random.Generator, *options: Any) -> Any:
    """One of these."""
    return options[int(rng.integers(len(options)))]
