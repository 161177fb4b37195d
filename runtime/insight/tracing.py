"""Looking into a model: every tensor that its spec names, and the gradient of a loss for it, for one batch.

It runs what training runs: the graph that computes a loss and its gradients, with all named tensors as outputs, in
onnxruntime. A model in f64 that uses operators for which onnxruntime has no f64 on the CPU runs in NumPy; the trace
says which it was. What this module does not do: print a trace (``trace_text`` does), or check a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import SEED, STEP, ModelProgram
from archonnx.compiler.trace import TracedName, TraceGraph, trace_loss, trace_outputs
from archonnx.grammar.diagnostics import Report, did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.runtime.assumptions import bound_dims, check_arrays, of_graph
from archonnx.runtime.data.batch import check_dim_arguments, checked, dim_arguments
from archonnx.runtime.device.session import Options, call, choose_device, open_graph
from archonnx.runtime.training.programs import prepare
from archonnx.runtime.training.trainer import EVALUATION_STEP, initial_values

LITERAL = 12
"""Numbers that an example of a command writes out; larger inputs come from files."""


class Pair(NamedTuple):
    """A tensor and the gradient of the loss for it, which is None where there is none."""

    value: Array
    gradient: Array | None


@dataclass(frozen=True, slots=True)
class Row:
    """A named tensor of a trace.

    Attributes:
        name: as the spec calls it (``h``, ``dense.W``, ``x#2`` for a name's second value).
        kind: input, target, param, buffer, output, loss, metric, module or value.
        tensor: its number: names of one tensor have the same.
        dtype: its element type.
        value: what it is.
        gradient: of the loss for it; None where there is none.
        why: why there is none.
        span: where the name is given.
        place: the line of the model that leads there.
        inner: whether it is inside a block or fn that the model calls.
    """

    name: str
    kind: str
    tensor: int
    dtype: DType
    value: Array
    gradient: Array | None
    why: str
    span: Span
    place: Span
    inner: bool


class Trace(Mapping[str, Pair]):
    """The named tensors of a spec, in program order.

    Attributes:
        rows: all that is known of them.
        model: the model's name.
        graph: ``loss``, ``infer``, or an entry.
        loss: whose gradients these are; None without gradients.
        dtype: the model's float type.
        engine: what computed it.

    Examples:
        >>> trace["h"].gradient                         # doctest: +SKIP
        array([-0.125,  0.   ], dtype=float32)
    """

    def __init__(self, rows: list[Row], model: str, graph: str, loss: str | None, dtype: str, engine: str) -> None:
        self.rows, self.model, self.graph, self.loss = rows, model, graph, loss
        self.dtype, self.engine = dtype, engine
        self._pairs = {row.name: Pair(row.value, row.gradient) for row in rows}
        self._last = {row.name.partition("#")[0]: row.name for row in rows}

    def __getitem__(self, name: str) -> Pair:
        """A tensor by its name; the last value of a name that has several."""
        if name not in self._pairs and name not in self._last:
            raise KeyError(f"no tensor `{name}`; {did_you_mean(name, self._pairs) or 'there are ' + ', '.join(self)}")
        return self._pairs[name if name in self._pairs else self._last[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"<Trace of {self.model}, graph `{self.graph}`: {len(self)} tensors>"

    def __str__(self) -> str:
        from .trace_text import as_text

        return as_text(self)


def trace_model(
    model: ModelProgram,
    given: Mapping[str, Any],
    *,
    graph: str = "loss",
    loss: str | None = None,
    parameters: Mapping[str, Array] | None = None,
    seed: int = 0,
    options: Options | None = None,
) -> Trace:
    """Compute every named tensor of a model.

    Args:
        model: what to look into.
        given: arrays for its fields, or for the arguments of the entry; those that are not needed are left aside.
        graph: ``loss`` (in training mode, with gradients), ``infer`` (as the model is used), or an entry.
        loss: which loss, where there are several; the first one unless given.
        parameters: by path; the initial ones unless given.
        seed: of the initial parameters and of draws.
        options: where to run.
    """
    traced = traced_graph(model, graph, loss)
    types = field_types(traced, model)
    arrays = checked_inputs(traced, model, given, graph)
    inputs = {**arrays, **parameter_values(model, parameters, seed)}
    inputs |= {SEED: np.array(seed, np.int64), STEP: np.array(EVALUATION_STEP, np.int64)}
    inputs = {name: inputs[name] for name in traced.graph.inputs}
    dims = bound_dims({name: (types[name], array.shape) for name, array in arrays.items()})
    scalars = {name: int(array) for name, array in arrays.items() if array.ndim == 0 and array.dtype.kind == "i"}
    results, engine = _run(traced, inputs, {**scalars, **dims}, options or Options())
    named = {value: inputs[name] for name, value in traced.graph.inputs.items()}
    named |= {value: results[key] for value, key in traced.outputs.items()}
    numbers = {value: number for number, value in enumerate(dict.fromkeys(name.of.value for name in traced.names))}
    rows = [_row(name, numbers[name.of.value], named[name.of.value], results, traced) for name in traced.names]
    return Trace(rows, model.name, graph, traced.loss, str(model.float_type), engine)


def traced_graph(model: ModelProgram, graph: str = "loss", loss: str | None = None) -> TraceGraph:
    """What to run; SpecError if the model has no such loss or entry."""
    if graph == "loss":
        if not model.losses:
            outputs = "; `archonnx trace --graph infer` shows its outputs" if model.infer.outputs else ""
            fail("AX0607", f"{model.name} has no loss", None, help=f"add `loss NAME = ...`{outputs}")
        if loss is not None and loss not in model.losses:
            known = did_you_mean(loss, model.losses) or f"known: {', '.join(model.losses)}"
            fail("AX0607", f"{model.name} has no loss `{loss}`", None, help=known)
        return trace_loss(model, loss or model.losses[0])
    if loss is not None:
        fail("AX0607", f"`{graph}` has no gradients, so there is no loss to choose", None, help="leave `--loss` out")
    if graph != "infer" and graph not in model.entries:
        graphs = ["loss", "infer", *model.entries]
        fail(
            "AX0607",
            f"{model.name} has no graph `{graph}` to trace",
            None,
            help=did_you_mean(graph, graphs) or f"known: {', '.join(graphs)}",
        )
    return trace_outputs(model, None if graph == "infer" else graph)


def _row(name: TracedName, number: int, array: Array, results: Mapping[str, Array], traced: TraceGraph) -> Row:
    tensor = name.of
    gradient = results[name.gradient] if name.gradient is not None else None
    why = ""
    if traced.loss is not None and gradient is None and tensor.value.type.dtype.is_float:
        why = f"no gradient {traced.refused}" if traced.refused else f"{traced.loss} does not depend on it"
    dtype = tensor.value.type.dtype
    return Row(name.name, tensor.kind, number, dtype, array, gradient, why, tensor.span, tensor.place, tensor.inner)


def _run(
    traced: TraceGraph, inputs: Mapping[str, Array], dims: Mapping[str, int], options: Options
) -> tuple[dict[str, Array], str]:
    """Results, and what computed them."""
    from archonnx.compiler.passes.manager import optimise
    from archonnx.compiler.portability import missing_kernels

    bound = optimise(bind(traced.graph, dims))
    device = choose_device(options.device).name
    if device == "cpu" and missing_kernels(bound).diagnostics:
        return interpret(bound, {name: inputs[name] for name in bound.inputs}), "NumPy"
    session = open_graph(bound, {}, options)
    return call(session, {name: inputs[name] for name in bound.inputs}), f"onnxruntime on {device}"


# ---------------------------------------------------------------- parameters


def parameter_values(model: ModelProgram, given: Mapping[str, Array] | None, seed: int) -> dict[str, Array]:
    """Parameters by path: the given ones, checked, or the initial ones."""
    if given is None:
        return initial_values(model.parameters, seed)
    return checked(given, {path: parameter.type for path, parameter in model.parameters.items()}, "parameter")


# ---------------------------------------------------------------- inputs


def field_types(traced: TraceGraph, model: ModelProgram) -> dict[str, TensorType]:
    """Types of what must be given, by name."""
    special = {SEED, STEP, *model.parameters}
    return {name: value.type for name, value in traced.graph.inputs.items() if name not in special}


def checked_inputs(
    traced: TraceGraph, model: ModelProgram, given: Mapping[str, Any], graph: str = "loss"
) -> dict[str, Array]:
    """Arrays for what a trace needs; SpecError, with a command that would do, where one is missing."""
    types = field_types(traced, model)
    entry = graph in model.entries
    what = "argument" if entry else "field"
    spare = (model.entries[graph].inputs.keys() if entry else model.fields.keys()) - types.keys()
    wanted = {name: array for name, array in given.items() if name not in spare}
    if missing := [name for name in types if name not in wanted]:
        report = Report()
        example = " ".join(f"--input {example_input(name, type_)}" for name, type_ in types.items())
        for name in wanted.keys() - types.keys():
            report.error("AX0607", f"there is no {what} `{name}`", None, help=did_you_mean(name, types))
        for name in missing:
            help_text = f"give all of them, for example: `{example}`" if name == missing[-1] else None
            report.error("AX0607", f"the {what} `{name}: {types[name]}` is not given", None, help=help_text)
        report.finish()
    arrays = checked(wanted, types, what)
    check_dim_arguments(dim_arguments(types, (value.type for value in traced.graph.values())), arrays, types)
    assumed = model.entry_assumptions.get(graph, ()) if entry else of_graph(traced.graph, model.assumptions)
    check_arrays(assumed, types, arrays)
    return arrays


def example_input(name: str, type_: TensorType) -> str:
    """An argument of ``--input`` for a field: zeros, every symbolic dim 1, or a file where that would be long."""
    shape = [size if (size := dim.constant) is not None else 1 for dim in type_.shape]
    if math.prod(shape) > LITERAL:
        return f"{name}={name}.npy"
    text = str(np.zeros(shape, np.int64).tolist())
    text = text.replace("0", "false") if type_.dtype is DType.bool else text
    return f"'{name}={text}'" if type_.rank else f"{name}={text}"


def examples_of(model: ModelProgram, base: Path, count: int) -> tuple[dict[str, Array], str] | None:
    """The first examples of the data that the model is trained with, and what they are; None if it has none.

    Args:
        model: whose data.
        base: the folder in which data files are looked for.
        count: how many examples.
    """
    program = next((program for program in model.programs if program.source is not None), None)
    if program is None or program.source is None:
        return None
    data = prepare(model, program, program.settings, base)
    rows = data.parts.train[:count]
    what = "the first example" if len(rows) == 1 else f"the first {len(rows)} examples"
    return data.examples.take(rows), f"{what} of the train part of {program.source.span.text}"
