"""The training loop: epochs of passes, validation, early stopping, and taking it up again where it was left.

What this module does not do: draw progress (an ``Observer`` may), read data, write files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import NoReturn

from archonnx.compiler.ir.types import Array
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError
from archonnx.runtime.data.batches import Examples, endless_order
from archonnx.runtime.data.beside import Turn
from archonnx.runtime.data.parts import Indices, Parts

from .interrupt import Interrupt, deferred_interrupt
from .measuring import measure
from .monitor import Monitor
from .nonfinite import Fault, Guard
from .nonfinite_text import diverged, explain
from .observing import Epoch, Observer, Outcome, Snapshot, StopTraining
from .trainer import Trainer

KEEP_SECONDS = 10.0
"""How far back the state is, at most, from which a fault is searched for, if keeping it costs little."""
KEEP_SHARE = 0.01
"""The most of the time that keeping it may take."""


@dataclass(slots=True)
class _Position:
    """Where an epoch stands."""

    passes: int = 0
    drawn: int = 0
    """How many fresh batches its rounds of ``repeat`` have taken."""
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Each loss summed over examples, and their number."""
    whole: bool = True
    """Whether no pass is under way."""

    def add(self, losses: Mapping[str, float], rows: int) -> None:
        """A pass is done."""
        for name, value in losses.items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = total + value * rows, count + rows
        self.passes += 1
        self.whole = True


class TrainingLoop:
    """The epochs of a program. It can be saved between any two passes, and taken up again."""

    def __init__(
        self,
        trainer: Trainer,
        examples: Examples,
        parts: Parts,
        settings: TrainSettings,
        observer: Observer,
        snapshot: Snapshot | None = None,
    ) -> None:
        self._trainer, self._examples, self._parts = trainer, examples, parts
        self._settings, self._observer = settings, observer
        early = settings.early_stopping
        self._monitor = Monitor.of(early, trainer, len(parts.valid)) if early else None
        self._size = len(parts.train) if settings.batch_size == "all" else settings.batch_size
        self._steps = steps_per_epoch(len(parts.train), settings)
        self._position = _Position()
        self._history: list[Epoch] = []
        self._noted: set[str] = set()
        self._before = 0.0
        self._order = parts.train
        self._started = time.perf_counter()
        if snapshot is not None:
            self._resume(snapshot)
        trained = [path for path, p in trainer.model.parameters.items() if p.trainable and not p.buffer]
        self._guard = Guard(trainer.runner, trained)
        self._kept = _Kept(self)

    def run(self, after_epoch: Callable[[TrainingLoop], None] | None = None) -> Outcome:
        """Train until the epochs are over, early stopping says so, or somebody interrupts."""
        settings, monitor = self._settings, self._monitor
        self._observer.begin(settings.epochs, self._steps, len(self._history))
        if monitor is not None:
            self._observer.watches(str(monitor))
        outcome = Outcome(self._history)
        with deferred_interrupt() as interrupt:
            try:
                while len(self._history) < settings.epochs and not self._exhausted:
                    self._epoch(interrupt)
                    if len(self._history) == settings.epochs and not self._guard.sound():
                        self._stop("the end")
                    self._observer.epoch(self._history[-1])
                    if after_epoch is not None:
                        after_epoch(self)
                outcome.reason = "early stopping" if self._exhausted else "finished"
            except KeyboardInterrupt:
                outcome.reason = "interrupted"
            except StopTraining:
                outcome.reason = "stopped by an observer"
        outcome.snapshot = self.snapshot() if self._position.whole else None
        if monitor is not None and monitor.best_epoch is not None:
            for path, array in monitor.parameters.items():
                self._trainer.runner.write(path, array)
            outcome.best = monitor.best_epoch
        elif monitor is not None and outcome.reason == "finished":
            self._observer.note(monitor.blind)
        outcome.seconds = self._seconds
        self._observer.end(outcome)
        return outcome

    def snapshot(self) -> Snapshot:
        """All that it takes to go on."""
        runner, monitor = self._trainer.runner, self._monitor
        numbers = {
            "executed": runner.executed,
            "passes": runner.passes,
            "position": asdict(self._position),
            "history": [epoch.as_json() for epoch in self._history],
            "seconds": self._seconds,
            "monitor": monitor.numbers() if monitor is not None else None,
        }
        return Snapshot(runner.tensors(), monitor.parameters if monitor is not None else {}, numbers)

    def _resume(self, snapshot: Snapshot) -> None:
        numbers = snapshot.numbers
        self._trainer.runner.restore(snapshot.tensors, numbers["executed"], numbers["passes"])
        self._position = _Position(**numbers["position"])
        self._history = [Epoch.from_json(line) for line in numbers["history"]]
        self._before = numbers["seconds"]
        if self._monitor is not None and numbers["monitor"] is not None:
            self._monitor.resume(numbers["monitor"], snapshot.best)

    @property
    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._started

    @property
    def _exhausted(self) -> bool:
        return self._monitor is not None and self._monitor.exhausted

    # ------------------------------------------------------------ one epoch

    def _epoch(self, interrupt: Interrupt) -> None:
        started = time.perf_counter()
        number, position, train = len(self._history) + 1, self._position, self._parts.train
        seed, shuffle = self._settings.seed, self._settings.shuffle
        order = self._order = self._examples.order(train, self._size, seed, number, shuffle=shuffle)
        fresh = self._fresh(number)
        step = self._trainer.runner.step
        order = order[: self._steps * self._size]
        before = (number - 1) * self._steps + position.passes
        turn = Turn(before, (number - 1) * len(order) + position.passes * self._size, epoch=number)
        for rows, batch in self._examples.steps(order[position.passes * self._size :], self._size, turn):
            interrupt.check()
            self._kept.refresh()
            position.whole = False
            losses = step(batch, fresh)
            if not math.isfinite(sum(losses.values())):
                self._stop(f"epoch {number}, step {position.passes + 1}")
            position.add(losses, rows)
            self._observer.step(number, position.passes, losses)
        interrupt.check()
        averages = {name: total / count for name, (total, count) in position.sums.items()}
        valid = self._validate() if len(self._parts.valid) else {}
        best = self._monitor is not None and self._monitor.see(
            number, {"train": averages, "valid": valid}, self._trainer
        )
        norms = self._trainer.runner.watch.take()
        self._history.append(Epoch(number, averages, valid, time.perf_counter() - started, best, norms))
        self._position = _Position()

    def _fresh(self, epoch: int) -> Callable[[], Mapping[str, Array]]:
        """The stream of batches for rounds of ``repeat``."""
        position, settings = self._position, self._settings
        order = endless_order(self._parts.train, settings.seed, epoch, self._size, shuffle=settings.shuffle)
        rest: Iterator[Indices] = islice(order, position.drawn, None)

        def draw() -> Mapping[str, Array]:
            turn = Turn(position.drawn, position.drawn * self._size, (epoch,), epoch)
            position.drawn += 1
            return self._examples.trained(next(rest), turn)

        return draw

    # ------------------------------------------------------------ what is not finite

    def _stop(self, where: str) -> NoReturn:
        """SpecError with the place at which something first became infinite or no number.

        The last statement is looked at first. If it was given what is spoilt already, the passes since the last kept
        state are run again, with an eye on every parameter: the same data and draws give the same numbers.
        """
        found = self._fault(self._guard.last)
        loop = self
        if found is None and self._kept.snapshot is not None:
            loop = TrainingLoop(
                self._trainer, self._examples, self._parts, self._settings, Observer(), self._kept.snapshot
            )
            found = loop._fault(loop._again)
        if found is None:
            raise SpecError(Report([diverged(self._trainer.model.losses, where)]))
        raise SpecError(Report([loop._explained(found)]))

    def _fault(self, search: Callable[[], None]) -> Fault | None:
        try:
            search()
        except Fault as fault:
            return fault
        return None

    def _again(self) -> None:
        """Run up to the fault."""
        runner, self._kept.snapshot = self._trainer.runner, None
        runner.inspect = self._guard.inspect
        try:
            while len(self._history) < self._settings.epochs:
                self._epoch(Interrupt())
        except SpecError:  # a loss was not finite and its statement seemed well: there is nothing to be told
            return
        finally:
            runner.inspect = None

    def _explained(self, fault: Fault) -> Diagnostic:
        done, runner = self._position.passes, self._trainer.runner
        rows = self._order[done * self._size : (done + 1) * self._size].tolist() if runner.in_order else None
        where = f"epoch {len(self._history) + 1}, step {done + 1}"
        return explain(runner, fault, where, rows, self._trainer.options)

    def _validate(self) -> Mapping[str, float]:
        """Losses and metrics on the valid part; that one is not a number is told once."""
        measured = measure(self._trainer, self._examples.on("valid"), self._parts.valid, self._settings)
        for name, note in zip(measured.undefined, measured.notes("the valid part"), strict=True):
            if name not in self._noted:
                self._noted.add(name)
                self._observer.note(note)
        return measured.figures


