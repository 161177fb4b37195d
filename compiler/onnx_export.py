"""Writing ONNX: the only place that does, and the only one in the compiler that imports onnx (when called).

Models have, unless told otherwise, opset 21 and with it IR version 10, which onnxruntime's CPU and CUDA providers both
cover best. What this module does not do: write files, choose or simplify nodes (ops lower themselves, passes simplify
before).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace

from .apart import TURNED_COPY, told_apart
from .errors import InternalError
from .ir.dims import Dim
from .ir.graph import Graph
from .ir.origin import UNKNOWN, Origin
from .ir.types import Array, DType, TensorType
from .ir.value import Value
from .joining import joined
from .lowering import Body, Lowered, OnnxNode, Tensor, all_nodes, lower
from .mixed import Products, opset_for, with_products
from .opset import OPSET
from .portability import OPSETS, check_opset, check_target, typed
from .program import PRODUCER

if TYPE_CHECKING:
    import onnx

IR_VERSIONS = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10}
"""The version of the file format that came with an opset: a runtime of that time refuses later ones."""
IR_VERSION = 10
"""That of later opsets: no operator that is written here needs more."""
LARGE = 3 * 2**29
"""Bytes of weights beyond which they stand in a file of their own (protobuf ends at 2 GiB)."""
Target = Literal["portable", "onnx", "ort", "exact"]
"""``onnx`` uses the ai.onnx domain alone; ``portable`` as well, in forms that any client computes; ``ort`` also
onnxruntime's own ops (com.microsoft); ``exact`` likewise, in the nodes that a training here runs."""
_SMALL, _PAGE = 1024, 4096
"""Tensors that stay in the model, and the alignment of the others, so that runtimes can map them into memory."""
ORIGIN_KEY, PATH_KEY = "archonnx.origin", "archonnx.path"
"""Node metadata: where in the spec a node came from, and in which module it stands."""
_ONNX_NAMES = {DType.f16: "float16", DType.bf16: "bfloat16", DType.f32: "float", DType.f64: "double"}
"""How schemas of operators call those dtypes that NumPy calls otherwise."""
_OPTIONAL = {
    "BatchNormalization": 1, "Dropout": 1, "GRU": 0, "LSTM": 0, "LayerNormalization": 1, "MaxPool": 1, "RNN": 0,
    "SoftmaxCrossEntropyLoss": 1, "Unique": 1,
}  # fmt: skip
"""Operators with results that may be left out, and from which on. onnx knows them too, but the schemas of all operators
stay in memory (8 MB) once one of them is asked for."""
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 3
"""Where the operator that reads texts is from."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """What makes an input of numbers of texts: they are looked up by the ai.onnx.ml operator LabelEncoder.

    Attributes:
        input: the name of the input that takes its place: texts in the same shape.
        numbers: by text.
        default: the number of every other text.
    """

    input: str
    numbers: Mapping[str, int]
    default: int


def export(
    graph: Graph,
    *,
    target: Target = "portable",
    constants: Mapping[str, Array] | None = None,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
    opset: int = OPSET,
    texts: Mapping[str, TextTable] | None = None,
    beside: Collection[str] = (),
    products: Products = "f32",
) -> onnx.ModelProto:
    """The graph as an ONNX model.

    Args:
        graph: what to export; its inputs and outputs keep their names, symbolic dims become ``dim_param``.
        target: which operators may be used.
        constants: arrays for graph inputs that are to be initializers (the weights of an inference model).
        metadata: properties of the model.
        check: run onnx's checker and strict shape inference. Weights are still inputs then, so that the time does not
            depend on their size.
        opset: version of the ai.onnx operators.
        texts: the graph inputs that are made of texts, and how: by an ai.onnx.ml operator, whatever the target.
        beside: further graph inputs that are to be weights, by ``refer_to_weights``.
        products: in what products and convolutions of f32 are computed; those of bf16 may ask for a later opset.

    Raises:
        SpecError: there is no such target, or the graph cannot be written in this opset.
        InternalError: the model is not valid, or ``constants`` do not fit the graph.
    """
    import onnx

    fixed = {name: _weight(graph, name, array) for name, array in (constants or {}).items()}
    check_target(target)
    check_opset(opset)
    tables = texts or {}
    lowered = lower(
        graph,
        portable=target in ("portable", "onnx"),
        everywhere=target == "portable",
        opset=opset,
        taken=[table.input for table in tables.values()],
    )
    if opset != OPSET:
        _check_operators(lowered, graph, opset)
    _drop_unused_outputs(lowered, graph.outputs)
    lowered = with_products(lowered, graph, products)
    opset = opset_for(lowered, opset)
    weights = fixed
    if fixed:
        types = {name: value.type for name, value in graph.inputs.items()}
        lowered, weights = joined(lowered, types, graph.outputs, fixed)
        inputs = {name: value for name, value in graph.inputs.items() if name in weights or name not in fixed}
        graph = replace(graph, inputs=inputs)
    if target == "portable":
        types = {name: value.type for name, value in graph.inputs.items()}
        held = {*weights, *(name for name in beside if name in types)}
        for copy, name in told_apart(lowered, types, graph.outputs, held).items():
            graph = replace(graph, inputs={**graph.inputs, copy: Value(types[name], copy)})
            weights |= {copy: weights[name]} if name in weights else {}
    domains = {"": opset} | {node.domain: 1 for node in all_nodes(lowered.nodes) if node.domain}
    if tables:
        domains[ML_DOMAIN] = ML_OPSET
    model = onnx.ModelProto(
        ir_version=IR_VERSIONS.get(opset, IR_VERSION),
        producer_name=PRODUCER,
        producer_version=version("archonnx"),
        opset_import=[onnx.OperatorSetIdProto(domain=d, version=v) for d, v in sorted(domains.items())],
        graph=_graph_proto(graph, lowered, tables),
        metadata_props=_entries(metadata or {}),
    )
    if check:
        _check(model, graph.name)
    _fix_inputs(model.graph, weights)
    return model


def _check_operators(lowered: Lowered, graph: Graph, opset: int) -> None:
    """SpecError at the line of the spec, if an opset has not an operator, or has it for other dtypes."""
    for node, dtype in typed(lowered, graph):
        if not node.domain and not _has(node, dtype, opset):
            since = next((later for later in OPSETS if later > opset and _has(node, dtype, later)), None)
            fail(
                "AX0502",
                f"opset {opset} has no `{node.op_type}` of {dtype}",
                node.origin.place,
                help="leave `--opset` out" if since is None else f"choose opset {since} or a later one",
            )


def _has(node: OnnxNode, dtype: DType, opset: int) -> bool:
    """Whether an opset has an operator that computes with this dtype."""
    import onnx

    try:
        inputs = onnx.defs.get_schema(node.op_type, opset).inputs
    except onnx.defs.SchemaError:
        return False
    computed_with = inputs[min(1 if node.op_type == "Where" else 0, len(inputs) - 1)]
    return f"tensor({_ONNX_NAMES.get(dtype, dtype.numpy.name)})" in computed_with.types


def _weight(graph: Graph, name: str, array: Array) -> Tensor:
    declared = graph.inputs.get(name)
    if declared is None:
        raise InternalError(f"a constant for `{name}`, which is not an input of the graph")
    if declared.type.static_shape != array.shape:
        raise InternalError(f"a constant of shape {list(array.shape)} for `{name}`, which is {declared.type}")
    return Tensor(np.asarray(array, dtype=declared.type.dtype.numpy, order="C"), declared.type.dtype)


def _fix_inputs(proto: onnx.GraphProto, fixed: Mapping[str, Tensor]) -> None:
    """Turn these inputs into initializers."""
    if fixed:
        kept = [value for value in proto.input if value.name not in fixed]
        del proto.input[:]
        proto.input.extend(kept)
        for name, tensor in fixed.items():
            _write_tensor(proto.initializer.add(), name, tensor)


def _drop_unused_outputs(lowered: Lowered, outputs: Iterable[str]) -> None:
    """Leave out optional outputs that nothing reads: a kernel may then skip their work (MaxPool's Indices)."""
    used = {name for node in all_nodes(lowered.nodes) for name in node.inputs}.union(outputs)
    used = used.union(*(body.outputs for node in all_nodes(lowered.nodes) for body in node.bodies()))
    _drop_outputs(lowered.nodes, lowered.types, used)


def _drop_outputs(nodes: Iterable[OnnxNode], types: dict[str, TensorType], used: set[str]) -> None:
    for node in nodes:
        for body in node.bodies():
            _drop_outputs(body.nodes, body.types, used)
        if len(node.outputs) == 1 or node.domain:
            continue
        first = _OPTIONAL.get(node.op_type, len(node.outputs))
        for position, name in enumerate(node.outputs[first:], first):
            if name not in used:
                node.outputs[position] = ""
                types.pop(name, None)
        while not node.outputs[-1]:
            node.outputs.pop()


def _shared(origin: Origin) -> str:
    """An origin without the folders of the machine on which the spec was read."""
    text = str(origin)
    if origin.span is not None and (path := PurePath(origin.span.source.name)).is_absolute():
        text = text.replace(str(path), path.name)
    return text


def split_weights(model: onnx.ModelProto, location: str) -> Iterator[bytes] | None:
    """Move weights out of a model that is too large for one file; the model names ``location`` in their place.

    Returns:
        The content of that file, piece by piece; None where the model is small enough to be left as it is.
    """
    weights = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) >= _SMALL]
    if sum(len(tensor.raw_data) for tensor in weights) <= LARGE:
        return None
    pieces, offset = [], 0
    for tensor in weights:
        data = tensor.raw_data
        padding = -len(data) % _PAGE
        pieces += [data, bytes(padding)]
        _place(tensor, location, offset, len(data))
        offset += len(data) + padding
    return iter(pieces)


