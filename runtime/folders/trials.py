"""The graphs of a run as ONNX, each tried beside the run before it stands: ``Beside``.

Outputs are compared with what the run predicts, entries with what it gives when it is called, and the graphs of
training with the same graphs as a training here runs them. What this module does not do: make graphs, or write files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array, DType, TensorType, batch_symbol
from archonnx.compiler.program import SEED, STEP, ModelProgram
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.device.session import SessionOptions, call, open_graph, open_session
from archonnx.runtime.export.artifact import Artifact
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.contract import rates_of
from archonnx.runtime.export.raw import CHANGED, TOLERANCE, as_taken, differences

from .raw import ROWS_TRIED

SIZES = (3, 2, 5, 8, 1)
"""Sizes of dims that are tried in turn where the arguments of an entry are made."""
RATE = 0.01
"""A learning rate that is an input, while a file is tried."""
LEARNED = 10
"""So many times further than outputs may lie what a step changes: an update follows the sign of what it rounds."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What a run gives to the trial of its files.

    Attributes:
        model: what was trained.
        weights: by path.
        rows: some examples of its data, by field; SpecError where the data is not at hand.
        predict: the outputs for fields.
        call: what an entry gives for arguments.
        how: how the files are written.
        options: where they are run.
    """

    model: ModelProgram
    weights: Mapping[str, Array]
    rows: Callable[[int], Mapping[str, Array]]
    predict: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    call: Callable[[str, Mapping[str, Array]], Mapping[str, Array]]
    how: GraphOptions
    options: SessionOptions

    def __call__(self, artifact: Artifact, file: Path) -> str:
        """On what a file was tried; SpecError if it does not give what the run does."""
        graph = artifact.make()
        types = {name: value.type for name, value in graph.inputs.items() if name not in self.model.parameters}
        refused = ""
        for given, on in self._candidates(artifact, types):
            try:
                wanted = self._wanted(artifact, given)
            except SpecError as error:
                refused = error.diagnostics[0].headline
                continue
            self._compare(artifact, file, given, wanted)
            return on
        return f"not tried: {refused or 'nothing is known to give to it'}"

    def _candidates(
        self, artifact: Artifact, types: Mapping[str, TensorType]
    ) -> Iterator[tuple[dict[str, Array], str]]:
        """What may be given, and which it is: rows of the data, then arrays that are made."""
        around: dict[str, Array] = {name: np.zeros((), np.int64) for name in (SEED, STEP) if name in types}
        if artifact.step is not None:
            around |= {
                name: np.zeros([dim.evaluate({}) for dim in type_.shape], type_.dtype.numpy)
                for name, type_ in artifact.step.constants.items()
                if name not in self.model.parameters
            }
            around |= artifact.state
            around |= {name: np.asarray(RATE, types[name].dtype.numpy) for name in rates_of(artifact, self.model)}
        fields = {name: type_ for name, type_ in types.items() if name not in around}
        fixed = self.how.batch or (self.how.batch_size if artifact.step is not None else None)
        if artifact.kind != "entry":
            try:
                rows = self.rows(fixed or ROWS_TRIED)
            except SpecError:
                rows = {}
            if fields.keys() <= rows.keys():
                yield around | {name: rows[name] for name in fields}, "rows of the training data"
        for size in SIZES:
            made = _made(fields, size, fixed)
            if made is not None:
                yield around | made, "made arrays"

    def _wanted(self, artifact: Artifact, given: Mapping[str, Array]) -> Mapping[str, Array]:
        fields = {name: array for name, array in given.items() if name not in (SEED, STEP)}
        if artifact.kind == "infer":
            return self.predict(fields)
        if artifact.kind == "entry":
            return self.call(artifact.name, fields)
        graph = artifact.make()
        everything = {**given, **self.weights}
        return call(open_graph(graph, {}, self.options), {name: everything[name] for name in graph.inputs})

    def _compare(self, artifact: Artifact, file: Path, given: Mapping[str, Array], wanted: Mapping[str, Array]) -> None:
        try:
            handle = open_session(file, self.options).handle
            everything = {**self.weights, **given}
            names = [one.name for one in handle.get_outputs()]
            inputs = {one.name: as_taken(everything[one.name], one.type) for one in handle.get_inputs()}
            made = dict(zip(names, handle.run(names, inputs), strict=True))
            half = DType.f16 if self.how.precision != "f32" else None
            found = _apart(made, wanted) if artifact.step is not None else differences(made, wanted, half)
        except SpecError as error:
            found = [one.headline for one in error.diagnostics]
        except Exception as error:  # onnxruntime's exceptions have no base of their own
            found = [str(error)]
        if found:
            said = f"`{artifact.name}` as exported does not give what the run does: nothing is written"
            fail("AX0514", said, None, notes=found[:4])


def _made(fields: Mapping[str, TensorType], size: int, rows: int | None) -> dict[str, Array] | None:
    """Arrays of these types: normal floats, zeros for integers but for scalars, which are mostly sizes."""
    rng = np.random.default_rng(0)
    symbols = sorted({symbol for type_ in fields.values() for dim in type_.shape for symbol in dim.symbols()})
    sizes = dict.fromkeys(symbols, size)
    if rows is not None and (counting := batch_symbol(fields)) is not None:
        sizes[counting] = rows
    arrays: dict[str, Array] = {}
    for name, type_ in fields.items():
        shape = tuple(dim.evaluate(sizes) for dim in type_.shape)
        if any(length < 0 for length in shape):
            return None
        if type_.dtype.is_float:
            arrays[name] = rng.normal(size=shape).astype(type_.dtype.numpy)
        else:
            full = size if not shape and type_.dtype is DType.i64 else 0
            arrays[name] = np.full(shape, full, type_.dtype.numpy)
    return arrays


def _apart(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """In which results of a step two graphs differ by more than rounding does to an update, in a sentence each."""
    found = []
    for name, right in wanted.items():
        ours = made[name]
        if right.dtype.kind != "f":
            found += differences({name: ours}, {name: right})
            continue
        bound = LEARNED * TOLERANCE[DType.from_numpy(right.dtype)]
        close = np.isclose(ours, right, rtol=bound, atol=bound, equal_nan=True)
        if (others := int((~close).sum())) > CHANGED * right.size:
            found.append(f"{others} of {right.size} numbers of `{name}` are not the run's")
    return found
