"""A model with its parameters on a device: steps, gradients, losses and outputs.

What this module does not do: read data, or repeat steps until something is good enough (``fit`` does).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Container, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np

from archonnx.compiler.combining import Combination, combination
from archonnx.compiler.gradients import GRADIENT, gradient_graph
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array
from archonnx.compiler.mixed import Precision
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.program import (
    EVALUATION_STEP,
    SEED,
    STEP,
    Assumption,
    ModelProgram,
    TrainProgram,
    TrainStep,
)
from archonnx.compiler.ranges import field_ranges, merged, trusting
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.record import replace
from archonnx.grammar.uncollected import uncollected
from archonnx.runtime.assumptions import check_arrays, of_graph
from archonnx.runtime.data.batch import check_dim_arguments, checked, dim_arguments, in_batches
from archonnx.runtime.data.ranges import RangeCheck
from archonnx.runtime.device.devices import choose_device
from archonnx.runtime.device.ranked import RankedRunner
from archonnx.runtime.device.session import Session, SessionOptions, call, open_graph
from archonnx.runtime.device.step import StepRunner
from archonnx.runtime.measures.set_metrics import Gathered
from archonnx.runtime.ranks import Ranks
from archonnx.runtime.seeds import seed_value

from .initial import initial_values
from .rates import Rates


class Trainer:
    """A model ready to train: ``step(batch)`` makes one pass over the statements of its train program.

    Args:
        model: what to train.
        program: the train program whose statements ``step`` runs (the last one of the model unless said).
        batch_size: rows in one pass of ``predict``, which takes any number of them.
        seed: of the initial parameters and of all draws.
        options: where to run.
        total: number of passes, for schedules that need it.
        per_epoch: number of passes in an epoch, for schedules that need it.
        parameters: starting values by path, instead of the initial ones.
        watch: whether the norms of gradients and updates are kept (``runner.watch``).
        ranks: the processes that train together; this one alone if None.
        precision: in what products of steps and gradients are computed, that of the program's settings if None. Figures
            and outputs are of f32.
    """

    @uncollected()
    def __init__(
        self,
        model: ModelProgram,
        *,
        program: TrainProgram | None = None,
        batch_size: int = 32,
        seed: int = 0,
        options: SessionOptions | None = None,
        total: int | None = None,
        per_epoch: int | None = None,
        parameters: Mapping[str, Array] | None = None,
        watch: bool = False,
        ranks: Ranks | None = None,
        precision: Precision | None = None,
    ) -> None:
        self.model, self.ranks = model, ranks
        self.seed, self.batch_size = int(seed_value(seed)), batch_size
        self.options = options or SessionOptions()
        self.device = choose_device(self.options.device)
        if program is None and model.programs:
            program = model.programs[-1]
        said = program.settings.precision if program is not None else "f32"
        self._stepping = dataclasses.replace(self.options, precision=precision or said)

        def steps_with(rates: bool) -> tuple[TrainStep, ...]:
            if program is None:
                return ()
            made = train_steps(model, program, total, per_epoch, watch=watch, rates=rates)
            return tuple(replace(step, graph=trusting(step.graph, step.fields)) for step in made)

        steps = steps_with(False)
        given = parameters or {}
        drawn = {path: parameter for path, parameter in model.parameters.items() if path not in given}
        values = {**given, **initial_values(drawn, seed)}
        starting = {path: values[path] for path in model.parameters}
        runner = StepRunner if ranks is None else partial(RankedRunner, ranks=ranks)
        self.runner = runner(
            steps,
            starting,
            plan=program.plan if program is not None else (),
            group=program.settings.accumulate if program is not None else 1,
            assumptions=model.assumptions,
            seed=seed,
            options=self._stepping,
            device=self.device.name,
        )
        self.parameters = Parameters(model, self.runner)
        self._rates = Rates(self.runner, partial(steps_with, True))
        self._batch_types = {name: model.fields[name].type for name in self.runner.fields}
        self._in_range = RangeCheck(
            merged(r for step in steps for r in field_ranges(step.graph, step.fields)), self._batch_types
        )
        self._accepted: set[Hashable] = set()
        """Forms of batches that were found good; checking costs more than a small step."""
        self._functions: dict[str, Function] = {}
        self._entries: dict[str, Function] = {}
        self._combinations: dict[frozenset[str], Combination] = {}

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {self.model.name} on {self.device.name}: "
            f"{self.model.parameter_count:,} parameters, {self.runner.executed} statements run>"
        )

    def step(
        self,
        batch: Mapping[str, Any],
        fresh: Callable[[], Mapping[str, Any]] | None = None,
    ) -> dict[str, float]:
        """One pass on a batch (arrays by field); the last value of each loss by name, as it was before its update.

        Args:
            batch: arrays by field.
            fresh: gives the batches for the rounds of ``repeat`` after the first one, which otherwise reuses ``batch``.

        Where several batches make one update (``accumulate``), the last of them does; ``finish`` does before that.
        """
        if not self.runner.steps:
            fail(
                "AX0615",
                f"{self.model.name} has no `minimize` statement to run",
                None,
                help="add a `train:` block with `minimize LOSS with adam()`",
            )
        return self.runner.step(self._batch(batch), None if fresh is None else lambda: self._batch(fresh()))

    def finish(self, fresh: Callable[[], Mapping[str, Any]] | None = None) -> dict[str, float]:
        """Update by what was gathered so far, if anything was; losses that are known only now."""
        return self.runner.finish(None if fresh is None else lambda: self._batch(fresh()))

    def _batch(self, batch: Mapping[str, Any]) -> Mapping[str, Array]:
        """The batch as the steps take it, looked at closely if its form is new."""
        form = _form(batch)
        if form in self._accepted:
            self._in_range(batch)
            return batch
        unused = self.model.fields.keys() - self._batch_types.keys()
        arrays = checked({name: array for name, array in batch.items() if name not in unused}, self._batch_types)
        if all(arrays[name] is batch[name] for name in arrays):  # one that was converted is looked at again next time
            self._accepted.add(form)
        self._in_range(arrays)
        return arrays

    @property
    def learning_rates(self) -> dict[str, float]:
        """The learning rate of the next step of each ``minimize``, by its name (``minimize.0``).

        They are those of the spec until others are given: numbers for all of these names, or None for the spec's again.
        The first change compiles the step anew, so that it takes them as inputs; later ones cost nothing.
        """
        return self._rates.read()

    @learning_rates.setter
    def learning_rates(self, given: Mapping[str, float] | None) -> None:
        self._rates.give(given)

    @property
    def learning_rate(self) -> float:
        """The learning rate, if there is one; given, it is that of every ``minimize``. See ``learning_rates``."""
        return self._rates.only()

    @learning_rate.setter
    def learning_rate(self, given: float | None) -> None:
        self._rates.give(None if given is None else dict.fromkeys(self._rates.names(), given))

    @property
    def optimizer_state(self) -> dict[str, Array]:
        """Copies of what the optimizers carry from step to step, by name (``minimize.0/m/dense.W``)."""
        return self.runner.optimizer_state()

    def gradients(self, batch: Mapping[str, Any], loss: str = "objective") -> dict[str, Array]:
        """The gradient of a loss for each trainable parameter, by path, as the next training step would see it."""
        if loss not in self.model.losses:
            fail(
                "AX0607",
                f"{self.model.name} has no loss `{loss}`",
                None,
                help=did_you_mean(loss, self.model.losses) or f"known: {', '.join(self.model.losses)}",
            )
        function = self._function(f"{GRADIENT}{loss}", lambda: gradient_graph(self.model, loss), self._stepping)
        results = function(batch, step=self.runner.executed)
        return {name.removeprefix(GRADIENT): array for name, array in results.items() if name.startswith(GRADIENT)}

    def evaluate(self, batch: Mapping[str, Any]) -> dict[str, float]:
        """Losses and metrics on a batch, by name, not in training mode; to those over a set the batch is the set."""
        gathered = Gathered(self.model.set_metrics)
        results = self._function("evaluate", lambda: self.model.evaluate)(batch)
        return gathered.add(results) | gathered.values()

    def combination(self, whole: Collection[str]) -> Combination:
        """How figures of batches become those of a part, where these fields are given whole."""
        key = frozenset(whole)
        if key not in self._combinations:
            self._combinations[key] = combination(self.model, key)
        return self._combinations[key]

    def pieces(self, combination: Combination, batch: Mapping[str, Any]) -> dict[str, Array]:
        """What a batch adds to the figures of its part, and what metrics over a set are computed of."""
        return self._function(f"pieces {sorted(combination.pieces.items())}", lambda: combination.batch)(batch)

    def computed(self, name: str, graph: Graph, batch: Mapping[str, Any]) -> dict[str, Array]:
        """What a graph of fields and parameters gives for a batch; it is kept open under its name."""
        return self._function(name, lambda: graph)(batch)

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """The model's outputs for any number of rows."""
        return self._function("infer", lambda: self.model.infer).in_batches(inputs, self.batch_size)

    def call(self, entry: str, /, *, seed: int = 0, **inputs: Any) -> dict[str, Array]:
        """What an entry of the model gives, by name. ``seed`` is for entries that draw."""
        if entry not in self.model.entries:
            fail_entry(self.model.name, entry, self.model.entries)
        if entry not in self._entries:
            graph = self.model.entries[entry]
            self._entries[entry] = Function(graph, self, self.model.entry_assumptions.get(entry, ()))
        return self._entries[entry](inputs, seed=seed)

    @property
    def entries(self) -> dict[str, dict[str, str]]:
        """The types of the arguments of every entry, by name."""
        return {name: arguments_of(graph, self.model) for name, graph in self.model.entries.items()}

    def _function(self, name: str, make: Callable[[], Graph], options: SessionOptions | None = None) -> Function:
        if name not in self._functions:
            graph = make()
            assumptions = of_graph(graph, self.model.assumptions)
            self._functions[name] = Function(
                graph, self, assumptions, ignored=self.model.fields, judged=self.model.training.graph, options=options
            )
        return self._functions[name]


