"""The float type of a model: what a dtype left out stands for, in layers, losses, optimizers and schedules."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, load, train_steps, zoo
from archonnx.compiler.steps import initial_state
from archonnx.grammar.diagnostics import SpecError
from tests.support.elaborated import codes, findings, initial, model, program, train_step

OPTIMIZERS = ("sgd(lr=own(0.1), momentum=0.9)", "adam()", "adamw(lr=warmup_cosine(1e-2, 2, 9))", "sgd(lr=whole(0.5))")
SCHEDULES = """
schedule own(a: float)(t: i64[]) -> []:
    return a / sqrt(f32(t))

schedule whole(a: float)(t: i64[]) -> []:
    return a / float(t)
"""


def mixed(optimizer: str) -> str:
    """A model with a parameter of each float type, whose gradients are known."""
    return model(
        "param a: f32[3] = 0.5\nparam b: f64[3] = 0.25\nloss J = f64(sum(x * f32(x) * 0)) + sum(f64(a)) + 2 * sum(b)",
        "x: f32[3]",
        SCHEDULES,
        f"\ntrain:\n    clip_norm = 1.0\n    minimize J with {optimizer}\n",
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("float_type", [DType.f32, DType.f64])
def test_parameters_of_several_dtypes_are_trained_each_in_its_own(optimizer: str, float_type: DType) -> None:
    of = program(mixed(optimizer), float_type=float_type)
    step = train_steps(of, of.programs[0], 9, 3)[0]
    assert {str(step.carried[name].dtype) for name in step.carried if name.endswith("/b")} <= {"f64"}
    values: dict[str, Any] = {"x": np.ones(3), **initial(of), **initial_state(step)}
    after = interpret(step.graph, {name: values[name] for name in step.graph.inputs})
    assert after["next/a"].dtype == np.float32 and after["next/b"].dtype == np.float64
    assert (after["next/a"] < 0.5).all() and (after["next/b"] < 0.25).all()


def test_the_step_of_an_f64_parameter_is_computed_in_f64() -> None:
    """SGD with a schedule, by hand: b - 0.5 / t * 2 at t = 1, less the clipping; a third has no f32 that equals it."""
    text = model("param b: f64[] = 0.25\nloss J = f64(sum(x) * 0) + b / 3", "x: f32[3]", SCHEDULES)
    step = train_step(program(text + "\ntrain:\n    minimize J with sgd(lr=whole(0.5))\n"))
    after = interpret(step.graph, {"x": np.ones(3), "b": np.float64(0.25), **initial_state(step)})
    assert after["next/b"] == 0.25 - 0.5 * (1 / 3)


def test_a_schedule_gives_a_float() -> None:
    whole = SCHEDULES.replace("a / float(t)", "t")
    text = model("param b: [] = 1\nloss J = b * sum(x)", "x: [3]", whole)
    assert codes(text + "\ntrain:\n    minimize J with sgd(lr=whole(1.0))\n") == ["AX0303"]


DEEPER = {"resnet34", "resnet101", "resnet152"}
"""They are `resnet18` and `resnet50` with more of the same blocks."""


EACH = 5
"""One in so many is tried always, and all by `make proof`."""
TRIED = [
    pytest.param(name, marks=[pytest.mark.proof] if number % EACH else [])
    for number, name in enumerate(name for name in zoo() if name not in DEEPER)
]


@pytest.mark.parametrize("name", TRIED)
def test_the_zoo_can_be_trained_in_f64(name: str) -> None:
    of = elaborate(load(name, dtype="f64"))
    graphs = [of.infer, of.evaluate, *(step.graph for train in of.programs for step in train_steps(of, train, 8, 4))]
    chances = {v for graph in graphs for node in graph.nodes if node.op.name == "random_bernoulli" for v in node.inputs}
    types = {value.type.dtype for graph in graphs for value in graph.values() if value not in chances}
    assert DType.f64 in types and not {DType.f32, DType.f16} & types


def test_the_library_names_no_float_type() -> None:
    """A cast to a certain float would mix dtypes in models of another: `float(x)` casts to the model's.

    What is cast back at once mixes nothing: `float(... f64(n) ...)` is a constant with the digits of f64.
    """
    named = [
        f"{path.name}:{number}"
        for path in sorted((SPECS / "std").glob("*.arch"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"\bf(16|32|64)\b", line) and ">>>" not in line and not line.startswith("    return float(")
    ]
    assert named == []


def test_float_casts_to_the_model_s_float() -> None:
    text = model("output y = float(n) + float(B) + float(2)", "n: i64[B]")
    for float_type in (DType.f32, DType.f64):
        assert str(program(text, float_type=float_type).infer.outputs["y"].type) == f"{float_type}[B]"
    assert codes(model("output y = x + float(true)", "x: [B]")) == ["AX0306"]


def test_a_spec_that_names_f32_says_so_when_it_is_read_in_f64() -> None:
    text = model("param w: [] = 1\nloss J = mean(f32(x > 0) * w)", "x: [B]")
    assert not findings(text)
    with pytest.raises(SpecError) as caught:
        program(text, float_type=DType.f64)
    (finding,) = caught.value.diagnostics
    assert finding.code == "AX0303" and "right with the float type f32" in finding.notes[-1]