def refer_to_weights(model: onnx.ModelProto, location: str, places: Mapping[str, tuple[int, int]]) -> None:
    """Turn those inputs of a model that are weights into initializers that lie in a file beside it.

    Args:
        model: is changed.
        location: the name of the file.
        places: where in it each weight begins and ends, by name, in bytes.
    """
    import onnx

    graph = model.graph
    rest = []
    for value in graph.input:
        name = value.name.removesuffix(TURNED_COPY)
        if name not in places:
            rest.append(value)
            continue
        type_ = value.type.tensor_type
        tensor = onnx.TensorProto(name=value.name, data_type=type_.elem_type)
        tensor.dims.extend(dim.dim_value for dim in type_.shape.dim)
        begin, end = places[name]
        _place(tensor, location, begin, end - begin)
        graph.initializer.append(tensor)
    del graph.input[:]
    graph.input.extend(rest)


def _place(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    from onnx.external_data_helper import set_external_data

    tensor.raw_data = b""  # what is moved must be there
    set_external_data(tensor, location, offset, length)
    tensor.ClearField("raw_data")


def _graph_proto(graph: Graph, lowered: Lowered, texts: Mapping[str, TextTable]) -> onnx.GraphProto:
    import onnx

    inputs = {
        texts[name].input if name in texts else name: _value_info(name, value.type, texts.get(name))
        for name, value in graph.inputs.items()
    }
    types = {name: graph.inputs[name].type for name in texts} | lowered.types
    proto = onnx.GraphProto(
        name=graph.name or "graph",
        node=[*map(_text_node, texts, texts.values()), *map(_node_proto, lowered.nodes)],
        input=inputs.values(),
        output=[_value_info(name, value.type) for name, value in graph.outputs.items()],
        value_info=[_value_info(name, t) for name, t in types.items() if name not in graph.outputs],
    )
    for name, tensor in lowered.constants.items():
        _write_tensor(proto.initializer.add(), name, tensor)
    return proto


def _text_node(name: str, table: TextTable) -> onnx.NodeProto:
    """The node that looks texts up."""
    import onnx

    numbers = table.numbers or {"": table.default}  # the operator wants at least one
    return onnx.helper.make_node(
        "LabelEncoder",
        [table.input],
        [name],
        name,
        domain=ML_DOMAIN,
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=table.default,
    )


def _node_proto(node: OnnxNode) -> onnx.NodeProto:
    import onnx

    attributes = {name: _attribute(value) for name, value in node.attributes.items() if value is not None}
    proto = onnx.helper.make_node(
        node.op_type, node.inputs, node.outputs, node.outputs[0], domain=node.domain or None, **attributes
    )
    if node.origin != UNKNOWN:
        proto.metadata_props.extend(_entries({ORIGIN_KEY: _shared(node.origin)}))
    if node.origin.path:
        proto.metadata_props.extend(_entries({PATH_KEY: node.origin.path}))
    return proto


def _body_proto(body: Body) -> onnx.GraphProto:
    import onnx

    return onnx.GraphProto(
        name="body",
        node=map(_node_proto, body.nodes),
        input=[_value_info(name, type_) for name, type_ in body.inputs.items()],
        output=[_value_info(name, type_) for name, type_ in body.outputs.items()],
        value_info=[_value_info(name, t) for name, t in body.types.items() if name not in body.outputs],
    )


def _attribute(value: Any) -> Any:
    """An attribute of an op in onnx's terms."""
    if isinstance(value, DType):
        return _codes()[value]
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Dim):
        if (number := value.constant) is None:
            raise InternalError(f"the symbolic dim {value} as an ONNX attribute")
        return number
    if isinstance(value, Body):
        return _body_proto(value)
    if isinstance(value, tuple | list):
        return [_attribute(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _value_info(name: str, type_: TensorType, texts: TextTable | None = None) -> onnx.ValueInfoProto:
    import onnx

    shape = [str(dim) if dim.constant is None else dim.constant for dim in type_.shape]
    if texts is not None:
        return onnx.helper.make_tensor_value_info(texts.input, onnx.TensorProto.STRING, shape)
    return onnx.helper.make_tensor_value_info(name, _codes()[type_.dtype], shape)


def _write_tensor(proto: onnx.TensorProto, name: str, tensor: Tensor) -> None:
    """Fill a tensor of a graph in place: protobuf cannot copy one of more than 2 GiB."""
    array: Array = tensor.array
    if tensor.dtype is DType.bf16:
        from ml_dtypes import bfloat16

        array = array.astype(bfloat16).view(np.uint16)
    raw = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    proto.name, proto.data_type, proto.raw_data = name, _codes()[tensor.dtype], raw
    proto.dims.extend(array.shape)


@cache
def _codes() -> Mapping[DType, int]:
    """ONNX's codes of element types."""
    from onnx import TensorProto as T

    return {
        DType.f16: T.FLOAT16,
        DType.bf16: T.BFLOAT16,
        DType.f32: T.FLOAT,
        DType.f64: T.DOUBLE,
        DType.i8: T.INT8,
        DType.u8: T.UINT8,
        DType.i32: T.INT32,
        DType.i64: T.INT64,
        DType.u32: T.UINT32,
        DType.u64: T.UINT64,
        DType.bool: T.BOOL,
    }


def _entries(properties: Mapping[str, str]) -> list[onnx.StringStringEntryProto]:
    import onnx

    return [onnx.StringStringEntryProto(key=key, value=value) for key, value in properties.items()]


def _check(model: onnx.ModelProto, name: str) -> None:
    """Validity, and our types against ONNX's own shape inference (which knows the values of shapes too)."""
    import onnx

    try:
        onnx.checker.check_model(model)
        try:
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError as problem:
            if "Invalid rank for" not in str(problem):
                raise
            # onnx 1.23 takes unsqueezed vectors of floats for shapes, and refuses to add [4, 1] and [1, 5].
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
        raise InternalError(f"the ONNX model of `{name}` is not valid", details=str(problem)) from problem
