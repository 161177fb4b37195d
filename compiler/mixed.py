"""Mixed precision: products and convolutions of f32 take bf16, and everything else stays as it is.

Each such ONNX node is given its operands by Casts to bf16 and gives f32 by a Cast back, so that parameters, what an
optimizer carries, sums, statistics and losses stay f32. A kernel for bf16 adds in f32 and rounds what it gives. Since
bf16 has the range of f32 no loss need be scaled, as f16 would ask for. For a machine without such kernels the same
numbers are computed in f32, of operands that are rounded to bf16, and rounded again.

It is done on ONNX nodes, since gradients of convolutions become products only there. What this module does not do:
choose which graphs are written so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from .ir.graph import Graph
from .ir.types import DType
from .lowering import Body, Lowered, OnnxNode, all_nodes
from .portability import typed

Precision = Literal["f32", "bf16"]
"""In what the products of a training step are computed."""
Products = Literal["f32", "bf16", "rounded"]
"""Those of a graph: in bf16, or in f32 of numbers that bf16 has."""
PRODUCTS = frozenset({"MatMul", "Gemm", "FusedMatMul"})
"""Products of two tensors, where nothing is added to them, for which onnxruntime 1.31 has kernels of bf16 on CUDA. For
ConvTranspose, by which images get their gradient, and for Einsum it has none: they stay f32."""
CONVOLUTIONS = 22
"""The first opset that has Conv of bf16. CUDA has there what it has in opset 21, but for MaxPool: in a graph with one
convolutions stay f32, and products alone are of bf16. The gradients of most weights of convolutions are such."""
NARROW, ROUNDED, WHOLE = ":bf16", ":rounded", ":whole"
"""What is added to the names of values; names of ours have no colon."""


def with_products(lowered: Lowered, graph: Graph, products: Products) -> Lowered:
    """The nodes of a graph with its products of f32 computed so.

    Args:
        lowered: made of ``graph``; it is left as it is.
        graph: its inputs have the types that ``lowered`` leaves out.
        products: how.
    """
    if products == "f32":
        return lowered
    convolves = not any(node.op_type == "MaxPool" for node in all_nodes(lowered.nodes))
    operators = PRODUCTS | {"Conv"} if convolves else PRODUCTS
    chosen = {
        id(node)
        for node, dtype in typed(lowered, graph)
        if node.op_type in operators and len(node.inputs) == 2 and dtype is DType.f32
    }
    return replace(lowered, nodes=_Scope(chosen, products, None, ()).run(lowered.nodes))


def opset_for(lowered: Lowered, opset: int) -> int:
    """The opset in which a graph is written, where this one was wanted: a later one if it convolves in bf16."""
    narrow = any(node.op_type == "Conv" and node.outputs[0].endswith(NARROW) for node in all_nodes(lowered.nodes))
    return max(opset, CONVOLUTIONS) if narrow else opset


class _Scope:
    """The nodes of a graph or a body. A value is cast once, where it is made: a weight not in each step of a loop."""

    def __init__(self, chosen: set[int], products: Products, around: _Scope | None, inputs: Iterable[str]) -> None:
        self._chosen, self._products, self._around = chosen, products, around
        self._own = set(inputs)
        self._narrow: dict[str, str] = {}
        self._nodes: list[OnnxNode] = []

    def run(self, nodes: Sequence[OnnxNode]) -> list[OnnxNode]:
        """All of them, in order."""
        for node in nodes:
            if id(node) in self._chosen:
                self._product(node)
            else:
                self._nodes.append(self._with_bodies(node))
            self._own.update(node.outputs)
        return self._nodes

    def _with_bodies(self, node: OnnxNode) -> OnnxNode:
        if not node.bodies():
            return node
        attributes = {key: self._body(one) if isinstance(one, Body) else one for key, one in node.attributes.items()}
        return replace(node, attributes=attributes)

    def _body(self, body: Body) -> Body:
        return replace(body, nodes=_Scope(self._chosen, self._products, self, body.inputs).run(body.nodes))

    def _product(self, node: OnnxNode) -> None:
        (result,) = node.outputs
        narrow = result + NARROW
        given = [self._narrowed(name, node) for name in node.inputs]
        if self._products == "bf16":
            self._nodes.append(replace(node, inputs=given, outputs=[narrow]))
        else:
            self._nodes.append(replace(node, inputs=given, outputs=[result + WHOLE]))
            self._cast(result + WHOLE, narrow, DType.bf16, node)
        self._cast(narrow, result, DType.f32, node)
        self._narrow[result] = narrow if self._products == "bf16" else result

    def _narrowed(self, name: str, reader: OnnxNode) -> str:
        """The name of what a product takes in place of a value."""
        if self._around is not None and name not in self._own:
            return self._around._narrowed(name, reader)
        if name not in self._narrow:
            self._cast(name, name + NARROW, DType.bf16, reader)
            self._narrow[name] = name + NARROW
            if self._products == "rounded":
                self._cast(name + NARROW, name + ROUNDED, DType.f32, reader)
                self._narrow[name] = name + ROUNDED
        return self._narrow[name]

    def _cast(self, name: str, result: str, dtype: DType, reader: OnnxNode) -> None:
        attributes: Mapping[str, DType] = {"to": dtype}
        self._nodes.append(OnnxNode("Cast", [name], [result], "", attributes, reader.origin))
