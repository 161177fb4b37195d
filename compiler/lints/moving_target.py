"""What a loss takes for given is made of what it trains, and moves with it."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Trait
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Add, Mul, Sub
from archonnx.compiler.ops.index import GatherElements
from archonnx.compiler.ops.norm import LogSoftmax
from archonnx.compiler.ops.shape import StopGradient
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

DISTANCES = ("mse", "mae", "huber", "smooth_l1")


@lint("AX0856")
def moving_target(sight: Sight) -> Iterator[Diagnostic]:
    """``mse(q(s), reward + 0.99 * max(q(s2), axis=1))``; ``log_p * (returns - value)``, whose value is trained."""
    for node in sight.nodes(Sub, Mul):
        if isinstance(node.op, Sub) and sight.user(node) in DISTANCES:
            made = _made(sight, node.inputs[1])
            later = _later(sight, node.inputs[1])
            if made is not None and later is not None and _trained(sight, later):
                yield warning(
                    "AX0856",
                    f"the target of `{sight.user(node)}` is made of what is trained: the gradient moves it as well",
                    made.origin.place,
                    "what is foretold follows what foretells",
                    help="let it be constant: `stop_gradient(...)` around it, or a slow copy of the net",
                )
        elif isinstance(node.op, Mul) and not node.origin.used:
            for log_p, weight in (node.inputs, node.inputs[::-1]):
                if _of_actions(sight, log_p) and (value := _baseline(sight, weight)) is not None:
                    yield warning(
                        "AX0856",
                        "the weight of a log-probability is made of what is trained: its gradient is not of the policy",
                        node.origin.place,
                        "a weight is taken for given",
                        help="`stop_gradient(...)` around the weight",
                        notes=(f"it is taken off at {value}",),
                    )


def _later(sight: Sight, target: Value) -> Value | None:
    """The second term of a reward and a share of what is foretold after it."""
    node = _made(sight, target)
    if node is None or not isinstance(node.op, Add):
        return None
    for reward, share in (node.inputs, node.inputs[::-1]):
        made = _made(sight, share)
        if sight.field_of(reward) is not None and made is not None and isinstance(made.op, Mul):
            factors = [sight.number(value) for value in made.inputs]
            if any(factor is not None and 0 < factor <= 1 for factor in factors):
                return share
    return None


def _of_actions(sight: Sight, value: Value) -> bool:
    """Whether this is the log-probability of what was done."""
    node = sight.source(value)
    taken = sight.source(node.inputs[0]) if node is not None and isinstance(node.op, GatherElements) else None
    return taken is not None and isinstance(taken.op, LogSoftmax)


def _baseline(sight: Sight, weight: Value) -> str | None:
    """Where something trained is taken off a field."""
    node = _made(sight, weight)
    if node is None or not isinstance(node.op, Sub) or sight.field_of(node.inputs[0]) is None:
        return None
    return str(node.origin.place) if _trained(sight, node.inputs[1]) else None


def _made(sight: Sight, value: Value) -> Node | None:
    """The node that makes a value, through what only moves its elements and lets gradients pass."""
    node = sight.producers.get(value)
    while node is not None and Trait.VIEW in node.op.traits and not isinstance(node.op, StopGradient):
        node = sight.producers.get(node.inputs[0])
    return node


def _trained(sight: Sight, value: Value) -> bool:
    """Whether a gradient leads from a value to a parameter that is changed."""
    changed = {path for step in sight.steps for path in step.gradients}
    free = {path for path, one in sight.model.parameters.items() if one.trainable and (path in changed or not changed)}
    goals = {value for of in sight.computations for path, value in of.graph.inputs.items() if path in free}
    seen: set[Node] = set()
    left = [value]
    while left:
        one = left.pop()
        if one in goals:
            return True
        node = sight.producers.get(one)
        if node is not None and node not in seen and not isinstance(node.op, StopGradient):
            seen.add(node)
            left.extend(node.inputs)
    return False
