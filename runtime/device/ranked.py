"""Training steps of several processes: each on its share of the batch, with the same update.

A statement runs in parts (``compiler.splitting``). Its gradients are written where they are summed over the ranks,
flat (``sums``); then all update by the same numbers, each what is its own (``shares``). If one rank fails in a step,
all hear of it before anything has changed. What this module does not do: share out batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from archonnx.compiler.blockwise import NUMBER
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, TensorType, batch_symbol
from archonnx.compiler.program import NEXT, SEED, STEP, WATCH
from archonnx.compiler.splitting import BETWEEN, ROWS, apart, ratios
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.assumptions import bound_dims
from archonnx.runtime.data.batches import Share
from archonnx.runtime.ranks import Ranks, failure_of, lost

from .blockwise import block_binding, blocks
from .session import Buffer, Session, bound, open_graph, shared_value
from .shares import shares_of
from .slots import Slots
from .state import TrainState, key_of
from .statement import Statement
from .step import Batch, StepRunner
from .sums import FAILURES, FIGURES, STOPS, Sums, rows_of
from .whole import Made, Whole


class RankedRunner(StepRunner):
    """A ``StepRunner`` of which every rank has one. Arguments are those of that one, and ``ranks``."""

    SPARING = False

    def __init__(self, *arguments: Any, ranks: Ranks, **named: Any) -> None:
        self.ranks, device = ranks, named.get("device", "cpu")
        if device != "cpu":
            what = f"on {device} several processes do not share a batch"
            fail("AX0720", what, None, help="train on the CPU: `--device cpu`")
        super().__init__(*arguments, **named)
        self.batch: Share
        self._own_seed = Buffer.of(np.array(ranks.seed(int(named.get("seed", 0))), np.int64), "cpu")

    def slots(self, *arguments: Any) -> Slots | None:
        """Steps are not run in rows: the ranks meet in each."""
        return None

    def load(self, batch: Batch) -> Any:
        """Bring this rank's ``Share`` of a batch to where the statements read it."""
        assert isinstance(batch, Share), "ranks share batches"
        self.batch = batch
        return super().load(batch)

    def _copied(self, batch: Batch) -> Batch:
        assert isinstance(batch, Share), "ranks share batches"
        return Share({**super()._copied(batch)}, batch.rows, batch.whole)

    def weight(self, statement: Statement) -> int:
        """That of the whole batch."""
        return self.batch.rows if self.steps[statement.index].rows is not None else 1

    def special(self, name: str, *, own: bool) -> Any:
        """The seed or the number of the step; ``own`` says whether draws are this rank's."""
        return {SEED: self._own_seed if own else self._seed, STEP: self._step}[name].value

    def _laid_out(self, parameters: Mapping[str, Array]) -> TrainState:
        self.shares = shares_of(self.ranks, self.steps, parameters)
        places = {
            key_of(index, name, parameters): sides
            for index, share in self.shares.items()
            for name, sides in share.tensors(self.steps[index]).items()
        }
        self._everywhere = frozenset(places)
        return TrainState(self.steps, parameters, self._device, {}, places)

    def own(self) -> dict[str, Array]:
        """Copies of what this rank carries in memory of its own."""
        return {name: self.read(name) for name in self.state.pairs if name not in self._everywhere}

    def open(self, graph: Graph, dims: Mapping[str, int]) -> Session:
        """A session of a part."""
        return open_graph(graph, dims, self._options)

    def _statement(self, index: int, dims: Mapping[str, int], fields: Mapping[str, Buffer]) -> Statement:
        step = self.steps[index]
        if not step.fields:
            return super()._statement(index, dims, fields)
        if index in self.shares:
            return _Making(self, index, dims, fields).statement()
        changed = sum({self.state.bit[self.keys(index)[name]] for name in step.carried})
        return Whole(self.ranks, index, step, changed, self._all_of_it, partial(self._whole, index)).statement()

    def _all_of_it(self) -> Batch:
        assert self.batch.whole is not None, "it was asked for"
        return self.batch.whole

    def _whole(self, index: int, batch: Batch) -> Made:
        """A statement for the whole of such a batch."""
        types = {name: self.steps[index].graph.inputs[name].type for name in self.steps[index].fields}
        buffers = {name: Buffer(batch[name].shape, type_.dtype.numpy, "cpu") for name, type_ in types.items()}
        dims = bound_dims({name: (type_, batch[name].shape) for name, type_ in types.items()})
        return super()._statement(index, dims, buffers), buffers

    @property
    def whole(self) -> bool:
        """Whether something reads whole batches here: what is no mean over shares, and on the first rank conditions."""
        alone = [step for index, step in enumerate(self.steps) if step.fields and index not in self.shares]
        return any(self.ranks.rank == 0 or not step.asks for step in alone)

    def notes(self) -> list[str]:
        """What is to be known of how the ranks share the work."""
        reading = [step for step in self.steps if step.fields and not step.asks]
        said = {
            "each process computes {} of whole batches: it is no mean over shares of them": apart,
            "{} is the mean of what it is of the shares of a batch: it divides by a sum over what they hold": ratios,
        }
        found = {line: dict.fromkeys(name for step in reading for name in of(step)) for line, of in said.items()}
        return [line.format(", ".join(f"`{name}`" for name in names)) for line, names in found.items() if names]

    def families(self, index: int) -> list[Session]:
        """The sessions of the updates that are shared out."""
        apart = self.shares[index].apart
        return self._updates(apart) if apart is not None else []


