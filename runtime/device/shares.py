"""What each rank does of the update, and where it lies.

Where the ranks see the same memory, what an optimizer changes element by element lies in it, once for all of them:
tensors with one rule as one vector, of which each rank changes a part. Before the next step reads them, all have met.
Everything else is changed by each rank by itself, in memory of its own. What this module does not do: run anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from archonnx.compiler.blockwise import Blockwise, Member, in_shares
from archonnx.compiler.gradients import GRADIENT
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.program import TrainStep
from archonnx.compiler.splitting import Split, apart, split
from archonnx.runtime.ranks import Ranks

from .state import key_of
from .sums import Sizes, Sums, SumsByMessages, SumsInMemory, bytes_of, laid_out

IN_TWO_FROM = 2**22
"""Bytes of gradients from which on half of them are sent while the others are made: it takes a millisecond. In memory
that all see a sum of so many takes half of one, and the second part of a step reads anew what the first one had."""
NEVER = 2**63


@dataclass(frozen=True, slots=True)
class Bunch:
    """Tensors that are changed by one rule and the same numbers: one vector, whatever their shapes.

    Attributes:
        family: the number of the rule.
        carried: by the place that tensors have in the rule, their names.
        gradients: theirs, none where the rule reads none.
        numbers: what the rule reads besides.
    """

    family: int
    carried: tuple[tuple[str, ...], ...]
    gradients: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A statement among several ranks.

    Attributes:
        split: its parts.
        sums: where its gradients lie, in the order of ``summed``.
        apart: its update, where the ranks share it out.
        bunches: what they share.
        places: for each bunch and each of its ``carried`` the two places of the vector.
    """

    split: Split
    sums: Sums
    apart: Blockwise | None = None
    bunches: tuple[Bunch, ...] = ()
    places: Sequence[Sequence[tuple[Array, Array]]] = ()

    @property
    def update(self) -> Graph:
        """What each rank does of the update by itself."""
        return self.split.update if self.apart is None else self.apart.rest

    def given(self, memory: Sequence[Sequence[Array]]) -> dict[str, Array]:
        """What is summed, by the name of the output, where ``memory`` is that of ``sums``."""
        found: dict[str, Array] = {}
        for number, (graph, arrays) in enumerate(zip(self.split.parts, memory, strict=True)):
            for names, flat in zip(_summed(self.split, number, self.bunches).values(), arrays, strict=True):
                found |= _views(flat, {name: graph.outputs[name].type for name in names})
        return found

    def gradients(self, bunch: Bunch) -> Array:
        """The means of the gradients of a bunch, as one vector."""
        array, begin, end = _place(self.split, self.bunches, bunch)
        return self.sums.mean[0][array][begin:end]

    def tensors(self, step: TrainStep) -> dict[str, tuple[Array, Array]]:
        """The two places of every tensor that is shared, by its name in the step."""
        found: dict[str, tuple[Array, Array]] = {}
        for bunch, places in zip(self.bunches, self.places, strict=True):
            for names, sides in zip(bunch.carried, places, strict=True):
                one, other = (_views(side, {name: step.carried[name] for name in names}) for side in sides)
                found |= {name: (one[name], other[name]) for name in names}
        return found


def shares_of(ranks: Ranks, steps: Sequence[TrainStep], parameters: Container[str]) -> dict[int, Share]:
    """The statements of which ranks share the batch, by number. All ranks call this at the same time."""
    shared = {index for index, step in enumerate(steps) if step.fields and not step.asks and not apart(step)}
    alike = len(shared) == len(steps)
    """Between two statements of which no batch is shared the ranks do not meet."""
    changed = Counter(key_of(index, name, parameters) for index, step in enumerate(steps) for name in step.carried)
    alone = [all(changed[key_of(index, name, parameters)] == 1 for name in step.carried)
             for index, step in enumerate(steps)]  # fmt: skip
    return {index: _share(ranks, steps[index], alike and alone[index]) for index in sorted(shared)}


