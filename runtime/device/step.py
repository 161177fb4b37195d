"""Running training steps: one session per batch shape, over tensors that stay where they are.

Every tensor that a step changes has two buffers (``state``). A step reads one and writes the other, then the two change
roles; an input's buffer bound as an output would be accepted by onnxruntime and silently wrong, since it reorders
nodes, but for tensors of which the graph shows that this is safe (``compiler.written_over``). So a step that fails
leaves the state as it was. Large tensors of an optimizer are changed in blocks (``blockwise``), in memory for one set
of them. In which order a pass runs the statements is its plan: ``repeat`` and ``every``. What this module does not do:
choose batches, or decide when to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from operator import length_hint
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archonnx.compiler.blockwise import Blockwise
from archonnx.compiler.ir.types import Array
from archonnx.compiler.looked_up import looked_up
from archonnx.compiler.plan import Do, Every, Gather, Plan, Repeat
from archonnx.compiler.program import CONDITION, GATHERED, NEXT, SEED, STEP, WATCH, Assumption, TrainStep
from archonnx.compiler.rows import row_of
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.uncollected import uncollected
from archonnx.runtime.assumptions import bound_dims, check_assumptions
from archonnx.runtime.interrupt import attending
from archonnx.runtime.measures.watch import Watch

from .blockwise import LANES, BlockwiseBinding, BlockwiseSession, in_blocks, moves, write_last, written_over
from .session import Buffer, Session, SessionOptions, bound, give_back, open_exported, open_graph, threads_of
from .slots import TRIED, Joined, Ran, Slots
from .state import TrainState, key_of
from .statement import Statement

if TYPE_CHECKING:
    import onnxruntime

Shapes = tuple[tuple[int, ...], ...]
Batch = Mapping[str, Array]
NONE: Mapping[str, Any] = MappingProxyType({})
SESSIONS_KEPT = 16
"""Batch shapes whose sessions are kept; a model of sequences may meet any number of lengths."""


@dataclass(slots=True)
class _Pass:
    """All statements compiled for one batch shape, with the buffers of the batch and of the losses."""

    fields: tuple[tuple[str, Buffer], ...]
    statements: tuple[Statement, ...]
    losses: tuple[tuple[str, Array], ...]
    """Each loss as a view of the memory to which the last statement that reports it writes it."""


class StepRunner:
    """Runs the statements of a train program as its plan says, once for each batch.

    Args:
        steps: the statements.
        parameters: starting values of all parameters of the model, by path.
        group: how many batches make one pass; a plan that gathers gradients of them.
        plan: what a pass does; each statement once, in order, if it is empty.
        assumptions: what must hold of the sizes of every batch.
        seed: for graphs that draw.

    Attributes:
        executed: how many statements have run: the ``step`` of graphs that draw.
        passes: how many passes have begun, on which ``every`` counts.
        gathered: how many batches of a pass that is not over have changed the state.
        counted: the dim by which a batch is shared, where several processes train together.
        last: the statement that ran last.
        watch: the norms of gradients and updates, of the statements that are watched.
        inspect: called after each statement, where somebody looks for a fault.
    """

    SPARING: ClassVar[bool] = True
    """Whether tensors may be changed in one place."""

    def __init__(
        self,
        steps: Sequence[TrainStep],
        parameters: Mapping[str, Array],
        *,
        plan: Plan = (),
        group: int = 1,
        assumptions: Sequence[Assumption] = (),
        seed: int = 0,
        options: SessionOptions | None = None,
        device: str = "cpu",
    ) -> None:
        self.steps = tuple(steps)
        self._sparing = device == "cpu" and self.SPARING
        self._paths = dict.fromkeys(parameters)
        self._apart = self._parted()
        self._device = device
        self.state = self._laid_out(parameters)
        self.fields = tuple(dict.fromkeys(name for step in self.steps for name in step.fields))
        self.executed = self.passes = self.gathered = 0
        self.counted: str | None = None
        self.last: Statement | None = None
        self.watch = Watch([step.watched for step in self.steps])
        self.inspect: Callable[[Statement], None] | None = None
        self._plan = None if plan in ((), in_order(len(self.steps), group)) else plan
        self._size, self._group = group, list[Batch]()
        self._assumptions = tuple(assumptions)
        self._options = options or SessionOptions()
        self._copies: dict[str, Buffer] = {}
        self._passes: dict[Shapes, _Pass] = {}
        self._fixed: dict[int, Statement] = {}
        self._seed = Buffer.of(np.array(seed, np.int64), "cpu")
        self._step = Buffer.of(np.array(0, np.int64), "cpu")

    def _parted(self) -> dict[int, Blockwise]:
        """By number the statements that change tensors in one place."""
        return in_blocks(self.steps, self._paths) if self._sparing else {}

    def _laid_out(self, parameters: Mapping[str, Array]) -> TrainState:
        """Memory for all that the steps carry."""
        return TrainState(self.steps, parameters, self._device, self._apart)

    def step(self, batch: Batch, fresh: Callable[[], Batch] | None = None) -> dict[str, float]:
        """One pass; the last value of each loss by name, as it was before its update.

        The arrays have the dtypes and ranks of the model's fields (this is not checked here). ``fresh`` gives the
        batches of ``repeat`` after its first round, which otherwise uses the same one again. Losses of statements that
        this pass leaves out (``every``, or a condition of ``repeat``) are absent. If a statement fails, the state is as
        the one before it left it.
        """
        if self._size > 1:
            return self._gather(batch, fresh)
        self.passes += 1
        if self._plan is not None:
            return _PlannedPass(self, fresh).run(self._plan, (batch,))
        compiled = self.load(batch)
        for statement in compiled.statements:
            self.execute(statement)
        return {name: value.item() for name, value in compiled.losses}

    def _gather(self, batch: Batch, fresh: Callable[[], Batch] | None) -> dict[str, float]:
        """Another batch of a group, of which the last one updates.

        Its gradients are gathered at once where no other statement comes before them. Otherwise it waits for the rest
        of its group, and so do the losses.
        """
        if not self.in_order:
            self._group.append(self._copied(batch))
            return self.finish(fresh) if len(self._group) == self._size else {}
        compiled = self.load(batch)
        self.execute(compiled.statements[0])
        losses = {name: value.item() for name, value in compiled.statements[0].losses.items()}
        self.gathered += 1
        if self.gathered == self._size:
            self.finish()
        return losses

    def _copied(self, batch: Batch) -> Batch:
        """A batch that waits for others, whatever becomes of its arrays."""
        return {name: np.array(batch[name]) for name in self.fields}

    def weight(self, statement: Statement) -> int:
        """How much the batch that was loaded last counts among others of a group."""
        return statement.rows

    def finish(self, fresh: Callable[[], Batch] | None = None) -> dict[str, float]:
        """End a pass, whose group may have fewer batches than others; the losses that are known only now."""
        group, self._group = tuple(self._group), []
        if group:
            self.passes += 1
            assert self._plan is not None
            return _PlannedPass(self, fresh).run(self._plan, group)
        if self.gathered:
            self.passes += 1
            self.gathered = 0
            for index in range(1, len(self.steps)):
                statement = self.fixed(index)
                assert statement is not None
                self.execute(statement)
        return {}

    def forget(self) -> None:
        """Take no account of what was gathered for a pass that is not over."""
        self.gathered, self._group = 0, []
        for name in self.state.pairs:
            if name.startswith(GATHERED) and "/" not in name.removeprefix(GATHERED):
                self.write(name, np.zeros((), np.int64))

    def load(self, batch: Batch) -> _Pass:
        """Bring a batch to where the statements read it."""
        arrays = [batch[name] for name in self.fields]
        shapes = tuple([array.shape for array in arrays])
        compiled = self._passes.get(shapes) or self._compile(shapes)
        for (_, buffer), array in zip(compiled.fields, arrays, strict=True):
            buffer.write(array)
        return compiled

    def execute(self, statement: Statement) -> None:
        """Run a statement on the batch that was loaded last."""
        if statement.index not in self._apart:
            self._execute(statement)
            return
        with attending() as interrupt, interrupt.holding():  # what is half moved is neither the old state nor the new
            self._execute(statement)

    def _execute(self, statement: Statement) -> None:
        state = self.state
        sides = state.sides & statement.touched
        binding = statement.bindings.get(sides)
        if binding is None:
            binding = statement.bindings[sides] = statement.bind(sides)
        self._step.host[...] = self.executed
        self._copies.clear()
        statement.session.run(binding)
        self.executed += 1  # first: who looks at it at any moment must not take what was changed for what was not
        state.sides ^= statement.changed
        self.last = statement
        if statement.squares is not None:
            self.watch.add(statement.index, statement.squares)
        if self.inspect is not None:
            self.inspect(statement)

    def slots(self, batch: Batch, cut: Collection[str], size: int, count: int) -> Slots | None:
        """Room for batches like this one, to be run in a row; None where steps must be looked at one by one.

        Args:
            batch: one of them.
            cut: its fields that differ from batch to batch; the others stay as they are.
            size: examples in it.
            count: how many batches there shall be room for.
        """
        watched = any(step.watched for step in self.steps)
        if self._plan is not None or self._size > 1 or self._device != "cpu" or watched or self._apart:
            return None
        inputs = {name: value for step in self.steps for name, value in step.graph.inputs.items()}
        if any(batch[name].dtype != inputs[name].type.dtype.numpy for name in self.fields):
            return None  # it is converted as it is written
        statements = self.load(batch).statements
        return Slots.of(statements, {name: batch[name] for name in self.fields if name in cut}, size, count)

    def join(self, slots: Slots) -> None:
        """From here on make all passes of a row one run of a session, where that gives the same to the bit.

        It is tried on two passes of the row that has just run. No session is asked then what its nodes take.
        """
        graphs = [statement.session.graph for statement in slots.statements]
        if self._options.profile is not None or not slots.joins or None in graphs:
            return
        slots.joins = False
        keys = [self.keys(statement.index) for statement in slots.statements]
        states = [own[name] for own, step in zip(keys, self.steps, strict=True) for name in step.carried]
        row = row_of([graph for graph in graphs if graph is not None], keys, states, slots.fields)
        read = {n: value for one in slots.statements for n, value in one.inputs(self.state.sides).items()}
        fixed = {name: read[name] for name in row.inputs if name in {*self.fields, SEED} - slots.fields.keys()}
        try:
            session = open_exported(row, self._options)
        except SpecError:  # onnxruntime refuses the row, and the steps go on without
            return
        joined = Joined(session, self.state, list(dict.fromkeys(states)), fixed)
        if joined.agrees(slots, self.state.sides, min(TRIED, slots.count)):
            slots.joined = joined

    def run_row(self, slots: Slots, count: int) -> Ran:
        """One pass on each of the first batches of ``slots``; to the bit as ``step`` on each of them.

        An exception that comes from outside, as KeyboardInterrupt does, leaves it open which of them are done.
        """
        statements, sides = slots.statements, self.state.sides
        runs, after = slots.runs(sides, count)
        slots.number(self.executed, count)
        begun, left = self.executed, iter(runs)
        # Counted first: whoever looks at any moment must not take what was changed for what was not.
        self.executed += count * len(statements)
        try:
            for run in left:
                run()
        except Exception as error:
            if slots.joined is not None:  # nothing has changed: the step that fails is found among single ones
                slots.joined, self.executed = None, begun
                return self.run_row(slots, count)
            return self._broken_off(slots, begun, len(runs) - length_hint(left) - 1, error)
        self.state.sides = after
        self.passes += count
        self.last = statements[-1]
        return Ran(count, slots.found(count))

    def _broken_off(self, slots: Slots, begun: int, done: int, error: Exception) -> Ran:
        """A row in which so many statements went well, and the next one failed."""
        statements = slots.statements
        for number in range(done):
            self.state.sides ^= statements[number % len(statements)].changed
        self.executed = begun + done
        passes, index = divmod(done, len(statements))
        self.passes += passes + 1
        self.last = statements[index - 1] if done else self.last
        return Ran(passes, slots.found(passes), statements[index].session.explained(error))

    def ask(self, statement: Statement) -> bool:
        """What a condition says on the batch that was loaded last; it draws as the next statement does."""
        assert statement.answer is not None
        sides = self.state.sides & statement.touched
        binding = statement.bindings.get(sides)
        if binding is None:
            binding = statement.bindings[sides] = statement.bind(sides)
        self._step.host[...] = self.executed
        statement.session.run(binding)
        return bool(statement.answer)

    @property
    def whole(self) -> bool:
        """Whether something reads whole batches, of which several processes have shares."""
        return False

    def notes(self) -> list[str]:
        """What is to be known of how several processes share the work."""
        return []

    @property
    def undoes(self) -> bool:
        """Whether what ran last can be taken back: not what was changed in one place."""
        return not self._apart

    def keep_both(self) -> None:
        """From here on keep what a statement has read beside what it wrote, whatever memory that takes."""
        if self._apart:
            self._sparing = False
            self._renew()

    def undo(self, statement: Statement) -> None:
        """Take back the statement that ran last: what it read is still there."""
        self.state.sides ^= statement.changed
        self.executed -= 1

    def redo(self, statement: Statement) -> None:
        """Put back what ``undo`` took back."""
        self.state.sides ^= statement.changed
        self.executed += 1

    def inputs(self, statement: Statement) -> dict[str, Array]:
        """Copies of what a statement would read now, on the batch that was loaded last."""
        self._step.host[...] = self.executed
        values = statement.inputs(self.state.sides & statement.touched)
        return {name: np.array(value.numpy()) for name, value in values.items()}

    @property
    def waiting(self) -> int:
        """How many batches wait for the rest of their group: nothing was done with them yet."""
        return len(self._group)

    @property
    def in_order(self) -> bool:
        """Whether a pass runs each statement once, on one batch."""
        return self._plan is None

    def parameters(self) -> dict[str, Array]:
        """Copies of all parameters, by path."""
        return {path: self.state.read(path) for path in self._paths}

    @property
    def turned(self) -> Set[str]:
        """The parameters that lie with the elements of their kernels first (``compiler.turned``)."""
        return self.state.turned & set(self._paths)

    def value(self, path: str) -> Any:
        """A parameter where it lies, to be given to other sessions on the same device.

        Of what lies turned it is a copy, which is kept until the state changes: sessions whose sizes are open would
        turn 11 million numbers for each batch anew, in 80 ms.
        """
        if path not in self.state.turned:
            return self.state.current(path).value
        if path not in self._copies:
            self._copies[path] = Buffer.of(self.state.read(path), self._device)
        return self._copies[path].value

    def read(self, path: str) -> Array:
        """A copy of one parameter."""
        return self.state.read(path)

    def write(self, path: str, array: Array) -> None:
        """Replace one parameter by an array of its shape and dtype."""
        self._copies.pop(path, None)
        self.state.write(path, array)

    def tensors(self) -> dict[str, Array]:
        """Copies of all that the steps carry: parameters by path, optimizer state by its statement and name."""
        return {name: self.state.read(name) for name in self.state.pairs}

    def own(self) -> dict[str, Array]:
        """Copies of what this process carries in memory that no other process sees."""
        return self.tensors()

    def optimizer_state(self) -> dict[str, Array]:
        """Copies of what the statements carry besides parameters, by the names that the statements give them."""
        return {
            name: self.read(key_of(index, name, self._paths))
            for index, step in enumerate(self.steps)
            for name in step.carried
            if name not in self._paths
        }

    def restore(self, tensors: Mapping[str, Array], executed: int, passes: int, gathered: int = 0) -> None:
        """Go on from what ``tensors`` gave, after so many statements, passes, and batches of the next one."""
        self._copies.clear()
        for name, array in tensors.items():
            self.state.write(name, array)
        self.executed, self.passes, self.gathered = executed, passes, gathered
        self._group = []

    def exchange(self, steps: Sequence[TrainStep]) -> None:
        """Go on with other graphs of the same statements; what both carry stays as it is."""
        self.steps = tuple(steps)
        self._renew()

    def _renew(self) -> None:
        """Lay out the state anew, and forget what was compiled for the old one."""
        before = self.tensors()
        self._apart = self._parted()
        self.state = self._laid_out({path: before[path] for path in self._paths})
        self.restore(
            {name: before[name] for name in self.state.pairs if name in before},
            self.executed,
            self.passes,
            self.gathered,
        )
        self.last = None
        self._passes.clear()
        self._fixed.clear()

    def keys(self, index: int) -> dict[str, str]:
        """Where in the state the tensors of a statement are, by the names that it gives them."""
        step = self.steps[index]
        return {name: key_of(index, name, self._paths) for name in (*step.carried, *step.constants)}

    def rates(self) -> dict[str, str]:
        """Where the learning rates lie that are given from outside: keys of ``tensors`` by their names in the steps."""
        return {name: key_of(index, name, self._paths) for index, step in enumerate(self.steps) for name in step.rates}

    # ------------------------------------------------------------ one batch shape

    def sessions(self) -> list[Session]:
        """The sessions of all statements that were run; of several processes none, as theirs run in parts."""
        statements = [*(one for made in self._passes.values() for one in made.statements), *self._fixed.values()]
        parts = [part for one in statements for part in getattr(one.session, "parts", (one.session,))]
        return list({id(part): part for part in parts if isinstance(part, Session)}.values())

    @uncollected()
    def _compile(self, shapes: Shapes) -> _Pass:
        """Sessions and buffers for batches of these shapes; the oldest ones make room."""
        while len(self._passes) >= SESSIONS_KEPT:
            del self._passes[next(iter(self._passes))]
        types = {name: step.graph.inputs[name].type for step in self.steps for name in step.fields}
        buffers = {
            name: Buffer(shape, types[name].dtype.numpy, self._device)
            for name, shape in zip(self.fields, shapes, strict=True)
        }
        dims = bound_dims({name: (types[name], shape) for name, shape in zip(self.fields, shapes, strict=True)})
        check_assumptions(self._assumptions, dims)
        losses: dict[str, Array] = {}
        statements = []
        for index in range(len(self.steps)):
            statements.append(self.fixed(index) or self._statement(index, dims, buffers))
            losses |= statements[-1].losses
        compiled = _Pass(tuple(buffers.items()), tuple(statements), tuple(losses.items()))
        self._passes[shapes] = compiled
        give_back()
        return compiled

    def fixed(self, index: int) -> Statement | None:
        """A statement that is the same for all batches, since nothing in it depends on one; None where it does."""
        step = self.steps[index]
        if index not in self._fixed and not step.fields and not step.graph.all_symbols():
            self._fixed[index] = self._statement(index, {}, {})
        return self._fixed.get(index)

    def _statement(self, index: int, dims: Mapping[str, int], fields: Mapping[str, Buffer]) -> Statement:
        step, state, apart = self.steps[index], self.state, self._apart.get(index)
        apart = looked_up(apart, dims) if apart is not None else None
        losses = {name: Buffer((), step.graph.outputs[name].type.dtype.numpy, "cpu") for name in step.losses}
        graph = step.graph if apart is None else apart.rest
        options = replace(self._options, rests=apart is not None and bool(apart.members))
        whole = open_graph(graph, dims, options, losses=step.losses) if graph.outputs else None
        squares = Buffer((3, len(step.watched)), np.dtype(np.float64), "cpu") if step.watched else None
        answer = Buffer((), np.dtype(np.bool_), "cpu") if step.asks else None
        keys = self.keys(index)
        fixed = {name: fields[name].value for name in step.fields}
        if step.draws:
            fixed |= {SEED: self._seed.value, STEP: self._step.value}
        lanes = min(LANES, threads_of(self._options))
        families = self._updates(apart) if apart is not None else ()
        moved = set(apart.carried) if apart is not None else set()
        numbers = {name: Buffer((), type_.dtype.numpy, "cpu") for name, type_ in apart.numbers.items()} if apart else {}
        once = {name: NEXT + name for name in apart.once} if apart is not None else {}
        late = once.keys() - written_over(whole, once) if once and whole is not None else ()
        beside = {name: Buffer(state.current(keys[name]).host.shape, step.carried[name].dtype.numpy, "cpu")
                  for name in late}  # fmt: skip

        def inputs(sides: int) -> dict[str, onnxruntime.OrtValue]:
            return {**fixed, **{name: state.current(key, sides).value for name, key in keys.items()}}

        def bind(
            sides: int,
            given: Mapping[str, onnxruntime.OrtValue] = NONE,
            said: Mapping[str, onnxruntime.OrtValue] = NONE,
        ) -> Any:
            read = inputs(sides)
            read |= {name: value for name, value in given.items() if name in read}
            outputs = {NEXT + name: state.other(keys[name], sides).value for name in step.carried if name not in moved}
            outputs |= {NEXT + name: buffer.value for name, buffer in beside.items()}
            outputs |= {name: buffer.value for name, buffer in (losses | numbers).items()}
            outputs |= {WATCH: squares.value} if squares is not None else {}
            outputs |= {CONDITION: answer.value} if answer is not None else {}
            rest = None
            if whole is not None:
                rest = bound(whole, {name: read[name] for name in graph.inputs}, {**outputs, **said})
            if apart is None:
                return rest
            found = {name: buffer.value for name, buffer in numbers.items()}
            made = partial(moves, families, lanes, apart, keys, state, sides, found)
            return BlockwiseBinding(rest, made, partial(write_last, apart, keys, state, sides, beside))

        bits = {name: state.bit[key] for name, key in keys.items()}
        touched = sum(set(bits.values()))
        changed = sum({bits[name] for name in step.carried})
        reported = {name: buffer.host for name, buffer in losses.items()}
        told = squares.host if squares is not None else None
        said = answer.host if answer is not None else None
        rows = dims.get(step.rows or "", 1)
        session = whole if apart is None else BlockwiseSession(whole, families, tuple(apart.given), lanes)
        assert session is not None, "a statement gives something"
        return Statement(index, session, {}, bind, inputs, touched, changed, reported, told, said, rows)

    def _updates(self, apart: Blockwise) -> list[Session]:
        """The sessions that change tensors in blocks.

        Each has one thread: a block is small, and lanes run side by side.
        """
        options = replace(self._options, threads=1)
        return [open_graph(one.graph, {}, options) for one in apart.families]


def in_order(steps: int, group: int) -> Plan:
    """The plan of a pass that runs each statement once, the first one on each batch of a group."""
    plan: Plan = tuple(Do(index) for index in range(steps))
    return (Gather(0), *plan[1:]) if group > 1 else plan


class _PlannedPass:
    """A pass whose plan is more than each statement once, or that has several batches.

    A batch is loaded only where a statement reads it.
    """

    def __init__(self, runner: StepRunner, fresh: Callable[[], Batch] | None) -> None:
        self._runner, self._fresh = runner, fresh
        self._loaded: tuple[Batch, _Pass] | None = None
        self._losses: dict[str, float] = {}

    def run(self, plan: Plan, group: tuple[Batch, ...]) -> dict[str, float]:
        """Follow a plan on the batches of a group. After a ``repeat``, they are again those before it."""
        for item in plan:
            match item:
                case Do(index):
                    self._losses |= self._execute(index, group[-1])[0]
                case Gather(index):
                    self._losses |= _means([self._execute(index, batch) for batch in group])
                case Every(count, body):
                    if self._runner.passes % count == 0:
                        self.run(body, group)
                case Repeat(count, body, condition):
                    for turn in range(count):
                        fresh = self._fresh if turn else None
                        own = group if fresh is None else tuple([fresh() for _ in group])
                        if condition is not None and not self._runner.ask(self._statement(condition, own[-1])):
                            break
                        self.run(body, own)
        return self._losses

    def _statement(self, index: int, batch: Batch) -> Statement:
        """A statement, with the batch where it reads it."""
        if (fixed := self._runner.fixed(index)) is not None:
            return fixed
        if self._loaded is None or self._loaded[0] is not batch:
            self._loaded = batch, self._runner.load(batch)
        return self._loaded[1].statements[index]

    def _execute(self, index: int, batch: Batch) -> tuple[dict[str, float], int]:
        """Its losses, and how much they count among those of a group."""
        statement = self._statement(index, batch)
        self._runner.execute(statement)
        return {name: value.item() for name, value in statement.losses.items()}, self._runner.weight(statement)


def _means(found: Sequence[tuple[Mapping[str, float], int]]) -> dict[str, float]:
    """Losses over a group, each batch weighted by its rows."""
    total = sum(rows for _, rows in found)
    return {name: sum(losses[name] * rows for losses, rows in found) / total for name in found[0][0]}
