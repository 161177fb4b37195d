"""What differs from an oracle on purpose, each with the section of docs/numbers.md that states it.

What is not in this list, and beyond rounding, fails the suite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convention:
    """Where a difference is expected.

    Attributes:
        family: a pattern of names of families of the suite.
        text: a pattern that the setting's expression holds.
        what: a pattern that the kind of check holds, as in ``slope .* f32``.
        anchor: of the section of docs/numbers.md.
        why: in a sentence.
    """

    family: str
    text: str
    what: str
    anchor: str
    why: str

    def fits(self, family: str, shown: str, what: str = "") -> bool:
        """Whether it is about this setting (and this check)."""
        of_setting = re.fullmatch(self.family, family) and re.search(self.text, shown)
        return bool(of_setting and (not what or re.search(self.what, what)))


CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "activations of NaN",
        r"^step",
        "value",
        "infinities-and-nan",
        "`step` is a comparison, and NaN is not above 0: it gives 0.",
    ),
    Convention(
        "activations at infinity",
        r"^(silu|swish|mish|gelu)\(",
        "",
        "infinities-and-nan",
        "What multiplies a number by a sigmoid of it is NaN at -inf, as PyTorch's is.",
    ),
    Convention(
        "long sums.*",
        r"mean|sum|mse|norm|var",
        "f64",
        "means-sums-and-precision",
        "In f64 everything is added at once: a million numbers are right to 1e-11.",
    ),
)
"""Each is accepted as it is."""

ABSOLUTE: tuple[Convention, ...] = (
    Convention(
        "activations.*",
        r"^(sigmoid|tanh|softplus|log_sigmoid|elu|selu|celu|silu|swish|mish|gelu)\(",
        "",
        "means-sums-and-precision",
        "Far below 0, where they or their slopes fade, these are precise to the rounding of 1 (times x where x is a "
        "factor), not to that of the small number which they are.",
    ),
    Convention(
        "functions of two numbers",
        r"^logaddexp",
        "slope",
        "means-sums-and-precision",
        "The slopes of `logaddexp` are sigmoids.",
    ),
    Convention(
        "activations along an axis",
        r"^(softmax|softmin)",
        "slope",
        "means-sums-and-precision",
        "Where a softmax is close to 0 and 1 its slope is a difference of products, precise to the rounding of 1.",
    ),
    Convention(
        "functions of one number",
        r"^(tanh|expm1)",
        "slope|second",
        "means-sums-and-precision",
        "Slopes made of the value, 1 - tanh(x)^2 and 1 + expm1(x), are precise to the rounding of 1.",
    ),
    Convention(
        "activations.*",
        r"^tanhshrink",
        "second",
        "means-sums-and-precision",
        "The second derivative is made of 1 - tanh(x)^2.",
    ),
    Convention(
        "losses.*",
        r"^log_cosh",
        "slope",
        "means-sums-and-precision",
        "The slope is `tanh`, whose kernel is precise to the rounding of 1.",
    ),
    Convention(
        "losses at extremes",
        r"^focal",
        "slope",
        "means-sums-and-precision",
        "The slopes of `focal` are products with a sigmoid.",
    ),
)
"""Of these, rounding is counted from 1 (and from x), however small a result is: a wrong formula still shows."""


def absolute(family: str, shown: str) -> bool:
    """Whether rounding is counted from 1 on."""
    return any(one.fits(family, shown) for one in ABSOLUTE)


OPEN: tuple[Convention, ...] = ()
"""Faults that are known and not mended yet: the tests bear with them, the whole suite fails."""
