"""What a spec calls its tensors, as data: the names that statements gave, with the path of the module around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archonnx.compiler.elaborate.core.frame import Binding, Frame
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.value import Value
from archonnx.compiler.program import Computation, NamedTensor
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
    return tuple(namer.named(binding) for binding in of.build.bindings)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a frame says of the names in it: what stands before them, and the line of the model that leads there."""

    prefix: str
    calls: tuple[str, ...]
    called_at: Span | None
    inner: bool


class _Namer:
    """Names the bindings of one elaboration; what a frame says is worked out once."""

    def __init__(self, of: Elaboration) -> None:
        self._of = of
        self._places: dict[int, _Place] = {}
        self._slots = {value: slot for slot, value in of.build.parameters.items()}

    def named(self, binding: Binding) -> NamedTensor:
        place = self._places.get(id(binding.frame))  # the bindings keep their frames alive
        if place is None:
            place = self._places[id(binding.frame)] = _place(binding.frame)
        if binding.module is not None:
            name = _dotted(*place.calls, binding.module.path, binding.name)
        else:
            name = _dotted(place.prefix, binding.name)
        kind = self._kind(binding, name, place)
        inner = place.inner and kind not in ("param", "buffer")
        return NamedTensor(name, kind, binding.value, binding.span, place.called_at or binding.span, inner)

    def _kind(self, binding: Binding, name: str, place: _Place) -> str:
        of = self._of
        if binding.module is not None:
            return "module"
        if (slot := self._slots.get(binding.value)) is not None:
            return "buffer" if slot.buffer else "param"
        if place.inner:
            return "value"
        if (field := of.fields.get(name)) is not None and of.build.inputs.get(name) is binding.value:
            return "target" if field.target else "input"
        groups = {"output": of.outputs, "loss": of.losses, "metric": of.metrics}
        return next((kind for kind, group in groups.items() if _is(group.get(name), binding.value)), "value")


def _is(kept: tuple[Value, Span] | None, value: Value) -> bool:
    return kept is not None and kept[0] is value


def _place(frame: Frame) -> _Place:
    """The path of the module around a frame, the names of the fns on the way, and the call that the model makes."""
    calls: list[str] = []
    owner = frame.owner
    for inner in _around(frame):
        owner = inner.owner
        if inner.kind == "block" or inner.note.startswith("block"):
            break
        calls.insert(0, _called(inner))
        if inner.kind == "method":
            break
    called_at = None
    for inner in _around(frame):
        called_at = inner.called_at or called_at
    return _Place(_dotted(owner.path, *calls), tuple(calls), called_at, not _is_top(frame))


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


def _dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)
