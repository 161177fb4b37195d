"""Running updates in blocks (``compiler.blockwise``): large tensors change without a second set of them.

A block of a tensor that is carried is written where it was read, at once where nothing reads it after what writes it
(``compiler.written_over``), from a vector beside it otherwise. Blocks are dealt out in turn to lanes, each of
which is a thread. What the rest of the step hands over, gradients mostly, is all there before the first block is
written; the rest holds all that can fail on its data, so a step that fails has changed nothing. What this module does
not do: wait with signals meanwhile (whoever runs a statement does).
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import cycle
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from archonnx.compiler.blockwise import GIVEN, NUMBER, Blockwise, in_one_place
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import NEXT, TrainStep
from archonnx.compiler.turned import turned
from archonnx.compiler.written_over import in_place
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.aside import Aside

from .session import Buffer, Session, bound, shared_value
from .state import TrainState, key_of

if TYPE_CHECKING:
    import onnxruntime

LANES = 2
"""Threads that change blocks, at most; more were not measured. On two cores a step of Dense 5000x5000 with Adam takes
50 ms with two lanes, and 77 with one whose blocks are twice as large; an embedding of 20,000 x 64 takes 2.5 and 4.1 ms.
The threads of the rest's session must not wait awake meanwhile: 79 and 4.1 ms."""
EIGHTH, SHORTEST, LONGEST = 8, 2**14, 2**17
"""A block is an eighth of its tensor, for what is made in between takes room as well, and has so many elements at least
and at most: each costs 6 to 9 us, and more than these do not stay in a cache. An embedding of 20,000 x 64 with Adam
(two lanes, 2026-11-29): blocks of 16,384, 32,768, 65,536, 131,072 elements 1.18, 1.03, 0.97, 0.90 ms; written where the
block before lay 1.28, 1.14, 1.12."""
Lanes = Sequence[Sequence[Callable[[], None]]]
"""What each lane does, in order."""


@cache
def helpers(lanes: int) -> tuple[Aside, ...]:
    """The threads of all lanes but the first, which is the caller's: the same for all statements of a process."""
    return tuple([Aside() for _ in range(lanes - 1)])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=helpers.cache_clear)  # a child has none of its parent's threads


def in_blocks(steps: Sequence[TrainStep], parameters: Container[str]) -> dict[int, Blockwise]:
    """The statements that change tensors in one place, by number; no other statement changes those."""
    changed = Counter(key_of(index, name, parameters) for index, step in enumerate(steps) for name in step.carried)
    found = dict[int, Blockwise]()
    for index, step in enumerate(steps):
        others = {name for name in step.carried if changed[key_of(index, name, parameters)] > 1}
        if (apart := in_one_place(step, others)) is not None:
            found[index] = apart

    def elsewhere(index: int) -> set[str]:
        """What other statements read of it, by its own names."""
        keys = {key_of(index, name, parameters): name for name in steps[index].carried}
        others = (name for other, step in enumerate(steps) if other != index for name in step.graph.inputs)
        return {keys[name] for name in others if name in keys}

    return {index: turned(apart, elsewhere(index)) for index, apart in found.items()}


@dataclass(slots=True)
class BlockwiseBinding:
    """What a statement reads and writes on some sides.

    Attributes:
        rest: of the rest. What it hands over is left to onnxruntime, which takes the memory when a gradient is made
            and has it back once all is changed, so that activations can stand there.
        moves: gives what changes every block, by lane, from what the rest has handed over.
        last: what writes rows of tables behind all blocks, and what the rest could not write over itself.
        places: where that was when ``made`` was made; it is in the same places from the second step on.
        made: what changes every block.
    """

    rest: onnxruntime.IOBinding | None
    moves: Callable[[Mapping[str, onnxruntime.OrtValue]], Lanes]
    last: Callable[[Mapping[str, onnxruntime.OrtValue]], None]
    places: list[int] | None = None
    made: Lanes = ()


@dataclass(frozen=True, slots=True)
class BlockwiseSession:
    """Runs a statement whose updates are apart.

    Attributes:
        rest: its session; None where everything is in the updates.
        families: those of the updates.
        given: the tensors that it hands over, by the names of outputs.
        lanes: how many threads change blocks.
    """

    rest: Session | None
    families: Sequence[Session]
    given: Sequence[str]
    lanes: int

    @property
    def graph(self) -> None:
        """There are several."""

    @property
    def parts(self) -> Sequence[Session]:
        """All sessions that run."""
        return (*self.families, *([self.rest] if self.rest is not None else []))

    def run(self, binding: BlockwiseBinding) -> None:
        """Run once. A failure of the rest leaves everything as it was."""
        given = self._handed_over(binding.rest)
        places = [value.data_ptr() for value in given.values()]
        if places != binding.places:
            binding.places, binding.made = places, binding.moves(given)
        if self.families:
            self._change(binding.made)
        binding.last(given)
        given.clear()
        self._take_back(binding.rest)

    def _change(self, lanes: Lanes) -> None:
        """Change all blocks."""
        first, *others = lanes
        begun = [helper.ask(partial(_do, lane)) for helper, lane in zip(helpers(self.lanes), others, strict=True)]
        try:
            _do(first)
        finally:
            for done in begun:
                done()

    def _handed_over(self, rest: onnxruntime.IOBinding | None) -> dict[str, onnxruntime.OrtValue]:
        """Run the rest; what it hands over, by name."""
        if self.rest is None or rest is None:
            return {}
        self._take_back(rest)  # where the last step failed, there may be something
        self.rest.run(rest)
        values = rest.get_outputs()  # in the order in which they were bound: these came last
        return dict(zip(self.given, values[len(values) - len(self.given) :], strict=True))

    def _take_back(self, rest: onnxruntime.IOBinding | None) -> None:
        """Let onnxruntime have the memory of what was handed over."""
        if rest is None:
            return
        for name in self.given:
            rest.bind_output(name)

    def runs(self, binding: BlockwiseBinding) -> Callable[[], None]:
        """What runs once."""
        return partial(self.run, binding)

    def explained(self, error: Exception) -> SpecError:
        """An error of onnxruntime, in our words."""
        return (self.rest or self.families[0]).explained(error)


