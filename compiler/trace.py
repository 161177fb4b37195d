"""What a spec calls its tensors, with their values and the gradient of a loss for each, as one graph.

The names are those that statements gave while the model was elaborated; they change nothing of what is computed. What
this module does not do: run the graph, or print it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from archonnx.grammar.record import replace

from .autodiff import NotDifferentiable, reaching_gradient
from .gradients import loss_gradients
from .ir.builder import Builder
from .ir.facts import assuming
from .ir.graph import Graph, Node
from .ir.parts import cut
from .ir.value import Value
from .program import Computation, ModelProgram, NamedTensor

FIXED = ("param", "buffer")
"""Kinds of tensors whose names are paths: a value of that name is numbered, and they never are."""


@dataclass(frozen=True, slots=True)
class TracedName:
    """A tensor of a trace.

    Attributes:
        name: as the spec calls it; a name that is given anew counts, ``x#1``, ``x#2``, and that of a parameter never.
        of: what the spec says of it.
        gradient: the graph output with the gradient of the loss for it; None where there is none.
    """

    name: str
    of: NamedTensor
    gradient: str | None = None


@dataclass(frozen=True, slots=True)
class TraceGraph:
    """A graph whose outputs are the tensors of a spec.

    Attributes:
        graph: takes fields and parameters, gives what ``outputs`` and the gradients of ``names`` say.
        names: in program order.
        outputs: the graph output of each value that is not an input of the graph.
        loss: the loss whose gradients are taken, if there is one.
        refused: why there are no gradients for what the parameters do not reach, if so.
    """

    graph: Graph
    names: tuple[TracedName, ...]
    outputs: Mapping[Value, str]
    loss: str | None = None
    refused: str = ""


def trace_loss(model: ModelProgram, loss: str) -> TraceGraph:
    """All that a loss's training step computes before the update, and its gradient for all of that."""
    forward = model.training
    value = forward.graph.outputs[loss]
    names = list(_within(forward, [value]))
    floats = list(dict.fromkeys(tensor.value for _, tensor in names if tensor.value.type.dtype.is_float))
    builder = Builder()
    builder.nodes = list(forward.graph.nodes)
    found, refused = _gradients(builder, model, loss, floats)
    gradients = {value: g for value, g in zip(floats, found, strict=True) if g is not None}
    keys = {value: f"gradient.{number}" for number, value in enumerate(gradients)}
    traced = [TracedName(name, tensor, keys.get(tensor.value)) for name, tensor in names]
    outputs = {keys[v]: g for v, g in gradients.items()}
    return _graph(f"trace of {loss}", forward, builder.nodes, traced, outputs, loss, refused)


def trace_outputs(model: ModelProgram, entry: str | None = None) -> TraceGraph:
    """All that is computed of the inputs which the outputs need, as a model, or an entry, is used: no gradients."""
    used, results = model.use, list(model.infer.outputs.values())
    if entry is not None:
        used = model.entry_computations[entry]
        results = list(used.graph.outputs.values())
    traced = [TracedName(name, tensor) for name, tensor in _within(used, results)]
    return _graph(f"trace of {entry or 'infer'}", used, used.graph.nodes, traced, {}, results=results)


def _gradients(
    builder: Builder, model: ModelProgram, loss: str, floats: Sequence[Value]
) -> tuple[list[Value | None], str]:
    """Gradients for tensors. Where inputs reach the loss through an op without a gradient, those of parameters alone
    (and of what depends on them), and the reason."""
    forward = model.training.graph
    value = forward.outputs[loss]
    with builder.active(), assuming(forward.facts):
        try:
            return reaching_gradient(builder, value, floats), ""
        except NotDifferentiable as problem:
            why = f"through {problem.what}: {problem.why}"
        parameters = [forward.inputs[path] for path, parameter in model.parameters.items() if parameter.trainable]
        trained = _depending(builder, parameters)
        wanted = [v for v in floats if v in trained]
        found = dict(zip(wanted, loss_gradients(builder, loss, value, wanted), strict=True))
        return [found.get(v) for v in floats], why


def _depending(builder: Builder, values: Iterable[Value]) -> set[Value]:
    """These values, and what depends on any of them."""
    reached = set(values)
    for node in builder.nodes:
        if not reached.isdisjoint(node.inputs):
            reached.update(node.outputs)
    return reached


def _graph(
    title: str,
    of: Computation,
    nodes: Sequence[Node],
    names: Sequence[TracedName],
    gradients: Mapping[str, Value],
    loss: str | None = None,
    refused: str = "",
    results: Sequence[Value] = (),
) -> TraceGraph:
    given = set(of.graph.inputs.values())
    made = dict.fromkeys(traced.of.value for traced in names if traced.of.value not in given)
    keys = {value: f"value.{number}" for number, value in enumerate(made)}
    outputs = {key: value for value, key in keys.items()} | dict(gradients)
    graph = _with_inputs(of, cut(title, nodes, of.graph.inputs, outputs, of.graph.facts), results)
    taken = set(graph.inputs.values())
    shown = tuple(traced for traced in names if traced.of.value in keys or traced.of.value in taken)
    return TraceGraph(graph, shown, keys, loss, refused)


def _with_inputs(of: Computation, graph: Graph, results: Sequence[Value]) -> Graph:
    """The graph with inputs that no node takes: those that are results as they are, and the arguments of an entry that
    give sizes (``n: dim``) to shapes."""
    used = graph.op_symbols().union(*(value.type.symbols() for value in graph.values()))
    more = {name: value for name, value in of.graph.inputs.items() if name in used or value in results}
    return replace(graph, inputs={**more, **graph.inputs})


def _within(of: Computation, outputs: Sequence[Value]) -> Iterator[tuple[str, NamedTensor]]:
    """The tensors that can be computed of the fields which the outputs need, once each, under the names to be shown."""
    known = _computable(of, outputs)
    kept = dict.fromkeys((tensor.name, tensor.value) for tensor in of.names if tensor.value in known)
    fixed = {tensor.value: tensor.name for tensor in of.names if tensor.kind in FIXED}
    paths = set(fixed.values())
    repeats = Counter(name for name, value in kept if value not in fixed)
    turns: Counter[str] = Counter()
    for tensor in of.names:
        name = tensor.name
        if (name, tensor.value) not in kept:
            continue
        del kept[name, tensor.value]
        if tensor.value not in fixed and (repeats[name] > 1 or name in paths):
            turns[name] += 1
            yield f"{name}#{turns[name]}", tensor
        else:
            yield name, tensor


def _computable(of: Computation, outputs: Sequence[Value]) -> set[Value]:
    """The values that can be computed of the fields which the outputs need, and of parameters."""
    inputs = of.graph.inputs
    used = cut("", of.graph.nodes, inputs, {str(n): value for n, value in enumerate(outputs)}).inputs
    known = {value for name, value in inputs.items() if name in used or name not in of.fields}
    symbols = set(inputs).union(*(value.type.symbols() for value in known))
    for node in of.graph.nodes:
        if known.issuperset(node.inputs) and node.op.symbols() <= symbols:
            known.update(node.outputs)
    return known
