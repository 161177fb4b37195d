"""Feeding a model with arrays, as a train program says, all of them in the train part."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import feeding
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.feeding import Learner, learned, sample_of
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.sources import numbered
from archonnx.runtime.training.preparing import fields_of


def feed_fields(model: ModelProgram, program: TrainProgram, data: Mapping[str, Array]) -> dict[str, Array]:
    """The fields of the model."""
    loaded = numbered(Loaded({name: _column(array) for name, array in data.items()}, "the data"))
    together = bool(program.whole)
    rows = np.arange(len(loaded.fields["index"]))
    keys = Learner(loaded, rows)
    how = feeding(model, program, sample_of(loaded, model.float_type, counted=together), keys)
    return fields_of(model, program, how, learned(how, loaded, keys, rows, together=together), loaded)


def usable(loaded: Loaded) -> dict[str, Array]:
    """All fields; SpecError with what is wrong with columns, as where all of them are used."""
    if loaded.problems:
        raise SpecError(Report(list(loaded.problems.values())))
    return loaded.fields


def _column(array: Array) -> Array:
    """Texts are objects in what is loaded."""
    return array.astype(object) if array.dtype.kind == "U" else array
