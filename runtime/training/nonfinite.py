"""Where a training became infinite or NaN: the step at fault, run again with everything visible.

The state before a step is whole, since a step writes other buffers than it reads. ``Guard`` finds the step and takes
it back; ``find_cause`` runs its graph once more with every result an output, and finds the first node of the program
whose result is not finite although its inputs are. What this module does not do: look at steps that went well, or
write the diagnostic (``nonfinite_text`` does).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import GATHERED, NEXT, WATCH
from archonnx.grammar.record import replace
from archonnx.runtime.device.session import SessionOptions, call, open_exported
from archonnx.runtime.device.statement import Statement
from archonnx.runtime.device.step import StepRunner

VISIBLE = (DType.f16, DType.f32, DType.f64)
"""What NumPy can hold. bf16 comes back from onnxruntime as something else."""


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
        """Fault if a loss, a parameter or a gathered gradient that this statement has just written is not finite."""
        carried = self._runner.steps[statement.index].carried
        changed = [path for path in carried if path in self._trained or path.startswith(GATHERED)]
        if not all_finite(statement.losses.values()) or not self._sound(changed):
            self._runner.undo(statement)
            raise Fault(statement)

    def last(self) -> None:
        """Fault if the statement that ran last gave a loss that is not finite from parameters that are.

        If the fault is older, nothing happens.
        """
        statement = self._runner.last
        if statement is None or all_finite(statement.losses.values()):
            return
        self._runner.undo(statement)
        if self._sound(self._trained):
            raise Fault(statement)
        self._runner.redo(statement)

    def sound(self) -> bool:
        """Whether all parameters are finite."""
        return self._sound(self._trained)

    def _sound(self, paths: Iterable[str]) -> bool:
        return all_finite(self._runner.read(path) for path in paths)


def all_finite(arrays: Iterable[Array]) -> bool:
    """Whether no element of any array is infinite or NaN."""
    return all(bool(np.isfinite(array).all()) for array in arrays)


# ---------------------------------------------------------------- the cause


@dataclass(frozen=True, slots=True)
class Cause:
    """The first value that is not finite without need: an input of the step (``node`` is None), or a result."""

    value: Value
    node: Node | None
    array: Array
    operands: tuple[Array, ...]
    victim: str
    """The output of the step that it spoils, and what that has become."""
    became: Array


def find_cause(graph: Graph, inputs: Mapping[str, Array], options: SessionOptions) -> Cause | None:
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
            return Cause(value, node, arrays[value], operands, victim, arrays[graph.outputs[victim]])
    return None


def _all_values(graph: Graph, inputs: Mapping[str, Array], options: SessionOptions) -> dict[Value, Array]:
    made = [value for node in graph.nodes if node.inputs for value in node.outputs if value.type.dtype in VISIBLE]
    shown = {f"value.{number}": value for number, value in enumerate(made)}
    session = open_exported(replace(graph, outputs=shown), options)
    results = call(session, inputs)
    arrays = {value: np.asarray(inputs[name]) for name, value in graph.inputs.items()}
    arrays |= {node.outputs[0]: np.asarray(node.op.evaluate()) for node in graph.nodes if not node.inputs}
    arrays |= {value: results[name] for name, value in shown.items()}
    return _Missing(arrays)


class _Missing(dict[Value, Array]):
    """Values that are not shown count as integers, which are finite and have no range to tell."""

    def __missing__(self, value: Value) -> Array:
        return np.zeros((), np.int64)


def _spoilt(graph: Graph, arrays: Mapping[Value, Array]) -> dict[Value, bool]:
    """Values that are not finite, and whether they are the first to be so.

    Infinities that come from a constant alone are meant (masks have them), until they make a NaN.
    """
    spoilt = {v: True for v in graph.inputs.values() if not all_finite([arrays[v]])}
    meant: set[Value] = set()
    for node in graph.nodes:
        for value in node.outputs:
            array = arrays[value]
            if all_finite([array]):
                continue
            if not node.inputs:
                meant.add(value)
                continue
            given = [v for v in node.inputs if not all_finite([arrays[v]])]
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
