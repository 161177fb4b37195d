"""What parameters start from, as arrays. What this module does not do: train them, or import what does."""

from __future__ import annotations

from collections.abc import Mapping

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SEED, Parameter
from archonnx.runtime.seeds import seed_value


def initial_value(parameter: Parameter, seed: int) -> Array:
    """A parameter's starting value, which depends on the seed and its path alone."""
    graph = parameter.initial
    return interpret(graph, {SEED: seed_value(seed)} if SEED in graph.inputs else {})["value"]


def initial_values(parameters: Mapping[str, Parameter], seed: int) -> dict[str, Array]:
    """The starting values of parameters, by path.

    Threads would gain nothing (25 million numbers take 0.3 s in one and in two), and keep what they have freed.
    """
    return {path: initial_value(parameter, seed) for path, parameter in parameters.items()}
