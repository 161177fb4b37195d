"""Looking into a model: every tensor that its spec names, and the gradient of a loss for it, for one batch.

It runs what training runs: the graph that computes a loss and its gradients, with all named tensors as outputs, in
onnxruntime. A model in f64 that uses operators for which onnxruntime has no f64 on the CPU runs in NumPy; the trace
says which it was. What this module does not do: choose inputs (``inputs`` does),
lay a trace out (``trace_text`` does), or check a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.types import Array
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.portability import missing_kernels
from archonnx.compiler.program import EVALUATION_STEP, SEED, STEP, ModelProgram
from archonnx.compiler.trace import TracedName, TraceGraph, trace_loss, trace_outputs
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime.assumptions import bound_dims
from archonnx.runtime.device.devices import choose_device
from archonnx.runtime.device.session import SessionOptions, call, open_graph
from archonnx.runtime.seeds import seed_value

from .inputs import checked_inputs, field_types, parameter_values
from .trace_rows import Layout, Row, chosen_rows
from .trace_text import as_text, row_json


class Pair(NamedTuple):
    """A tensor and the gradient of the loss for it, which is None where there is none."""

    value: Array
    gradient: Array | None


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

    def text(self, layout: Layout | None = None) -> str:
        """Lines of the spec, each with the tensors that it names, their values, and gradients beside them."""
        how = layout or Layout()
        return as_text(chosen_rows(self.rows, how, self.model), self.loss, how)

    def as_json(self, layout: Layout | None = None) -> dict[str, Any]:
        """The same for tools: small tensors are nested lists, large ones figures."""
        how = layout or Layout()
        return {
            "model": self.model,
            "graph": self.graph,
            "loss": self.loss,
            "dtype": self.dtype,
            "engine": self.engine,
            "values": [row_json(row, how) for row in chosen_rows(self.rows, how, self.model)],
        }

    def __str__(self) -> str:
        return self.text()


def trace_model(
    model: ModelProgram,
    given: Mapping[str, Any],
    *,
    graph: str = "loss",
    loss: str | None = None,
    parameters: Mapping[str, Array] | None = None,
    seed: int = 0,
    options: SessionOptions | None = None,
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
    inputs |= {SEED: seed_value(seed), STEP: np.array(EVALUATION_STEP, np.int64)}
    inputs = {name: inputs[name] for name in traced.graph.inputs}
    dims = bound_dims({name: (types[name], array.shape) for name, array in arrays.items()})
    scalars = {name: int(array) for name, array in arrays.items() if array.ndim == 0 and array.dtype.kind == "i"}
    results, engine = _run(traced, inputs, {**scalars, **dims}, options or SessionOptions())
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
    traced: TraceGraph, inputs: Mapping[str, Array], dims: Mapping[str, int], options: SessionOptions
) -> tuple[dict[str, Array], str]:
    """Results, and what computed them."""
    bound = optimise(bind(traced.graph, dims))
    device = choose_device(options.device).name
    if not bound.outputs or (device == "cpu" and missing_kernels(bound).diagnostics):
        return interpret(bound, {name: inputs[name] for name in bound.inputs}), "NumPy"
    session = open_graph(bound, {}, options)
    return call(session, {name: inputs[name] for name in bound.inputs}), f"onnxruntime on {device}"
