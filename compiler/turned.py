"""Kernels of convolutions kept with the elements of the kernel first: ``[*kernel, C, O]``, as products read them.

A step that reads them as ``[O, C, *kernel]`` picks single numbers: of 512x512x3x3 the tap in the middle takes 1.4 ms,
and 0.1 where it is one piece; the gradient is turned once more, 1.2 ms. So tensors that are changed in blocks anyway
(``blockwise``), element by element, lie turned in memory, with what an optimizer carries for them. What this module
does not do: turn what lies there (``runtime.device.state`` does, where somebody reads or writes it), or choose
products.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import prod

from archonnx.grammar.record import replace

from .blockwise import GIVEN, Blockwise, Member
from .ir.graph import Graph, Node
from .ir.types import TensorType
from .ir.value import Value
from .ops.conv import Conv, ConvInputGrad
from .ops.shape import Transpose
from .passes.turned_kernels import kernel_first, kernel_last


def turned(apart: Blockwise, elsewhere: Collection[str] = ()) -> Blockwise:
    """The same step with its kernels turned, but for those that are read ``elsewhere``."""
    rest, readers = apart.rest, defaultdict[Value, list[Node]](list)
    for node in apart.rest.nodes:
        for value in node.inputs:
            readers[value].append(node)
    found = [member for member in apart.members if _is_kernel(member, rest, readers, elsewhere)]
    if not found:
        return apart
    carried = tuple(name for member in found for name in member.carried)
    given = dict.fromkeys(name for member in found for name in member.given)
    outputs, nodes = dict(rest.outputs), list(rest.nodes)
    for name in given:
        whole = outputs[name]
        outputs[name] = Value(_type(whole.type, kernel_first(whole.rank)), whole.name, whole.origin)
        nodes.append(Node(Transpose(kernel_first(whole.rank)), (whole,), (outputs[name],), whole.origin))
    graph = reading_turned(replace(rest, nodes=tuple(nodes), outputs=outputs), carried)
    return replace(apart, rest=graph, turned=carried)


def reading_turned(graph: Graph, names: Collection[str]) -> Graph:
    """A graph that is given these of its inputs turned."""
    inputs, nodes = dict(graph.inputs), list[Node]()
    for name in names:
        if name in inputs:
            whole = inputs[name]
            inputs[name] = Value(_type(whole.type, kernel_first(whole.rank)), name, whole.origin)
            nodes.append(Node(Transpose(kernel_last(whole.rank)), (inputs[name],), (whole,), whole.origin))
    return replace(graph, inputs=inputs, nodes=(*nodes, *graph.nodes)) if nodes else graph


def _is_kernel(
    member: Member, rest: Graph, readers: Mapping[Value, Sequence[Node]], elsewhere: Collection[str]
) -> bool:
    """Whether tensors that are changed together are a kernel of several elements, and what is carried for it."""
    read = [rest.inputs[name] for name in member.carried if name in rest.inputs]
    if not read or not set(elsewhere).isdisjoint(member.carried) or member.looked is not None:
        return False
    if not all(name.startswith(GIVEN) and name in rest.outputs for name in member.given):
        return False
    kernel = read[0].type.static_shape
    return (
        kernel is not None and prod(kernel[2:]) > 1 and all(map(_convolves, read, (readers[value] for value in read)))
    )


def _convolves(kernel: Value, readers: Sequence[Node]) -> bool:
    """Whether nothing reads a tensor but convolutions, as their kernel."""
    return bool(readers) and all(
        isinstance(node.op, Conv | ConvInputGrad) and node.op.groups == 1 and node.inputs[0] is not kernel
        for node in readers
    )


def _type(type_: TensorType, order: Sequence[int]) -> TensorType:
    return type_.with_shape(tuple(type_.shape[axis] for axis in order))
