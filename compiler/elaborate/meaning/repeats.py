"""Applications of modules that are alike, elaborated once: the layers of deep networks.

What a body adds to a graph depends on its block and the module's arguments, on the types of what it is given, on the
mode of the build and on the facts in force. So an application that agrees in these with an earlier one is that one once
more: its nodes with values of their own, for parameters of its own, and the modules made in it. What depends on more is
elaborated by itself: draws, which differ by their place; gradients, which depend on how tensors were made; modules that
are arguments, copies, derived or frozen; and parameters that were used before.

Elaborating takes 0.38 s CPU of ResNet-50 in place of 0.71, 0.60 of ResNet-152 in place of 2.10, 0.08 of a GPT of four
layers in place of 0.13, and 0.72 of 1,000 dense layers in place of 1.06 (2026-11-29).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from archonnx.compiler.elaborate.core.alike import Copies, OpenValue, meant
from archonnx.compiler.elaborate.core.build import Binding, Build, Outcome
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.place import Place
from archonnx.compiler.elaborate.core.values import BlockType, Module, Results, Slot
from archonnx.compiler.elaborate.core.watching import ONLOOKER
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.facts import facts_in_force
from archonnx.compiler.ir.graph import Graph, Node
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.value import Value
from archonnx.grammar.budget import Cost, spend
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span

from .parameters import PARAMETER
from .starts import in_module

ANYWHERE = frozenset({bool, int, float, str, Dim, type(None)})
"""Results that are no tensors and mean the same anywhere."""
Key = TypeVar("Key")
Item = TypeVar("Item")


def once_for_all(inner: Frame, module: Module, run: Callable[[], Any]) -> Any:
    """What a module gives where it is applied: its body is run, or an application like it is there once more.

    Args:
        inner: the frame of its body, with all arguments bound.
        module: that is applied.
        run: runs the body.

    Raises:
        SpecError: of ``run``.
    """
    build = inner.build
    known, given = build.graph.repeats, _tensors(inner, module)
    try:
        key = _key(inner, module, given)
    except OpenValue:
        return run()
    earlier = known.get(key)
    if earlier is not None and earlier.builder is build.builder:
        modules = earlier.modules_in(module) if earlier.closed else None
        return run() if modules is None else _Again(earlier, inner, modules, given).result()
    before = _Before(inner, module)
    result = run()
    if before.else_the_same:
        known[key] = before.body(given, result)
    return result


# ---------------------------------------------------------------- what must agree


def _tensors(inner: Frame, module: Module) -> list[Value]:
    """The tensors that a module is given."""
    assert isinstance(module.block, BlockType)
    values = [inner.locals[parameter.name] for parameter in module.block.declaration.inputs]
    return [value for value in values if isinstance(value, Value)]


def _key(inner: Frame, module: Module, given: list[Value]) -> Hashable:
    """Equal for applications that are alike; OpenValue where something may decide that is not in it."""
    build, block = inner.build, module.block
    assert isinstance(block, BlockType)
    way = build.under_way
    if ONLOOKER.get() is not None or way.derived or way.stating or build.mode.frozen or inner.preparing:
        raise OpenValue
    if block.around is not None or module.copied_path() is not None or _used(build, module):
        raise OpenValue
    if any(value in build.builder.once or not value.type.dtype.is_float for value in given):
        raise OpenValue  # it may be one with a number in the body; and of whole numbers more than the type may be known
    others = [inner.locals[parameter.name] for parameter in block.declaration.inputs]
    return (
        id(block.declaration),
        id(block.scope),
        _is_fresh(module),
        inner.sealed,
        build.float_type,
        facts_in_force(),
        tuple([(name, meant(value)) for name, value in module.arguments.items()]),
        tuple([(name, size) for name, (size, _) in module.dims.items()]),
        tuple([(value.type, value.type.notes, given.index(value)) for value in given]),
        tuple([isinstance(value, Value) or meant(value) for value in others]),
    )


def _is_fresh(module: Module) -> bool:
    """Whether nothing was made in a module so far."""
    return not module.slots and not module.children


def _used(build: Build, module: Module) -> bool:
    """Whether a parameter of a module, or of one inside it, is in the graph already."""
    return any(slot in build.parameters for slot in module.slots.values()) or any(
        _used(build, child) for child in module.children.values()
    )


# ---------------------------------------------------------------- what an application did


class _Part(Record, eq=False):
    """A module as an application left it, and those inside it by their keys."""

    module: Module
    arguments: dict[str, Any]
    dims: dict[str, tuple[int, Span]]
    slots: tuple[Slot, ...]
    inside: tuple[tuple[Any, _Part], ...]

    @staticmethod
    def of(module: Module) -> _Part:
        """As a module is now."""
        inside = tuple([(key, _Part.of(child)) for key, child in module.children.items()])
        return _Part(module, module.arguments, dict(module.dims), tuple(module.slots.values()), inside)

    def all(self) -> Iterator[_Part]:
        """This one and all inside it."""
        yield self
        for _, part in self.inside:
            yield from part.all()

    def is_open(self) -> bool:
        """Whether it is more than its block and its arguments say."""
        assert isinstance(self.module.block, BlockType)
        try:
            for value in self.arguments.values():
                meant(value)
        except OpenValue:
            return True
        return self.module.copy_of is not None or self.module.block.around is not None


@dataclass(eq=False, repr=False)
class _Body:
    """An application that was elaborated: in what state, and what it has added to its build."""

    builder: Builder
    origin: Origin
    place: Place
    outcome: Outcome
    fresh: bool
    given: list[Value]
    part: _Part
    nodes: list[Node]
    bindings: list[Binding]
    applied: list[tuple[Module, tuple[Value, ...]]]
    made: list[Slot]
    parameters: dict[Slot, Value]
    updates: dict[Slot, Value]
    updating: dict[Slot, list[Outcome]]
    result: Any

    @cached_property
    def shared(self) -> dict[Value, Value]:
        """The values that a builder makes once for all who need them: they stand for themselves."""
        once = self.builder.once
        values = (value for node in self.nodes for value in (*node.inputs, *node.outputs))
        return {value: value for value in values if value in once}

    @cached_property
    def closed(self) -> bool:
        """Whether it depends on nothing but what is known of it."""
        parts = list(self.part.all())
        modules = {part.module for part in parts}
        if any(slot.owner not in modules for slot in (*self.made, *self.parameters, *self.updates)):
            return False
        if any(part.is_open() for part in parts) or (self.made and not self.fresh):
            return False
        known = {*self.given, *self.parameters.values(), *self.shared}
        for node in self.nodes:
            if node.op.bodies() or not known.issuperset(node.inputs):
                return False
            known.update(node.outputs)
        items = self.result.items if isinstance(self.result, Results) else (self.result,)
        return all(item in known if isinstance(item, Value) else type(item) in ANYWHERE for item in items)

    def modules_in(self, module: Module) -> dict[Module, Module] | None:
        """For each module of it that of another, which may be made for it; None if the other has others in it."""
        modules: dict[Module, Module] = {}
        if self.fresh:
            _make(self.part, module, modules)
        elif not _match(self.part, module, modules):
            return None
        return modules


class _Before:
    """The state of a build before a body is run."""

    def __init__(self, inner: Frame, module: Module) -> None:
        self._inner, self._module, self._fresh = inner, module, _is_fresh(module)
        self._origin, self._else = inner.build.builder.origin, self._rest()
        self._sizes = [len(one) for one in self._growing()]

    def _growing(self) -> tuple[Sized, ...]:
        """What a body adds to, and may be added to once more."""
        graph, observed = self._inner.build.graph, self._inner.build.observed
        parts = graph.builder.nodes, observed.bindings, observed.applied, self._inner.build.root.made
        return *parts, graph.parameters, graph.updates, graph.updating

    def _rest(self) -> tuple[object, ...]:
        """What tells of all else that a body may do."""
        graph, observed = self._inner.build.graph, self._inner.build.observed
        noted = observed.sites, observed.assumptions, observed.better, self._inner.build.report.diagnostics
        counts = graph.regions, graph.searches, observed.parameters_in_self
        return graph.builder, facts_in_force(), *counts, len(graph.inputs), *[len(one) for one in noted]

    @property
    def else_the_same(self) -> bool:
        """Whether the body has done nothing else."""
        return self._rest() == self._else

    def body(self, given: list[Value], result: Any) -> _Body:
        """What has been added since."""
        inner, (nodes, bindings, applied, made, parameters, updates, updating) = self._inner, self._sizes
        graph, observed = inner.build.graph, inner.build.observed
        return _Body(
            builder=graph.builder,
            origin=self._origin,
            place=inner.place,
            outcome=inner.outcome,
            fresh=self._fresh,
            given=given,
            part=_Part.of(self._module),
            nodes=graph.builder.nodes[nodes:],
            bindings=observed.bindings[bindings:],
            applied=observed.applied[applied:],
            made=inner.build.root.made[made:],
            parameters=_added(graph.parameters, parameters),
            updates=_added(graph.updates, updates),
            updating={slot: list(found) for slot, found in _added(graph.updating, updating).items()},
            result=result,
        )


def _added(items: dict[Key, Item], before: int) -> dict[Key, Item]:
    """The items of a dict behind the first ones."""
    last = list(islice(reversed(items), len(items) - before))
    return {key: items[key] for key in reversed(last)}


def _make(part: _Part, module: Module, modules: dict[Module, Module]) -> None:
    """Make in a module what a part has in it."""
    modules[part.module] = module
    module.arguments = part.arguments
    for key, inside in part.inside:
        like = inside.module
        child = Module(like.block, inside.arguments, module, like.name, like.made_at, dims=dict(inside.dims))
        module.adopt(key, child)
        _make(inside, child, modules)


def _match(part: _Part, module: Module, modules: dict[Module, Module]) -> bool:
    """Whether a module has in it what a part has; ``modules`` are given those that stand for its own."""
    modules[part.module] = module
    for slot in part.slots:
        own = module.slots.get(slot.name)
        if own is None or own.type != slot.type or own.statement is not slot.statement:
            return False
    for key, inside in part.inside:
        child = module.children.get(key)
        if child is None or child.copy_of is not None or _told(child.dims) != _told(inside.dims):
            return False
        assert isinstance(child.block, BlockType) and isinstance(inside.module.block, BlockType)
        if child.block.declaration is not inside.module.block.declaration or not _match(inside, child, modules):
            return False
        child.arguments = inside.arguments
    return True


def _told(dims: Mapping[str, tuple[int, Span]]) -> dict[str, int]:
    return {name: size for name, (size, _) in dims.items()}


# ---------------------------------------------------------------- once more


class _Again:
    """An application once more: for another module, of other tensors, called from another place."""

    def __init__(self, body: _Body, inner: Frame, modules: Mapping[Module, Module], given: list[Value]) -> None:
        self._body, self._build, self._modules = body, inner.build, modules
        self._places = {body.place: inner.place}
        self._outcomes = {id(body.outcome): inner.outcome}
        self._use, self._use_here = body.place.use, inner.place.use
        self._origin = inner.build.builder.origin
        self._make_slots()
        parameters = {value: self._build.parameter(self._slot(slot)) for slot, value in body.parameters.items()}
        self._copies = Copies(self._placed, {**body.shared, **parameters, **dict(zip(body.given, given, strict=True))})
        self._add()

    def result(self) -> Any:
        """What it gives."""
        return self._moved(self._body.result)

    def _make_slots(self) -> None:
        for slot in self._body.made:
            owner = self._modules[slot.owner]
            owner.slots[slot.name] = own = _like(slot, owner)
            self._build.root.made.append(own)

    def _add(self) -> None:
        body, graph, observed = self._body, self._build.graph, self._build.observed
        graph.builder.nodes += [self._copies.node(node) for node in body.nodes if node.outputs[0] not in body.shared]
        for slot, value in body.updates.items():
            graph.updates[self._slot(slot)] = self._copies.value(value)
        for slot, outcomes in body.updating.items():
            graph.updating.setdefault(self._slot(slot), []).extend(map(self._outcome, outcomes))
        self._outcome(body.outcome).values = self._moved(body.outcome.values)
        observed.bindings += map(self._binding, body.bindings)
        for module, values in body.applied:
            observed.applied.append((self._modules[module], tuple(map(self._copies.value, values))))

    def _slot(self, slot: Slot) -> Slot:
        return self._modules[slot.owner].slots[slot.name]

    def _moved(self, value: Any) -> Any:
        """A value with the tensors of this application in place of those of the other."""
        match value:
            case Value():
                return self._copies.value(value)
            case list():
                return [self._moved(item) for item in value]
            case Results():
                return Results(tuple([self._moved(item) for item in value.items]), value.names)
        return value

    def _placed(self, origin: Origin) -> Origin:
        """Where a node comes from: a place of the library is used by another line of the spec."""
        if origin is self._body.origin:
            return self._origin
        owner = self._modules.get(origin.owner, origin.owner) if isinstance(origin.owner, Module) else origin.owner
        use, used = origin.use, origin.used
        if use is not None and use is self._use[0] and used == self._use[1]:
            use, used = self._use_here
        return replace(origin, owner=owner, use=use, used=used)

    def _place(self, place: Place) -> Place:
        found = self._places.get(place)
        if found is None:
            owner = self._modules.get(place.owner, place.owner)
            call = place.call if place.call is None or not place.call.dims else replace(place.call, dims=owner.dims)
            caller = None if place.caller is None else self._place(place.caller)
            found = self._places[place] = Place(place.kind, owner, call, caller)
        return found

    def _binding(self, binding: Binding) -> Binding:
        module = None if binding.module is None else self._modules[binding.module]
        return Binding(
            binding.name, self._copies.value(binding.value), binding.span, self._place(binding.place), module
        )

    def _outcome(self, outcome: Outcome) -> Outcome:
        found = self._outcomes.get(id(outcome))
        if found is None:
            found = self._outcomes[id(outcome)] = Outcome(self._moved(outcome.values))
        return found


def _like(slot: Slot, owner: Module) -> Slot:
    """A parameter like this one, of another module."""
    spend(Cost.modules, PARAMETER)
    first = slot.initial

    def initial(path: str) -> Graph:
        return in_module(first(path), owner)

    made = slot.type, slot.statement, slot.trainable, slot.decay, slot.buffer
    return Slot(slot.name, owner, *made, initial, slot.indices)
