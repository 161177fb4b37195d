"""Lowering a graph: from nodes of the IR to a list of ONNX nodes, as plain records with final names.

What this module does not do: write protobuf (``onnx_export`` does, and only it imports onnx).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archonnx.grammar.diagnostics import fail

from .errors import InternalError
from .ir.dims import Atom, Dim
from .ir.facts import assuming
from .ir.graph import Graph, Node
from .ir.op import Trait
from .ir.origin import UNKNOWN, Origin
from .ir.types import Array, DType, TensorType
from .ir.value import Value
from .older import AXES_AN_INPUT, PART_OF_SHAPE, axes_once_an_attribute
from .ops.shape import Broadcast
from .opset import OPSET


@dataclass(slots=True)
class OnnxNode:
    """A node of the ONNX graph. It is named after its first output."""

    op_type: str
    inputs: list[str]
    outputs: list[str]
    domain: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = UNKNOWN

    def bodies(self) -> list[Body]:
        """The graphs among its attributes."""
        return [value for value in self.attributes.values() if isinstance(value, Body)]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant of the ONNX graph. bf16 data are held as f32."""

    array: Array
    dtype: DType


@dataclass(frozen=True, slots=True)
class Lowered:
    """An ONNX graph in plain records: nodes in order, constants, and the types of the values that have one here."""

    nodes: list[OnnxNode]
    constants: dict[str, Tensor]
    types: dict[str, TensorType]


def lower(
    graph: Graph, *, portable: bool, everywhere: bool = False, opset: int = OPSET, taken: Iterable[str] = ()
) -> Lowered:
    """Lower every node. Inputs and outputs keep their names; other values get readable ones.

    Args:
        graph: what to lower.
        portable: whether only the ai.onnx domain may be used.
        everywhere: whether other runtimes than onnxruntime are to compute the same, which is slower in places.
        opset: version of the ai.onnx operators.
        taken: names that no value may have besides those of inputs and outputs.
    """
    with assuming(graph.facts):
        return _Lowering(graph, portable, everywhere, opset, taken).run()


@dataclass(frozen=True, slots=True)
class Body:
    """A graph that is an attribute of a node: it may read whatever stands before that node, by its name.

    Attributes:
        nodes: in order.
        inputs: names and types.
        outputs: names and types.
        types: of the values that have one here.
    """

    nodes: list[OnnxNode]
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    types: dict[str, TensorType]


def all_nodes(nodes: Iterable[OnnxNode]) -> Iterator[OnnxNode]:
    """Nodes, and those of their bodies."""
    for node in nodes:
        yield node
        for body in node.bodies():
            yield from all_nodes(body.nodes)


