"""Specs written in tests: elaborated, run in NumPy, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.compiler.program import ModelProgram, TrainStep
from archonnx.compiler.steps import initial_state
from archonnx.grammar.bounded import bounded
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source

SEED = 7


def model(body: str, inputs: str = "x: [B, 4]", before: str = "", after: str = "") -> str:
    """A spec: declarations, then a model of these inputs (separated by ``;``) and statements, then programs."""
    lines = [f"input {one.strip()}" for one in inputs.split(";") if one.strip()] + body.strip("\n").split("\n")
    return f"{before}\nmodel M():\n" + "".join(f"    {line}\n" for line in lines) + after


def program(text: str, *, float_type: DType = DType.f32, **arguments: Any) -> ModelProgram:
    """The program of a spec."""
    with bounded():
        return elaborate(parse_spec(Source("spec.arch", text), **arguments), float_type=float_type)


def initial(of: ModelProgram, seed: int = SEED) -> dict[str, Array]:
    """The parameters as they are before training, by path."""
    return {path: interpret(p.initial, {"seed": seed})["value"] for path, p in of.parameters.items()}


def outputs(
    of: ModelProgram | str,
    parameters: Mapping[str, Any] | None = None,
    /,
    *,
    float_type: DType = DType.f32,
    **inputs: Any,
) -> dict[str, Array]:
    """The outputs of a model (or of the model of a spec), with its initial parameters unless others are given."""
    of = program(of, float_type=float_type) if isinstance(of, str) else of
    values = {"seed": SEED, "step": 0, **initial(of), **(parameters or {}), **inputs}
    return interpret(of.infer, {name: values[name] for name in of.infer.inputs})


def output(
    of: ModelProgram | str,
    parameters: Mapping[str, Any] | None = None,
    /,
    *,
    float_type: DType = DType.f32,
    **inputs: Any,
) -> Array:
    """The only output of a model."""
    (value,) = outputs(of, parameters, float_type=float_type, **inputs).values()
    return value


def expression(
    text: str, inputs: str = "x: [B, 4]", before: str = "", *, float_type: DType = DType.f32, **values: Any
) -> Array:
    """The value of one expression over inputs."""
    return output(model(f"output result = {text}", inputs, before), float_type=float_type, **values)


def measures(of: ModelProgram | str, parameters: Mapping[str, Any] | None = None, /, **inputs: Any) -> dict[str, Array]:
    """The losses and metrics of a model, as they are evaluated outside training."""
    of = program(of) if isinstance(of, str) else of
    values = {"seed": SEED, "step": 0, **initial(of), **(parameters or {}), **inputs}
    return interpret(of.evaluate, {name: values[name] for name in of.evaluate.inputs})


def loss_and_gradients(of: ModelProgram, loss: str, values: Mapping[str, Any]) -> dict[str, Array]:
    """Gradients of a loss by path."""
    graph = gradient_graph(of, loss)
    given = {"seed": SEED, "step": 0, **values}
    return {name.removeprefix("grad/"): v for name, v in interpret(graph, {n: given[n] for n in graph.inputs}).items()}


def train_step(of: ModelProgram, number: int = 0) -> TrainStep:
    """A statement of the only ``train`` block."""
    step = train_steps(of, of.programs[0], None, None)[number]
    assert isinstance(step, TrainStep)
    return step


def run_steps(
    step: TrainStep,
    parameters: Mapping[str, Any],
    fields: Mapping[str, Any],
    count: int,
) -> list[dict[str, Array]]:
    """The carried tensors after each of ``count`` executions of a step."""
    state: dict[str, Any] = {**parameters, **initial_state(step)}
    history = []
    for number in range(count):
        given = {**fields, **state, "seed": SEED, "step": number}
        result = interpret(step.graph, {name: given[name] for name in step.graph.inputs})
        state |= {name: result[f"next/{name}"] for name in step.carried}
        history.append(dict(state))
    return history


def findings(text: str, **arguments: Any) -> list[Diagnostic]:
    """What is found wrong in a spec; empty if nothing is."""
    try:
        program(text, **arguments)
    except SpecError as error:
        assert error.diagnostics, "an error without a finding"
        return error.diagnostics
    return []


def codes(text: str, **arguments: Any) -> list[str]:
    """The codes of what is found wrong, in order."""
    return [finding.code for finding in findings(text, **arguments)]


def numbers(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Array:
    """Numbers to test with, float32."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
