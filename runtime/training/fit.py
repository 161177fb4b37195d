"""The training loop: epochs of passes, validation, early stopping, and taking it up again where it was left.

What this module does not do: draw progress (an ``Observer`` may), read data, write files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, NoReturn
from zlib import crc32

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError
from archonnx.runtime.data.batches import Examples, endless_order
from archonnx.runtime.data.beside import Turn
from archonnx.runtime.data.parts import Indices, Parts
from archonnx.runtime.interrupt import Interrupt, attending

from .dead_units import DeadUnits
from .keeping import Keeper
from .lengths import batches_per_epoch
from .measuring import Measurement
from .monitor import Monitor
from .nonfinite import Fault, Guard, all_finite
from .nonfinite_text import diverged, explain
from .observing import Epoch, Observer, Outcome, Snapshot, StopTraining
from .position import Position
from .supplying import Row, Supply
from .trainer import Trainer

KEEP_SECONDS = 1.0
"""How far back the state is that is kept in memory, if keeping it costs little: from there a fault is searched for, and
there a training ends that is interrupted within a pass."""
KEEP_SHARE = 0.01
"""The most of the time that keeping it may take."""


class TrainingLoop:
    """The epochs of a program. It can be saved between any two passes or batches that are measured, and taken up again.

    Args:
        trainer: what to train.
        examples: the data.
        parts: which of them train, and which validate.
        settings: those of the program.
        observer: is told what happens.
        snapshot: where to go on; from the start if None.
        keeper: is asked after each pass whether the state is to be kept.
    """

    def __init__(
        self,
        trainer: Trainer,
        examples: Examples,
        parts: Parts,
        settings: TrainSettings,
        observer: Observer | None = None,
        snapshot: Snapshot | None = None,
        keeper: Keeper[Any] | None = None,
    ) -> None:
        ranks = self._ranks = trainer.ranks
        if ranks is not None:
            examples = examples.shared(ranks, whole=trainer.runner.whole)
            trainer.runner.counted = examples.symbol
        self._trainer, self._examples, self._parts = trainer, examples, parts
        self._settings, self._observer = settings, observer or Observer()
        self._keeper: Keeper[Any] = keeper or Keeper()
        early = settings.early_stopping
        self._monitor = Monitor.of(early, trainer, len(parts.valid)) if early else None
        self._size = len(parts.train) if settings.batch_size == "all" else settings.batch_size
        self._steps = batches_per_epoch(len(parts.train), settings)
        self._position = Position()
        self._before_pass = self._now()
        """Where all stood before the pass that is under way."""
        self._torn = False
        """Whether a pass is under way."""
        self._held = 0, 0
        """Batches, and rows of them, that wait for the rest of their group."""
        self._measurement: Measurement | None = None
        self._measured: tuple[Mapping[str, Any], Mapping[str, Array]] | None = None
        """What an earlier process found of the valid part, and how far it was."""
        self._history: list[Epoch] = []
        self._noted: set[str] = set()
        self._before = 0.0
        self._order = parts.train
        if ranks is not None:
            ranks.check_order(self._ordered)
        seen = not self._observer.now_and_then and type(self._observer).step is not Observer.step
        self._supply = Supply(trainer, examples, self._size, not seen, self._keeper.room)
        self._started = self._epoch_started = time.perf_counter()
        if snapshot is not None:
            self._resume(snapshot)
        trained = [path for path, p in trainer.model.parameters.items() if p.trainable and not p.buffer]
        watched = ranks is None and any(step.watched for step in trainer.runner.steps)
        self._dead = DeadUnits(trainer, examples, parts, self._size) if watched else None
        self._guard = Guard(trainer.runner, trained)
        self._kept = _Kept(self)
        self._spoilt = False
        """Whether something is no longer finite."""
        self._good: Snapshot | None = None
        """The state before that."""

    def run(self) -> Outcome:
        """Train until the epochs are over, early stopping says so, or somebody interrupts.

        Raises:
            SpecError: a loss or a parameter is no longer finite (AX0610).
            KeyboardInterrupt: somebody has lost patience. After both, ``whole_state`` is the last state that was whole.
        """
        settings, monitor = self._settings, self._monitor
        self._observer.begin(settings.epochs, self._steps, len(self._history))
        if monitor is not None:
            self._observer.watches(str(monitor))
        outcome = Outcome(self._history)
        with closing(self._supply), attending() as interrupt, interrupt.waiting():
            if self._ranks is not None:
                interrupt.agreed = self._stopping
            try:
                while len(self._history) < settings.epochs and not self._exhausted:
                    self._epoch(interrupt)
                    if len(self._history) == settings.epochs and not self._guard.sound():
                        self._stop("the end")
                    self._observer.epoch(self._history[-1])
                outcome.reason = "early stopping" if self._exhausted else "finished"
            except KeyboardInterrupt:
                if interrupt.again or self._torn:
                    raise
                outcome.reason = "interrupted"
            except StopTraining:
                outcome.reason = "stopped by an observer"
        outcome.snapshot = self.snapshot()
        if monitor is not None and monitor.best_epoch is not None:
            if self._ranks is not None:
                self._ranks.gather(None)  # parameters may lie where all see them, and the others read these now
            for path, array in monitor.parameters.items():
                self._trainer.runner.write(path, array)
            outcome.best = monitor.best_epoch
        elif monitor is not None and outcome.reason == "finished" and self._history:
            self._observer.note(monitor.blind)
        outcome.seconds = self._seconds
        self._observer.end(outcome)
        return outcome

    def _stopping(self) -> bool:
        return self._ranks is not None and self._ranks.stopping

    def snapshot(self) -> Snapshot:
        """All that it takes to go on."""
        return self._snapshot(self._now())

    def _now(self) -> _Now:
        runner = self._trainer.runner
        return _Now(runner.executed, runner.passes, runner.gathered, self._position)

    def _snapshot(self, now: _Now) -> Snapshot:
        runner, monitor, measurement = self._trainer.runner, self._monitor, self._measurement
        under_way = measurement is not None and measurement.whole
        numbers = {
            "executed": now.executed,
            "passes": now.passes,
            "gathered": now.gathered,
            "position": now.position.as_json(),
            "history": [epoch.as_json() for epoch in self._history],
            "seconds": self._seconds,
            "epoch_seconds": time.perf_counter() - self._epoch_started,
            "monitor": monitor.numbers() if monitor is not None else None,
            "ordered": self._ordered,
            "measured": measurement.numbers() if measurement is not None and under_way else None,
        }
        running = runner.watch.running()
        running |= measurement.running() if measurement is not None and under_way else {}
        return Snapshot(runner.tensors(), monitor.parameters if monitor is not None else {}, numbers, running)

    def whole_state(self) -> Snapshot | None:
        """The last whole state, also while a pass is under way: that before it, if it has not changed anything yet.

        Otherwise one of a little while ago; None where there is none.
        """
        if self._spoilt:
            return self._good
        if not self._torn:
            return self.snapshot()
        return self._unchanged() or self._kept.snapshot

    def _resume(self, snapshot: Snapshot) -> None:
        numbers = snapshot.numbers
        gathered = numbers.get("gathered", 0)
        self._trainer.runner.restore(snapshot.tensors, numbers["executed"], numbers["passes"], gathered)
        self._trainer.runner.watch.resume(snapshot.running)
        self._position = Position.from_json(numbers["position"])
        self._history = [Epoch.from_json(line) for line in numbers["history"]]
        self._before = numbers["seconds"]
        self._epoch_started -= numbers.get("epoch_seconds", 0.0)
        if (measured := numbers.get("measured")) is not None:
            self._measured = measured, snapshot.running
        ordered = numbers.get("ordered", self._ordered)
        if ordered != self._ordered and self._position != Position():
            names = dict.fromkeys((*self._ordered, *ordered))
            changed = ", ".join(name for name in names if ordered.get(name) != self._ordered.get(name))
            self._observer.note(
                f"epoch {len(self._history) + 1} begins anew, after {self._position.passes} of its passes: "
                f"the order of its examples was by another {changed}"
            )
            self._position, self._measured = Position(), None
            self._trainer.runner.forget()
        if self._monitor is not None and numbers["monitor"] is not None:
            self._monitor.resume(numbers["monitor"], snapshot.best)

    @cached_property
    def _ordered(self) -> dict[str, Any]:
        """What the order of examples within an epoch depends on."""
        settings, parts = self._settings, self._parts
        grouped = {"accumulate": settings.accumulate} if settings.accumulate > 1 else {}
        return {
            **grouped,
            "batch_size": self._size,
            "seed": settings.seed,
            "shuffle": settings.shuffle,
            "split": [crc32(np.asarray(part, np.int64).tobytes()) for part in (parts.train, parts.valid)],
        }

    @property
    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._started

    @property
    def _exhausted(self) -> bool:
        return self._monitor is not None and self._monitor.exhausted

    @property
    def sound(self) -> bool:
        """Whether all parameters are finite."""
        return self._guard.sound()

    # ------------------------------------------------------------ one epoch

    def _epoch(self, interrupt: Interrupt) -> None:
        number, position = len(self._history) + 1, self._position
        order = self._order = self._supply.order(self._parts.train, self._settings, number)
        fresh = self._fresh(number)
        runner, self._held = self._trainer.runner, (0, 0)
        order = order[: self._steps * self._size]
        before = (number - 1) * self._steps + position.passes
        turn = Turn(before, (number - 1) * len(order) + position.passes * self._size, epoch=number)
        with closing(self._supply.epoch(order[position.passes * self._size :], turn)) as supplied:
            for given in supplied:
                interrupt.check()
                self._kept.refresh()
                if isinstance(given, Row):
                    self._row(number, given)
                else:
                    rows, batch = given
                    self._batch(number, rows, partial(runner.step, batch, fresh))
        interrupt.check()
        if runner.gathered or runner.waiting:
            self._batch(number, 0, partial(runner.finish, fresh))
        averages = {name: total / count for name, (total, count) in self._position.sums.items()}
        if self._ranks is not None:
            self._ranks.check_equal(runner.own())
        valid = self._validate(interrupt, number) if len(self._parts.valid) else {}
        with interrupt.holding():  # all of it is done, or nothing
            self._end(averages, valid)
        if self._monitor is not None and self._monitor.missed and "" not in self._noted:
            self._noted.add("")
            self._observer.note(f"epoch {number}: {self._monitor.missing}")

    def _batch(self, number: int, rows: int, run: Callable[[], dict[str, float]]) -> None:
        """Another batch, of so many rows, or none where a group ends that has fewer batches than others."""
        runner = self._trainer.runner
        self._before_pass = self._now()
        self._torn = True
        losses = run()
        batches, rows = self._held[0] + bool(rows), self._held[1] + rows
        if not math.isfinite(sum(losses.values())):
            self._stop(f"epoch {number}, step {self._position.passes + max(batches, 1)}")
        self._held = (batches, rows) if runner.waiting else (0, 0)
        if not runner.waiting:
            self._position = self._position.after(losses, rows, self._drawn, batches)
        self._torn = False
        if not runner.waiting:
            self._keeper.stepped()
            self._keep_if_due(number)
            self._observer.step(number, self._position.passes, losses)

    def _row(self, number: int, row: Row) -> None:
        """A pass on each batch of a row."""
        runner = self._trainer.runner
        before = self._before_pass = self._now()
        self._torn = True
        ran = runner.run_row(row.slots, row.count)
        position = self._position.after_row(ran.losses, row.slots.size, ran.done)
        if not all(math.isfinite(total) for total, _ in position.sums.values()):
            broken = [int(np.argmin(np.isfinite(array))) for array in ran.losses.values() if not all_finite([array])]
            if broken:
                self._stop(f"epoch {number}, step {self._position.passes + min(broken) + 1}", in_row=True)
        self._position = position
        self._keeper.stepped(ran.done)
        if ran.error is not None:
            executed, passes = before.executed + ran.done * len(runner.steps), before.passes + ran.done
            self._before_pass = _Now(executed, passes, 0, self._position)
            raise ran.error
        self._torn = False
        self._keep_if_due(number)
        losses = {name: array[-1].item() for name, array in ran.losses.items()}
        self._observer.step(number, self._position.passes, losses)

    def _end(self, averages: Mapping[str, float], valid: Mapping[str, float]) -> None:
        """An epoch is over."""
        number, monitor = len(self._history) + 1, self._monitor
        best = monitor is not None and monitor.see(number, {"train": averages, "valid": valid}, self._trainer)
        norms = self._trainer.runner.watch.take()
        dead = self._dead.count() if self._dead is not None else {}
        took, self._epoch_started = time.perf_counter() - self._epoch_started, time.perf_counter()
        self._history.append(Epoch(number, averages, valid, took, best, norms, dead))
        self._position, self._measurement = Position(), None

    def _fresh(self, epoch: int) -> Callable[[], Mapping[str, Array]]:
        """The stream of batches for rounds of ``repeat``."""
        settings = self._settings
        self._drawn = self._position.drawn
        order = endless_order(self._parts.train, settings.seed, epoch, self._size, shuffle=settings.shuffle)
        rest: Iterator[Indices] = islice(order, self._drawn, None)

        def draw() -> Mapping[str, Array]:
            turn = Turn(self._drawn, self._drawn * self._size, (epoch,), epoch)
            self._drawn += 1
            return self._examples.trained(next(rest), turn)

        return draw

    # ------------------------------------------------------------ what is not finite

    def _stop(self, where: str, *, in_row: bool = False) -> NoReturn:
        """SpecError with the place at which something first became infinite or no number.

        The last statement is looked at first. If it was given what is spoilt already, the passes since the last kept
        state are run again, with an eye on every parameter: the same data and draws give the same numbers.
        """
        self._spoilt, self._good = True, self._kept.snapshot
        if self._ranks is not None:  # who searches runs steps again, and the others would wait
            raise SpecError(Report([diverged(self._trainer.model.losses, where)]))
        runner = self._trainer.runner
        found = self._fault(self._guard.last) if not in_row and runner.undoes else None
        runner.keep_both()
        loop = self
        if found is None and self._good is not None:
            loop = TrainingLoop(self._trainer, self._examples, self._parts, self._settings, snapshot=self._good)
            found = loop._fault(loop._again)
        if found is None:
            raise SpecError(Report([diverged(self._trainer.model.losses, where)]))
        explained = loop._explained(found)
        self._good = loop._unchanged() or (self._just_before(loop, self._good) if self._good else None)
        raise SpecError(Report([explained]))

    def _just_before(self, loop: TrainingLoop, kept: Snapshot) -> Snapshot:
        """The state before the pass under way of a loop, which has changed it: run once more from a kept state."""
        epochs, position = len(loop._history), loop._before_pass.position

        class Until(Observer):
            def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
                if (epoch - 1, step) == (epochs, position.passes):
                    raise StopTraining

        again = TrainingLoop(self._trainer, self._examples, self._parts, self._settings, Until(), kept)
        with closing(again._supply), suppress(StopTraining):
            while (len(again._history), again._position.passes) != (epochs, position.passes):
                again._epoch(Interrupt())
        return again.snapshot()

    def _unchanged(self) -> Snapshot | None:
        """The state before the pass that is under way; None if that has changed anything."""
        before = self._before_pass
        return self._snapshot(before) if self._trainer.runner.executed == before.executed else None

    def _fault(self, search: Callable[[], None]) -> Fault | None:
        try:
            search()
        except Fault as fault:
            return fault
        return None

    def _again(self) -> None:
        """Run up to the fault."""
        runner, self._kept.snapshot = self._trainer.runner, None
        self._supply = Supply(self._trainer, self._examples, self._size, False, self._keeper.room)
        runner.inspect = self._guard.inspect
        try:
            with closing(self._supply):
                while len(self._history) < self._settings.epochs:
                    self._epoch(Interrupt())
        except SpecError:  # a loss was not finite and its statement seemed well: there is nothing to be told
            return
        finally:
            runner.inspect = None

    def _explained(self, fault: Fault) -> Diagnostic:
        done, runner = self._position.passes, self._trainer.runner
        numbered = runner.in_order and self._examples.numbered
        rows = self._order[done * self._size : (done + 1) * self._size].tolist() if numbered else None
        where = f"epoch {len(self._history) + 1}, step {done + 1}"
        return explain(runner, fault, where, rows, self._trainer.options)

    def _keep_if_due(self, epoch: int) -> None:
        """Keep the state, if it is time and if it is worth keeping."""
        if self._keeper.due():
            if not self._guard.sound():
                self._stop(f"epoch {epoch}, step {self._position.passes}")
            self._keeper.keep()

    def _validate(self, interrupt: Interrupt, epoch: int) -> Mapping[str, float]:
        """Losses and metrics on the valid part; that one is not a number is told once."""

        def between() -> None:
            interrupt.check()
            self._keep_if_due(epoch)

        examples = self._examples.on("valid")
        self._measurement = Measurement(self._trainer, examples, self._parts.valid, self._settings)
        if self._measured is not None:
            self._measurement.resume(*self._measured)
            self._measured = None
        measured = self._measurement.run(between)
        for name, note in zip(measured.undefined, measured.notes("the valid part"), strict=True):
            if name not in self._noted:
                self._noted.add(name)
                self._observer.note(note)
        return measured.figures


@dataclass(frozen=True, slots=True)
class _Now:
    """How far a training is: statements run, passes, batches gathered for the next one, the place in the epoch."""

    executed: int
    passes: int
    gathered: int
    position: Position


class _Kept:
    """A good state to which a search for a fault can go back, renewed now and then; it costs a hundredth at most."""

    def __init__(self, loop: TrainingLoop) -> None:
        self._loop = loop
        self._next = 0.0
        self.snapshot: Snapshot | None = None

    def refresh(self) -> None:
        """Keep the state, if it is time."""
        started = time.monotonic()
        if started < self._next:
            return
        if self._loop.sound:
            self.snapshot = self._loop.snapshot()
        now = time.monotonic()
        self._next = now + max(KEEP_SECONDS, (now - started) / KEEP_SHARE)
