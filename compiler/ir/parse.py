"""Reading graphs back from the text that ``text.print_graph`` writes, so that tests of passes can be written as text.

Ops are found by name among those that are imported (``archonnx.compiler.ops`` imports all). What this module does not
do: good error messages; a text that does not fit raises ValueError or KeyError.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

from .dims import ATOMS, Dim
from .graph import Graph, Node
from .op import Op, registered
from .origin import UNKNOWN, Origin
from .types import DType, TensorType
from .value import Value

_TYPE = r"(\w+)\[([^\]]*)\]"
_INPUT = re.compile(rf"input (\S+): {_TYPE}")
_RESULT = re.compile(rf"(%\d+): {_TYPE}")
_OUTPUT = re.compile(r"output (\S+) = (\S+)")
_NAMED_NUMBERS = {"inf": float("inf"), "nan": float("nan")}


def parse_graph(text: str) -> Graph:
    """The graph of a text."""
    return _graph([line.strip() for line in text.splitlines() if line.strip()])


def _graph(text: list[str]) -> Graph:
    first, *rest = text
    lines = iter(rest)
    inputs: dict[str, Value] = {}
    outputs: dict[str, Value] = {}
    nodes: list[Node] = []
    values: dict[str, Value] = {}
    for line in lines:
        if found := _INPUT.fullmatch(line):
            values[found[1]] = inputs[found[1]] = Value(_type(found[2], found[3]), found[1])
        elif found := _OUTPUT.fullmatch(line):
            outputs[found[1]] = values[found[2]]
        else:
            nodes.append(_node(line, values, _bodies(lines) if _opens(line) else ()))
    return Graph(first.removeprefix("graph "), inputs, tuple(nodes), outputs)


def _opens(line: str) -> bool:
    """Whether the graphs that an op runs follow."""
    return line.partition("  # ")[0].endswith(" {")


def _bodies(lines: Iterator[str]) -> list[Graph]:
    """The graphs up to the brace that closes them."""
    bodies: list[list[str]] = []
    depth = 1
    for line in lines:
        depth += _opens(line) - (line == "}")
        if not depth:
            break
        if depth == 1 and line.startswith("graph"):
            bodies.append([])
        bodies[-1].append(line)
    return [_graph(body) for body in bodies]


def parse_dim(text: str) -> Dim:
    """The dim of a text, such as ``(H + 1) // 2``."""
    return _dim(ast.parse(text, mode="eval").body)


def _node(line: str, values: dict[str, Value], bodies: Sequence[Graph]) -> Node:
    code, _, comment = line.partition("  # ")
    code = code.removesuffix(" {")
    origin = Origin(comment) if comment else UNKNOWN
    left, _, right = code.partition(" = ")
    results = {name: Value(_type(dtype, dims), origin=origin) for name, dtype, dims in _RESULT.findall(left)}
    call, inputs = _split_call(right)
    op = _op(call, next(iter(results.values())).type)
    node = Node(
        op.with_bodies(bodies) if bodies else op,
        tuple(values[name] for name in inputs.split(", ") if name),
        tuple(results.values()),
        origin,
    )
    values.update(results)
    return node


def _split_call(text: str) -> tuple[str, str]:
    """``softmax(axis=1)`` and what follows it."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == " " and depth == 0:
            return text[:position], text[position + 1 :]
    return text, ""


def _op(text: str, result: TensorType) -> Op:
    tree = ast.parse(text, mode="eval").body
    if isinstance(tree, ast.Name):
        return registered()[tree.id]()
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise ValueError(f"no op: {text}")
    op = registered()[tree.func.id]
    hints = {name: str(hint) for name, hint in get_type_hints(op).items()}
    attributes = {k.arg: _value(k.value, hints[k.arg]) for k in tree.keywords if k.arg}
    return op.read(result, [_value(argument, "") for argument in tree.args], attributes)


def _value(tree: ast.expr, hint: str) -> Any:
    """An attribute; ``hint`` is its annotation, which tells dims from integers."""
    if isinstance(tree, ast.List):
        return tuple(_value(item, hint) for item in tree.elts)
    if isinstance(tree, ast.Name) and "DType" in hint:
        return DType(tree.id)
    if "Dim" in hint and not (isinstance(tree, ast.Constant) and tree.value is None):
        return _dim(tree)
    if isinstance(tree, ast.Name):
        return _NAMED_NUMBERS[tree.id]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return -_value(tree.operand, hint)
    return ast.literal_eval(tree)


def _type(dtype: str, dims: str) -> TensorType:
    tree = ast.parse(f"[{dims}]", mode="eval").body
    assert isinstance(tree, ast.List)
    return TensorType(DType(dtype), tuple(map(_dim, tree.elts)))


def _dim(tree: ast.expr) -> Dim:
    match tree:
        case ast.Constant(value=int(number)):
            return Dim.of(number)
        case ast.Name(id=name):
            return Dim.of(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_dim(operand)
        case ast.Call(func=ast.Name(id=name), args=[left, right]):
            return ATOMS[name](_dim(left), _dim(right))
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
            return _dim(left) ** power
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_dim(left), _dim(right))
    raise ValueError(f"no dim: {ast.unparse(tree)}")


_BINARY = {
    ast.Add: Dim.__add__,
    ast.Sub: Dim.__sub__,
    ast.Mult: Dim.__mul__,
    ast.FloorDiv: Dim.__floordiv__,
    ast.Mod: Dim.__mod__,
}
