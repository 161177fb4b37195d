"""Draws: pure functions of (seed, step, site, index of the element), bit for bit the same on every provider and here.

ONNX Runtime's own random ops depend on what a session drew before, so a resumed run would differ. This generator has
no state, and is built of integer additions, multiplications, divisions and casts, which every provider has. In portable
graphs 64-bit words are ``limbs`` of i32, with the same bits: many clients have no u64 that wraps.

A tensor of n elements is laid out in rows of 1024. A strong 64-bit hash of (seed, step, site) gives a word to each
column and a word to each row: 1024 + n / 1024 words, which cost next to nothing. An element is ``(row + column) ** 4``
in wrapping arithmetic, of which only the high bits are used. With row + column odd, its high bits are exactly uniform
over the row's word; the fourth power breaks every linear relation between columns that the sum alone would have.

Measured for 64x32x28x28 elements on 2 cores: uniform 1.6 ms, Bernoulli 0.4 ms; RandomUniformLike takes 6.2 ms.

What this module does not do: other distributions; they are written in the language on top of these two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.dims import Dim, product
from archonnx.compiler.ir.op import Emitter, Op, Trait, TypeProblem, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from . import limbs

COLUMNS = 1024
ROWS = 32
"""Rows that NumPy draws at a time."""
HALF = 1 << 32
WORD = 1 << 64
INDEX_STEP = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: spreads consecutive indices (Knuth, TAOCP 3, 6.4)."""
SEED_STEP, STEP_STEP, SITE_START = 0xD1342543DE82EF95, 0xAF251AF3B0F025B5, 0x3C79AC492BA7B653
"""Odd numbers without small integer relations, so that neighbouring seeds, steps and sites land far apart."""
EVEN = 2 * 0x94D049BB133111EB % WORD
"""Twice an odd number: takes words to even ones without loss of their high bits."""

Words = npt.NDArray[np.uint64]


def _hashed(counters: Words) -> Words:
    """Even 64-bit words that look random: two rounds of squaring (which carries upwards) and folding (downwards).

    Squaring with a counter added back is Widynski's idea (Widynski 2020); he rotates instead of folding.
    """
    words = counters
    for _ in range(2):
        words = words * words + counters
        words = words + words // np.uint64(HALF)
    return words * np.uint64(EVEN)


def _site_offset(site: int) -> Words:
    """A 64-bit number for a site, far from those of its neighbours."""
    return _hashed(np.array([(site * INDEX_STEP + SITE_START) % WORD], np.uint64))


def _columns(count: Dim) -> int:
    """How many columns are needed: fewer than 1024 only where fewer elements are drawn."""
    number = count.constant
    return COLUMNS if number is None else min(number, COLUMNS)


def _rows(count: Dim) -> Dim:
    return (count + (COLUMNS - 1)) // COLUMNS


def _counters(columns: int, rows: int, site: int) -> Words:
    """What is hashed for each column, then for each row, before seed and step are added."""
    index = np.concatenate([np.arange(columns), COLUMNS + np.arange(rows)]).astype(np.uint64)
    return index * np.uint64(INDEX_STEP) + _site_offset(site)


