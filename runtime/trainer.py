"""A model with its parameters on a device: steps, gradients, losses and outputs.

What this module does not do: read data, or repeat steps until something is good enough (``fit`` does).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SEED, STEP, ModelProgram, Parameter, TrainProgram
from archonnx.grammar.diagnostics import did_you_mean, fail

from .batch import checked, in_batches
from .session import Options, Session, call, choose_device, open_graph
from .step import StepRunner

GRADIENT = "grad/"
"""The gradient of a parameter is the graph output ``grad/PATH``."""
EVALUATION_STEP = 0
"""The ``step`` of graphs that draw outside training: validation draws the same each time."""


def initial_value(parameter: Parameter, seed: int) -> Array:
    """A parameter's starting value, which depends on the seed and its path alone."""
    graph = parameter.initial
    return interpret(graph, {SEED: np.int64(seed)} if SEED in graph.inputs else {})["value"]


class Trainer:
    """A model ready to train: ``step(batch)`` runs the statements of its train program once.

    Args:
        model: what to train.
        program: the train program whose statements ``step`` runs (the last one of the model unless said).
        batch_size: rows in one pass of ``predict``, which takes any number of them.
        seed: of the initial parameters and of all draws.
        options: where to run.
        total: number of passes, for schedules that need it.
        per_epoch: number of passes in an epoch, for schedules that need it.
        parameters: starting values by path, instead of the initial ones.
    """

    def __init__(
        self, model: ModelProgram, *, program: TrainProgram | None = None, batch_size: int = 32, seed: int = 0,
        options: Options | None = None, total: int | None = None, per_epoch: int | None = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        self.model = model
        self.seed, self.batch_size = seed, batch_size
        self.options = options or Options()
        self.device = choose_device(self.options.device)
        if program is None and model.programs:
            program = model.programs[-1]
        steps = program.steps(total, per_epoch) if program is not None else ()
        given = parameters or {}
        starting = {path: given[path] if path in given else initial_value(parameter, seed)
                    for path, parameter in model.parameters.items()}
        self.runner = StepRunner(steps, starting, seed=seed, options=self.options, device=self.device.name)
        self.parameters = Parameters(model, self.runner)
        self._batch_types = {name: model.fields[name].type for name in self.runner.fields}
        self._accepted: set[Hashable] = set()
        """Forms of batches that were found good; checking costs more than a small step."""
        self._functions: dict[str, Function] = {}

    def step(self, batch: Mapping[str, Any]) -> dict[str, float]:
        """One training step on a batch (arrays by field); each loss by name, as it was before the update."""
        if not self.runner.steps:
            fail("AX0615", f"{self.model.name} has no `minimize` statement to run", None,
                 help="add a `train:` block with `minimize LOSS with adam()`")
        form = _form(batch)
        if form not in self._accepted:
            arrays = checked(batch, self._batch_types)
            if any(arrays[name] is not batch[name] for name in arrays):  # converted: look again next time
                return self.runner.step(arrays)
            self._accepted.add(form)
        return self.runner.step(batch)

    def gradients(self, batch: Mapping[str, Any], loss: str = "objective") -> dict[str, Array]:
        """The gradient of a loss for each trainable parameter, by path, as the next training step would see it."""
        if loss not in self.model.losses:
            fail("AX0607", f"{self.model.name} has no loss `{loss}`", None,
                 help=did_you_mean(loss, self.model.losses) or f"known: {', '.join(self.model.losses)}")
        function = self._function(f"{GRADIENT}{loss}", lambda: self.model.gradients(loss))
        results = function(batch, step=self.runner.executed)
        return {name.removeprefix(GRADIENT): array for name, array in results.items() if name.startswith(GRADIENT)}

    def evaluate(self, batch: Mapping[str, Any]) -> dict[str, float]:
        """Losses and metrics on a batch, by name, not in training mode."""
        results = self._function("evaluate", lambda: self.model.evaluate)(batch)
        return {name: float(value) for name, value in results.items()}

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """The model's outputs for any number of rows."""
        return self._function("infer", lambda: self.model.infer).in_batches(inputs, self.batch_size)

    def _function(self, name: str, graph: Any) -> Function:
        if name not in self._functions:
            self._functions[name] = Function(graph(), self)
        return self._functions[name]


def _form(batch: Mapping[str, Any]) -> Hashable:
    """Names, shapes and dtypes of a batch; what is no array has a form of its own."""
    return tuple([(name, array.shape, array.dtype) if type(array) is np.ndarray else object()
                  for name, array in batch.items()])


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
            fail("AX0609", f"there is no parameter `{path}`", None,
                 help=did_you_mean(path, self._declared) or f"known: {', '.join(self._declared)}")

    def __contains__(self, path: object) -> bool:
        return path in self._declared


class Function:
    """A graph of the model with symbolic dims, run on the trainer's current parameters."""

    def __init__(self, graph: Graph, trainer: Trainer) -> None:
        self._trainer = trainer
        self._parameters = [name for name in graph.inputs if name in trainer.model.parameters]
        special = {SEED, STEP, *self._parameters}
        self.types = {name: value.type for name, value in graph.inputs.items() if name not in special}
        self._outputs = {name: value.type for name, value in graph.outputs.items()}
        self._draws = SEED in graph.inputs, STEP in graph.inputs
        self._graph = graph
        self._session: Session | None = None

    def __call__(self, given: Mapping[str, Any], step: int = EVALUATION_STEP) -> dict[str, Array]:
        """Results by name. Fields of the model that this graph does not use may be given too."""
        return self._run(self._checked(given), step)

    def in_batches(self, given: Mapping[str, Any], size: int) -> dict[str, Array]:
        """Results for any number of rows, ``size`` at a time where every input and output has rows."""
        arrays = self._checked(given)
        return in_batches(lambda rows: self._run(rows, EVALUATION_STEP), arrays, self.types, self._outputs, size)

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Array]:
        known = self._trainer.model.fields.keys() - self.types.keys()
        return checked({name: array for name, array in given.items() if name not in known}, self.types)

    def _run(self, arrays: Mapping[str, Array], step: int) -> dict[str, Array]:
        if self._session is None:
            self._session = open_graph(self._graph, {}, self._trainer.options)
        inputs: dict[str, Any] = dict(arrays)
        inputs |= {path: self._trainer.runner.value(path) for path in self._parameters}
        numbers = ((SEED, self._trainer.seed), (STEP, step))
        inputs |= {name: np.array(number, np.int64)
                   for (name, number), used in zip(numbers, self._draws, strict=True) if used}
        return call(self._session, inputs)
