"""Running the train programs of a model: data, split, fit, final figures, one program after the other.

What this module does not do: write anything (``run`` and ``resume`` do), or compile specs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archonnx.compiler.ir.types import Array
from archonnx.compiler.lints.finding import data_findings
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.settings import AskedSettings, TrainSettings, Transfer
from archonnx.grammar.diagnostics import Report, fail
from archonnx.grammar.record import replace
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.parts import PARTS, Parts
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.interrupt import Interrupt, attending
from archonnx.runtime.measures.figures import from_json, to_json
from archonnx.runtime.ranks import Ranks

from .fit import TrainingLoop
from .keeping import Keeper
from .lengths import grouped, steps_per_epoch
from .measuring import Measured, Measurement
from .named import label, program_named
from .observing import Epoch, Observer, Outcome, Snapshot
from .preparing import DataChoice, Prepared, prepare
from .seeing import seen_data, told
from .trainer import Trainer
from .transfer import Start, Weights, check_starts, start_from


@dataclass(frozen=True, slots=True)
class Trained:
    """A train program that has run: the trainer holds the parameters it ended with."""

    program: TrainProgram
    settings: TrainSettings
    trainer: Trainer
    outcome: Outcome
    metrics: Mapping[str, Mapping[str, float]]
    """Losses and metrics by part, with the final parameters."""
    parts: Parts | None = None
    """The examples of each part; None of a program that ran in an earlier process."""
    start: Mapping[str, Any] | None = None
    """Which weights of other runs it started with, as ``run.json`` says it."""
    memory: Memory | None = None
    """What is remembered of its data; None of a program that ran in an earlier process."""

    def as_json(self) -> dict[str, Any]:
        """What ``run.json`` says of it."""
        outcome = self.outcome
        return {
            "name": label(self.program),
            "settings": self.settings.model_dump(),
            "metrics": {part: to_json(values) for part, values in self.metrics.items()},
            "epochs": len(outcome.history),
            "best_epoch": outcome.best,
            "stopped": outcome.reason,
            "seconds": round(outcome.seconds, 3),
            **({"started_from": self.start} if self.start is not None else {}),
        }

    @staticmethod
    def from_json(
        program: TrainProgram,
        model: ModelProgram,
        record: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Array],
        options: SessionOptions,
    ) -> Trained:
        """A program that ran in an earlier process."""
        settings = AskedSettings.model_validate(record["settings"])
        trainer = Trainer(replace(model, programs=()), seed=settings.seed, options=options, parameters=parameters)
        epochs = [Epoch.from_json(line) for line in history]
        outcome = Outcome(epochs, record["stopped"], record["best_epoch"], record["seconds"])
        metrics = {part: from_json(values) for part, values in record["metrics"].items()}
        return Trained(program, settings, trainer, outcome, metrics, start=record.get("started_from"))


@dataclass(frozen=True, slots=True)
class State:
    """Where the programs of a model stand: those that are done, and the one under way."""

    done: Sequence[Trained]
    program: TrainProgram
    snapshot: Snapshot
    memory: Memory | None = None
    """What is remembered of the data of the program under way."""
    start: Mapping[str, Any] | None = None
    """Which weights of other runs the program under way started with."""

    @property
    def reached(self) -> tuple[int, ...]:
        """How far it is: programs that are done, and what the snapshot says."""
        return len(self.done), *self.snapshot.reached


def run_programs(
    model: ModelProgram,
    base: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    options: SessionOptions | None = None,
    observer: Observer | None = None,
    only: str | tuple[str, ...] | None = None,
    state: State | None = None,
    keeper: Keeper[State] | None = None,
    watch: bool = False,
    start: Sequence[Transfer] = (),
    data: DataChoice | None = None,
    measured: bool = True,
    earlier: Callable[[str], Weights] | None = None,
    ranks: Ranks | None = None,
) -> list[Trained]:
    """Run every train program in order.

    Args:
        model: what to train.
        base: the folder in which data files are looked for.
        changes: settings to replace in every program, by dotted name.
        options: where to run.
        observer: is told what happens.
        only: run this program, and those from which it starts; or just these.
        state: where to go on.
        keeper: is given the state every now and then, to be written down.
        watch: whether every epoch reports the norms of gradients and updates.
        start: weights of other runs, for every program that does not start from an earlier one.
        data: what takes the place of the data that the spec names.
        measured: whether the parts are measured at the end.
        earlier: the parameters of a program that ran before these: of another model of the file, or of another run.
        ranks: the processes that train together; this one alone if None.
    """
    programs = _chosen(model, only)
    check_starts([model], base)
    settings = [changed_settings(program, changes or {}) for program in programs]
    done = _done(programs, state)
    told = observer or Observer()
    for number in range(len(done), len(programs)):
        program = programs[number]
        told.program(label(program), number + 1, len(programs))
        how = options or SessionOptions()
        runner = _Runner(
            model, program, settings[number], base, how, told, watch, tuple(start), data, measured, earlier, ranks
        )
        under_way = state if state is not None and state.program is program else None
        done.append(runner.run(done, under_way, keeper or Keeper()))
        if done[-1].outcome.reason == "interrupted":
            break
    return done


def _done(programs: Sequence[TrainProgram], state: State | None) -> list[Trained]:
    """The programs that need not run again; SpecError if the state is of others."""
    if state is None:
        return []
    reached = [*(trained.program for trained in state.done), state.program]
    if reached != list(programs[: len(reached)]):
        fail(
            "AX0618",
            "the state is of other train programs",
            None,
            notes=[f"trained: {', '.join(map(label, reached))}; to be run: {', '.join(map(label, programs))}"],
        )
    return list(state.done)


def _chosen(model: ModelProgram, only: str | tuple[str, ...] | None) -> list[TrainProgram]:
    """The programs to run, in order."""
    if not model.programs:
        fail(
            "AX0615",
            f"{model.name} has no `train:` block",
            None,
            help="add one with `data = ...` and `minimize LOSS with adam()`",
        )
    if only is None:
        return list(model.programs)
    names = only if isinstance(only, tuple) else needed_for(model.programs, label(program_named(model, only)))
    return [program for program in model.programs if label(program) in names]


def needed_for(programs: Sequence[TrainProgram], name: str) -> set[str]:
    """The programs that one needs: itself, those from which it starts, and so on."""
    known = {label(program): program for program in programs}
    needed, open_ = set[str](), {name}
    while open_:
        needed |= open_
        open_ = {start for one in open_ for start in known[one].settings.starts_from if start in known} - needed
    return needed


def changed_settings(program: TrainProgram, changes: Mapping[str, Any]) -> TrainSettings:
    """The settings of a program, with some replaced from outside; SpecError where that cannot be."""
    report = Report()
    settings = program.settings.changed(changes, report) if changes else program.settings
    report.finish()
    return settings


@dataclass(frozen=True, slots=True)
class _Runner:
    """One program about to run."""

    model: ModelProgram
    program: TrainProgram
    settings: TrainSettings
    base: Path
    options: SessionOptions
    observer: Observer
    watch: bool
    weights: Sequence[Transfer]
    """Of other runs, to start with; they count for more than those that the settings name."""
    choice: DataChoice | None = None
    measured: bool = True
    earlier: Callable[[str], Weights] | None = None
    ranks: Ranks | None = None

    def run(self, done: Sequence[Trained], state: State | None, keeper: Keeper[State]) -> Trained:
        """Run it after the others, or take it up again."""
        start = self._start(done) if state is None else Start()
        known = state.memory if state is not None else None
        data = prepare(self.model, self.program, self.settings, self.base, None, self.choice, known)
        memory = data.memory(self.program, self.choice)
        settings = self.settings
        for line in (*start.lines(), *data.notes(), *grouped(len(data.parts.train), settings)):
            self.observer.opening(line)
        if state is None:
            told(data_findings([seen_data(self.model, self.program, self.settings, data)]), self.observer.opening)
        started = start.as_json() if state is None else state.start
        per_epoch = steps_per_epoch(len(data.parts.train), settings)
        batch_size = len(data.parts.train) if settings.batch_size == "all" else settings.batch_size
        trainer = Trainer(
            self.model,
            program=self.program,
            batch_size=batch_size,
            seed=settings.seed,
            options=self.options,
            total=max(settings.epochs, 1) * per_epoch,
            per_epoch=per_epoch,
            parameters=start.parameters,
            watch=self.watch,
            ranks=self.ranks,
            precision=settings.precision,
        )
        for line in trainer.runner.notes():
            self.observer.opening(line)
        snapshot = state.snapshot if state is not None else None
        if snapshot is not None:
            _check_fits(snapshot, trainer)
        before = tuple(done)

        def state_at(snapshot: Snapshot | None) -> State | None:
            return State(before, self.program, snapshot, memory, started) if snapshot is not None else None

        loop = TrainingLoop(trainer, data.examples, data.parts, settings, self.observer, snapshot, keeper)
        keeper.watch(settings.checkpoint, lambda: state_at(loop.whole_state()))
        outcome = loop.run()
        keeper.watch(settings.checkpoint, lambda: state_at(outcome.snapshot))
        if outcome.reason == "interrupted" or keeper.worth_keeping():
            keeper.keep()  # measuring takes time; somebody is impatient, or the process is killed
        with attending() as interrupt, interrupt.waiting():
            metrics = self._measured(trainer, data, interrupt) if self.measured else {}
            if interrupt.asked:
                outcome.reason = "interrupted"
        return Trained(self.program, settings, trainer, outcome, metrics, data.parts, started, memory)

    def _measured(self, trainer: Trainer, data: Prepared, interrupt: Interrupt) -> dict[str, Mapping[str, float]]:
        """Losses and metrics on every part that has examples; no more of them once somebody asks to stop meanwhile."""
        metrics: dict[str, Mapping[str, float]] = {}
        for part in PARTS:
            if len(indices := data.parts.of(part)):
                measurement = Measurement(trainer, data.examples.on(part), indices, self.settings)
                measured = _measured(measurement, interrupt)
                if measured is None:
                    self.observer.note(f"the {part} part is not measured, since somebody asked to stop meanwhile")
                    break
                metrics[part] = measured.figures
                for note in (
                    measured.notes(f"the {part} part") if part != "valid" else ()
                ):  # the epochs have told of that one
                    self.observer.note(note)
        return metrics

    def _start(self, done: Sequence[Trained]) -> Start:
        """Parameters to start with: none (fresh ones), those of the program named by ``start_from``, or of runs."""
        wanted = self.settings.start_from
        span, trained = self.program.span, {label(trained.program): trained for trained in done}

        def parameters(name: str) -> Weights:
            if name in trained:
                return trained[name].trainer.runner.parameters()
            if self.earlier is None:
                fail(
                    "AX0709",
                    f"`start_from` needs the train program `{name}`, which has not run here",
                    span,
                    help="`archonnx train` runs all programs of a file, those of other models too",
                )
            return self.earlier(name)

        if isinstance(wanted, str):
            return Start(parameters(wanted))
        chosen = wanted if self.settings.starts_from else self.weights or wanted
        return start_from(chosen or (), self.base, self.model, span, parameters)


def _measured(measurement: Measurement, interrupt: Interrupt) -> Measured | None:
    """What is found of a part; None where somebody asked to stop meanwhile."""
    before = interrupt.asked

    def between() -> None:
        if not before:
            interrupt.check()

    try:
        return measurement.run(between)
    except KeyboardInterrupt:
        if interrupt.again:
            raise
        return None


def _check_fits(snapshot: Snapshot, trainer: Trainer) -> None:
    """SpecError unless the state is that of these statements."""
    wanted = {name: array.shape for name, array in trainer.runner.tensors().items()}
    given = {name: array.shape for name, array in snapshot.tensors.items()}
    if wanted != given:
        other = next(name for name in (*wanted, *given) if wanted.get(name) != given.get(name))
        fail(
            "AX0618",
            "the state does not fit the spec: other parameters, optimizers or arguments were trained",
            None,
            notes=[f"`{other}`: {_shown(given.get(other))} in the state, {_shown(wanted.get(other))} in the spec"],
            help="a new training starts with the weights of a run by `--from RUN`",
        )


def _shown(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else str(list(shape))