@dataclass(slots=True)
class _Bound:
    """What a statement reads and writes on some sides."""

    parts: Sequence[Any]
    update: Any
    moves: Sequence[Callable[[], None]]
    """What changes this rank's part of what all change together."""
    averaged: Sequence[tuple[Array, Array]]
    """Where the next values lie of what is averaged, and the means."""


class RankedSession:
    """Runs the parts of a statement, in step with the other ranks.

    ``tell`` is called before an update; ``shared`` says whether there is something of which each rank changes a part,
    which may be empty.
    """

    def __init__(
        self,
        ranks: Ranks,
        parts: Sequence[Session],
        update: Session | None,
        sums: Sums,
        losses: Mapping[str, Array],
        rows: int,
        tell: Callable[[], None],
        shared: bool,
    ) -> None:
        self._ranks, self._parts, self._update, self._sums = ranks, parts, update, sums
        self._losses, self._rows, self._tell, self._shared = losses, rows, tell, shared
        self._told = np.zeros(FIGURES + ranks.size + len(losses))

    def run(self, binding: Any) -> None:
        """Run once; SpecError if it fails on any rank: then nothing has changed."""
        failure, told, ranks = None, self._told, self._ranks
        for part, (session, inner) in enumerate(zip(self._parts, binding.parts, strict=True)):
            if failure is None:
                failure = failure_of(partial(session.run, inner))
            self._sums.made(part, self._rows)
        told[:] = 0
        told[STOPS], told[FAILURES], told[FIGURES + ranks.rank] = ranks.asked, failure is not None, self._rows
        told[FIGURES + ranks.size :] = [loss.item() * self._rows for loss in self._losses.values()]
        self._sums.finish(told)
        if failure is not None:
            raise failure
        if told[FAILURES]:
            lost()
        total = sum(rows_of(told, ranks.size))
        self._tell()
        if self._update is not None:
            self._update.run(binding.update)
        for move in binding.moves:
            move()
        if self._shared:
            ranks.meet()
        for target, mean in binding.averaged:
            target[...] = mean
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
        return (self._update or self._parts[0]).explained(error)


