"""Module algebra: frozen modules, copies, maps and arithmetic over parameters, and modules as vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.shape import reshape, stop_gradient
from archonnx.compiler.ops.slicing import concat, slice_axis
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

from .frame import Frame
from .values import Derived, Module, Remat, Slot, describe

Group = Any
"""A module, a derived module, or a (nested) list of them."""


def is_group(value: Any) -> bool:
    """Whether a value is a module, or a list of modules."""
    if isinstance(value, list):
        return bool(value) and all(is_group(item) for item in value)
    return isinstance(value, Module | Derived) or (isinstance(value, Remat) and is_group(value.base))


def slots_of(frame: Frame, group: Group, span: Span | None) -> list[Slot]:
    """The parameters of a group (its buffers are none), in order of construction."""
    if isinstance(group, Remat):
        return slots_of(frame, group.base, span)
    if isinstance(group, list):
        return [slot for item in group for slot in slots_of(frame, item, span)]
    base = group.base if isinstance(group, Derived) else group
    found = [slot for slot in frame.build.root_slots() if _inside(slot.owner, base) and not slot.buffer]
    if base is frame.build.root and frame.build.observed.parameters_in_self is None:
        frame.build.observed.parameters_in_self = len(found)
    if not found and span is not None:
        fail(
            "AX0316",
            f"{describe(group)} has no parameters yet: they are made when it is first applied",
            span,
            help="apply it before this place",
        )
    return found


def _inside(module: Module | None, outer: Module) -> bool:
    while module is not None and module is not outer:
        module = module.parent
    return module is outer


def tensor_of(frame: Frame, module: Module | Derived, slot: Slot) -> Value:
    """What a module has as this parameter."""
    value = frame.build.tensor(slot)
    return module.replace(slot, value) if isinstance(module, Derived) else value


def derived_like(module: Module | Derived, values: Mapping[Slot, Value]) -> Derived:
    """The module with these tensors."""
    base = module.base if isinstance(module, Derived) else module
    return Derived(base, lambda slot, value: values.get(slot, value), values)


def map_groups(frame: Frame, function: Callable[..., Value], groups: list[Any], span: Span) -> Group:
    """Apply a function to corresponding parameters; numbers and tensors go with every one."""
    groups = [plain(group) for group in groups]
    first = next(g for g in groups if is_group(g))
    for group in groups:
        if is_group(group) and _lengths(group) != _lengths(first):
            fail(
                "AX0304",
                f"{describe(group)} and {describe(first)} are joined, and have no corresponding parameters",
                span,
            )
    if isinstance(first, list):
        rows = [[g[i] if is_group(g) else g for g in groups] for i in range(len(first))]
        return [map_groups(frame, function, row, span) for row in rows]
    slots = slots_of(frame, first, span)
    columns = [_columns(frame, group, slots, span) for group in groups]
    values = {slot: function(*row) for slot, row in zip(slots, zip(*columns, strict=True), strict=True)}
    for slot, value in values.items():
        if not isinstance(value, Value):
            fail("AX0306", f"a tensor is needed for parameter `{slot.name}`, not {describe(value)}", span)
        if value.type != slot.type:
            fail("AX0304", f"parameter `{slot.name}` is {slot.type}, and the result here is {value.type}", span)
    return derived_like(first, values)


def plain(group: Any) -> Any:
    """A group without what ``remat`` says of its gradients; what is no group as it is."""
    if isinstance(group, list):
        return [plain(item) for item in group]
    return plain(group.base) if isinstance(group, Remat) else group


def _lengths(group: Group) -> Any:
    """How a group is nested."""
    return [_lengths(item) for item in group] if isinstance(group, list) else None


def _columns(frame: Frame, group: Any, slots: list[Slot], span: Span) -> list[Any]:
    if not is_group(group):
        return [group] * len(slots)
    own = slots_of(frame, group, span)
    if [s.type for s in own] != [s.type for s in slots]:
        fail("AX0304", f"{describe(group)} has other parameters than the module it is joined with", span)
    return [tensor_of(frame, group, slot) for slot in own]


def freeze(group: Group) -> Group:
    """A group that is used but not trained: no gradient reaches it, and ``training`` is false inside."""
    if isinstance(group, Remat):
        return Remat(freeze(group.base))
    if isinstance(group, list):
        return [freeze(item) for item in group]
    if isinstance(group, Derived):
        inner = group
        return Derived(
            group.base, lambda slot, value: stop_gradient(inner.replace(slot, value)), group.values, frozen=True
        )
    base = group

    def replace(slot: Slot, value: Value) -> Value:
        return stop_gradient(value) if _inside(slot.owner, base) else value

    return Derived(group, replace, frozen=True)


def copy_of(frame: Frame, group: Group, span: Span, hint: str | None) -> Group:
    """A new, untrained module with the same initial values."""
    if isinstance(group, Remat):
        return Remat(copy_of(frame, group.base, span, hint))
    if isinstance(group, list):
        return [copy_of(frame, item, span, f"{hint}.{i}" if hint else None) for i, item in enumerate(group)]
    if isinstance(group, Derived):
        fail("AX0306", "`copy` takes a module that was declared: a derived one has no initial values of its own", span)
    base = group
    key = (*frame.chain, span.source.name, span.start, span.end, *frame.indices, base.key)
    module = frame.owner.children.get(key)
    if module is None:
        if frame.build.mode.complete or frame.sealed:
            fail("AX0220", "`copy` makes parameters, which is not possible here", span)
        module = Module(base.block, base.arguments, frame.owner, hint, span, copy_of=base)
        module.dims = dict(base.dims)
        frame.owner.adopt(key, module)
    module.arguments = base.arguments
    return module


def vector(frame: Frame, group: Any, span: Span) -> Value:
    """All parameters of a group (or one tensor) as one vector."""
    if isinstance(group, Value):
        return reshape(group, [group.type.size])
    parts = []
    for item in group if isinstance(group, list) else [group]:
        parts += [tensor_of(frame, item, slot) for slot in slots_of(frame, item, span)]
    return concat([reshape(part, [part.type.size]) for part in parts], 0)


def unvector(frame: Frame, vector: Value, group: Group, span: Span) -> Group:
    """A module with parameters cut from a vector, in the order of ``vec``."""
    slots = slots_of(frame, group, span)
    total = sum(slot.type.size.constant or 0 for slot in slots)
    if vector.rank != 1 or vector.shape[0].constant != total:
        fail("AX0304", f"the parameters hold {total} numbers, and the vector is {vector.type}", span)
    values, start = {}, 0
    for slot in slots:
        size = slot.type.size.constant or 0
        values[slot] = reshape(slice_axis(vector, 0, start, start + size), slot.type.shape)
        start += size
    if isinstance(group, list):
        return [derived_like(item, values) for item in group]
    return derived_like(group, values)
