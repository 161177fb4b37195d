"""Reverse-mode differentiation: nodes that compute gradients are added after the nodes that are differentiated.

Every op's ``vjp`` is built of ops, so what comes out can be differentiated again. What this module does not do:
forward mode, and any op by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archonnx.grammar.budget import Cost, spend

from .ir.builder import Builder
from .ir.graph import Graph, Node
from .ir.op import Trait
from .ir.value import Value
from .ops.shape import broadcast_to, constant, zeros_like

DISCRETE = "its value jumps as the probabilities change, so it has no derivative"


class NotDifferentiable(Exception):  # noqa: N818 - becomes a diagnostic
    """A gradient was asked for through a node that has none. ``why`` is the op's own explanation."""

    def __init__(self, node: Node, why: str) -> None:
        super().__init__(node, why)
        self.node, self.why = node, why

    def __str__(self) -> str:
        return f"{self.node.op.name}: {self.why}"

    @property
    def what(self) -> str:
        """What has no gradient, in a few words."""
        return "a discrete draw" if self.why == DISCRETE else self.node.origin.what


def gradient(builder: Builder, y: Value, wrt: Sequence[Value], seed: Value | None = None) -> list[Value]:
    """The same as ``reaching_gradient``, with zeros for what ``y`` does not depend on."""
    found = reaching_gradient(builder, y, wrt, seed)
    with builder.active():
        return [zeros_like(value) if g is None else g for g, value in zip(found, wrt, strict=True)]


def reaching_gradient(
    builder: Builder, y: Value, wrt: Sequence[Value], seed: Value | None = None
) -> list[Value | None]:
    """Gradients of ``sum(seed * y)`` with respect to values, as new nodes of the builder.

    Args:
        builder: holds the nodes from ``wrt`` to ``y``; new nodes are appended.
        y: what is differentiated; a scalar unless ``seed`` is given.
        wrt: gradients are taken with respect to these.
        seed: the cotangent of ``y``, of its type; 1 if left out.

    Returns:
        For each ``wrt`` a value of its type, or None if ``y`` does not depend on it.

    Raises:
        NotDifferentiable: a path from ``wrt`` to ``y`` leads through an op without a gradient.
    """
    with builder.active():
        seed = constant(1.0, y.type.dtype) if seed is None else seed
    return pulled_back(builder, [(y, seed)], wrt)


def pulled_back(builder: Builder, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value]) -> list[Value | None]:
    """The same for several results, each with its cotangent: gradients of the sum of their products."""
    outer, builder.cost = builder.cost, Cost.gradients
    spend(Cost.gradients, len(builder.nodes))
    try:
        return _pulled_back(builder, seeds, wrt)
    finally:
        builder.cost = outer


def _pulled_back(builder: Builder, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value]) -> list[Value | None]:
    with builder.active():
        cotangents: dict[Value, Value] = {}
        for y, seed in seeds:
            cotangents[y] = cotangents[y] + seed if y in cotangents else seed
        active = depending(builder.nodes, wrt)
        for y, _ in seeds:
            _refuse_discrete(builder.nodes, active, y)
        for node in reversed(list(builder.nodes)):
            if active.isdisjoint(node.outputs) or not any(out in cotangents for out in node.outputs):
                continue
            with builder.at(node.origin.derived("gradient of")):
                for value, cotangent in pull_back(node, cotangents, active):
                    known = cotangents.get(value)
                    cotangents[value] = cotangent if known is None else known + cotangent
        return [cotangents.get(value) for value in wrt]


