"""A model as ``trace`` and ``gradcheck`` open it, from a spec or from a run: its program, its
parameters, and what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import read_arrays
from .options import is_run, read_spec

if TYPE_CHECKING:
    from archonnx.compiler.ir.types import Array
    from archonnx.compiler.program import ModelProgram, TrainProgram
    from archonnx.compiler.trace import TraceGraph


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model.

    Attributes:
        program: elaborated.
        parameters: by path; None for the initial ones.
        origin: what the parameters are, for people.
        base: the folder in which its data files are.
    """

    program: ModelProgram
    parameters: Mapping[str, Array] | None
    origin: str
    base: Path

    @staticmethod
    def open(
        what: str,
        arguments: Mapping[str, Any],
        dtype: str | None,
        parameters: Path | None,
        seed: int,
        model: str | None = None,
    ) -> OpenedModel:
        """A spec, or the spec and the parameters of a run."""
        from archonnx.compiler.pipeline import elaborate, float_type
        from archonnx.grammar.record import replace
        from archonnx.runtime.folders.run import Run

        if not is_run(what):
            spec = read_spec(what, arguments, dtype, model)
            values, origin = _parameters(parameters, seed)
        else:
            run = Run(what)
            spec = run.spec()
            spec = replace(spec, float_type=float_type(dtype)) if dtype is not None else spec
            values, origin = _parameters(parameters or Path(what), seed)
        base = spec.path.parent if spec.path is not None else Path.cwd()
        program = elaborate(spec)
        if values is not None:
            values = {path: _as_declared(program, path, array) for path, array in values.items()}
        return OpenedModel(program, values, origin, base)

    def inputs(
        self, texts: Sequence[str] | None, traced: TraceGraph, graph: str, examples: int
    ) -> tuple[dict[str, Any], str]:
        """What is given on the command line; without that, the first examples of the data, if there are any."""
        from archonnx.runtime.insight.inputs import examples_of, field_types

        types = field_types(traced, self.program)
        if not texts and types and graph not in self.program.entries:
            found = examples_of(self.program, self.base, examples)
            if found is not None:
                return found
        given: dict[str, Any] = {}
        for text in texts or ():
            given |= read_arrays(text, types)
        return given, "as given" if texts else "none"

    def batch(self, program: TrainProgram, texts: Sequence[str] | None, count: int) -> tuple[dict[str, Any], str]:
        """A batch for the statements of a program: what is given on the command line, or the first of its examples."""
        from archonnx.grammar.diagnostics import fail
        from archonnx.runtime.data.batch import checked
        from archonnx.runtime.insight.inputs import example_input, examples_of

        read = {name for step in program.steps or () for name in step.fields} or {*self.program.fields}
        types = {name: field.type for name, field in self.program.fields.items() if name in read}
        if texts:
            given: dict[str, Any] = {}
            for text in texts:
                given |= read_arrays(text, types)
            if missing := [name for name in types if name not in given]:
                way = " ".join(f"--input {example_input(name, types[name])}" for name in missing)
                fail("AX0607", f"the field `{missing[0]}: {types[missing[0]]}` is not given", None, help=f"add `{way}`")
            return dict(checked({name: given[name] for name in types}, types, "field")), "what was given"
        found = examples_of(self.program, self.base, count)
        if found is None or not types.keys() <= found[0].keys():
            way = " ".join(f"--input {example_input(name, type_)}" for name, type_ in types.items())
            fail("AX0607", "the model has no data of its own, and no batch was given", None, help=f"give one: `{way}`")
        return found


def _parameters(source: Path | None, seed: int) -> tuple[dict[str, Array] | None, str]:
    from archonnx.runtime.files import load_parameters
    from archonnx.runtime.folders.run import Run

    if source is None:
        return None, f"initial, seed {seed}"
    if source.suffix == ".safetensors":
        return load_parameters(source), str(source)
    return Run(source).parameters, f"of {source}"


def _as_declared(program: ModelProgram, path: str, array: Array) -> Array:
    """A float parameter in the float type under inspection, which need not be that of the training."""
    declared = program.parameters.get(path)
    floats = declared is not None and declared.type.dtype.is_float and array.dtype.kind == "f"
    return array.astype(declared.type.dtype.numpy) if declared is not None and floats else array
