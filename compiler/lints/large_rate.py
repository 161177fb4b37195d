"""A learning rate with which no training gets anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

LARGEST: Mapping[str, float] = {
    **dict.fromkeys(("adam", "adamw", "nadam", "radam", "adamax", "rmsprop"), 0.5),
    "lion": 0.1,
    "adagrad": 5.0,
    "sgd": 10.0,
}
"""Optimizers of the library by the largest rate that is used."""
BY_THE_GRADIENT = ("sgd", "adagrad")
"""Those whose steps are as long as the gradient says; others move each weight by about the rate."""


@lint("AX0821")
def large_rate(sight: Sight) -> Iterator[Diagnostic]:
    """``adam(lr=10)``, where weights are around 0.1."""
    for step in sight.steps:
        for followed in step.followed:
            name, rate = followed.optimizer, followed.rate
            if rate is None or rate <= LARGEST.get(name, rate):
                continue
            fixed = name not in BY_THE_GRADIENT
            yield warning(
                "AX0821",
                f"a learning rate of {rate:g} is too large for `{name}`",
                followed.span,
                f"each step moves each weight by about {rate:g}" if fixed else "weights are around 0.1",
                help=f"begin with `{name}(lr={'1e-3' if fixed else '1e-2'})`",
            )