class Draw(Op):
    """A tensor of independent draws. Inputs: ``seed: i64[]``, ``step: i64[]``, and parameters of the distribution."""

    wide = True
    traits: ClassVar[Trait] = Trait.PURE | Trait.RANDOM
    not_differentiable: ClassVar[str | None] = "a draw does not change smoothly with the seed or the step"
    shape: tuple[Dim, ...] = ()
    site: int = 0

    def check_scalars(self, *inputs: TensorType) -> None:
        """TypeProblem unless seed and step are i64 scalars."""
        for position, (what, given) in enumerate(zip(("seed", "step"), inputs, strict=False)):
            if given != TensorType(DType.i64, ()):
                raise TypeProblem("AX0303", f"the {what} of a draw is i64[], not {given}", operands=(position,))

    def drawn(self, seed: Any, step: Any, dtype: DType, made: DType, make: Callable[[Any], Any]) -> Any:
        """A tensor of type ``made``, which ``make`` draws from an integer of ``dtype`` for each element.

        The high bits of an integer are random. Few rows are made at a time, which stay in a core's cache.
        """
        shape = [d.evaluate({}) for d in self.shape]
        count = int(np.prod(shape, dtype=np.int64))
        columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
        key = (int(seed) * SEED_STEP + int(step) * STEP_STEP) % WORD
        words = _hashed(_counters(columns, rows, self.site) + np.uint64(key)).astype(dtype.numpy)
        row, column = words[columns:, None] + dtype.numpy.type(1), words[:columns]
        draws = np.empty((rows, columns), made.numpy)
        for start in range(0, rows, ROWS):
            odd = row[start : start + ROWS] + column
            for _ in range(2):
                np.multiply(odd, odd, out=odd)
            draws[start : start + ROWS] = make(odd)
        return draws.reshape(-1)[:count].reshape(shape)

    def emit_words(self, emit: Emitter, seed: str, step: str, dtype: DType) -> str:
        """The same in ONNX. What concerns seed and step alone is equal at every site, and shared by the runtime."""
        count = product(self.shape)
        if emit.everywhere and dtype is DType.i32:
            hashed = limbs.low_word(emit, self._emit_limbs(emit, seed, step, count))
            low = emit.node("Mul", hashed, limbs.number(emit, _low(EVEN)))
            return self._emit_drawn(emit, low, count, dtype)
        counters = emit.node("Add", self._emit_counters(emit, count), _emit_key(emit, seed, step))
        words = emit.node("Cast", _emit_hashed(emit, counters), to=dtype)
        return self._emit_drawn(emit, words, count, dtype)

    def _emit_drawn(self, emit: Emitter, words: str, count: Dim, dtype: DType) -> str:
        """The fourth power of the sum of a row's word and a column's, where integers of ``dtype`` wrap."""
        row, column = self._emit_parted(emit, words, count)
        row = emit.node("Add", row, emit.constant(np.asarray(1, dtype.numpy), dtype))
        odd = emit.node("Add", row, column)
        square = emit.node("Mul", odd, odd)
        return self._emit_shaped(emit, emit.node("Mul", square, square), count)

    def _emit_parted(self, emit: Emitter, words: str, count: Dim) -> tuple[str, str]:
        """What belongs to rows, as a column of its own, and what belongs to columns."""
        columns = _columns(count)
        column = emit.node("Slice", words, emit.constant([0]), emit.constant([columns]))
        row = emit.node("Slice", words, emit.constant([columns]), emit.constant([np.iinfo(np.int64).max]))
        return emit.node("Reshape", row, emit.constant([-1, 1])), column

    def emit_float(self, emit: Emitter, seed: str, step: str, dtype: DType) -> str:
        """A signed 64-bit word for each element, rounded to a float."""
        if not emit.everywhere:
            return emit.node("Cast", self.emit_words(emit, seed, step, DType.i64), to=dtype)
        count = product(self.shape)
        words = limbs.product(emit, self._emit_limbs(emit, seed, step, count), limbs.constants(emit, EVEN))
        parts = [self._emit_parted(emit, limb, count) for limb in limbs.carried(emit, words)]
        odd = limbs.total(emit, [row for row, _ in parts], [column for _, column in parts])
        odd[0] = emit.node("Add", odd[0], limbs.number(emit, 1))
        for _ in range(2):
            odd = limbs.square(emit, limbs.carried(emit, odd))
        return self._emit_shaped(emit, limbs.as_float(emit, limbs.carried(emit, odd), dtype), count)

    def _emit_limbs(self, emit: Emitter, seed: str, step: str, count: Dim) -> limbs.Limbs:
        """What is hashed, after the two rounds of ``_hashed``, in limbs."""
        key = emit.once(f"draws of {seed} and {step}", lambda: _emit_key_limbs(emit, seed, step))
        counters = limbs.carried(emit, limbs.total(emit, self._emit_counter_limbs(emit, count), key))
        words = counters
        for _ in range(2):
            words = limbs.carried(emit, limbs.total(emit, limbs.square(emit, words), counters))
            words = limbs.folded(emit, words)
        return words

    def _emit_counter_limbs(self, emit: Emitter, count: Dim) -> limbs.Limbs:
        rows = _rows(count)
        if (number := rows.constant) is not None:
            return limbs.constants(emit, _counters(_columns(count), number, self.site))
        end = emit.node("Squeeze", emit.dims([rows + COLUMNS]))
        index = emit.node("Range", emit.constant(np.asarray(0)), end, emit.constant(np.asarray(1)))
        spread = limbs.product(emit, limbs.split(emit, index), limbs.constants(emit, INDEX_STEP))
        return limbs.total(emit, limbs.carried(emit, spread), limbs.constants(emit, _site_offset(self.site)))

    def _emit_counters(self, emit: Emitter, count: Dim) -> str:
        rows = _rows(count)
        if (number := rows.constant) is not None:
            return emit.constant(_counters(_columns(count), number, self.site), DType.u64)
        end = emit.node("Squeeze", emit.dims([rows + COLUMNS]))
        index = emit.node("Range", emit.constant(np.asarray(0)), end, emit.constant(np.asarray(1)))
        spread = emit.node("Mul", emit.node("Cast", index, to=DType.u64), _unsigned(emit, INDEX_STEP))
        return emit.node("Add", spread, emit.constant(_site_offset(self.site), DType.u64))

    def _emit_shaped(self, emit: Emitter, rows: str, count: Dim) -> str:
        number = count.constant
        if number is None or (number > COLUMNS and number % COLUMNS):
            flat = emit.node("Reshape", rows, emit.constant([-1]))
            rows = emit.node("Slice", flat, emit.constant([0]), emit.dims([count]))
        return emit.node("Reshape", rows, emit.dims(self.shape))