def _do(lane: Sequence[Callable[[], None]]) -> None:
    """Change the blocks of a lane."""
    for move in lane:
        move()


def moves(
    families: Sequence[Session],
    lanes: int,
    apart: Blockwise,
    keys: Mapping[str, str],
    state: TrainState,
    sides: int,
    numbers: Mapping[str, onnxruntime.OrtValue],
    given: Mapping[str, onnxruntime.OrtValue],
) -> Lanes:
    """What changes every block.

    Args:
        families: the sessions of the updates.
        lanes: how many do so at once.
        apart: the statement.
        keys: where in the state its tensors are.
        state: what is carried.
        sides: where it lies.
        numbers: that the rest hands over.
        given: the tensors that it hands over.
    """
    read = {**{name: state.current(key, sides).value for name, key in keys.items()}, **numbers, **given}
    found: list[list[Callable[[], None]]] = [[] for _ in range(lanes)]
    beside: list[dict[tuple[int, np.dtype[Any]], Array]] = [{} for _ in range(lanes)]
    turn = cycle(range(lanes))  # the next tensor goes on with the next lane: of small ones no lane has more than others
    places = [{f"carried/{place}": f"{NEXT}{place}" for place in range(one.carried)} for one in apart.families]
    over = [written_over(session, some) for session, some in zip(families, places, strict=True)]
    for member in apart.members:
        session = families[member.family]
        own = [blocks(read[name].numpy()) for name in member.carried]
        handed = [blocks(_there(read[name])) for name in member.given]
        said = {f"{NUMBER}{place}": read[name] for place, name in enumerate(member.numbers)}
        for number in range(len(own[0])):
            lane = next(turn)
            block, others = [parts[number] for parts in own], [parts[number] for parts in handed]
            found[lane].append(_over_itself(session, block, others, said, over[member.family], beside[lane]))
    return found


def _over_itself(
    session: Session,
    block: Sequence[Array],
    given: Sequence[Array],
    numbers: Mapping[str, onnxruntime.OrtValue],
    over: Container[str],
    beside: dict[tuple[int, np.dtype[Any]], Array],
) -> Callable[[], None]:
    """What writes a block over itself: what is not in ``over`` by way of vectors ``beside`` it, by their places."""
    written = list(block)
    for place, part in enumerate(block):
        if f"carried/{place}" not in over:
            vector = beside.setdefault((place, part.dtype), np.empty(LONGEST, part.dtype))
            written[place] = vector[: part.size]
    run = session.runs(block_binding(session, block, given, written, numbers))
    copied = [(part, made) for part, made in zip(block, written, strict=True) if part is not made]
    return partial(_copied, run, copied) if copied else run


def written_over(session: Session, tensors: Mapping[str, str]) -> frozenset[str]:
    """The inputs over which a session may write these outputs; its graph is not always the one that was asked for."""
    return in_place(session.graph, tensors) if session.graph is not None else frozenset()


def _copied(run: Callable[[], None], pairs: Sequence[tuple[Array, Array]]) -> None:
    """Run, then copy what was made beside its place."""
    run()
    for part, made in pairs:
        part[...] = made


def blocks(array: Array) -> list[Array]:
    """The parts of an array, one after the other, as vectors."""
    flat = array.reshape(-1)
    size = min(LONGEST, max(SHORTEST, ceil(flat.size / EIGHTH)))
    return [flat[start : start + size] for start in range(0, flat.size, size)]


def write_last(
    apart: Blockwise,
    keys: Mapping[str, str],
    state: TrainState,
    sides: int,
    beside: Mapping[str, Buffer],
    given: Mapping[str, onnxruntime.OrtValue],
) -> None:
    """Write the rows of tables that the rest has computed, where blocks have written the others, and what the rest has
    written ``beside`` its place."""
    for name, buffer in beside.items():
        state.other(keys[name], sides).write(buffer.host)
    for member in apart.members:
        if member.looked is not None:
            at = given[member.looked.at].numpy()
            for name, rows in zip(member.carried, member.looked.rows, strict=True):
                state.other(keys[name], sides).host[at] = given[rows].numpy()


def block_binding(
    session: Session,
    carried: Sequence[Array],
    given: Sequence[Array],
    written: Sequence[Array],
    numbers: Mapping[str, onnxruntime.OrtValue],
) -> onnxruntime.IOBinding:
    """Of a block of every tensor of an update, and of the numbers by the names of graph inputs."""
    inputs = {f"carried/{place}": part for place, part in enumerate(carried)}
    inputs |= {f"{GIVEN}{place}": part for place, part in enumerate(given)}
    outputs = {f"{NEXT}{place}": shared_value(part) for place, part in enumerate(written)}
    return bound(session, {name: shared_value(part) for name, part in inputs.items()} | dict(numbers), outputs)


def _there(value: onnxruntime.OrtValue) -> Array:
    """The tensor of a value where it lies, without a claim to that memory: onnxruntime has it back after the step."""
    shared = value.numpy()
    memory = (ctypes.c_byte * shared.nbytes).from_address(value.data_ptr())
    return np.frombuffer(memory, shared.dtype).reshape(shared.shape)