def _share(ranks: Ranks, step: TrainStep, alone: bool) -> Share:
    """A statement; ``alone`` says whether only this one changes what it changes."""
    whole = split(step, NEVER)
    gradients = [name for name in whole.update.inputs if name.startswith(GRADIENT)]
    apart = in_shares(step, whole.update, gradients) if alone else None
    bunches = _bunches(apart) if apart is not None else ()
    kept = [
        [(step.carried[names[0]].dtype.numpy, sum(_count(step.carried[name]) for name in names))] * 2
        for bunch in bunches
        for names in bunch.carried
    ]
    sizes = _sizes(whole, bunches)
    each, all_ = bytes_of(sizes), bytes_of(kept)
    memory = ranks.memory((ranks.size + 1) * each + all_)
    if memory is None:
        parts = split(step, IN_TWO_FROM)
        return Share(parts, SumsByMessages(ranks, _sizes(parts)))
    update = whole.update if apart is None else apart.rest
    everywhere = bool(whole.averaged) or any(name in update.inputs for name in gradients)
    sums = SumsInMemory(ranks, sizes, memory[: len(memory) - all_], _pieces(whole, bunches), everywhere)
    pairs = ((one, other) for one, other in laid_out(kept, memory[len(memory) - all_ :]))
    places = [[next(pairs) for _ in bunch.carried] for bunch in bunches]
    return Share(whole, sums, apart, bunches, places)


def _bunches(apart: Blockwise) -> tuple[Bunch, ...]:
    """The members that are changed alike, together."""
    found: dict[tuple[int, int, tuple[str, ...]], list[Member]] = {}
    for member in apart.members:
        found.setdefault((member.family, len(member.given), member.numbers), []).append(member)
    return tuple(
        Bunch(
            family,
            tuple(zip(*(member.carried for member in members), strict=True)),
            tuple(name for member in members for name in member.given),
            numbers,
        )
        for (family, _, numbers), members in found.items()
    )


def _summed(split_: Split, part: int, bunches: Sequence[Bunch] = ()) -> dict[np.dtype[Any], list[str]]:
    """What a part makes that is summed, by what it holds: a flat array for each, with bunches in one piece."""
    names = split_.summed(part)
    together = [name for bunch in bunches for name in bunch.gradients]
    found: dict[np.dtype[Any], list[str]] = {}
    for name in dict.fromkeys((*together, *names)):
        found.setdefault(split_.parts[part].outputs[name].type.dtype.numpy, []).append(name)
    return found


def _place(split_: Split, bunches: Sequence[Bunch], bunch: Bunch) -> tuple[int, int, int]:
    """Where the gradients of a bunch lie: the number of an array, and from where to where there."""
    (types,) = [graph.outputs for graph in split_.parts]
    for number, names in enumerate(_summed(split_, 0, bunches).values()):
        if bunch.gradients[0] in names:
            sizes = [_count(types[name].type) for name in names]
            first = names.index(bunch.gradients[0])
            return number, sum(sizes[:first]), sum(sizes[: first + len(bunch.gradients)])
    raise KeyError(bunch.gradients[0])


def _pieces(split_: Split, bunches: Sequence[Bunch]) -> list[list[int]]:
    """The lengths of the pieces of each array: the gradients of a bunch, and the rest, which comes after them."""
    places = [_place(split_, bunches, bunch) for bunch in bunches if bunch.gradients]
    (sizes,) = _sizes(split_, bunches)
    found = [[end - begin for array, begin, end in places if array == number] for number in range(len(sizes))]
    return [[*own, length - sum(own)] for own, (_, length) in zip(found, sizes, strict=True)]


def _sizes(split_: Split, bunches: Sequence[Bunch] = ()) -> Sizes:
    """How long these arrays are."""
    return [
        [(dtype, sum(_count(graph.outputs[name].type) for name in names))
         for dtype, names in _summed(split_, number, bunches).items()]
        for number, graph in enumerate(split_.parts)
    ]  # fmt: skip


def _views(flat: Array, types: Mapping[str, TensorType]) -> dict[str, Array]:
    """Tensors that lie one after the other."""
    found, end = dict[str, Array](), 0
    for name, type_ in types.items():
        begin, end = end, end + _count(type_)
        found[name] = flat[begin:end].reshape(type_.static_shape or ())
    return found


def _count(type_: TensorType) -> int:
    return prod(type_.static_shape or ())
