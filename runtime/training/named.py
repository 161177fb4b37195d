"""The train programs of a model by their names. What this module does not do: run them, or import what does."""

from __future__ import annotations

from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.grammar.diagnostics import did_you_mean, fail


def label(program: TrainProgram) -> str:
    """What a program is called where it has no name of its own."""
    return program.name or "train"


def program_named(model: ModelProgram, name: str) -> TrainProgram:
    """A train program by its name; SpecError if there is none."""
    known = {label(program): program for program in model.programs}
    if name not in known:
        fail(
            "AX0615",
            f"{model.name} has no train program `{name}`",
            None,
            help=did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else None),
        )
    return known[name]
