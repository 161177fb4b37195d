"""64-bit words in portable graphs: seven limbs of 10 bits, as i32, so that no integer reaches 2 ** 24.

Clients hold u64 as i32, saturate where it should wrap, or refuse it; and some divide integers as floats. Products of
limbs have 20 bits, and 14 of them together less than 24, so that what is computed here is the same everywhere, in f32
too. What this module does not do: decide what is computed (``random`` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.op import Emitter
from archonnx.compiler.ir.types import DType

BITS, COUNT, TOP = 10, 7, 4
"""Bits of a limb, limbs of a word, and bits of the last limb."""
RADIX = 1 << BITS
Limbs = list[str]
"""Names of i32 tensors, the lowest first. A word is what they add up to, limb k times ``RADIX ** k``."""


def constants(emit: Emitter, words: Any) -> Limbs:
    """Limbs of words that are known: a u64 array, or a Python int."""
    array = np.asarray(words, np.uint64)
    parts = [(array >> np.uint64(BITS * k)) % np.uint64(RADIX) for k in range(COUNT)]
    return [emit.constant(part.astype(np.int32), DType.i32) for part in parts]


def number(emit: Emitter, value: int) -> str:
    """An i32 constant."""
    return emit.constant(np.asarray(value, np.int32), DType.i32)


def split(emit: Emitter, scalar: str) -> Limbs:
    """Limbs of an i64; a negative one is the word of its two's complement."""
    limbs = []
    for k in range(COUNT):
        radix = emit.constant(np.asarray(RADIX if k < COUNT - 1 else 1 << TOP))
        rest = emit.node("Mod", scalar, radix)
        limbs.append(emit.node("Cast", rest, to=DType.i32))
        if k < COUNT - 1:
            scalar = emit.node("Div", emit.node("Sub", scalar, rest), radix)
    return limbs


def total(emit: Emitter, *terms: Limbs) -> Limbs:
    """Sums, limb by limb, whose limbs may be too large."""
    sums = list(terms[0])
    for term in terms[1:]:
        sums = [emit.node("Add", left, right) if right else left for left, right in zip(sums, term, strict=True)]
    return sums


def product(emit: Emitter, left: Limbs, right: Limbs) -> Limbs:
    """Products of words, whose limbs may be too large."""
    return [_sum(emit, [emit.node("Mul", left[i], right[k - i]) for i in range(k + 1)]) for k in range(COUNT)]


def square(emit: Emitter, words: Limbs) -> Limbs:
    """The same of words with themselves, with half of the products."""
    twice = [emit.node("Add", limb, limb) for limb in words[: COUNT // 2]]
    found = []
    for k in range(COUNT):
        parts = [emit.node("Mul", twice[i], words[k - i]) for i in range((k + 1) // 2)]
        parts += [emit.node("Mul", words[k // 2], words[k // 2])] if k % 2 == 0 else []
        found.append(_sum(emit, parts))
    return found


def _sum(emit: Emitter, names: Sequence[str]) -> str:
    found = names[0]
    for name in names[1:]:
        found = emit.node("Add", found, name)
    return found


def carried(emit: Emitter, limbs: Limbs) -> Limbs:
    """The same words with limbs of 10 bits (4 the last): what is too much goes to the next one."""
    found = []
    above = ""
    for k, limb in enumerate(limbs):
        held = emit.node("Add", limb, above) if above else limb
        low, above = divided(emit, held, RADIX if k < COUNT - 1 else 1 << TOP)
        found.append(low)
    return found


def divided(emit: Emitter, value: str, by: int) -> tuple[str, str]:
    """Remainder and quotient of numbers that are not negative; ``Mod`` is left out, which has two meanings."""
    quotient = emit.node("Div", value, number(emit, by))
    return emit.node("Sub", value, emit.node("Mul", quotient, number(emit, by))), quotient


def folded(emit: Emitter, words: Limbs) -> Limbs:
    """``words + words // 2 ** 32``, carried. Bit 32 is bit 2 of the fourth limb."""
    parts = [divided(emit, limb, 4) for limb in words[3:]]
    shifted = [high for _, high in parts]
    for k, (low, _) in enumerate(parts[1:]):
        shifted[k] = emit.node("Add", shifted[k], emit.node("Mul", low, number(emit, 256)))
    return carried(emit, [*(emit.node("Add", a, b) for a, b in zip(words, shifted, strict=False)), *words[4:]])


def low_word(emit: Emitter, words: Limbs) -> str:
    """The low 32 bits as i32. Here alone something wraps: products and sums of i32."""
    return _joined(emit, words[:4])


def _joined(emit: Emitter, limbs: Sequence[str]) -> str:
    """Limbs that follow each other, as one integer."""
    terms = [emit.node("Mul", limb, number(emit, RADIX**k)) if k else limb for k, limb in enumerate(limbs)]
    return _sum(emit, terms)


def as_float(emit: Emitter, words: Limbs, dtype: DType) -> str:
    """Words as signed integers, rounded to the nearest float as ``Cast`` from i64 does.

    In f32 the bits below the 19th are one that is set, which decides as they do unless they are all zero.
    """

    def scaled(name: str, power: int) -> str:
        return emit.node("Mul", emit.node("Cast", name, to=dtype), emit.constant(dtype.numpy.type(2.0**power), dtype))

    _, sign = divided(emit, words[6], 1 << (TOP - 1))
    signed = emit.node("Sub", words[6], emit.node("Mul", sign, number(emit, 1 << TOP)))
    high = scaled(_joined(emit, [*words[4:6], signed]), 4 * BITS)
    if dtype is DType.f64:
        upper = emit.node("Add", high, scaled(_joined(emit, words[2:4]), 2 * BITS))
        return emit.node("Add", upper, scaled(_joined(emit, words[:2]), 0))
    _, rest = divided(emit, words[1], 1 << (BITS - 1))
    middle = emit.node("Add", emit.node("Mul", _joined(emit, words[2:4]), number(emit, 2)), rest)
    odd = emit.node("Add", emit.node("Add", middle, middle), number(emit, 1))
    return emit.node("Add", high, scaled(odd, 2 * BITS - 2))