def _emit_key(emit: Emitter, seed: str, step: str) -> str:
    parts = [
        emit.node("Mul", emit.node("Cast", value, to=DType.u64), _unsigned(emit, multiplier))
        for value, multiplier in ((seed, SEED_STEP), (step, STEP_STEP))
    ]
    return emit.node("Add", *parts)


def _emit_key_limbs(emit: Emitter, seed: str, step: str) -> limbs.Limbs:
    parts = [
        limbs.product(emit, limbs.split(emit, value), limbs.constants(emit, multiplier))
        for value, multiplier in ((seed, SEED_STEP), (step, STEP_STEP))
    ]
    return limbs.carried(emit, limbs.total(emit, *parts))


def _low(word: int) -> int:
    """The low 32 bits of a word, as a signed number."""
    return int(np.uint32(word % HALF).astype(np.int32))


def _emit_hashed(emit: Emitter, counters: str) -> str:
    words = counters
    for _ in range(2):
        words = emit.node("Add", emit.node("Mul", words, words), counters)
        words = emit.node("Add", words, emit.node("Div", words, _unsigned(emit, HALF)))
    return emit.node("Mul", words, _unsigned(emit, EVEN))


def _unsigned(emit: Emitter, number: int) -> str:
    return emit.constant(np.asarray(number, np.uint64), DType.u64)