def fail_entry(model: str, name: str, known: Mapping[str, Any]) -> NoReturn:
    """The diagnostic for an entry that the model does not have."""
    fail(
        "AX0607",
        f"{model} has no entry `{name}`",
        None,
        help=did_you_mean(name, known) or (f"known: {', '.join(known)}" if known else None),
    )


def arguments_of(graph: Graph, model: ModelProgram) -> dict[str, str]:
    """The types of what must be given to a graph, by name."""
    special = {SEED, STEP, *model.parameters}
    return {name: str(value.type) for name, value in graph.inputs.items() if name not in special}


def _form(batch: Mapping[str, Any]) -> Hashable:
    """Names, shapes and dtypes of a batch; a value that is not an array has a form of its own."""
    return tuple(
        [(name, array.shape, array.dtype) if type(array) is np.ndarray else object() for name, array in batch.items()]
    )


class Parameters(Mapping[str, Array]):
    """The parameters of a trainer by path, in order of construction; reading copies, assigning checks the shape."""

    def __init__(self, model: ModelProgram, runner: StepRunner) -> None:
        self._declared, self._runner = model.parameters, runner

    def __getitem__(self, path: str) -> Array:
        self._check(path)
        return self._runner.read(path)

    def __setitem__(self, path: str, array: Any) -> None:
        self._check(path)
        types = {path: self._declared[path].type}
        self._runner.write(path, checked({path: array}, types, "parameter")[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def _check(self, path: str) -> None:
        if path not in self._declared:
            fail(
                "AX0609",
                f"there is no parameter `{path}`",
                None,
                help=did_you_mean(path, self._declared) or f"known: {', '.join(self._declared)}",
            )

    def __contains__(self, path: object) -> bool:
        return path in self._declared


class Function:
    """A graph of the model with symbolic dims, run on the trainer's current parameters.

    Args:
        graph: what it computes.
        trainer: whose parameters it takes.
        assumptions: what must hold of sizes.
        ignored: names that may be given although the graph does not use them.
        judged: a graph that says, as well, which of its inputs are indices: in a gradient labels are clipped.
        options: where it runs; as the trainer's outputs unless given.
    """

    def __init__(
        self,
        graph: Graph,
        trainer: Trainer,
        assumptions: Sequence[Assumption],
        ignored: Container[str] = (),
        judged: Graph | None = None,
        options: SessionOptions | None = None,
    ) -> None:
        self._options = options or trainer.options
        self._trainer, self._assumptions, self._ignored = trainer, assumptions, ignored
        self._parameters = [name for name in graph.inputs if name in trainer.model.parameters]
        special = {SEED, STEP, *self._parameters}
        self.types = {name: value.type for name, value in graph.inputs.items() if name not in special}
        self._outputs = {name: value.type for name, value in graph.outputs.items()}
        graphs = [graph] if judged is None else [graph, judged]
        ranges = merged(r for one in graphs for r in field_ranges(one, self.types))
        self._in_range = RangeCheck(ranges, self.types)
        self._sizes = dim_arguments(self.types, (value.type for value in graph.values()))
        self._draws = SEED in graph.inputs, STEP in graph.inputs
        self._graph = trusting(graph, self.types)
        self._session: Session | None = None

    def __call__(
        self,
        given: Mapping[str, Any],
        *,
        step: int = EVALUATION_STEP,
        seed: int | None = None,
    ) -> dict[str, Array]:
        """Results by name."""
        return self._run(self._checked(given), step, self._trainer.seed if seed is None else seed)

    def in_batches(self, given: Mapping[str, Any], size: int) -> dict[str, Array]:
        """Results for any number of rows, ``size`` at a time where every input and output has rows."""
        arrays, seed = self._checked(given), self._trainer.seed
        return in_batches(lambda rows: self._run(rows, EVALUATION_STEP, seed), arrays, self.types, self._outputs, size)

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Array]:
        arrays = checked(
            {name: array for name, array in given.items() if name in self.types or name not in self._ignored},
            self.types,
        )
        check_dim_arguments(self._sizes, arrays, self.types)
        check_arrays(self._assumptions, self.types, arrays)
        self._in_range(arrays)
        return arrays

    def _run(self, arrays: Mapping[str, Array], step: int, seed: int) -> dict[str, Array]:
        if self._session is None:
            self._session = open_graph(self._graph, {}, self._options)
        inputs: dict[str, Any] = dict(arrays)
        inputs |= {path: self._trainer.runner.value(path) for path in self._parameters}
        inputs |= {
            name: number
            for (name, number), used in zip(
                ((SEED, seed_value(seed)), (STEP, np.array(step, np.int64))), self._draws, strict=True
            )
            if used
        }
        return call(self._session, inputs)
