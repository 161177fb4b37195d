"""ONNX operators that do the work of two, in models with their weights inside.

    Conv, ConvTranspose + Add    a bias for each channel is their third input; one of zeros is left out
    MatMul + Add                 of matrices: Gemm
    Relu + Min                   Clip

What this module does not do: compute weights anew (``passes.inference`` does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from .ir.types import Array, DType, TensorType
from .lowering import Lowered, OnnxNode, Tensor, all_nodes
from .passes.inference import SHAPED

CONVOLUTIONS = ("Conv", "ConvTranspose")


def joined(
    lowered: Lowered, inputs: Mapping[str, TensorType], outputs: Iterable[str], weights: Mapping[str, Tensor]
) -> tuple[Lowered, dict[str, Tensor]]:
    """The graph with fewer nodes, and the weights that it reads.

    Args:
        lowered: a graph some of whose inputs are weights.
        inputs: the types of its inputs.
        outputs: the names of what it gives.
        weights: the weights by name.
    """
    work = _Joining(lowered, inputs, frozenset(outputs), weights)
    for node in lowered.nodes:
        work.visit(node)
    return work.finished()


class _Joining:
    """One pass over the nodes: those written so far, and who made what."""

    def __init__(
        self, lowered: Lowered, inputs: Mapping[str, TensorType], outputs: frozenset[str], weights: Mapping[str, Tensor]
    ) -> None:
        self._lowered, self._weights, self._outputs = lowered, dict(weights), outputs
        self._known = {**lowered.constants, **weights}
        self._types = {**inputs, **lowered.types}
        self._readers = Counter(name for node in all_nodes(lowered.nodes) for name in node.inputs)
        self._readers.update(_given_by_bodies(lowered.nodes))
        self._made: dict[str, OnnxNode] = {}
        self._shaped: dict[str, str] = {}
        """Of tensors that were given another shape, the name of what they were."""
        self._constants = dict(lowered.constants)

    def visit(self, node: OnnxNode) -> None:
        """Join a node with the one before it, or leave both."""
        if node.domain == "" and len(node.outputs) == 1:
            if node.op_type == "Reshape" and self._reshaped(node):
                return
            if node.op_type == "Add":
                self._add(node)
            elif node.op_type == "Min":
                self._min(node)
        self._made.update((output, node) for output in node.outputs)

    def finished(self) -> tuple[Lowered, dict[str, Tensor]]:
        """What is left."""
        nodes = list({id(node): node for node in self._made.values()}.values())
        read = {name for node in all_nodes(nodes) for name in node.inputs}.union(_given_by_bodies(nodes))
        made = {name for node in nodes for name in node.outputs}
        top = {name: type_ for name, type_ in self._lowered.types.items() if name in made}
        constants = {name: tensor for name, tensor in self._constants.items() if name in read}
        return Lowered(nodes, constants, top), {name: t for name, t in self._weights.items() if name in read}

    def _before(self, name: str, *kinds: str) -> OnnxNode | None:
        """The node that makes a value, if it is of one of these kinds and nothing else reads the value."""
        node = self._made.get(name)
        alone = self._readers[name] == 1 and name not in self._outputs
        return node if alone and node is not None and node.domain == "" and node.op_type in kinds else None

    def _reshaped(self, node: OnnxNode) -> bool:
        """Whether a node only gives a known tensor another shape, which is done here."""
        tensor, shape = (self._known.get(name) for name in node.inputs)
        (output,) = node.outputs
        if tensor is None or shape is None or 0 in shape.array:
            return False
        if output in self._outputs or self._readers[node.inputs[0]] > 1:
            return False
        array = tensor.array.reshape([int(size) for size in shape.array])
        self._constants[output] = self._known[output] = Tensor(array, tensor.dtype)
        self._shaped[output] = node.inputs[0]
        return True

    def _add(self, node: OnnxNode) -> None:
        for y, other in (node.inputs, node.inputs[::-1]):
            before, bias = self._before(y, *CONVOLUTIONS, "MatMul"), self._known.get(other)
            if before is None or bias is None or len(before.inputs) != 2:
                continue
            channels = self._channels(before)
            if channels is None or bias.array.size != channels[0] or not _lies_along(bias.array, channels):
                continue
            convolves = before.op_type in CONVOLUTIONS
            adds = [] if convolves and not bias.array.any() else [self._vector(other, bias)]
            self._replace(node, before, [*before.inputs, *adds])
            node.op_type = node.op_type if convolves else "Gemm"
            return

    def _channels(self, node: OnnxNode) -> tuple[int, int] | None:
        """How many channels a node makes, and how many axes come behind them; None where it takes no bias."""
        weight = self._known.get(node.inputs[1])
        if weight is None or weight.dtype is DType.bf16:
            return None
        shape = weight.array.shape
        if node.op_type == "MatMul":
            x = self._types.get(node.inputs[0])
            floats = weight.dtype in (DType.f16, DType.f32, DType.f64)
            return (shape[1], 0) if floats and len(shape) == 2 and x is not None and x.rank == 2 else None
        made = shape[0] if node.op_type == "Conv" else shape[1] * int(node.attributes.get("group") or 1)
        return made, len(shape) - 2

    def _min(self, node: OnnxNode) -> None:
        if len(node.inputs) != 2:
            return
        for y, other in (node.inputs, node.inputs[::-1]):
            before, limit = self._before(y, "Relu"), self._known.get(other)
            if before is None or limit is None or limit.array.size != 1 or not limit.array.item() >= 0:
                continue
            zero = self._constant(f"{other}/zero", Tensor(np.zeros((), limit.array.dtype), limit.dtype))
            top = self._constant(f"{other}/scalar", Tensor(limit.array.reshape(()), limit.dtype))
            self._replace(node, before, [*before.inputs, zero, top])
            node.op_type = "Clip"
            return

    def _replace(self, node: OnnxNode, before: OnnxNode, inputs: list[str]) -> None:
        """The second node does the work of both."""
        for output in before.outputs:
            del self._made[output]
        node.op_type, node.attributes, node.inputs = before.op_type, before.attributes, inputs
        node.origin = before.origin

    def _vector(self, name: str, tensor: Tensor) -> str:
        """A known tensor of one axis with the elements of another, under its name if nothing else reads that."""
        if tensor.array.ndim == 1:
            return name
        plain = self._shaped.get(name, name).removesuffix(SHAPED)
        alone = self._readers[name] == 1 and name not in self._outputs
        vector = Tensor(tensor.array.reshape(-1), tensor.dtype)
        if alone and (plain in (name, self._shaped.get(name)) or plain not in self._types):
            for known in (name, self._shaped.get(name, name)):
                self._weights.pop(known, None)
                self._constants.pop(known, None)
            self._constants[plain] = self._known[plain] = vector
            return plain
        return self._constant(f"{name}/vector", vector)

    def _constant(self, name: str, tensor: Tensor) -> str:
        taken = {**self._types, **self._known}
        while name in taken and name not in self._constants:
            name += "_"
        self._constants[name] = self._known[name] = tensor
        return name


def _given_by_bodies(nodes: Iterable[OnnxNode]) -> list[str]:
    return [name for node in all_nodes(nodes) for body in node.bodies() for name in body.outputs]


def _lies_along(array: Array, channels: tuple[int, int]) -> bool:
    """Whether all elements of a tensor stand along the axis of the channels, counted from the last."""
    count, behind = channels
    if count == array.size == 1:
        return True
    ones = [size for axis, size in enumerate(array.shape[::-1]) if axis != behind]
    return array.ndim > behind and set(ones) <= {1} and array.shape[-1 - behind] == count
