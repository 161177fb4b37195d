"""What ops have in common that act element by element on inputs of one shape.

An op without attributes is also a function of its own name (``add(x, 1.0)``), which broadcasts its operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.op import Arithmetic, Op, Trait, TypeProblem
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .checks import check_dtypes, one_place
from .shape import broadcast

ELEMENTWISE = Trait.PURE | Trait.ELEMENTWISE
COMMUTATIVE = ELEMENTWISE | Trait.COMMUTATIVE


SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floor_div": "//", "mod": "%", "pow": "**", "neg": "-",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!=",
    "logical_and": "and", "logical_or": "or", "logical_not": "not", "maximum": "max", "minimum": "min",
}  # fmt: skip


class Elementwise(Op):
    """Inputs share one shape and one dtype, which are the result's unless ``result_dtype`` says otherwise."""

    traits: ClassVar[Trait] = ELEMENTWISE
    accepts: ClassVar[str] = "number"
    """``number``, ``signed``, ``float``, ``bool`` or ``any``."""
    result_dtype: ClassVar[DType | None] = None
    multiplications: ClassVar[int] = 0
    additions: ClassVar[int] = 0
    """For one element."""

    def arithmetic(self, inputs: Sequence[TensorType], results: Sequence[TensorType]) -> Arithmetic:
        size = results[0].size
        return Arithmetic(size * self.multiplications, size * self.additions)

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return one_place(places)

    @property
    def symbol(self) -> str:
        """How specs write it."""
        return SYMBOLS.get(self.name, self.name)

    def infer(self, *inputs: TensorType) -> TensorType:
        check_dtypes(self.name, self.accepts, *inputs)
        first = inputs[0]
        for position, other in enumerate(inputs[1:], 1):
            if other.shape != first.shape:
                raise TypeProblem(
                    "AX0302", f"`{self.symbol}` needs one shape: {first} and {other}", operands=(position, 0)
                )
        return TensorType(self.result_dtype or first.dtype, first.shape, first.notes)

    def __call__(self, *operands: Value | float) -> Value:
        """Apply the op after broadcasting; Python numbers take the tensors' dtype."""
        return current_builder().add(self, *broadcast(*operands))


class ZeroGradient(Elementwise):
    """The derivative is zero wherever there is one (steps), or the result has no derivative (truth values)."""

    def vjp(self, dy: Any, y: Any, *inputs: Value) -> tuple[Value | None, ...]:
        return (None,) * len(inputs)
