"""Running updates in blocks (``compiler.blockwise``): large tensors change without a second set of them.

A tensor that is carried lies in memory with room for one more block. A step reads a block and writes what becomes of it
one block further, where the block lay that was read before: first the last one, or the other way round in the next
step. What the rest of the step hands over, gradients mostly, is all there before the first block is written; the rest
holds all that can fail on its data, so a step that fails has changed nothing. What this module does not do: wait with
signals meanwhile (whoever runs a statement does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archonnx.compiler.blockwise import Blockwise, Member, blockwise
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.program import NEXT, TrainStep
from archonnx.grammar.diagnostics import SpecError

from .session import Buffer, Session, bound, shared_value
from .state import TrainState, blocks, key_of

if TYPE_CHECKING:
    import onnxruntime


def in_blocks(steps: Sequence[TrainStep], parameters: Mapping[str, Any]) -> dict[int, Blockwise]:
    """The statements that change large tensors in blocks, by number; no other statement changes those."""
    found = {index: apart for index, step in enumerate(steps) if (apart := blockwise(step)) is not None}
    changed = [{key_of(index, name, parameters) for name in step.carried} for index, step in enumerate(steps)]

    def alone(index: int, apart: Blockwise) -> bool:
        own = {key_of(index, name, parameters) for name in apart.carried}
        return all(own.isdisjoint(names) for other, names in enumerate(changed) if other != index)

    return {index: apart for index, apart in found.items() if alone(index, apart)}


@dataclass(frozen=True, slots=True)
class BlockwiseBinding:
    """What a statement reads and writes on some sides: of the rest, and of every block in order."""

    rest: onnxruntime.IOBinding
    moves: Sequence[Callable[[], None]]


@dataclass(frozen=True, slots=True)
class BlockwiseSession:
    """Runs a statement whose updates are apart."""

    rest: Session

    @property
    def graph(self) -> None:
        """There are several."""

    def run(self, binding: BlockwiseBinding) -> None:
        """Run once. A failure of the rest leaves everything as it was."""
        self.rest.run(binding.rest)
        for move in binding.moves:
            move()

    def runs(self, binding: BlockwiseBinding) -> Callable[[], None]:
        """What runs once."""
        return lambda: self.run(binding)

    def explained(self, error: Exception) -> SpecError:
        """An error of onnxruntime, in our words."""
        return self.rest.explained(error)


def buffer_for(type_: TensorType) -> Buffer:
    """Memory on the CPU for what the rest hands over."""
    return Buffer(type_.static_shape or (), type_.dtype.numpy, "cpu")


def moves(
    families: Sequence[Session],
    apart: Blockwise,
    keys: Mapping[str, str],
    given: Mapping[str, Buffer],
    state: TrainState,
    sides: int,
) -> list[Callable[[], None]]:
    """What changes every block, in an order in which none is written over before it was read.

    Args:
        families: the sessions of the updates.
        apart: the statement.
        keys: where in the state its tensors are.
        given: what the rest hands over.
        state: what is carried.
        sides: where it lies.
    """
    found: list[Callable[[], None]] = []
    for member in apart.members:
        session = families[member.family]
        found += [session.runs(binding) for binding in _bindings(session, member, keys, given, state, sides)]
    return found


def _bindings(
    session: Session,
    member: Member,
    keys: Mapping[str, str],
    given: Mapping[str, Buffer],
    state: TrainState,
    sides: int,
) -> list[onnxruntime.IOBinding]:
    """One for each block of the tensors of a member."""

    def buffer(name: str) -> Buffer:
        return given[name] if name in given else state.current(keys[name], sides)

    read = {f"carried/{place}": blocks(buffer(name).host) for place, name in enumerate(member.carried)}
    read |= {f"given/{place}": blocks(buffer(name).host) for place, name in enumerate(member.given)}
    written = [blocks(state.other(keys[name], sides).host) for name in member.carried]
    numbers = {f"number/{place}": buffer(name).value for place, name in enumerate(member.numbers)}
    order = range(len(written[0]))
    forwards = bool(sides & state.bit[keys[member.carried[0]]])
    return [
        bound(
            session,
            {name: shared_value(parts[number]) for name, parts in read.items()} | numbers,
            {f"{NEXT}{place}": shared_value(parts[number]) for place, parts in enumerate(written)},
        )
        for number in (order if forwards else reversed(order))
    ]
