"""Judging numbers: how far they are from an oracle's, in units of rounding.

A unit is the rounding of a number (2^-24 of it in float32), or what the result changes by if the inputs are rounded:
``unit = eps (|y| + spread)``, where ``spread`` is the largest change of the oracle's result, over ``eps``, as all float
inputs are moved at random by up to one rounding. So a result that is ill conditioned may be as far off as it has to be,
and one that is off by a cancellation that the function does not have is found. What this module does not do: run specs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType

from .analytic import STEP, Array
from .running import FLOATS, NO_KERNEL, Job, Refusal, Results
from .setting import Outcome, Setting, single

SINGLE = 2.0**-24
MOVES = 3
"""How often inputs are moved, to see how much rounding them matters."""
PROBES = 24
"""Of larger inputs, so many elements have their gradients compared."""
DIFFERENCE = 1e-3
"""The step of the fourth-order differences that give second derivatives."""
FAR = float("inf")

Values = Mapping[str, Any]


def job(setting: Setting, rng: np.random.Generator) -> Job:
    """A setting with its weights: of normal numbers, or of ones where the slopes are given."""
    if not setting.wrt:
        return Job(setting, None, None)
    if (value := setting.given.get("value")) is not None and setting.oracle is None:
        return Job(setting, np.ones(np.shape(value)), None)
    with np.errstate(all="ignore"):
        shape = np.shape(_oracle(setting)({**setting.inputs, **setting.parameters}))
    w = np.ones(shape) if _slopes_given(setting) else single(rng.normal(size=shape))
    z = single(rng.normal(size=np.shape(setting.inputs[setting.wrt[0]]))) if setting.second else None
    return Job(setting, w, z)


def _slopes_given(setting: Setting) -> bool:
    return any(name.startswith("slope") for name in setting.given)


def _oracle(setting: Setting) -> Callable[[Values], Any]:
    assert setting.oracle is not None
    return setting.oracle


def outcomes(
    job: Job, found: Results | Refusal, dtype: DType, rng: np.random.Generator, absolute: bool = False
) -> list[Outcome]:
    """Every result of a job beside what its oracle says.

    Args:
        job: what was run.
        found: what it gave.
        dtype: of its floats.
        rng: moves the inputs, to see how much their rounding matters.
        absolute: rounding is counted from 1 and from x on, by a convention.
    """
    setting = job.setting
    if isinstance(found, Refusal):
        if found.code in NO_KERNEL and dtype is DType.f64:
            return [Outcome(f"value {dtype}", 0.0, found.reason, skipped=True)]
        if setting.refused and found.code.startswith("AX"):
            return [Outcome("refused", 0.0)]
        return [Outcome(f"runs {dtype}", FAR, f"{found.code}: {found.reason}")]
    if setting.refused:
        return [Outcome("refused", FAR, "was not refused")]
    with np.errstate(all="ignore"):
        wanted = _Wanted(job, rng, absolute)
        return [
            compare(f"{what} {dtype}", got, *wanted.of(what), dtype)
            for what, got in found.items()
            if not (what == "second" and dtype is DType.f64)  # differences are not as precise as that
        ]


class _Wanted:
    """What an oracle says of a job, and how far rounding its inputs moves that."""

    def __init__(self, job: Job, rng: np.random.Generator, absolute: bool) -> None:
        self.absolute = absolute
        self.setting = job.setting
        self.values: dict[str, Any] = {**self.setting.inputs, **self.setting.parameters}
        if job.w is not None:
            self.values["$w"] = job.w
        if job.z is not None:
            self.values["$z"] = job.z
        self.moved = [self._moved(rng) for _ in range(MOVES)]

    def _moved(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            name: value * (1 + SINGLE * rng.uniform(-1, 1, np.shape(value))) if _is_float(value) else value
            for name, value in self.values.items()
        }

    def of(self, what: str) -> tuple[Array, Array, Array | None]:
        """The value or gradient, the scale of a unit (without eps), and which elements were computed (None: all)."""
        setting = self.setting
        if what in setting.given:
            want = np.asarray(setting.given[what])
            return want, np.abs(np.where(np.isfinite(want), want, 0)), None
        if what.startswith("slope") and setting.oracle is None:
            return np.asarray(np.nan), np.zeros(()), np.zeros(0, int)
        compute, places = self._computation(what)
        want = np.asarray(compute(self.values))
        if want.dtype.kind != "f":
            return want, np.zeros(want.shape), places
        spread = np.zeros(want.shape)
        for values in self.moved:
            change = np.abs(compute(values) - want) / SINGLE
            spread = np.maximum(spread, np.where(np.isfinite(change), change, 0))
        scale = np.where(np.isfinite(want), np.abs(want), 0) + spread
        if setting.normwise and want.size:
            scale = scale + scale.max()
        if self.absolute:
            x = np.abs(self.values["x"]) if setting.elementwise else 0
            scale = scale + 1 + x * (1 + x if what == "second" else 1)
        return want, scale, places

    def _computation(self, what: str) -> tuple[Callable[[Values], Array], Array | None]:
        oracle = _oracle(self.setting)
        if what == "value":
            return (lambda values: np.asarray(oracle(values))), None
        name = self.setting.wrt[0] if what == "second" else what.removeprefix("slope ")
        shape = np.shape(self.values[name])
        size = int(np.prod(shape))
        if self.setting.elementwise and all(np.shape(v) == shape for v in self.setting.inputs.values()):
            if what == "second":
                return (lambda values: _second_elementwise(oracle, values, name)), None
            return (lambda values: _step(oracle, values, name, np.ones(shape)) * values["$w"]), None
        places = np.arange(size)
        if size > PROBES:
            places = np.random.default_rng(size).choice(size, PROBES, replace=False)
        gradient = _second if what == "second" else _gradient
        return (lambda values: gradient(oracle, values, name, places)), places


def _is_float(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f"


def _step(oracle: Callable[[Values], Any], values: Values, name: str, along: Array) -> Array:
    """The derivative of the value along a direction of one input."""
    return np.asarray(np.imag(oracle({**values, name: values[name] + 1j * STEP * along})) / STEP)


def _unit(shape: tuple[int, ...], place: int) -> Array:
    along = np.zeros(int(np.prod(shape)))
    along[place] = 1
    return along.reshape(shape)


def _gradient(oracle: Callable[[Values], Any], values: Values, name: str, places: Array) -> Array:
    """The gradient of sum(w y), at some elements of an input."""
    shape = np.shape(values[name])
    return np.array([(values["$w"] * _step(oracle, values, name, _unit(shape, p))).sum() for p in places])


def _differences(slope: Callable[[Array], Array], x: Array, along: Array) -> Array:
    """The derivative of a slope by differences of the fourth order."""
    h = float((DIFFERENCE * np.maximum(np.abs(x), 0.1))[along != 0].min())
    near = slope(x + h * along) - slope(x - h * along)
    far = slope(x + 2 * h * along) - slope(x - 2 * h * along)
    return np.asarray((8 * near - far) / (12 * h))


def _second(oracle: Callable[[Values], Any], values: Values, name: str, places: Array) -> Array:
    """The gradient of sum(z g), where g is the gradient of sum(w y), at some elements."""
    x = np.asarray(values[name])

    def slope(moved: Array) -> Array:
        return np.asarray((values["$w"] * _step(oracle, {**values, name: moved}, name, values["$z"])).sum())

    return np.array([_differences(slope, x, _unit(x.shape, p)) for p in places])


def _second_elementwise(oracle: Callable[[Values], Any], values: Values, name: str) -> Array:
    x = np.asarray(values[name])
    h = DIFFERENCE * np.maximum(np.abs(x), 0.1)
    ones = np.ones(x.shape)

    def slope(moved: Array) -> Array:
        return _step(oracle, {**values, name: moved}, name, ones)

    near, far = slope(x + h) - slope(x - h), slope(x + 2 * h) - slope(x - 2 * h)
    return np.asarray(values["$w"] * values["$z"] * (8 * near - far) / (12 * h))


def compare(
    what: str, got: Any, want: Array, scale: Array, places: Array | None = None, dtype: DType = DType.f32
) -> Outcome:
    """The largest error in units of rounding; infinite where one is finite and the other is not."""
    got = np.asarray(got)
    if places is not None:
        got = got.reshape(-1)[places]
        if not len(places):
            return Outcome(what, 0.0)
    if got.shape != want.shape:
        return Outcome(what, FAR, f"the shape is {got.shape}, not {want.shape}")
    if want.dtype.kind != "f" or got.dtype.kind != "f":
        wrong = got != want
        return Outcome(what, FAR if wrong.any() else 0.0, _at(wrong, got, want) if wrong.any() else "")
    numbers = FLOATS[dtype]
    limits = np.finfo(numbers)
    eps = float(limits.eps) / 2
    with np.errstate(all="ignore"):
        rounded = want.astype(numbers)
        unit = eps * scale + float(limits.tiny)
        if what.startswith("second"):
            unit = unit + 1e-9 * (scale + scale.max(initial=0))
        error = np.abs(got.astype(np.float64) - want) / unit
        same = (got == rounded) | (np.isnan(got) & np.isnan(want))
        beyond = np.isfinite(want) & (np.abs(want) > 0.99 * float(limits.max)) & (np.abs(got) > 0.9 * float(limits.max))
        error = np.where(same | beyond, 0.0, np.where(np.isfinite(error), error, FAR))
    if not error.size:
        return Outcome(what, 0.0)
    worst = float(error.max())
    return Outcome(what, worst, _at(error == worst, got, want) if worst > 0 else "")


def _at(where: Array, got: Array, want: Array) -> str:
    place = tuple(int(i) for i in np.argwhere(where)[0])
    return f"{got[place]:.9g} for {want[place]:.9g} at {list(place)}" if place else f"{got[()]:.9g} for {want[()]:.9g}"
