"""A boundary around results whose gradient is stated by the spec (``fn ... backward(dy):``).

It is made by the elaborator and gone after differentiation, so it is not in the registry of ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from archonnx.compiler.ir.types import TensorType
from archonnx.grammar.record import field

from .base import Emitter, Op, Trait

if TYPE_CHECKING:
    from archonnx.compiler.ir.graph import Value

Backward = Callable[[Sequence["Value | None"]], Sequence["Value | None"]]


class StatedGradient(Op, eq=False):
    """The first ``results`` inputs as they are; the others are what the results depend on, for the gradient's sake.

    ``backward`` maps the cotangents of the results to those of the other inputs.
    """

    name: ClassVar[str] = "stated_gradient"
    traits: ClassVar[Trait] = Trait.PURE | Trait.VIEW
    stops_gradient: ClassVar[bool] = True
    results: int = 1
    backward: Backward = field(default=lambda cotangents: (), repr=False)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return inputs[: self.results]

    def evaluate(self, *inputs: Any) -> Any:
        return inputs[0] if self.results == 1 else inputs[: self.results]

    def vjp(self, dy: Any, y: Any, *inputs: Any) -> tuple[Any, ...]:
        cotangents = (dy,) if self.results == 1 else dy
        return (*(None,) * self.results, *self.backward(cotangents))

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        return inputs[0] if self.results == 1 else list(inputs[: self.results])