class _Names:
    """Makes names unique: ``conv``, ``conv_1``, ``conv_2``."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def unique(self, hint: str) -> str:
        name = hint
        while name in self._taken:
            number = self._next.get(hint, 1)
            self._next[hint] = number + 1
            name = f"{hint}_{number}"
        self._taken.add(name)
        return name


class _Lowering:
    """The emitter that ops write with (``ir.op.Emitter``), and the loop around it."""

    def __init__(self, graph: Graph, portable: bool, everywhere: bool, opset: int, taken: Iterable[str] = ()) -> None:
        self._graph, self._portable, self._everywhere, self._opset = graph, portable, everywhere, opset
        self._names = _Names((*graph.inputs, *graph.outputs, *taken))
        self._values: dict[Value, str] = {value: name for name, value in graph.inputs.items()}
        self._output_names: dict[Value, str] = {}
        for name, value in graph.outputs.items():
            self._output_names.setdefault(value, name)
        self._constants: dict[str, Tensor] = {}
        self._constant_names: dict[tuple[DType, tuple[int, ...], bytes], str] = {}
        self._padded_names: dict[tuple[str, int], str] = {}
        self._types: dict[str, TensorType] = {}
        self._nodes: list[OnnxNode] = []
        self._once: dict[str, list[str]] = {}
        self._batch: list[OnnxNode] = []
        """ONNX nodes of the IR node being lowered; dims shared with other nodes go to ``_nodes`` at once."""
        self._hint, self._origin = "", UNKNOWN
        self._dims = _DimReader(graph, self)
        self._broadcasts = {node.outputs[0]: node for node in graph.nodes if isinstance(node.op, Broadcast)}
        self._kept = self._broadcasts_kept()

    # The loop over nodes.

    def visit(self, node: Node) -> None:
        """Lower one node, unless it is a Broadcast that each of its readers does by itself."""
        if node.outputs[0] in self._broadcasts and node.outputs[0] not in self._kept:
            return
        self._hint, self._origin = _hint(node), node.origin
        names, types = self._aligned(node, self._sources(node))
        made = node.op.lower(self, names, types, [v.type for v in node.outputs])
        results = [made] if isinstance(made, str) else made
        renamed = self._name_results(node, results)
        for written in self._batch:
            written.inputs = [renamed.get(name, name) for name in written.inputs]
            written.outputs = [renamed.get(name, name) for name in written.outputs]
        self._nodes += self._batch
        self._batch = []

    def _name_results(self, node: Node, results: Sequence[str]) -> dict[str, str]:
        """Final names for what this node's own ONNX nodes made; other results (constants, inputs) keep theirs."""
        own = {name for written in self._batch for name in written.outputs}
        renamed: dict[str, str] = {}
        for value, name in zip(node.outputs, results, strict=True):
            if name in own and name not in renamed:
                renamed[name] = self._output_names.get(value) or self._names.unique(_hint(node, value))
                self._types[renamed[name]] = value.type
            self._values[value] = renamed.get(name, name)
        return renamed

    def run(self) -> Lowered:
        """All nodes, lowered."""
        for node in self._graph.nodes:
            self.visit(node)
        return self.finish()

    def finish(self) -> Lowered:
        """All of it, with an Identity for each output that is an input, a constant or another output."""
        for name, value in self._graph.outputs.items():
            if self._values[value] != name:
                self._nodes.append(OnnxNode("Identity", [self._values[value]], [name], origin=value.origin))
        return Lowered(self._nodes, self._constants, self._types)

    # Broadcasts that need no node of their own.

    def _broadcasts_kept(self) -> set[Value]:
        """Broadcast values that something reads in their full shape."""
        kept = {value for value in self._graph.outputs.values() if value in self._broadcasts}
        for node in self._graph.nodes:
            kept.update(value for value in self._sources(node) if value in self._broadcasts)
        return kept

    def _sources(self, node: Node) -> list[Value]:
        """The node's inputs, before broadcasting where the rest still gives the result its shape."""
        inputs = list(node.inputs)
        if Trait.ELEMENTWISE not in node.op.traits:
            return inputs
        shape = node.outputs[0].shape
        for position, value in enumerate(node.inputs):
            while value in self._broadcasts:
                value = self._broadcasts[value].inputs[0]
            others = [v.shape for i, v in enumerate(inputs) if i != position]
            if value is not inputs[position] and _reaches([*others, value.shape], shape):
                inputs[position] = value
        return inputs

    def _aligned(self, node: Node, inputs: Sequence[Value]) -> tuple[list[str], list[TensorType]]:
        """Names and types of inputs. Where an elementwise result's last axis is 1, those of lower rank get such axes.

        onnxruntime broadcasts them an element at a time otherwise: a scalar times [768, 768, 1, 1] takes 3.66 ms, and
        with axes 0.09 ms (2026-11-28, 2 threads). Weights of 1x1 convolutions are such, and so is what follows them.
        """
        names, types = [self._values[value] for value in inputs], [value.type for value in inputs]
        shape = node.outputs[0].shape
        if Trait.ELEMENTWISE not in node.op.traits or len(shape) < 2 or shape[-1].constant != 1:
            return names, types
        for position, type_ in enumerate(types):
            ones = (Dim.of(1),) * (len(shape) - len(type_.shape))
            if ones:
                types[position] = TensorType(type_.dtype, (*ones, *type_.shape))
                names[position] = self._padded(names[position], types[position])
        return names, types

    def _padded(self, name: str, type_: TensorType) -> str:
        """A value with axes of size 1 before its own: a constant as it stands, else by a Reshape."""
        constant = self._constants.get(name)
        if constant is not None:
            ones = (1,) * (len(type_.shape) - constant.array.ndim)
            return self.constant(constant.array.reshape(ones + constant.array.shape), constant.dtype)
        key = (name, len(type_.shape))
        if key not in self._padded_names:
            self._padded_names[key] = self.node("Reshape", name, self.dims(type_.shape))
        return self._padded_names[key]

    # What ops write with.

    @property
    def portable(self) -> bool:
        return self._portable

    @property
    def everywhere(self) -> bool:
        return self._everywhere

    @property
    def opset(self) -> int:
        return self._opset

    def node(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        (output,) = self.nodes(op_type, *inputs, outputs=1, domain=domain, **attributes)
        return output

    def nodes(self, op_type: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        if domain and self._portable:
            raise InternalError(f"{domain}.{op_type} in a portable graph", span=self._origin.span)
        if not domain and self._opset < AXES_AN_INPUT and axes_once_an_attribute(op_type):
            x, axes = inputs
            inputs, attributes = (x,), {**attributes, "axes": self._constants[axes].array.tolist() or None}
        names = [self._names.unique(f"{self._hint}/{op_type}") for _ in range(outputs)]
        self._batch.append(OnnxNode(op_type, list(inputs), names, domain, attributes, self._origin))
        return list(names)

    def constant(self, array: Any, dtype: DType | None = None) -> str:
        try:
            tensor = _tensor(array, dtype)
        except OverflowError:
            fail("AX0311", "an integer here does not fit 64 bits", self._origin.place)
        key = (tensor.dtype, tensor.array.shape, tensor.array.tobytes())
        if key not in self._constant_names:
            name = self._names.unique(_constant_hint(tensor))
            self._constant_names[key] = name
            self._constants[name] = tensor
        return self._constant_names[key]

    def dims(self, dims: Sequence[Dim]) -> str:
        return self._dims.vector(tuple(dims))

    def once(self, key: str, make: Callable[[], list[str]]) -> list[str]:
        if key not in self._once:
            own, self._batch = self._batch, []
            self._once[key] = make()
            self._nodes += self._batch
            self._batch = own
        return list(self._once[key])

    def body(self, graph: Graph, captured: Sequence[str]) -> Body:
        return _BodyLowering(graph, self, captured).lowered()

    def shared(self, hint: str, op_type: str, *inputs: str, **attributes: Any) -> str:
        """A node that stands before the one being lowered, for others to use as well."""
        name = self._names.unique(hint)
        self._nodes.append(OnnxNode(op_type, list(inputs), [name], "", attributes, self._origin))
        return name


class _BodyLowering(_Lowering):
    """Lowers a body. Names, constants and dims are those of the graph around it."""

    def __init__(self, graph: Graph, around: _Lowering, captured: Sequence[str]) -> None:
        self._graph, self._around = graph, around
        self._portable, self._everywhere, self._opset = around._portable, around._everywhere, around._opset
        self._names, self._constants, self._constant_names = around._names, around._constants, around._constant_names
        self._dims = around._dims
        own = list(graph.inputs.items())
        own, outer = own[: len(own) - len(captured)], own[len(own) - len(captured) :]
        self._inputs = {self._names.unique(value.name or name): value for name, value in own}
        self._values = {value: name for name, value in self._inputs.items()}
        self._values |= {value: name for (_, value), name in zip(outer, captured, strict=True)}
        self._output_names: dict[Value, str] = {}
        self._results: dict[str, Value] = {}
        for name, value in graph.outputs.items():
            unique = self._names.unique(f"{around._hint}/{value.name or name}")
            self._results[unique] = value
            if value not in self._values:
                self._output_names.setdefault(value, unique)
        self._padded_names: dict[tuple[str, int], str] = {}
        self._types: dict[str, TensorType] = {}
        self._nodes, self._batch, self._once = [], [], {}
        self._hint, self._origin = around._hint, around._origin
        self._broadcasts = {node.outputs[0]: node for node in graph.nodes if isinstance(node.op, Broadcast)}
        self._kept = self._broadcasts_kept()

    def lowered(self) -> Body:
        """The body."""
        for node in self._graph.nodes:
            self.visit(node)
        for name, value in self._results.items():
            if self._values[value] != name:
                self._nodes.append(OnnxNode("Identity", [self._values[value]], [name], origin=value.origin))
        inputs = {name: value.type for name, value in self._inputs.items()}
        outputs = {name: value.type for name, value in self._results.items()}
        return Body(self._nodes, inputs, outputs, self._types)

    def shared(self, hint: str, op_type: str, *inputs: str, **attributes: Any) -> str:
        return self._around.shared(hint, op_type, *inputs, **attributes)


class _DimReader:
    """Writes dims as i64 tensors: names are read off the shapes of graph inputs, the rest is integer arithmetic."""

    def __init__(self, graph: Graph, emit: _Lowering) -> None:
        self._emit = emit
        self._written: dict[Dim, str] = {}
        self._vectors: dict[tuple[Dim, ...], str] = {}
        self._axes: dict[str, tuple[str, int]] = {}
        self._sizes = {name for name, value in graph.inputs.items() if value.type == TensorType(DType.i64, ())}
        for name, value in graph.inputs.items():
            for axis, dim in enumerate(value.shape):
                if dim.symbol is not None:
                    self._axes.setdefault(dim.symbol, (name, axis))

    def vector(self, dims: tuple[Dim, ...]) -> str:
        """A 1-D tensor of all of them."""
        sizes = [dim.constant for dim in dims]
        if None not in sizes:
            return self._emit.constant(sizes, DType.i64)
        if dims not in self._vectors:
            parts = [self._one(dim) for dim in dims]
            self._vectors[dims] = parts[0] if len(parts) == 1 else self._emit.shared("dims", "Concat", *parts, axis=0)
        return self._vectors[dims]

    def _one(self, dim: Dim) -> str:
        """A tensor of shape [1]."""
        if (number := dim.constant) is not None:
            return self._emit.constant([number])
        if dim not in self._written:
            self._written[dim] = self._symbol(dim.symbol) if dim.symbol is not None else self._sum(dim)
        return self._written[dim]

    def _symbol(self, symbol: str) -> str:
        hint = f"dim/{symbol}"
        if symbol in self._axes:
            name, axis = self._axes[symbol]
            if self._emit.opset < PART_OF_SHAPE:
                return self._emit.shared(
                    hint, "Gather", self._emit.shared("shape", "Shape", name), self._emit.constant([axis])
                )
            return self._emit.shared(hint, "Shape", name, start=axis, end=axis + 1)
        if symbol in self._sizes:
            return self._emit.shared(hint, "Reshape", symbol, self._emit.constant([1]))
        raise InternalError(f"no input of the graph tells the dim `{symbol}`", span=self._emit._origin.span)

    def _sum(self, dim: Dim) -> str:
        total: str | None = None
        for monomial, coefficient in dim.terms:
            term = self._emit.constant([abs(coefficient)]) if abs(coefficient) != 1 or not monomial else None
            for factor, power in monomial:
                for _ in range(power):
                    term = self._combine("Mul", term, self._factor(factor))
            assert term is not None
            if total is None:
                total = term if coefficient > 0 else self._emit.shared("dim/neg", "Neg", term)
            else:
                total = self._combine("Add" if coefficient > 0 else "Sub", total, term)
        assert total is not None
        return total

    def _combine(self, op_type: str, left: str | None, right: str) -> str:
        return right if left is None else self._emit.shared(f"dim/{op_type.lower()}", op_type, left, right)

    def _factor(self, factor: str | Atom) -> str:
        if isinstance(factor, str):
            return self._one(Dim.of(factor))
        left, right = self._one(factor.left), self._one(factor.right)
        if factor.op == "//":
            return self._floor_divide(factor, left, right)
        return self._combine({"%": "Mod", "min": "Min", "max": "Max"}[factor.op], left, right)

    def _floor_divide(self, atom: Atom, left: str, right: str) -> str:
        """ONNX's Div of integers drops the fraction; Mod rounds towards minus infinity and mends that."""
        bounds = atom.left.lower_bound(), atom.right.lower_bound()
        if any(bound is None or bound < 0 for bound in bounds):
            left = self._combine("Sub", left, self._combine("Mod", left, right))
        return self._combine("Div", left, right)


def _reaches(shapes: Sequence[tuple[Dim, ...]], result: tuple[Dim, ...]) -> bool:
    """Whether these shapes, broadcast by ONNX's rule, give the result's shape."""
    if max(map(len, shapes)) != len(result):
        return False
    return all(
        any(len(shape) >= -axis and shape[axis] == result[axis] for shape in shapes) for axis in range(-len(result), 0)
    )


def _hint(node: Node, value: Value | None = None) -> str:
    """A readable name: ``gradient/conv.0/mul``."""
    origin, word = node.origin, (value.name if value is not None else "") or node.op.name
    return "/".join(filter(None, (origin.role.partition(" ")[0], origin.path, word)))


def _tensor(array: Any, dtype: DType | None) -> Tensor:
    data = np.asarray(array)
    if dtype is None and data.dtype == np.float64 and not isinstance(array, np.ndarray | np.generic):
        dtype = DType.f32
    if data.dtype in (np.uint64, object) and not isinstance(array, np.ndarray | np.generic):
        raise OverflowError("an integer beyond 64 bits")
    dtype = dtype or DType.from_numpy(data.dtype)
    return Tensor(np.ascontiguousarray(data, dtype=dtype.numpy).reshape(data.shape), dtype)


def _constant_hint(tensor: Tensor) -> str:
    if tensor.array.size == 1:
        return f"constant/{tensor.array.flat[0]}"
    return f"constant/{tensor.dtype}[{','.join(map(str, tensor.array.shape))}]"