class _Making:
    """A statement under construction."""

    def __init__(self, runner: RankedRunner, index: int, dims: Mapping[str, int], fields: Mapping[str, Buffer]) -> None:
        self._runner, self._index, self._dims, self._fields = runner, index, dims, fields
        self._step = runner.steps[index]
        self._keys = runner.keys(index)
        self._share = runner.shares[index]
        self._split, apart = self._share.split, self._share.apart
        self._given, self._means = map(self._share.given, (self._share.sums.own, self._share.sums.mean))
        numbers = apart.numbers if apart is not None else {}
        self._numbers = {name: Buffer((), type_.dtype.numpy, "cpu") for name, type_ in numbers.items()}
        self._between: dict[str, Buffer] = {}
        self._whole = Buffer((), np.dtype(np.int64), "cpu")

    def statement(self) -> Statement:
        """The statement."""
        runner, step = self._runner, self._step
        for graph in self._split.parts:
            for name, value in graph.outputs.items():
                if name.startswith(BETWEEN):
                    self._between[name] = Buffer(self._shape(value.type), value.type.dtype.numpy, "cpu")
        parts = [runner.open(graph, self._dims) for graph in self._split.parts]
        rest = self._share.update
        update = runner.open(rest, self._dims) if rest.outputs else None
        families = runner.families(self._index)
        losses = {name: Buffer((), step.graph.outputs[name].type.dtype.numpy, "cpu") for name in step.losses}
        squares = Buffer((3, len(step.watched)), np.dtype(np.float64), "cpu") if step.watched else None
        symbol = runner.counted or batch_symbol({n: step.graph.inputs[n].type for n in step.fields})
        rows = self._dims.get(symbol or "", 1)
        hosts = {name: buffer.host for name, buffer in losses.items()}
        sums, shared = self._share.sums, bool(self._share.bunches)
        session = RankedSession(runner.ranks, parts, update, sums, hosts, rows, self._tell, shared)

        def bind(sides: int) -> Any:
            means = [
                (runner.state.other(self._keys[n], sides).host, self._means[NEXT + n]) for n in self._split.averaged
            ]
            made = [
                self._bound(part, graph, sides, losses, None)
                for part, graph in zip(parts, self._split.parts, strict=True)
            ]
            own = self._bound(update, rest, sides, losses, squares) if update is not None else None
            return _Bound(made, own, self._moves(families, sides), means)

        def inputs(sides: int) -> dict[str, Any]:
            return {name: self._value(name, sides, own=True) for name in step.graph.inputs}

        bits = {name: runner.state.bit[key] for name, key in self._keys.items()}
        touched, changed = sum(set(bits.values())), sum({bits[name] for name in step.carried})
        told = squares.host if squares is not None else None
        return Statement(self._index, session, {}, bind, inputs, touched, changed, hosts, told, None, rows)

    def _tell(self) -> None:
        """The rows of the whole batch, which are fewer than those of all ranks where each took all of a small one."""
        self._whole.host[...] = self._runner.batch.rows

    def _moves(self, families: Sequence[Session], sides: int) -> list[Callable[[], None]]:
        """What changes this rank's part of each tensor that all change together."""
        share, found = self._share, list[Callable[[], None]]()
        own = self._runner.ranks.part

        def cut(array: Array) -> list[Array]:
            return blocks(array[slice(*own(array.size))])

        for bunch, places in zip(share.bunches, share.places, strict=True):
            side = bool(sides & self._runner.state.bit[self._keys[bunch.carried[0][0]]])
            session, read = families[bunch.family], [cut(place[side]) for place in places]
            given = [cut(share.gradients(bunch))] if bunch.gradients else []
            written = [cut(place[not side]) for place in places]
            said = {f"{NUMBER}{place}": self._value(name, sides, own=False) for place, name in enumerate(bunch.numbers)}
            for number in range(len(read[0])):
                block, others, new = ([parts[number] for parts in kind] for kind in (read, given, written))
                found.append(session.runs(block_binding(session, block, others, new, said)))
        return found

    def _shape(self, type_: TensorType) -> tuple[int, ...]:
        return tuple(dim.evaluate(self._dims) for dim in type_.shape)

    def _bound(
        self, session: Session, graph: Graph, sides: int, losses: Mapping[str, Buffer], squares: Buffer | None
    ) -> Any:
        own = graph is not self._share.update
        outputs: dict[str, Any] = {}
        for name in graph.outputs:
            if name in losses:
                outputs[name] = losses[name].value
            elif name in self._given:
                outputs[name] = shared_value(self._given[name])
            elif name in self._between:
                outputs[name] = self._between[name].value
            elif name in self._numbers:
                outputs[name] = self._numbers[name].value
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
        if name.startswith(ROWS):
            return self._whole.value
        if name in self._fields:
            return self._fields[name].value
        if name in self._numbers:
            return self._numbers[name].value
        return shared_value(self._means[name]) if name in self._means else self._between[name].value
