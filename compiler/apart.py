"""Portable graphs in which nothing is shared that OpenVINO confuses, as of version 2026.4.

- A constant that is read as it is and turned, where both have one shape: its kernels keep one arrangement of both, and
  compute a product with W where one with its transpose was asked. The readers of the turned one get a constant of
  their own.
- A sequence that a recurrent layer reads and something else does, be it another layer: OpenVINO puts a Transpose before
  each layer, makes one of equal ones, and then replaces it for one of its readers by a Reshape. Each such layer reads
  the larger of the sequence and of a lowest number, which is another for each.

What this module does not do: change what is computed, or graphs of other targets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from .ir.types import TensorType
from .lowering import Lowered, OnnxNode, Tensor, all_nodes

RECURRENT = ("LSTM", "GRU", "RNN")
AS_IT_IS = {("MatMul", 1), ("Gemm", 1), ("Conv", 1), ("Gather", 0)}
TURNED = {("Transpose", 0), ("ConvTranspose", 1)}
TURNED_COPY = "/turned"
"""What the name of a copy ends with."""
LEVELS = 512
"""So many lowest numbers are told apart; those of f16 are as many."""


def told_apart(
    lowered: Lowered, inputs: Mapping[str, TensorType], outputs: Iterable[str], weights: Collection[str]
) -> dict[str, str]:
    """Change the nodes of a graph.

    Args:
        lowered: the graph, whose nodes and constants are changed.
        inputs: the types of its inputs.
        outputs: the names of what it gives.
        weights: the inputs that are to be constants.

    Returns:
        By the names of inputs that are to be added the weights of which each is a copy.
    """
    lowered.nodes[:] = _before_layers(lowered, inputs, outputs)
    copies: dict[str, str] = {}
    shapes = {name: inputs[name].static_shape for name in weights}
    shapes |= {name: tensor.array.shape for name, tensor in lowered.constants.items()}
    for name in [name for name, shape in shapes.items() if shape is not None and _may_be_confused(shape)]:
        readers = list(_readers(lowered.nodes, name))
        turned = [(node, place) for node, place in readers if _turns(node, place)]
        if turned and any((node.op_type, place) in AS_IT_IS for node, place in readers if not _turns(node, place)):
            for node, place in turned:
                node.inputs[place] = name + TURNED_COPY
            if name in weights:
                copies[name + TURNED_COPY] = name
            else:
                lowered.constants[name + TURNED_COPY] = lowered.constants[name]
    return copies


def _may_be_confused(shape: Sequence[int]) -> bool:
    return len(shape) > 1 and (shape[0] == shape[1] or shape[-1] == shape[-2])


def _readers(nodes: Iterable[OnnxNode], name: str) -> Iterator[tuple[OnnxNode, int]]:
    for node in all_nodes(nodes):
        yield from ((node, place) for place, read in enumerate(node.inputs) if read == name)


def _turns(node: OnnxNode, place: int) -> bool:
    by_flag = node.op_type == "Gemm" and place == 1 and node.attributes.get("transB")
    return bool(by_flag) or (node.op_type, place) in TURNED


def _before_layers(lowered: Lowered, inputs: Mapping[str, TensorType], outputs: Iterable[str]) -> list[OnnxNode]:
    """The nodes, with one before each recurrent layer that is not alone in reading its sequence."""
    read = Counter(name for node in all_nodes(lowered.nodes) for name in node.inputs)
    read.update(list(outputs))
    types, nodes = {**inputs, **lowered.types}, list[OnnxNode]()
    for node in lowered.nodes:
        if node.op_type in RECURRENT and read[sequence := node.inputs[0]] > 1:
            dtype = types[sequence].dtype
            number = len(nodes) % LEVELS + 1
            bound, own = f"lowest/{len(nodes)}", f"{sequence}/apart_{len(nodes)}"
            lowest = float(np.finfo(np.dtype(dtype.numpy).name).min) * (1 - number / 1024)
            lowered.constants[bound] = Tensor(np.array(lowest, dtype.numpy), dtype)
            lowered.types[own] = types[sequence]
            nodes.append(OnnxNode("Max", [sequence, bound], [own], origin=node.origin))
            node.inputs[0] = own
        nodes.append(node)
    return nodes
