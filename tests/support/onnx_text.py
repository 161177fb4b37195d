"""ONNX models as text for golden files: a line for each input, constant, node and output."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper


def onnx_text(model: onnx.ModelProto) -> str:
    """The graph of a model, with the types that it states and the origins of its nodes."""
    graph = model.graph
    types = {info.name: _type(info) for info in (*graph.input, *graph.value_info, *graph.output)}
    lines = [f"input {info.name}: {types[info.name]}" for info in graph.input]
    lines += [f"constant {tensor.name} = {_constant(tensor)}" for tensor in graph.initializer]
    lines += [_node(node, types) for node in graph.node]
    lines += [f"output {info.name}: {types[info.name]}" for info in graph.output]
    return "\n".join(lines)


def _node(node: onnx.NodeProto, types: dict[str, str]) -> str:
    results = ", ".join(f"{name}: {types[name]}" if name in types else name or "_" for name in node.output)
    attributes = ", ".join(f"{a.name}={_attribute(a)}" for a in node.attribute)
    operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    call = f"{operator}{f'<{attributes}>' if attributes else ''}({', '.join(node.input)})"
    comment = "; ".join(entry.value for entry in node.metadata_props)
    return f"{results} = {call}" + (f"  # {comment}" if comment else "")


def _attribute(attribute: onnx.AttributeProto) -> str:
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else str(list(value)) if not np.isscalar(value) else str(value)


def _constant(tensor: onnx.TensorProto) -> str:
    dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
    return f"{dtype} {numpy_helper.to_array(tensor).tolist()}"


def _type(info: onnx.ValueInfoProto) -> str:
    tensor = info.type.tensor_type
    dims = [dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim]
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}[{', '.join(dims)}]"
