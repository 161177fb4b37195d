"""What a spec calls its tensors, as data: the names that statements gave, with the path of the module around them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from archonnx.compiler.elaborate.core.build import Binding
from archonnx.compiler.elaborate.core.place import Place
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import Computation, NamedTensor
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .model import Elaboration

TOP = ("model", "entry")
"""Kinds of bodies whose statements are shown in any case."""


def computation(of: Elaboration, name: str, results: Mapping[str, Value]) -> Computation:
    """All that an elaboration computes, with what the spec calls its tensors."""
    build = of.build
    inputs = {**build.inputs, **{slot.path: value for slot, value in build.parameters.items()}}
    graph = Graph(name, inputs, tuple(build.builder.nodes), dict(results), of.facts)
    return Computation(graph, tuple(name for name in of.fields if name in build.inputs), named_tensors(of))


def named_tensors(of: Elaboration) -> tuple[NamedTensor, ...]:
    """The tensors of a model (or entry) that have names, in program order; a name may stand several times."""
    namer = _Namer(of)
    return tuple(namer.named(binding) for binding in of.build.observed.bindings)


class _Around(Record):
    """What a body says of the names in it: what stands before them, and the line of the model that leads there."""

    prefix: str
    calls: tuple[str, ...]
    called_at: Span | None
    inner: bool


class _Namer:
    """Names the bindings of one elaboration; what a frame says is worked out once."""

    def __init__(self, of: Elaboration) -> None:
        self._of = of
        self._around: dict[Place, _Around] = {}
        self._slots = {value: slot for slot, value in of.build.parameters.items()}

    def named(self, binding: Binding) -> NamedTensor:
        around = self._around.get(binding.place)
        if around is None:
            around = self._around[binding.place] = _around(binding.place)
        if binding.module is not None:
            name = _dotted(*around.calls, binding.module.path, binding.name)
        else:
            name = _dotted(around.prefix, binding.name)
        kind = self._kind(binding, name, around)
        inner = around.inner and kind not in ("param", "buffer")
        return NamedTensor(name, kind, binding.value, binding.span, around.called_at or binding.span, inner)

    def _kind(self, binding: Binding, name: str, around: _Around) -> str:
        of = self._of
        if binding.module is not None:
            return "module"
        if (slot := self._slots.get(binding.value)) is not None:
            return "buffer" if slot.buffer else "param"
        if around.inner:
            return "value"
        if (field := of.fields.get(name)) is not None and of.build.inputs.get(name) is binding.value:
            return "target" if field.target else "input"
        groups = {"output": of.outputs, "loss": of.losses, "metric": of.metrics}
        return next((kind for kind, group in groups.items() if _is(group.get(name), binding.value)), "value")


def _is(kept: tuple[Value, Span] | None, value: Value) -> bool:
    return kept is not None and kept[0] is value


def _around(place: Place) -> _Around:
    """The path of the module around a body, the names of the fns on the way, and the call that the model makes."""
    way = list(takewhile(lambda place: place.kind not in TOP, place.around()))
    calls: list[str] = []
    owner = place.owner
    for inner in way:
        owner = inner.owner
        if inner.kind == "block":
            break
        calls.insert(0, inner.call.name if inner.call is not None else "")
        if inner.kind == "method":
            break
    called = [inner.call.at for inner in way if inner.call is not None]
    return _Around(_dotted(owner.path, *calls), tuple(calls), called[-1] if called else None, bool(way))


def _dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)