def gradient_ends(builder: Builder, y: Value, wrt: Sequence[Value]) -> list[Node]:
    """Where gradients of ``y`` end on their way to values on which it depends: nodes that pass none on, in order.

    ``round`` and ``stop_gradient`` are such nodes, and whatever makes integers or truth values of floats.
    """
    reached, found = {y}, set()
    dependent = set(wrt)
    for node in builder.nodes:
        if not dependent.isdisjoint(node.inputs):
            dependent.update(node.outputs)
    active, forward = depending(builder.nodes, wrt), list(builder.nodes)
    with builder.active():
        for node in reversed(forward):
            if reached.isdisjoint(node.outputs) or dependent.isdisjoint(node.inputs):
                continue
            cotangents = {out: zeros_like(out) for out in node.outputs if out in active}
            passed = {value for value, _ in pull_back(node, cotangents, active)} if cotangents else set()
            hidden = [value for value in node.inputs if value in dependent and value not in passed]
            if any(value in active for value in hidden):
                found.add(node)
            reached.update(passed, (value for value in hidden if value not in active))
    return [node for node in forward if node in found]


def depending(nodes: Sequence[Node], wrt: Sequence[Value]) -> set[Value]:
    """The float values that depend on ``wrt``."""
    active = set(wrt)
    for node in nodes:
        if not active.isdisjoint(node.inputs):
            active.update(out for out in node.outputs if out.type.dtype.is_float)
    return active


def _refuse_discrete(nodes: Sequence[Node], active: set[Value], y: Value) -> None:
    """NotDifferentiable if ``y`` depends, through a discrete draw, on what is differentiated."""
    draws: dict[Value, Node] = {}
    _follow_draws(nodes, active, draws)
    if y in draws:
        raise NotDifferentiable(draws[y], DISCRETE)


def _follow_draws(nodes: Sequence[Node], active: set[Value], draws: dict[Value, Node]) -> None:
    """Add to ``draws`` what depends, through a discrete draw, on what is differentiated, with that draw."""
    for node in nodes:
        if Trait.DISCRETE in node.op.traits and not active.isdisjoint(node.inputs[1:]):
            draws.update(dict.fromkeys(node.outputs, node))
        elif node.op.bodies() and node.op.not_differentiable is None:
            for body in node.op.bodies():
                draws.update(_drawn_inside(node, body, active, draws))
        elif draws and not node.op.stops_gradient:
            source = next((draws[value] for value in node.inputs if value in draws), None)
            if source is not None:
                draws.update(dict.fromkeys(node.outputs, source))


def _drawn_inside(node: Node, body: Graph, active: set[Value], draws: Mapping[Value, Node]) -> dict[Value, Node]:
    """The results of a node that do, by its body: what a step hands on, the next one reads, until nothing is added."""
    given, made = list(body.inputs.values()), list(body.outputs.values())
    pairs = list(zip(node.inputs, given, strict=True))
    within = {inner for outer, inner in pairs if outer in active}
    found = {inner: draws[outer] for outer, inner in pairs if outer in draws}
    handed_on = list(zip(made, given, strict=False))[: getattr(node.op, "states", 0)]
    known = -1
    while known != len(within) + len(found):
        known = len(within) + len(found)
        within = depending(body.nodes, list(within))
        _follow_draws(body.nodes, within, found)
        within |= {start for end, start in handed_on if end in within}
        found |= {start: found[end] for end, start in handed_on if end in found and start not in found}
    return {outer: found[inner] for outer, inner in zip(node.outputs, made, strict=True) if inner in found}


def pull_back(node: Node, cotangents: Mapping[Value, Value], active: set[Value]) -> list[tuple[Value, Value]]:
    """The contributions of one node to the cotangents of its inputs."""
    if node.op.not_differentiable is not None:
        raise NotDifferentiable(node, node.op.not_differentiable)
    needed = [value in active for value in node.inputs]
    if len(node.outputs) == 1:
        parts = node.op.vjp_towards(needed, cotangents[node.outputs[0]], node.outputs[0], node.inputs)
    else:
        known = tuple(cotangents.get(out) for out in node.outputs)
        parts = node.op.vjp_towards(needed, known, node.outputs, node.inputs)
    pairs = zip(node.inputs, parts, strict=True)
    # Where dims are equal by what a spec states, a part may have those of another input.
    return [(value, broadcast_to(part, value.shape)) for value, part in pairs if part is not None and value in active]
