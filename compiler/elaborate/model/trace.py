"""What a spec calls its tensors, with their values and the gradient of a loss for each, as one graph.

The names are those that statements gave while the model was elaborated; they change nothing of what is computed. What
this module does not do: run the graph, or print it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from archonnx.compiler.autodiff import NotDifferentiable, reaching_gradient
from archonnx.compiler.elaborate.core.frame import Binding, Frame
from archonnx.compiler.elaborate.meaning.differentiation import gradient_help
from archonnx.compiler.elaborate.training.step import working_copy
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph, Value
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .model import Elaboration

TOP = ("model", "entry")
"""Kinds of bodies whose statements are shown in any case."""


@dataclass(frozen=True, slots=True)
class TracedName:
    """A tensor of the spec.

    Attributes:
        name: as the spec calls it: inside blocks after the path of the module, inside fns after their names. A name
            that is given anew counts: ``x#1``, ``x#2``. A parameter bears its path in any case.
        kind: input, target, param, buffer, output, loss, metric, module (what one gave) or value.
        value: in the graph.
        span: where the name is given, which may be in the library.
        place: the line of the model (or entry) that leads there.
        inner: whether it is inside a block or fn that the model calls; parameters never are.
        gradient: the graph output with the gradient of the loss for it; None where there is none.
    """

    name: str
    kind: str
    value: Value
    span: Span
    place: Span
    inner: bool
    gradient: str | None = None


@dataclass(frozen=True, slots=True)
class TraceGraph:
    """A graph whose outputs are the tensors of a spec.

    Attributes:
        graph: takes fields and parameters, gives what ``outputs`` and the gradients of ``names`` say.
        names: in program order.
        outputs: the graph output of each value that is no input of the graph.
        loss: the loss whose gradients are taken, if there is one.
        refused: why there are no gradients for what the parameters do not reach, if so.
    """

    graph: Graph
    names: tuple[TracedName, ...]
    outputs: Mapping[Value, str]
    loss: str | None = None
    refused: str = ""


def trace_loss(trained: Elaboration, loss: str) -> TraceGraph:
    """All that a loss's training step computes before the update, and its gradient for all of that."""
    work = working_copy(trained)
    value, span = trained.losses[loss]
    names = list(_within(work, trained, [value]))
    floats = list(dict.fromkeys(traced.value for traced in names if traced.value.type.dtype.is_float))
    found, refused = _gradients(work, loss, value, span, floats)
    gradients = {value: g for value, g in zip(floats, found, strict=True) if g is not None}
    keys = {value: f"gradient.{number}" for number, value in enumerate(gradients)}
    names = [changed(traced, gradient=keys.get(traced.value)) for traced in names]
    return _graph(work, f"trace of {loss}", names, {keys[v]: g for v, g in gradients.items()}, loss, refused)


def trace_outputs(judged: Elaboration, name: str = "infer") -> TraceGraph:
    """All that is computed of the inputs which the outputs need, as a model, or an entry, is used: no gradients."""
    outputs = [value for value, _ in judged.outputs.values()]
    return _graph(judged, f"trace of {name}", list(_within(judged, judged, outputs)), {})


def _gradients(
    work: Elaboration, loss: str, value: Value, span: Span, floats: Sequence[Value]
) -> tuple[list[Value | None], str]:
    """Gradients for tensors. Where inputs reach the loss through an op without a gradient, those of parameters alone
    (and of what depends on them), and the reason."""
    builder = work.build.builder
    with builder.active(), assuming(work.facts):
        try:
            return reaching_gradient(builder, value, floats), ""
        except NotDifferentiable as problem:
            why = f"through {problem.what}: {problem.why}"
        trained = _depending(builder, [v for slot, v in work.build.parameters.items() if slot.trainable])
        wanted = [v for v in floats if v in trained]
        try:
            found = dict(zip(wanted, reaching_gradient(builder, value, wanted), strict=True))
        except NotDifferentiable as problem:
            fail(
                "AX0401",
                f"loss `{loss}` cannot be differentiated through {problem.what}: {problem.why}",
                problem.node.origin.place or span,
                help=gradient_help(problem),
            )
        return [found.get(v) for v in floats], why


def _depending(builder: Builder, values: Iterable[Value]) -> set[Value]:
    """What depends on any of these values; they themselves, too."""
    reached = set(values)
    for node in builder.nodes:
        if not reached.isdisjoint(node.inputs):
            reached.update(node.outputs)
    return reached


