"""Training steps of several processes: each on its share of the batch, with the same update.

A statement runs in parts (``compiler.splitting``). Its gradients are written where they are summed over the ranks,
flat (``sums``); then every rank updates by the same numbers. If one rank fails in a step, all hear of it
before anything has changed. What this module does not do: share out batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, TensorType, batch_symbol
from archonnx.compiler.program import NEXT, SEED, STEP, WATCH
from archonnx.compiler.splitting import BETWEEN, Split, split
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.ranks import Ranks, lost

from .session import Buffer, Session, bound, open_graph, shared_value
from .slots import Slots
from .statement import Statement
from .step import StepRunner
from .sums import FAILURES, FIGURES, STOPS, Sizes, Sums, SumsByMessages, SumsInMemory, bytes_of, rows_of

IN_TWO_FROM = 2**22
"""Bytes of gradients from which on half of them are sent while the others are made: it takes a millisecond. In memory
that all see a sum of so many takes half of one, and the second part of a step reads anew what the first one had."""
NEVER = 2**63


class RankedRunner(StepRunner):
    """A ``StepRunner`` of which every rank has one. Arguments are those of that one, and ``ranks``."""

    SPARING = False

    def __init__(self, *arguments: Any, ranks: Ranks, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.ranks = ranks
        self._shared: dict[int, tuple[Split, Sums]] = {}
        self._own_seed = Buffer.of(np.array(ranks.seed(int(named.get("seed", 0))), np.int64), "cpu")
        larger = f"let `batch_size` be {self._size} times as large: {ranks.size} processes hold a part of it each"
        refused = {
            f"on {self._device}": (self._device != "cpu", "train on the CPU: `--device cpu`"),
            "with `accumulate`": (self._size > 1, larger),
            "with a condition in a `repeat`": (any(step.asks for step in self.steps), "train in one process"),
        }
        for what, (here, help) in refused.items():
            if here:
                fail("AX0720", f"{what} several processes do not share a batch", None, help=help)

    def slots(self, *arguments: Any) -> Slots | None:
        """Steps are not run in rows: the ranks meet in each."""
        return None

    def special(self, name: str, *, own: bool) -> Any:
        """The seed or the number of the step; ``own`` says whether draws are this rank's."""
        return {SEED: self._own_seed if own else self._seed, STEP: self._step}[name].value

    def shared(self, index: int) -> tuple[Split, Sums]:
        """The parts of a statement, and the memory of its gradients, which is the same for all batches.

        All ranks come here at the same time, since all compile a statement when they meet their first batch.
        """
        if index not in self._shared:
            whole = split(self.steps[index], NEVER)
            memory = self.ranks.memory((self.ranks.size + 1) * bytes_of(_sizes(whole)))
            if memory is not None:
                self._shared[index] = whole, SumsInMemory(self.ranks, _sizes(whole), memory)
            else:
                parts = split(self.steps[index], IN_TWO_FROM)
                self._shared[index] = parts, SumsByMessages(self.ranks, _sizes(parts))
        return self._shared[index]

    def _renew(self) -> None:
        self._shared.clear()
        super()._renew()

    def open(self, graph: Graph, dims: Mapping[str, int]) -> Session:
        """A session of a part."""
        return open_graph(graph, dims, self._options)

    def _statement(self, index: int, dims: Mapping[str, int], fields: Mapping[str, Buffer]) -> Statement:
        if not self.steps[index].fields:
            return super()._statement(index, dims, fields)
        return _Making(self, index, dims, fields).statement()


@dataclass(slots=True)
class _Bound:
    """What a statement reads and writes on some sides."""

    parts: Sequence[Any]
    update: Any
    averaged: Sequence[tuple[Array, Array]]
    """Where the next values lie of what is averaged, and the means."""


class RankedSession:
    """Runs the parts of a statement, in step with the other ranks."""

    def __init__(
        self,
        ranks: Ranks,
        parts: Sequence[Session],
        update: Session,
        sums: Sums,
        losses: Mapping[str, Array],
        rows: int,
    ) -> None:
        self._ranks, self._parts, self._update, self._sums = ranks, parts, update, sums
        self._losses, self._rows = losses, rows
        self._told = np.zeros(FIGURES + ranks.size + len(losses))

    def run(self, binding: Any) -> None:
        """Run once; SpecError if it fails on any rank: then nothing has changed."""
        failure, told, ranks = None, self._told, self._ranks
        for part, (session, inner) in enumerate(zip(self._parts, binding.parts, strict=True)):
            if failure is None:
                failure = _failure(partial(session.run, inner))
            self._sums.made(part, self._rows)
        told[:] = 0
        told[STOPS], told[FAILURES], told[FIGURES + ranks.rank] = ranks.asked, failure is not None, self._rows
        told[FIGURES + ranks.size :] = [loss.item() * self._rows for loss in self._losses.values()]
        self._sums.finish(told)
        if failure is not None:
            raise failure
        if told[FAILURES]:
            lost()
        self._update.run(binding.update)
        for target, mean in binding.averaged:
            target[...] = mean
        total = rows_of(told, ranks.size).sum()
        for loss, sum_ in zip(self._losses.values(), told[FIGURES + ranks.size :], strict=True):
            loss[...] = sum_ / total
        ranks.stopping |= bool(told[STOPS])

    @property
    def graph(self) -> None:
        """There are several."""

    def runs(self, binding: Any) -> Callable[[], None]:
        """What runs once."""
        return partial(self.run, binding)

    def explained(self, error: Exception) -> SpecError:
        """An error of onnxruntime, in our words."""
        return self._update.explained(error)


