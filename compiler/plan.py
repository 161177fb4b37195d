"""The plan of a ``train`` block: in which order, and how often, a pass over its statements runs the training steps.

What this module does not do: know what a step computes (``program.TrainStep`` says), or run one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

from archonnx.grammar.record import Record


class Do(Record):
    """Run a step on the batch of this round."""

    step: int


class Gather(Record):
    """Run a step on each batch of the group that makes one update."""

    step: int


class Repeat(Record):
    """Run the body several times, with a fresh batch after the first round.

    ``condition`` is the step that is asked before each round, on its batch; where it says no, no further one is run.
    """

    count: int
    body: Plan
    condition: int | None = None


class Every(Record):
    """Run the body on each ``count``-th pass."""

    count: int
    body: Plan


Plan = tuple["Do | Gather | Repeat | Every", ...]
"""What one pass over the statements does; ``Do`` and ``Gather`` name steps by their index."""


def gathering(plan: Plan, minimized: Sequence[bool]) -> Plan:
    """The plan where each statement that minimises is two steps, one that gathers and one that updates.

    ``minimized`` says of each statement, by its index in ``plan``, whether it does.
    """
    first = [index + sum(minimized[:index]) for index in range(len(minimized))]

    def opened(plan: Plan) -> Plan:
        found: Plan = ()
        for item in plan:
            match item:
                case Do(index):
                    at = first[index]
                    found += (Gather(at), Do(at + 1)) if minimized[index] else (Do(at),)
                case Repeat(count, body, condition):
                    found += (Repeat(count, opened(body), None if condition is None else first[condition]),)
                case Every(count, body):
                    found += (Every(count, opened(body)),)
        return found

    return opened(plan)


def runs(plan: Plan, step: int, passes: int, every: int = 1) -> int:
    """How often a plan runs a step in so many passes at most, counted from the first.

    ``every`` is that of the statements around the plan: all of them must agree to a pass.
    """
    count = 0
    for item in plan:
        match item:
            case Do(index) | Gather(index):
                count += passes // every if index == step else 0
            case Repeat(rounds, body, _):
                count += rounds * runs(body, step, passes, every)
            case Every(other, body):
                count += runs(body, step, passes, lcm(every, other))
    return count


def own_lengths(plan: Plan, step: int, total: int | None, per_epoch: int | None) -> tuple[int | None, int | None]:
    """``steps`` and ``steps_per_epoch`` of a statement, where there are so many passes: how often it runs itself.

    Rounded down, but at least 1, so that what is divided by them is a number.
    """

    def own(passes: int | None) -> int | None:
        return passes if passes is None or not plan else max(1, runs(plan, step, passes))

    return own(total), own(per_epoch)