def _graph(
    work: Elaboration,
    title: str,
    names: Sequence[TracedName],
    gradients: Mapping[str, Value],
    loss: str | None = None,
    refused: str = "",
) -> TraceGraph:
    given = {*work.build.inputs.values(), *work.build.parameters.values()}
    made = dict.fromkeys(traced.value for traced in names if traced.value not in given)
    keys = {value: f"value.{number}" for number, value in enumerate(made)}
    graph = _with_sizes(work, work.graph(title, {key: value for value, key in keys.items()} | dict(gradients)))
    shown = [traced for traced in names if traced.value in keys or traced.value in graph.inputs.values()]
    return TraceGraph(graph, tuple(shown), keys, loss, refused)


def _with_sizes(work: Elaboration, graph: Graph) -> Graph:
    """The graph with the arguments of an entry that give sizes (``n: dim``), even where only shapes use them."""
    used = set().union(
        *(value.type.symbols() for value in graph.values()), *(node.op.symbols() for node in graph.nodes)
    )
    sizes = {name: value for name, value in work.build.inputs.items() if name in used}
    return Graph(graph.name, {**sizes, **graph.inputs}, graph.nodes, graph.outputs, graph.facts)


# ---------------------------------------------------------------- names


def _within(work: Elaboration, named: Elaboration, outputs: Sequence[Value]) -> Iterator[TracedName]:
    """The named tensors that can be computed of the fields which the outputs need."""
    used = set(work.graph("", {str(n): value for n, value in enumerate(outputs)}).inputs.values())
    fields = {work.build.inputs[name] for name in work.fields if name in work.build.inputs}
    absent = (fields if work.fields else set()) - used
    known = {*work.build.inputs.values(), *work.build.parameters.values()} - absent
    symbols = set().union(*(value.type.symbols() for value in known)) | set(work.build.inputs)
    for node in work.build.builder.nodes:
        if known.issuperset(node.inputs) and node.op.symbols() <= symbols:
            known.update(node.outputs)
    kept = dict.fromkeys((_name(b), b.value) for b in named.build.bindings if b.value in known)
    parameters = set(named.build.parameters.values())
    repeats = Counter(name for name, value in kept if value not in parameters)
    paths = {name for name, value in kept if value in parameters}
    turns: Counter[str] = Counter()
    for binding in named.build.bindings:
        name = _name(binding)
        if (name, binding.value) not in kept:
            continue
        del kept[name, binding.value]  # it is told once
        shown = name
        if binding.value not in parameters and (repeats[name] > 1 or name in paths):
            turns[name] += 1
            shown = f"{name}#{turns[name]}"
        yield _traced(binding, shown, name, named)


def _traced(binding: Binding, shown: str, name: str, of: Elaboration) -> TracedName:
    kind = _kind(binding, name, of)
    place, inner = binding.span, not _is_top(binding.frame)
    for frame in _around(binding.frame):
        if frame.called_at is not None:
            place = frame.called_at
    return TracedName(shown, kind, binding.value, binding.span, place, inner and kind not in ("param", "buffer"))


def _kind(binding: Binding, name: str, of: Elaboration) -> str:
    if binding.module is not None:
        return "module"
    slot = next((slot for slot, value in of.build.parameters.items() if value is binding.value), None)
    if slot is not None:
        return "buffer" if slot.buffer else "param"
    if not _is_top(binding.frame):
        return "value"
    if (field := of.fields.get(name)) is not None and of.build.inputs.get(name) is binding.value:
        return "target" if field.target else "input"
    groups = {"output": of.outputs, "loss": of.losses, "metric": of.metrics}
    return next((kind for kind, group in groups.items() if group.get(name, (None,))[0] is binding.value), "value")


def _name(binding: Binding) -> str:
    """The path of the module around it, the names of the fns on the way, and its own."""
    frame, calls = binding.frame, []
    for frame in _around(binding.frame):
        if frame.kind == "block" or frame.note.startswith("block"):
            break
        calls.append(_called(frame))
        if frame.kind == "method":
            break
    parts = [frame.owner.path, *reversed(calls), binding.name]
    if binding.module is not None:
        parts = [*reversed(calls), binding.module.path, binding.name]
    return ".".join(part for part in parts if part)


def _around(frame: Frame) -> Iterator[Frame]:
    """A frame and its callers, up to the body of the model or entry, which is left out."""
    current: Frame | None = frame
    while current is not None and not _is_top(current):
        yield current
        current = current.caller


def _is_top(frame: Frame) -> bool:
    return frame.kind in TOP


def _called(frame: Frame) -> str:
    """The name of the fn or method whose body this is: its note says ``fn `mse` ``."""
    return frame.note.partition("`")[2].partition("`")[0]
