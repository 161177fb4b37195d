"""Training steps of several processes: each on its share of the batch, with the same update.

A statement runs in parts (``compiler.splitting``). Its gradients are written where they are summed over the ranks,
flat, while the next part runs; then every rank updates by the same numbers. If one rank fails in a step, all hear of it
before anything has changed. What this module does not do: share out batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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

IN_TWO_FROM = 2**22
"""Bytes of gradients from which on half of them are summed while the others are made: it takes a millisecond."""
ROWS, STOPS, FAILURES, LOSSES = 0, 1, 2, 3
"""What the ranks tell each other in each step, as numbers: these, then each loss times the rows."""


class RankedRunner(StepRunner):
    """A ``StepRunner`` of which every rank has one. Arguments are those of that one, and ``ranks``."""

    SPARING = False

    def __init__(self, *arguments: Any, ranks: Ranks, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.ranks = ranks
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

    def open(self, graph: Graph, dims: Mapping[str, int]) -> Session:
        """A session of a part."""
        return open_graph(graph, dims, self._options)

    def _statement(self, index: int, dims: Mapping[str, int], fields: Mapping[str, Buffer]) -> Statement:
        if not self.steps[index].fields:
            return super()._statement(index, dims, fields)
        return _Making(self, index, dims, fields).statement()


@dataclass(slots=True)
class _Part:
    """A part that reads the batch, with the memory whose sum it makes."""

    session: Session
    flats: Sequence[Array]


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
        self, ranks: Ranks, parts: Sequence[_Part], update: Session, losses: Mapping[str, Array], rows: int
    ) -> None:
        self._ranks, self._parts, self._update, self._rows = ranks, parts, update, rows
        self._losses = losses
        self._told = np.zeros(LOSSES + len(losses))

    def run(self, binding: Any) -> None:
        """Run once; SpecError if it fails on any rank: then nothing has changed."""
        waiting, failure = [], None
        for part, inner in zip(self._parts, binding.parts, strict=True):
            if failure is None:
                failure = _failure(partial(part.session.run, inner))
            for flat in part.flats:
                np.multiply(flat, self._rows, out=flat)
                waiting.append(self._ranks.begin_sum(flat))
        told = self._told
        told[:LOSSES] = self._rows, self._ranks.asked, failure is not None
        told[LOSSES:] = [loss.item() * self._rows for loss in self._losses.values()]
        waiting.append(self._ranks.begin_sum(told))
        for wait in waiting:
            wait()
        if failure is not None:
            raise failure
        if told[FAILURES]:
            lost()
        for part in self._parts:
            for flat in part.flats:
                np.divide(flat, flat.dtype.type(told[ROWS]), out=flat)
        self._update.run(binding.update)
        for target, mean in binding.averaged:
            target[...] = mean
        for loss, sum_ in zip(self._losses.values(), told[LOSSES:], strict=True):
            loss[...] = sum_ / told[ROWS]
        self._ranks.stopping |= bool(told[STOPS])

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
        self._split: Split = split(self._step, IN_TWO_FROM)
        self._keys = runner.keys(index)
        self._flat: dict[str, Array] = {}
        """What is summed, by the name of the output, as views of the flat memory."""
        self._between: dict[str, Buffer] = {}

    def statement(self) -> Statement:
        """The statement."""
        runner, step = self._runner, self._step
        parts = [self._part(number, graph) for number, graph in enumerate(self._split.parts)]
        update = runner.open(self._split.update, self._dims)
        losses = {name: Buffer((), step.graph.outputs[name].type.dtype.numpy, "cpu") for name in step.losses}
        squares = Buffer((3, len(step.watched)), np.dtype(np.float64), "cpu") if step.watched else None
        symbol = runner.counted or batch_symbol({n: step.graph.inputs[n].type for n in step.fields})
        rows = self._dims.get(symbol or "", 1)
        hosts = {name: buffer.host for name, buffer in losses.items()}
        session = RankedSession(runner.ranks, parts, update, hosts, rows)

        def bind(sides: int) -> Any:
            means = [
                (runner.state.other(self._keys[n], sides).host, self._flat[NEXT + n]) for n in self._split.averaged
            ]
            made = [
                self._bound(part.session, graph, sides, losses, None)
                for part, graph in zip(parts, self._split.parts, strict=True)
            ]
            return _Bound(made, self._bound(update, self._split.update, sides, losses, squares), means)

        def inputs(sides: int) -> dict[str, Any]:
            return {name: self._value(name, sides, own=True) for name in step.graph.inputs}

        bits = {name: runner.state.bit[key] for name, key in self._keys.items()}
        touched, changed = sum(set(bits.values())), sum({bits[name] for name in step.carried})
        told = squares.host if squares is not None else None
        return Statement(self._index, session, {}, bind, inputs, touched, changed, hosts, told, None, rows)

    def _part(self, number: int, graph: Graph) -> _Part:
        """A part, with flat memory for what it sums: one array for each dtype."""
        for name, value in graph.outputs.items():
            if name.startswith(BETWEEN):
                self._between[name] = Buffer(self._shape(value.type), value.type.dtype.numpy, "cpu")
        flats: dict[np.dtype[Any], list[str]] = {}
        for name in self._split.summed(number):
            flats.setdefault(graph.outputs[name].type.dtype.numpy, []).append(name)
        found = []
        for dtype, names in flats.items():
            shapes = [self._shape(graph.outputs[name].type) for name in names]
            ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
            flat = np.zeros(ends[-1], dtype)
            for name, shape, end in zip(names, shapes, ends, strict=True):
                self._flat[name] = flat[end - int(np.prod(shape)) : end].reshape(shape)
            found.append(flat)
        return _Part(self._runner.open(graph, self._dims), found)

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
            elif name in self._flat:
                outputs[name] = shared_value(self._flat[name])
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
        return shared_value(self._flat[name]) if name in self._flat else self._between[name].value