@register
class RandomUniform(Draw):
    """Draws from the open interval (0, 1), of type f32 or f64: the high bits of a 64-bit word.

    Neither 0 nor 1 is ever drawn, so that ``log(u)`` and ``log(1 - u)`` are finite.
    """

    dtype: DType = DType.f32

    def infer(self, *inputs: TensorType) -> TensorType:
        self.check_scalars(*inputs)
        if self.dtype not in (DType.f32, DType.f64):
            raise TypeProblem(
                "AX0303", f"uniform draws are f32 or f64, not {self.dtype}", help=f"convert them: `{self.dtype}(...)`"
            )
        return TensorType(self.dtype, self.shape)

    @property
    def _scale(self) -> Any:
        """Takes a signed 64-bit word to -1/2 .. 1/2, so little less that adding 1/2 never rounds to 1."""
        bits = 24 if self.dtype is DType.f32 else 53
        return self.dtype.numpy.type((1 - 2.0 ** (1 - bits)) / WORD)

    def evaluate(self, seed: Any, step: Any) -> Any:
        def make(words: Any) -> Any:
            draws = words.astype(self.dtype.numpy)
            draws *= self._scale
            draws += self.dtype.numpy.type(0.5)
            return draws

        return self.drawn(seed, step, DType.i64, self.dtype, make)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return None, None

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        seed, step = inputs
        words = self.emit_float(emit, seed, step, self.dtype)
        centred = emit.node("Mul", words, emit.constant(self._scale, self.dtype))
        return emit.node("Add", centred, emit.constant(self.dtype.numpy.type(0.5), self.dtype))


@register
class RandomBernoulli(Draw):
    """True with probability ``p`` (a third input, ``f32[]``), in steps of 2**-32; exactly never at 0, always at 1.

    It compares integers and makes no floats, which is a third of the cost of ``uniform < p``.
    """

    def infer(self, *inputs: TensorType) -> TensorType:
        self.check_scalars(*inputs)
        if inputs[2] != TensorType(DType.f32, ()):
            raise TypeProblem(
                "AX0303",
                f"the probability of a mask is f32[], not {inputs[2]}",
                operands=(2,),
                help="for a probability of its own for each element, compare a uniform draw with it",
            )
        return TensorType(DType.bool, self.shape)

    def evaluate(self, seed: Any, step: Any, p: Any) -> Any:
        limit = np.clip(np.float64(p) * HALF - HALF // 2, *_BOUNDS).astype(np.int32)
        return self.drawn(seed, step, DType.i32, DType.bool, lambda words: words < limit)

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return None, None, None

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        seed, step, p = inputs
        scaled = emit.node("Mul", emit.node("Cast", p, to=DType.f64), emit.constant(np.float64(HALF), DType.f64))
        signed = emit.node("Sub", scaled, emit.constant(np.float64(HALF // 2), DType.f64))
        bounds = [emit.constant(np.float64(bound), DType.f64) for bound in _BOUNDS]
        limit = emit.node("Cast", emit.node("Clip", signed, *bounds), to=DType.i32)
        return emit.node("Less", self.emit_words(emit, seed, step, DType.i32), limit)


@register
class DiscreteDraw(Op):
    """A discrete draw, marked as depending on what its probabilities were computed from.

    The gradient of a draw with respect to its probabilities is not a derivative of its value, and is an error.
    """

    wide = True
    traits: ClassVar[Trait] = Trait.PURE | Trait.VIEW | Trait.DISCRETE

    def infer(self, *inputs: TensorType) -> TensorType:
        return inputs[0]

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return places[0] is not None  # it is the draw, whatever its probabilities were

    def evaluate(self, draw: Any, *parameters: Any) -> Any:
        return draw

    def vjp(self, dy: Value, y: Value, *inputs: Value) -> tuple[Value | None, ...]:
        return (None,) * len(inputs)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return inputs[0]


_BOUNDS = (-HALF // 2, HALF // 2 - 1)


def random_uniform(shape: Sequence[Dim | int], seed: Value, step: Value, site: int, dtype: DType = DType.f32) -> Value:
    """Draws from the open interval (0, 1)."""
    return current_builder().add(RandomUniform(tuple(map(Dim.of, shape)), site, dtype), seed, step)


def random_bernoulli(shape: Sequence[Dim | int], seed: Value, step: Value, p: Value, site: int) -> Value:
    """Draws of bool, true with probability ``p: f32[]``."""
    return current_builder().add(RandomBernoulli(tuple(map(Dim.of, shape)), site), seed, step, p)
