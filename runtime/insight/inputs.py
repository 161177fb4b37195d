"""What a model under inspection is given: inputs, checked or taken from its data, and parameters.

What this module does not do: draw inputs at random (``drawn_inputs`` does).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.program import SEED, STEP, ModelProgram
from archonnx.compiler.ranges import field_ranges
from archonnx.compiler.trace import TraceGraph
from archonnx.grammar.diagnostics import Report, did_you_mean
from archonnx.runtime.assumptions import check_arrays, of_graph
from archonnx.runtime.data.batch import check_dim_arguments, checked, dim_arguments
from archonnx.runtime.data.ranges import RangeCheck
from archonnx.runtime.training.initial import initial_values
from archonnx.runtime.training.preparing import prepare

LITERAL = 12
"""Numbers that an example of a command writes out; larger inputs come from files."""


def parameter_values(model: ModelProgram, given: Mapping[str, Array] | None, seed: int) -> dict[str, Array]:
    """Parameters by path: the given ones, checked, or the initial ones."""
    if given is None:
        return initial_values(model.parameters, seed)
    return checked(given, {path: parameter.type for path, parameter in model.parameters.items()}, "parameter")


def field_types(traced: TraceGraph, model: ModelProgram) -> dict[str, TensorType]:
    """Types of what must be given, by name."""
    special = {SEED, STEP, *model.parameters}
    return {name: value.type for name, value in traced.graph.inputs.items() if name not in special}


def checked_inputs(
    traced: TraceGraph, model: ModelProgram, given: Mapping[str, Any], graph: str = "loss"
) -> dict[str, Array]:
    """Arrays for what a trace needs; SpecError, with a command that would do, where one is missing."""
    types = field_types(traced, model)
    entry = graph in model.entries
    what = "argument" if entry else "field"
    spare = (model.entries[graph].inputs.keys() if entry else model.fields.keys()) - types.keys()
    wanted = {name: array for name, array in given.items() if name not in spare}
    if missing := [name for name in types if name not in wanted]:
        report = Report()
        example = " ".join(f"--input {example_input(name, type_)}" for name, type_ in types.items())
        for name in wanted.keys() - types.keys():
            report.error("AX0607", f"there is no {what} `{name}`", None, help=did_you_mean(name, types))
        for name in missing:
            help_text = f"give all of them, for example: `{example}`" if name == missing[-1] else None
            report.error("AX0607", f"the {what} `{name}: {types[name]}` is not given", None, help=help_text)
        report.finish()
    arrays = checked(wanted, types, what)
    check_dim_arguments(dim_arguments(types, (value.type for value in traced.graph.values())), arrays, types)
    assumed = model.entry_assumptions.get(graph, ()) if entry else of_graph(traced.graph, model.assumptions)
    check_arrays(assumed, types, arrays)
    RangeCheck(field_ranges(traced.graph, types), types)(arrays)
    return arrays


def example_input(name: str, type_: TensorType) -> str:
    """An argument of ``--input`` for a field: zeros, every symbolic dim 1, or a file where that would be long."""
    shape = [size if (size := dim.constant) is not None else 1 for dim in type_.shape]
    if math.prod(shape) > LITERAL:
        return f"{name}={name}.npy"
    text = str(np.zeros(shape, np.int64).tolist())
    text = text.replace("0", "false") if type_.dtype is DType.bool else text
    return f"'{name}={text}'" if type_.rank else f"{name}={text}"


def examples_of(model: ModelProgram, base: Path, count: int) -> tuple[dict[str, Array], str] | None:
    """The first examples of the data that the model is trained with, and what they are; None if it has none.

    Args:
        model: whose data.
        base: the folder in which data files are looked for.
        count: how many examples.
    """
    program = next((program for program in model.programs if program.source is not None), None)
    if program is None or program.source is None:
        return None
    data = prepare(model, program, program.settings, base)
    rows = data.parts.train[:count]
    what = "the first example" if len(rows) == 1 else f"the first {len(rows)} examples"
    return data.examples.take(rows), f"{what} of the train part of {program.source.span.text}"
