"""Where a training became infinite or no number: the step at fault, run again with everything visible.

The state before a step is whole, since a step writes other buffers than it reads. ``Guard`` finds the step and takes
it back; ``explain`` runs it once more with every result an output, and names the first node of the program whose result
is not finite although its inputs are. What this module does not do: look at steps that went well.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archonnx.compiler.ir.graph import Graph, Node, Value
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ops.base import Trait
from archonnx.compiler.program import NEXT, WATCH
from archonnx.grammar.diagnostics import Diagnostic, Label, SpecError
from archonnx.grammar.source import Span
from archonnx.runtime.device.session import Options, call, open_exported
from archonnx.runtime.device.step import Statement, StepRunner

VISIBLE = (DType.f16, DType.f32, DType.f64)
"""What NumPy can hold. bf16 comes back from onnxruntime as something else."""
LARGE = 1e10
"""An operand beyond this overflowed step by step; a function at its singular point has a small one."""
MASKED = "infinities meet here, as where a mask leaves nothing of a row: take a large number, -1e9, in their place"
SLOWER = "lower the learning rate, set `clip_norm = 1.0`, or scale the data"
SMALLER = "scale the data, or keep values in range from layer to layer: initial weights by `he_normal`, a `LayerNorm`"
GROWN = 1e3
"""A parameter beyond this has grown in training; without one, an overflow comes of the model and its data."""


class Fault(Exception):  # noqa: N818 - becomes a diagnostic
    """A statement whose result is not finite. It was taken back: the state is as it was before."""

    def __init__(self, statement: Statement) -> None:
        super().__init__(f"statement {statement.index}")
        self.statement = statement


class Guard:
    """Looks at what statements did.

    Args:
        runner: runs them.
        trained: paths of the parameters that must stay finite.
    """

    def __init__(self, runner: StepRunner, trained: Collection[str]) -> None:
        self._runner, self._trained = runner, trained

    def inspect(self, statement: Statement) -> None:
        """Fault if a loss or a parameter that this statement has just written is not finite."""
        changed = [path for path in self._runner.steps[statement.index].carried if path in self._trained]
        if not _finite(statement.losses.values()) or not self._sound(changed):
            self._runner.undo(statement)
            raise Fault(statement)

    def last(self) -> None:
        """Fault if the statement that ran last gave a loss that is not finite from parameters that are.

        If the fault is older, nothing happens.
        """
        statement = self._runner.last
        if statement is None or _finite(statement.losses.values()):
            return
        self._runner.undo(statement)
        if self._sound(self._trained):
            raise Fault(statement)
        self._runner.redo(statement)

    def sound(self) -> bool:
        """Whether all parameters are finite."""
        return self._sound(self._trained)

    def _sound(self, paths: Iterable[str]) -> bool:
        return _finite(self._runner.read(path) for path in paths)


def _finite(arrays: Iterable[Array]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays)


# ---------------------------------------------------------------- the source


@dataclass(frozen=True, slots=True)
class Source:
    """The first value that is not finite without need: an input of the step (``node`` is None), or a result."""

    value: Value
    node: Node | None
    array: Array
    operands: tuple[Array, ...]
    victim: str
    """The output of the step that it spoils, and what that has become."""
    became: Array


def find_source(graph: Graph, inputs: Mapping[str, Array], options: Options) -> Source | None:
    """Run a graph with everything visible; None if all is well (on other kernels it may be)."""
    arrays = _all_values(graph, inputs, options)
    spoilt = _spoilt(graph, arrays)
    outputs = [name for name, value in graph.outputs.items() if value in spoilt and name != WATCH]
    if not outputs:
        return None
    victim = next((name for name in outputs if not name.startswith(NEXT)), outputs[0])
    reaching = _reaching(graph, graph.outputs[victim], spoilt)
    producers = graph.producers()
    for value in graph.values():
        if value in reaching and spoilt[value]:
            node = producers.get(value)
            operands = tuple(arrays[v] for v in node.inputs) if node is not None else ()
            return Source(value, node, arrays[value], operands, victim, arrays[graph.outputs[victim]])
    return None


def _all_values(graph: Graph, inputs: Mapping[str, Array], options: Options) -> dict[Value, Array]:
    made = [value for node in graph.nodes if node.inputs for value in node.outputs if value.type.dtype in VISIBLE]
    shown = {f"value.{number}": value for number, value in enumerate(made)}
    session = open_exported(Graph(graph.name, graph.inputs, graph.nodes, shown, graph.facts), options)
    results = call(session, inputs)
    arrays = {value: np.asarray(inputs[name]) for name, value in graph.inputs.items()}
    arrays |= {node.outputs[0]: np.asarray(node.op.evaluate()) for node in graph.nodes if not node.inputs}
    arrays |= {value: results[name] for name, value in shown.items()}
    return _Missing(arrays)


class _Missing(dict[Value, Array]):
    """Values that are not shown count as finite."""

    def __missing__(self, value: Value) -> Array:
        return np.zeros((), np.float32)


def _spoilt(graph: Graph, arrays: Mapping[Value, Array]) -> dict[Value, bool]:
    """Values that are not finite, and whether they are the first to be so.

    Infinities that come from a constant alone are meant (masks have them), until they make something that is no number.
    """
    spoilt = {v: True for v in graph.inputs.values() if not _finite([arrays[v]])}
    meant: set[Value] = set()
    for node in graph.nodes:
        for value in node.outputs:
            array = arrays[value]
            if _finite([array]):
                continue
            if not node.inputs:
                meant.add(value)
                continue
            given = [v for v in node.inputs if not _finite([arrays[v]])]
            if any(v in spoilt for v in given):
                spoilt[value] = False
            elif given and not np.isnan(array).any():
                meant.add(value)
            else:
                spoilt[value] = True
    return spoilt


def _reaching(graph: Graph, victim: Value, spoilt: Mapping[Value, bool]) -> set[Value]:
    """The spoilt values through which a value was spoilt."""
    reaching = {victim}
    for node in reversed(graph.nodes):
        if not reaching.isdisjoint(node.outputs):
            reaching.update(value for value in node.inputs if value in spoilt)
    return reaching


# ---------------------------------------------------------------- telling it


def explain(runner: StepRunner, fault: Fault, where: str, rows: Sequence[int] | None, options: Options) -> Diagnostic:
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
        source = find_source(graph, inputs, options)
    except SpecError:  # with every result an output, it may not fit into memory
        source = None
    if source is None:
        return diverged(runner.steps[statement.index].losses, where)
    if source.node is None:
        return _given(source, where, fields, rows)
    return _made(source, source.node, where, _largest(graph, inputs, fields))


def diverged(losses: Iterable[str], where: str) -> Diagnostic:
    """The diagnostic where no more is known than that a loss is not finite."""
    named = " or ".join(f"`{name}`" for name in losses)
    helped = f"{SLOWER}, or look for a log or a division at 0"
    return Diagnostic("AX0610", f"training stopped at {where}: {named} is no longer finite", help=helped)


def _made(source: Source, node: Node, where: str, largest: str | None) -> Diagnostic:
    origin, array = node.origin, source.array
    bad = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    role = f"in the {origin.role} {origin.what}, " if origin.role else ""
    elements = _elements(node, source, first)
    said = f"{_expression(node, elements) if elements else f'a result of {origin.what}'} is {figure(array[first])}"
    notes = [_consequence(source)]
    if array.ndim:
        place = f"element {list(first)} of {source.value.type}"
        notes.append(f"{place}; {int(bad.sum()):,} of its {array.size:,} elements are not finite")
    if origin.path:
        notes.append(f"in module `{origin.path}`")
    overflow = not elements or any(abs(x) > LARGE for x in elements)
    if overflow and largest is not None:
        notes.append(largest)
    return Diagnostic(
        "AX0610",
        f"training stopped at {where}: {role}{said}",
        _labels(origin.use, origin.span, origin.used, _ranges(source.operands)),
        tuple(notes),
        _help(node, overflow, largest is not None) if _finite(source.operands) else MASKED,
    )


def _given(source: Source, where: str, fields: Collection[str], rows: Sequence[int] | None) -> Diagnostic:
    """An input of the step is not finite: the data, or a parameter from its start on."""
    name, array = source.value.name, source.array
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    value = figure(array[first])
    place = source.value.origin.span
    labels = (Label(place, "declared here", primary=True),) if place is not None else ()
    notes = [_consequence(source)]
    if name in fields:
        examples = sorted({int(i) for i in np.argwhere(~np.isfinite(array))[:, 0]}) if array.ndim else []
        told = [rows[i] for i in examples] if rows is not None and len(rows) == len(array) else []
        at = f"example {min(told)} of the data" if told else f"row {first[0]} of the batch" if first else "the batch"
        if len(examples) > 1:
            notes.append(f"{len(examples)} of the {len(array)} examples in this batch hold such numbers")
        headline = f"training stopped at {where}: `{name}` is {value} in {at}"
        helped = "leave such examples out of the data, or replace the numbers: `where(is_nan(x), 0.0, x)` in its feed"
        return Diagnostic("AX0610", headline, labels, tuple(notes), helped)
    headline = f"training stopped at {where}: `{name}` was {value} before this step"
    return Diagnostic("AX0610", headline, labels, tuple(notes), "look at how it starts")


def _consequence(source: Source) -> str:
    if not source.victim.startswith(NEXT):
        return f"so the loss `{source.victim}` is {figure(source.became.item())}"
    became = figure(source.became[~np.isfinite(source.became)][0])
    return f"so this step would have made `{source.victim.removeprefix(NEXT)}` {became}"


def _elements(node: Node, source: Source, at: tuple[int, ...]) -> tuple[float, ...]:
    """What an elementwise op was given where its result is not finite."""
    alike = all(array.shape == source.array.shape for array in source.operands)
    if Trait.ELEMENTWISE not in node.op.traits or not alike:
        return ()
    return tuple(array[at].item() for array in source.operands)


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
    kept = [name for name in graph.inputs if name not in fields and graph.inputs[name].type.dtype.is_float]
    sizes = {name: float(np.abs(inputs[name]).max()) for name in kept if inputs[name].size}
    name = max(sizes, key=lambda key: sizes[key] if math.isfinite(sizes[key]) else 0.0, default=None)
    return f"`{name}` has grown to {figure(sizes[name])}" if name is not None and sizes[name] > GROWN else None


def _help(node: Node, overflow: bool, grown: bool) -> str | None:
    if overflow:
        return SLOWER if grown else SMALLER
    if node.origin.role:
        return f"add a small number to the argument of {node.origin.what}, so that its derivative stays finite"
    return node.op.remedy or SLOWER
