"""The diagnostic of a training that became infinite or NaN: where, from which numbers, and what helps.

What this module does not do: find the step (``nonfinite`` does).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import GATHERED, NEXT
from archonnx.grammar.diagnostics import Diagnostic, Label, SpecError
from archonnx.grammar.source import Span
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.device.step import StepRunner

from .nonfinite import Cause, Fault, all_finite, find_cause

LARGE = 1e10
"""An operand beyond this overflowed step by step; a function at its singular point has a small one."""
MASKED = "infinities are combined here, as where a mask covers a whole row: use a large number, -1e9, in their place"
SLOWER = "lower the learning rate, set `clip_norm = 1.0`, or scale the data"
SMALLER = "scale the data, or keep values in range from layer to layer: initial weights by `he_normal`, a `LayerNorm`"
GROWN = 1e3
"""A parameter beyond this has grown in training; without one, an overflow comes of the model and its data."""


def explain(
    runner: StepRunner, fault: Fault, where: str, rows: Sequence[int] | None, options: SessionOptions
) -> Diagnostic:
    """The diagnostic of a fault.

    Args:
        runner: where it happened; the state is that before the statement.
        fault: what was found.
        where: epoch and step, in words.
        rows: numbers of the examples in the batch, where they are known.
        options: where to run the statement again.
    """
    statement = fault.statement
    graph, inputs = statement.session.graph, runner.inputs(statement)
    fields = runner.steps[statement.index].fields
    assert graph is not None
    try:
        cause = find_cause(graph, inputs, options)
    except SpecError:  # with every result an output, it may not fit into memory
        cause = None
    if cause is None:
        return diverged(runner.steps[statement.index].losses, where)
    if cause.node is None:
        return _given(cause, where, fields, rows)
    return _made(cause, cause.node, where, _largest(graph, inputs, fields))


def diverged(losses: Iterable[str], where: str) -> Diagnostic:
    """The diagnostic where no more is known than that a loss is not finite."""
    named = " or ".join(f"`{name}`" for name in losses)
    helped = f"{SLOWER}, or look for a log or a division at 0"
    return Diagnostic("AX0610", f"training stopped at {where}: {named} is no longer finite", help=helped)


def _made(cause: Cause, node: Node, where: str, largest: str | None) -> Diagnostic:
    origin, array = node.origin, cause.array
    bad = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    role = f"in the {origin.role} {origin.what}, " if origin.role else ""
    elements = _elements(node, cause, first)
    said = f"{_expression(node, elements) if elements else f'a result of {origin.what}'} is {figure(array[first])}"
    notes = [_consequence(cause)]
    if array.ndim:
        place = f"element {list(first)} of {cause.value.type}"
        notes.append(f"{place}; {int(bad.sum()):,} of its {array.size:,} elements are not finite")
    if origin.path:
        notes.append(f"in module `{origin.path}`")
    said_by_op = Trait.ELEMENTWISE not in node.op.traits and node.op.remedy is not None
    overflow = any(abs(x) > LARGE for x in elements) or not (elements or said_by_op)
    if overflow and largest is not None:
        notes.append(largest)
    return Diagnostic(
        "AX0610",
        f"training stopped at {where}: {role}{said}",
        _labels(origin.use, origin.span, origin.used, _ranges(cause.operands)),
        tuple(notes),
        _help(node, overflow, largest is not None) if all_finite(cause.operands) else MASKED,
    )


def _given(cause: Cause, where: str, fields: Collection[str], rows: Sequence[int] | None) -> Diagnostic:
    """An input of the step is not finite: the data, or a parameter from its start on."""
    name, array = cause.value.name, cause.array
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    value = figure(array[first])
    place = cause.value.origin.span
    labels = (Label(place, "declared here", primary=True),) if place is not None else ()
    notes = [_consequence(cause)]
    if name in fields:
        examples = sorted({int(i) for i in np.argwhere(~np.isfinite(array))[:, 0]}) if array.ndim else []
        told = [rows[i] for i in examples] if rows is not None and len(rows) == len(array) else []
        at = f"example {min(told)} of the data" if told else f"row {first[0]} of the batch" if first else "the batch"
        if len(examples) > 1:
            notes.append(f"{len(examples)} of the {len(array)} examples in this batch hold such numbers")
        headline = f"training stopped at {where}: `{name}` is {value} in {at}"
        odd = "isnan(x)" if np.isnan(array[first]) else "abs(x) == inf"
        helped = f"leave such examples out of the data, or replace the numbers: `where({odd}, 0.0, x)` in its feed"
        return Diagnostic("AX0610", headline, labels, tuple(notes), helped)
    headline = f"training stopped at {where}: `{name}` was {value} before this step"
    return Diagnostic("AX0610", headline, labels, tuple(notes), "look at how it starts")


def _consequence(cause: Cause) -> str:
    if not cause.victim.startswith(NEXT):
        return f"so the loss `{cause.victim}` is {figure(cause.became.item())}"
    became = figure(cause.became[~np.isfinite(cause.became)][0])
    name = cause.victim.removeprefix(NEXT)
    if name.startswith(GATHERED):
        return f"so the gradient of `{name.removeprefix(GATHERED).partition('/')[2]}` is {became}"
    return f"so this step would have made `{name}` {became}"


def _elements(node: Node, cause: Cause, at: tuple[int, ...]) -> tuple[float, ...]:
    """What an elementwise op was given where its result is not finite."""
    alike = all(array.shape == cause.array.shape for array in cause.operands)
    if Trait.ELEMENTWISE not in node.op.traits or not alike:
        return ()
    return tuple(array[at].item() for array in cause.operands)


def _expression(node: Node, elements: Sequence[float]) -> str:
    symbol = getattr(node.op, "symbol", node.op.name)
    operands = [figure(x) for x in elements]
    if len(operands) == 2 and not symbol.isalpha():
        return f"{operands[0]} {symbol} {operands[1]}"
    return f"{symbol}({', '.join(operands)})"


def figure(value: Any) -> str:
    """A number in four digits."""
    return f"{float(value):.4g}"


def _floats(arrays: Iterable[Array]) -> list[Array]:
    return [array for array in arrays if array.dtype.kind == "f"]


def _ranges(operands: Sequence[Array]) -> str:
    """``its inputs range from 0 to 1, and from -3 to 2``."""
    floats = [array for array in _floats(operands) if array.size]
    if not floats:
        return ""
    ends = [(figure(array.min()), figure(array.max())) for array in floats]
    ranges = list(dict.fromkeys(f"from {low} to {high}" if low != high else low for low, high in ends))
    return f"its input is {ranges[0]}" if len(ranges) == 1 else f"its inputs are {', '.join(ranges)}"


def _labels(use: Span | None, span: Span | None, used: str, text: str) -> tuple[Label, ...]:
    if span is None:
        return ()
    if use is None:
        return (Label(span, text, primary=True),)
    return Label(use, f"in this use of {used}", primary=True), Label(span, text)


def _largest(graph: Graph, inputs: Mapping[str, Array], fields: Collection[str]) -> str | None:
    """The largest parameter or state, whichever statement changes it, if it has grown beyond reason."""
    read = [name for name in graph.inputs if name not in fields and not name.startswith(GATHERED)]
    kept = [name for name in read if graph.inputs[name].type.dtype.is_float]
    sizes = {name: float(np.abs(inputs[name]).max()) for name in kept if inputs[name].size}
    name = max(sizes, key=lambda key: sizes[key] if math.isfinite(sizes[key]) else 0.0, default=None)
    return f"`{name}` has grown to {figure(sizes[name])}" if name is not None and sizes[name] > GROWN else None


def _help(node: Node, overflow: bool, grown: bool) -> str | None:
    if overflow:
        return SLOWER if grown else SMALLER
    if node.origin.role:
        return f"add a small number to the argument of {node.origin.what}, so that its derivative stays finite"
    return node.op.remedy or SLOWER
