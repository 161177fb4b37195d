"""What a loop carries from step to step: a tensor, a module, or a (nested) list of them, as tensors in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import same
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import broadcast_to
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, fail
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .algebra import derived_like, plain, slots_of, tensor_of
from .frame import Frame
from .problems import problems, provenance
from .tensors import as_tensor
from .values import Derived, Module, describe


class Carried(Record, eq=False):
    """A state.

    Attributes:
        template: its value before the first step, with tensors in place of numbers.
        slots: by the place of a module in it, the parameters of that module.
        first: its tensors before the first step.
        tensors: what stands for them in a step.
        number: whether it starts as a number.
    """

    template: Any
    slots: dict[int, Any]
    first: list[Value]
    tensors: list[Value]
    number: bool

    @property
    def inside(self) -> Any:
        """The state at the beginning of a step."""
        return self.rebuilt(self.tensors)

    def rebuilt(self, tensors: Sequence[Value]) -> Any:
        """The state with other tensors."""
        return _rebuilt(self.template, iter(tensors), self.slots)


def carried(frame: Frame, name: str, value: Any, span: Span) -> Carried:
    """A value as a state; a diagnostic where it is not made of tensors and modules."""
    slots: dict[int, Any] = {}
    template = _template(frame, value, span)
    first = list(_tensors(frame, template, span, slots))
    origin = frame.build.builder.origin
    inside = [Value(tensor.type, name, origin) for tensor in first]
    return Carried(template, slots, first, inside, isinstance(value, int | float))


def changed_state(frame: Frame, b: ast.Binding, state: Carried, value: Any, span: Span) -> list[Value]:
    """The tensors of a state at the end of a step; a diagnostic where they are not like those at its beginning."""
    template = _template(frame, value, span)
    if _structure(template) != _structure(state.template):
        fail(
            "AX0331",
            f"state `{b.name}` starts as {describe(state.template)} and is {describe(template)} after a step",
            span,
            others=[Label(b.span, "starts here")],
        )
    after = list(_tensors(frame, template, span, {}))
    if len(after) != len(state.first):
        fail("AX0331", f"state `{b.name}` has {len(state.first)} tensors, and {len(after)} after a step", span)
    return [_fitting(b, state, old, new, span) for old, new in zip(state.tensors, after, strict=True)]


def _fitting(b: ast.Binding, state: Carried, old: Value, new: Value, span: Span) -> Value:
    headline = f"state `{b.name}` starts as {old.type} and is {new.type} after a step"
    start = [Label(b.value.span, f"starts as {old.type}")]
    if new.type.dtype is not old.type.dtype or new.rank != old.rank:
        fail("AX0331", headline, span, provenance(new), others=start, help=_start(b, state, new))
    for axis, (before, after) in enumerate(zip(old.shape, new.shape, strict=True)):
        equal = same(before, after)
        if equal is None:
            fail(
                "AX0305",
                f"cannot tell whether axis {axis} of state `{b.name}`, {before} at first, is {after} after a step",
                span,
                provenance(new),
                others=start,
            )
        if not equal:
            advice = "a state keeps its size: gather what steps give by `emit`, or write into a tensor with `put`"
            fail("AX0331", f"{headline}: axis {axis}", span, provenance(new), others=start, help=advice)
    return broadcast_to(new, old.shape)


def _start(b: ast.Binding, state: Carried, new: Value) -> str | None:
    """What a state could start as."""
    if not state.number and not (isinstance(b.value, ast.Call) and b.value.span.text.startswith("zeros(")):
        return "a state has one type, from the first step to the last"
    shape = f"zeros([{', '.join(map(str, new.shape))}])"
    return f"start with `{b.name} = {shape if new.type.dtype.is_float else f'{new.type.dtype}({shape})'}`"


def _template(frame: Frame, value: Any, span: Span) -> Any:
    value = plain(value)
    if isinstance(value, list) and value:
        return [_template(frame, item, span) for item in value]
    if isinstance(value, Value | Module | Derived):
        return value
    if isinstance(value, int | float | Dim):
        with problems(frame, span, [], []):
            return as_tensor(frame, value)
    return fail("AX0331", f"a state is a tensor, a module or a list of them, not {describe(value)}", span)


def _structure(template: Any) -> Any:
    if isinstance(template, list):
        return [_structure(item) for item in template]
    if isinstance(template, Derived):
        return template.base
    return template if isinstance(template, Module) else "tensor"


def _tensors(frame: Frame, template: Any, span: Span, slots: dict[int, Any]) -> Iterator[Value]:
    if isinstance(template, list):
        for item in template:
            yield from _tensors(frame, item, span, slots)
    elif isinstance(template, Value):
        yield template
    else:
        slots[id(template)] = slots_of(frame, template, span)
        for slot in slots[id(template)]:
            yield tensor_of(frame, template, slot)


def _rebuilt(template: Any, tensors: Iterator[Value], slots: dict[int, Any]) -> Any:
    if isinstance(template, list):
        return [_rebuilt(item, tensors, slots) for item in template]
    if isinstance(template, Value):
        return next(tensors)
    return derived_like(template, {slot: next(tensors) for slot in slots[id(template)]})
