"""A boundary around results whose gradient is stated by the spec (``fn ... backward(dy):``).

It is made by the elaborator and gone after differentiation, so it is not in the registry of ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import Emitter, Op, Trait
from archonnx.compiler.ir.parts import inline
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.grammar.record import field

from .shape import zeros_like


class Backward:
    """What a ``backward`` clause computes, as a graph.

    Its inputs are the cotangents of the results, then the arguments and the other tensors that it reads, in the order
    of the node's inputs; its outputs are the cotangents of the arguments. A fn may use itself in its clause: the graph
    then has a node with this very object, so it is filled in when it is complete.
    """

    def __init__(self) -> None:
        self.graph = Graph("backward", {}, (), {})

    def __repr__(self) -> str:
        return f"<{len(self.graph.nodes)} nodes>"


class StatedGradient(Op, eq=False):
    """The first ``results`` inputs as they are; what follows is there for the gradient alone.

    The next ``arguments`` inputs are the float tensors on which the results depend; the last ones are other tensors
    that ``backward`` reads.
    """

    name: ClassVar[str] = "stated_gradient"
    traits: ClassVar[Trait] = Trait.PURE | Trait.VIEW
    stops_gradient: ClassVar[bool] = True
    results: int
    arguments: int
    backward: Backward = field(repr=False)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return inputs[: self.results]

    def keeps_apart(self, places: Sequence[int | None], inputs: Sequence[TensorType], result: int) -> bool:
        return True

    def evaluate(self, *inputs: Any) -> Any:
        return inputs[0] if self.results == 1 else inputs[: self.results]

    def vjp(self, dy: Any, y: Any, *inputs: Any) -> tuple[Any, ...]:
        cotangents = [dy] if self.results == 1 else list(dy)
        known = [zeros_like(r) if c is None else c for c, r in zip(cotangents, inputs, strict=False)]
        found = inline(self.backward.graph, current_builder(), [*known, *inputs[self.results :]])
        rest = len(inputs) - self.results - self.arguments
        return (*(None,) * self.results, *found, *(None,) * rest)

    def explained(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """The arguments of the fn, of a node's inputs."""
        return inputs[self.results : self.results + self.arguments]

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> str | list[str]:
        return inputs[0] if self.results == 1 else list(inputs[: self.results])