class _Kept:
    """A state to which a search for a fault can go back, renewed now and then; keeping it costs a hundredth at most."""

    def __init__(self, loop: TrainingLoop) -> None:
        self._loop = loop
        self._next = 0.0
        self.snapshot: Snapshot | None = None

    def refresh(self) -> None:
        """Keep the state, if it is time."""
        started = time.monotonic()
        if started < self._next:
            return
        self.snapshot = self._loop.snapshot()
        now = time.monotonic()
        self._next = now + max(KEEP_SECONDS, (now - started) / KEEP_SHARE)


def fit(
    trainer: Trainer,
    examples: Examples,
    parts: Parts,
    settings: TrainSettings,
    observer: Observer | None = None,
    *,
    snapshot: Snapshot | None = None,
    after_epoch: Callable[[TrainingLoop], None] | None = None,
) -> Outcome:
    """Train until the epochs are over, early stopping says so, or somebody interrupts; SpecError if a loss diverges.

    Args:
        trainer: what to train.
        examples: the data.
        parts: which of them train, and which validate.
        settings: those of the program.
        observer: is told what happens.
        snapshot: where to go on; from the start if None.
        after_epoch: called with the loop, which it may save.
    """
    return TrainingLoop(trainer, examples, parts, settings, observer or Observer(), snapshot).run(after_epoch)


def steps_per_epoch(count: int, settings: TrainSettings) -> int:
    """Number of batches in an epoch of ``count`` examples; the smaller last one counts unless it is dropped."""
    if settings.batch_size == "all":
        return 1
    return max(1, count // settings.batch_size if settings.drop_last else math.ceil(count / settings.batch_size))
