"""What initialisers promise: the mean and variance of their draws, and the largest of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHAPE = 200, 300
"""Of the matrix that is drawn: 200 inputs of 300 units."""
_INPUTS, _UNITS = SHAPE
TRUNCATED = 1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
"""Variance of the normal distribution within two standard deviations."""


@dataclass(frozen=True)
class Moments:
    """Mean, variance and, where there is one, bound of the draws of an initialiser."""

    mean: float
    variance: float
    bound: float | None = None


def uniform(variance: float) -> Moments:
    """Those of a uniform distribution about 0."""
    return Moments(0, variance, math.sqrt(3 * variance))


def truncated(std: float) -> Moments:
    """Those of a normal distribution within two standard deviations."""
    return Moments(0, std**2 * TRUNCATED, 2 * std)


INITIALISERS: dict[str, Moments] = {
    "uniform()": Moments(0.5, 1 / 12),
    "uniform(-2, 4)": Moments(1, 3),
    "normal()": Moments(0, 1),
    "normal(0, 0.02)": Moments(0, 0.02**2),
    "normal(mean=3, std=2)": Moments(3, 4),
    "truncated_normal()": truncated(1),
    "truncated_normal(0, 0.1)": truncated(0.1),
    "gumbel()": Moments(0.57721566, math.pi**2 / 6),
    "xavier()": Moments(0, 1 / _INPUTS),
    "xavier(mode=fan_out, distribution=uniform)": uniform(1 / _UNITS),
    "xavier(mode=fan_avg)": Moments(0, 2 / (_INPUTS + _UNITS)),
    "xavier(fan_avg, uniform)": uniform(2 / (_INPUTS + _UNITS)),
    "glorot_uniform()": uniform(2 / (_INPUTS + _UNITS)),
    "glorot_uniform(gain=2)": uniform(8 / (_INPUTS + _UNITS)),
    "glorot_normal()": Moments(0, 2 / (_INPUTS + _UNITS)),
    "glorot_normal(gain=0.5)": Moments(0, 0.5 / (_INPUTS + _UNITS)),
    "he_uniform()": uniform(2 / _INPUTS),
    "he_uniform(slope=1)": uniform(1 / _INPUTS),
    "he_normal()": Moments(0, 2 / _INPUTS),
    "he_normal(0.5)": Moments(0, 1.6 / _INPUTS),
    "lecun_uniform()": uniform(1 / _INPUTS),
    "lecun_normal()": Moments(0, 1 / _INPUTS),
    "fan_in_uniform()": uniform(1 / (3 * _INPUTS)),
    "variance_scaling()": Moments(0, 1 / _INPUTS),
    "variance_scaling(2, fan_out, uniform)": uniform(2 / _UNITS),
    "variance_scaling(3, mode=fan_avg, distribution=truncated_normal)": Moments(
        0, 6 / (_INPUTS + _UNITS), 2 * math.sqrt(6 / (_INPUTS + _UNITS) / TRUNCATED)
    ),
    "orthogonal()": Moments(0, 1 / _UNITS),
    "sparse(0.1)": Moments(0, 0.1),
}