def _failure(run: Callable[[], None]) -> Exception | None:
    try:
        run()
    except Exception as error:  # the other ranks are told first
        return error
    return None


class _Making:
    """A statement under construction."""

    def __init__(self, runner: RankedRunner, index: int, dims: Mapping[str, int], fields: Mapping[str, Buffer]) -> None:
        self._runner, self._index, self._dims, self._fields = runner, index, dims, fields
        self._step = runner.steps[index]
        self._keys = runner.keys(index)
        self._split, self._sums = runner.shared(index)
        self._given, self._means = self._views(self._sums.own), self._views(self._sums.mean)
        self._between: dict[str, Buffer] = {}

    def statement(self) -> Statement:
        """The statement."""
        runner, step = self._runner, self._step
        for graph in self._split.parts:
            for name, value in graph.outputs.items():
                if name.startswith(BETWEEN):
                    self._between[name] = Buffer(self._shape(value.type), value.type.dtype.numpy, "cpu")
        parts = [runner.open(graph, self._dims) for graph in self._split.parts]
        update = runner.open(self._split.update, self._dims)
        losses = {name: Buffer((), step.graph.outputs[name].type.dtype.numpy, "cpu") for name in step.losses}
        squares = Buffer((3, len(step.watched)), np.dtype(np.float64), "cpu") if step.watched else None
        symbol = runner.counted or batch_symbol({n: step.graph.inputs[n].type for n in step.fields})
        rows = self._dims.get(symbol or "", 1)
        hosts = {name: buffer.host for name, buffer in losses.items()}
        session = RankedSession(runner.ranks, parts, update, self._sums, hosts, rows)

        def bind(sides: int) -> Any:
            means = [
                (runner.state.other(self._keys[n], sides).host, self._means[NEXT + n]) for n in self._split.averaged
            ]
            made = [
                self._bound(part, graph, sides, losses, None)
                for part, graph in zip(parts, self._split.parts, strict=True)
            ]
            return _Bound(made, self._bound(update, self._split.update, sides, losses, squares), means)

        def inputs(sides: int) -> dict[str, Any]:
            return {name: self._value(name, sides, own=True) for name in step.graph.inputs}

        bits = {name: runner.state.bit[key] for name, key in self._keys.items()}
        touched, changed = sum(set(bits.values())), sum({bits[name] for name in step.carried})
        told = squares.host if squares is not None else None
        return Statement(self._index, session, {}, bind, inputs, touched, changed, hosts, told, None, rows)

    def _views(self, places: Sequence[Sequence[Array]]) -> dict[str, Array]:
        """What is summed, by the name of the output, in flat arrays."""
        found: dict[str, Array] = {}
        for number, (graph, arrays) in enumerate(zip(self._split.parts, places, strict=True)):
            for names, flat in zip(_summed(self._split, number).values(), arrays, strict=True):
                end = 0
                for name in names:
                    shape = self._shape(graph.outputs[name].type)
                    begin, end = end, end + prod(shape)
                    found[name] = flat[begin:end].reshape(shape)
        return found

    def _shape(self, type_: TensorType) -> tuple[int, ...]:
        return tuple(dim.evaluate(self._dims) for dim in type_.shape)

    def _bound(
        self, session: Session, graph: Graph, sides: int, losses: Mapping[str, Buffer], squares: Buffer | None
    ) -> Any:
        own = graph is not self._split.update
        outputs: dict[str, Any] = {}
        for name in graph.outputs:
            if name in losses:
                outputs[name] = losses[name].value
            elif name in self._given:
                outputs[name] = shared_value(self._given[name])
            elif name in self._between:
                outputs[name] = self._between[name].value
            elif name == WATCH and squares is not None:
                outputs[name] = squares.value
            else:
                outputs[name] = self._runner.state.other(self._keys[name.removeprefix(NEXT)], sides).value
        return bound(session, {name: self._value(name, sides, own=own) for name in graph.inputs}, outputs)

    def _value(self, name: str, sides: int, *, own: bool) -> Any:
        """What an input is; ``own`` says whether draws are this rank's."""
        if name in self._keys:
            return self._runner.state.current(self._keys[name], sides).value
        if name in (SEED, STEP):
            return self._runner.special(name, own=own)
        if name in self._fields:
            return self._fields[name].value
        return shared_value(self._means[name]) if name in self._means else self._between[name].value


def _summed(split_: Split, part: int) -> dict[np.dtype[Any], list[str]]:
    """What a part makes that is summed, by what it holds: one flat array for each."""
    found: dict[np.dtype[Any], list[str]] = {}
    for name in split_.summed(part):
        found.setdefault(split_.parts[part].outputs[name].type.dtype.numpy, []).append(name)
    return found


def _sizes(split_: Split) -> Sizes:
    """How long these arrays are."""
    return [
        [(dtype, sum(prod(graph.outputs[name].type.static_shape or ()) for name in names))
         for dtype, names in _summed(split_, number).items()]
        for number, graph in enumerate(split_.parts)
    ]  # fmt: skip
