"""A model that is trained on data at hand and kept in memory, as the estimators for scikit-learn are.

What this module does not do: write a run directory (``training`` does), or know scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.elaborate.core.dependence import names_in, walk
from archonnx.compiler.feeding import DATA, TARGET
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.pipeline import deciding_programs, elaborate, model_arguments
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace as changed
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.models import inference_model, write_model
from archonnx.runtime.folders.inputs import InputReader
from archonnx.runtime.training.deciding import decided
from archonnx.runtime.training.observing import Epoch
from archonnx.runtime.training.preparing import DataChoice
from archonnx.runtime.training.programs import run_programs
from archonnx.runtime.training.trainer import Trainer

BATCH = 1024
"""Rows that are predicted at a time."""
LEAST = 16
"""Fewer rows are filled up to so many: a product of one row rounds otherwise than one of several."""


@dataclass(eq=False)
class Learned:
    """A trained model, with what it remembers of its data. Graphs and sessions are made again when they are needed.

    Attributes:
        spec: what was trained, with all arguments of its model.
        program: the program that trained last.
        parameters: by path.
        memory: what is remembered of the data.
        seed: of the training.
        options: where it runs.
        history: its epochs.
    """

    spec: Spec
    program: str
    parameters: Mapping[str, Array]
    memory: Memory
    seed: int
    options: SessionOptions
    history: list[Epoch]

    def predict(self, loaded: Loaded) -> dict[str, Array]:
        """The outputs of the model for loaded rows, by name."""
        wanted = [name for name in self._trainer.model.infer.inputs if name in self._trainer.model.fields]
        named = _with_fields(loaded, self._trainer.model, self._program)
        fields = self._reader.of(named, wanted).fields
        rows = len(next(iter(loaded.fields.values())))
        if rows >= LEAST or self._program.whole:
            return self._trainer.predict(fields)
        filled = {name: _filled(array, rows, self._trainer.model.fields[name].type) for name, array in fields.items()}
        return {name: array[:rows] for name, array in self._trainer.predict(filled).items()}

    @property
    def outputs(self) -> dict[str, TensorType]:
        """The types of the outputs, by name."""
        return {name: value.type for name, value in self._trainer.model.infer.outputs.items()}

    def export(self, path: Path) -> None:
        """Write the outputs of the model as ONNX."""
        write_model(path, inference_model(self._trainer.model, self.parameters))

    @cached_property
    def _elaborated(self) -> ModelProgram:
        return elaborate(self.spec)

    @cached_property
    def _program(self) -> TrainProgram:
        return next(program for program in self._elaborated.programs if program.name == self.program)

    @cached_property
    def _trainer(self) -> Trainer:
        model = changed(self._elaborated, programs=())
        return Trainer(model, batch_size=BATCH, seed=self.seed, options=self.options, parameters=self.parameters)

    @cached_property
    def _reader(self) -> InputReader:
        return InputReader(self._elaborated, self._program, self.memory, base_of(self.spec))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __repr__(self) -> str:
        return f"<{self.spec.name}, trained for {len(self.history)} epochs on {self.memory.rows} rows>"


def learn(
    spec: Spec, loaded: Loaded, known: Mapping[str, Any], changes: Mapping[str, Any], options: SessionOptions
) -> Learned:
    """Train all programs of a spec on data at hand.

    Args:
        spec: what is trained.
        loaded: the data, which takes the place of what the spec names.
        known: arguments of the model that follow from the data; those that it has, and that nothing else says, are
            given to it.
        changes: settings to replace, by dotted name.
        options: where to run.
    """
    choice = DataChoice({DATA: loaded})
    said = {*spec.arguments, *(a.name for program in deciding_programs(spec) for a in program.given)}
    own = {name: known[name] for name in model_arguments(spec) if name in known and name not in said}
    spec = changed(spec, arguments={**own, **spec.arguments})
    spec = decided(spec, base_of(spec), changes, choice)
    model = elaborate(spec)
    if not model.programs:
        fail("AX0615", f"{model.name} has no `train:` block", None, help="add one with `minimize LOSS with adam()`")
    for program in model.programs:
        loaded = _with_fields(loaded, model, program)
    choice = DataChoice({DATA: loaded})
    last = run_programs(model, base_of(spec), changes=changes, options=options, data=choice, measured=False)[-1]
    assert last.memory is not None
    parameters, settings = last.trainer.runner.parameters(), last.settings
    learned = Learned(
        spec, last.program.name, parameters, last.memory, settings.seed, options, list(last.outcome.history)
    )
    learned.__dict__["_elaborated"] = model  # what is at hand need not be made again
    return learned


def columns_read(spec: Spec) -> set[str]:
    """The columns of the data that a spec may read: those that it names, and those called as a field of its model."""
    named = {n.name for n in walk(spec.file) if isinstance(n, ast.Attribute) and _is_data(n.value)}
    bare = names_in(tuple(d for d in spec.file.declarations if isinstance(d, ast.Train)))
    fields = {n.name for n in walk(spec.file) if isinstance(n, ast.Input | ast.Target)}
    return named | bare | fields


def _is_data(expr: ast.Expr) -> bool:
    return isinstance(expr, ast.Name) and expr.id == DATA


def base_of(spec: Spec) -> Path:
    """The folder in which files are looked for."""
    return spec.path.parent if spec.path is not None else Path.cwd()


def _with_fields(loaded: Loaded, model: ModelProgram, program: TrainProgram) -> Loaded:
    """The only input that nothing feeds is the matrix of the data, and the only target its target."""
    fields = dict(loaded.fields)
    for given, is_target in ((DATA, False), (TARGET, True)):
        open_ = [
            field
            for name, field in model.fields.items()
            if field.target == is_target and name not in program.feeds and name not in fields
        ]
        if len(open_) == 1 and given in fields:
            fields[open_[0].name] = _as_column(fields[given], open_[0].type)
    return replace(loaded, fields=fields)


def _as_column(array: Array, wanted: TensorType) -> Array:
    """Numbers as a matrix of one column, where that is wanted."""
    one = wanted.rank == 2 and wanted.shape[1].constant == 1
    return array[:, None] if one and array.ndim == 1 else array


def _filled(array: Array, rows: int, type_: TensorType) -> Array:
    """As many rows as there are at least, the last one repeated; what does not count rows as it is."""
    if not type_.rank or type_.shape[0].symbol is None or len(array) != rows:
        return array
    return np.concatenate([array, np.repeat(array[-1:], LEAST - rows, axis=0)])
