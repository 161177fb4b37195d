"""Where ``remat`` begins and ends, and what makes a tensor wait: identities that say when something is computed.

``compiler/remat.py`` reads the first and puts in the second. What this module does not do: compute anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.op import Emitter, Op, register
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value

from .shape import KEEPS


@register
class RematEdge(Op):
    """The same tensor, at an edge of a region whose values are computed again for the gradient.

    ``in`` takes it into the region and ``out`` out of it; ``turn`` is the gradient that comes back where it came out,
    with the tensor that did beside it. Export leaves it out.
    """

    region: int = 0
    side: Literal["in", "out", "turn"] = "in"

    traits = KEEPS

    def infer(self, x: TensorType, *out: TensorType) -> TensorType:
        return x

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any, *out: Any) -> Any:
        return x

    def vjp(self, dy: Value, y: Value, x: Value, *out: Value) -> tuple[Value | None, ...]:
        turned = current_builder().add(RematEdge(self.region, "turn"), dy, y) if self.side == "out" else dy
        return (turned, *(None for _ in out))

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        return inputs[0]


@register
class After(Op):
    """``x`` as it is, but not before ``when`` is known: what is computed of it is computed then.

    In ONNX the shape of ``x`` depends on an element of ``when``, times 0: a Reshape moves nothing.
    """

    traits = KEEPS

    def infer(self, x: TensorType, when: TensorType) -> TensorType:
        return x

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, x: Any, when: Any) -> Any:
        return x

    def vjp(self, dy: Value, y: Value, x: Value, when: Value) -> tuple[Value | None, ...]:
        return (dy, None)

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str:
        x, when = inputs
        zero = emit.constant([0])
        flat = emit.node("Reshape", when, emit.constant([-1]))
        first = emit.node("Slice", flat, zero, emit.constant([1]))
        number = emit.node("Cast", first, to=DType.i64)
        some = emit.node("Slice", emit.node("Concat", number, zero, axis=0), zero, emit.constant([1]))
        return emit.node("Reshape", x, emit.node("Add", emit.dims(results[0].shape), emit.node("Mul", some, zero)))
