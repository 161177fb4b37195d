"""Transformers: published ones, with the parameters that are known of each, and small ones that learn."""

from __future__ import annotations

import math
from functools import cache, partial

from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram

from ..facts import Measured, Row
from ..training import final

COUNTS = {"gpt2_small": 124_439_808, "bert_base": 109_482_240}
"""Parameters of each; an embedding whose matrix gives the logits as well counts once."""
ROW = Row("3.6", "Transformers", "002 7.2; 003 10; 004 15", tuple(COUNTS))


@cache
def elaborated(name: str) -> ModelProgram:
    """A network of the zoo."""
    return elaborate(load(name))


def _count(name: str, expected: int) -> Measured:
    count = elaborated(name).parameter_count
    return Measured(f"{count:,}", count == expected)


for name, count in COUNTS.items():
    ROW.fact(f"{name} has {count:,} parameters")(partial(_count, name, count))

SMALL = {"d": 32, "depth": 2, "heads": 2, "dropout": 0.0}
"""Arguments of both that make them small."""


@ROW.fact(
    "a GPT-2 of two layers of width 32 learns to copy: on sequences whose second half repeats the first it is within "
    "0.02 of the entropy, 7 of 15 symbols drawn from 16",
    slow=True,
)
def copies() -> Measured:
    """Cross-entropy held out, in nats for each symbol, beside what cannot be known."""
    loss = final("gpt2_small", "valid", "objective", vocabulary=16, context=16, **SMALL)
    entropy = 7 / 15 * math.log(16)
    return Measured(f"{loss:.4f} beside {entropy:.4f}", entropy - 0.01 < loss < entropy + 0.02)


@ROW.fact(
    "a BERT of two layers of width 32 learns what stands in hidden places of sequences that count upwards: its loss "
    "falls below a tenth of that of guessing",
    slow=True,
)
def fills_in() -> Measured:
    """Cross-entropy of the hidden tokens held out."""
    loss = final("bert_base", "valid", "objective", vocabulary=32, context=12, **SMALL)
    return Measured(f"{loss:.3f} beside {math.log(32):.3f}", loss < math.log(32) / 10)
