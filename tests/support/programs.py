"""Hand-built model programs, so that the runtime is tested without the front end.

``linear_regression`` is ``prediction = x w + b`` with the mean squared error and gradient descent with momentum;
``numpy_step`` is the same step again, and the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.elementwise import Abs
from archonnx.compiler.ops.functions import Log
from archonnx.compiler.ops.index import Gather
from archonnx.compiler.ops.random import random_uniform
from archonnx.compiler.ops.reduce import reduce_mean, reduce_sum
from archonnx.compiler.ops.shape import constant, full, unsqueeze
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.program import Computation, DataSource, Field, ModelProgram, Parameter, TrainProgram, TrainStep
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.source import Source, Span

FEATURES = 3
RATE, MOMENTUM = 0.1, 0.9
SOURCE = Source("linear.arch", "model Linear():\n    loss objective = mse(x @ w + b, y)\n")
WHOLE = Span(SOURCE, 0, len(SOURCE.text))
LOSS = Origin("`mse`", Span(SOURCE, SOURCE.text.index("mse"), SOURCE.text.index("(x")))

X, Y = TensorType.of("f32", "B", FEATURES), TensorType.of("f32", "B")
GROUP, COUNTER = TensorType.of("i64", "B"), TensorType.of("i64")
PARAMETERS = {"w": TensorType.of("f32", FEATURES), "b": TensorType.of("f32")}

Body = Callable[[dict[str, Value]], dict[str, Value]]


def graph(name: str, types: Mapping[str, TensorType], body: Body) -> Graph:
    """A graph of these inputs; ``body`` makes its outputs."""
    inputs = {key: Value(type_, key) for key, type_ in types.items()}
    builder = Builder(LOSS)
    with builder.active():
        outputs = body(dict(inputs))
    return builder.graph(name, inputs, outputs)


def predicted(v: Mapping[str, Value]) -> Value:
    """``x w + b``."""
    return reduce_sum(v["x"] * v["w"], 1) + v["b"]


def squared_error(v: Mapping[str, Value]) -> Value:
    """The loss."""
    residual = predicted(v) - v["y"]
    return reduce_mean(residual * residual)


def slopes(v: Mapping[str, Value]) -> dict[str, Value]:
    """Its gradient."""
    residual = 2.0 * (predicted(v) - v["y"])
    return {"w": reduce_mean(v["x"] * unsqueeze(residual, -1), 0), "b": reduce_mean(residual)}


def train_step(
    carried: Sequence[str] = ("w", "b"),
    *,
    noise: bool = False,
    lookup: bool = False,
    logarithm: bool = False,
) -> TrainStep:
    """One ``minimize``.

    Args:
        carried: the parameters it changes.
        noise: whether uniform draws are added to ``x``.
        lookup: whether there is a field ``group``, an index below 2 (a larger one makes onnxruntime fail).
        logarithm: whether the loss is reported as a logarithm, which is infinite at 0.
    """
    types = {"x": X, "y": Y} | ({"group": GROUP} if lookup else {})
    fields = tuple(types)
    types |= PARAMETERS | {f"momentum/{name}": PARAMETERS[name] for name in carried}
    types |= {"seed": COUNTER, "step": COUNTER} if noise else {}

    def body(v: dict[str, Value]) -> dict[str, Value]:
        if noise:
            v["x"] = v["x"] + random_uniform(v["x"].shape, v["seed"], v["step"], 0)
        if lookup:
            v["y"] = v["y"] + _gather(np.zeros(2, np.float32), v["group"])
        loss = squared_error(v)
        outputs = {"objective": _log(loss) if logarithm else loss}
        for name, slope in slopes(v).items():
            if name in carried:
                momentum = MOMENTUM * v[f"momentum/{name}"] + slope
                outputs |= {f"next/{name}": v[name] - RATE * momentum, f"next/momentum/{name}": momentum}
        return outputs

    states = {f"momentum/{name}": PARAMETERS[name] for name in carried}
    return TrainStep(
        name="minimize",
        minimized=("objective",),
        graph=graph("train_step", types, body),
        fields=fields,
        carried={name: PARAMETERS[name] for name in carried} | states,
        constants={name: type_ for name, type_ in PARAMETERS.items() if name not in carried},
        losses=("objective",),
        initial={name: graph("state", {}, partial(_zeros, type_)) for name, type_ in states.items()},
    )


def _zeros(type_: TensorType, v: dict[str, Value]) -> dict[str, Value]:
    return {"value": full(type_.shape, 0, type_.dtype)}


def _gather(table: Array, indices: Value) -> Value:
    return current_builder().add(Gather(0), constant(table), indices)


def _log(x: Value) -> Value:
    return current_builder().add(Log(), x)


def numpy_step(state: dict[str, Any], x: Array, y: Array, carried: Sequence[str] = ("w", "b")) -> float:
    """The same step in float32 NumPy: changes ``state`` (``w``, ``b``, ``momentum/w``, ``momentum/b``) in place."""
    residual = x @ state["w"] + state["b"] - y
    gradient = {"w": (2 * residual[:, None] * x).mean(axis=0), "b": (2 * residual).mean()}
    for name in carried:
        state[f"momentum/{name}"] = MOMENTUM * state[f"momentum/{name}"] + gradient[name]
        state[name] = state[name] - RATE * state[f"momentum/{name}"]
    return float((residual**2).mean())


def examples(count: int = 40, seed: int = 0) -> dict[str, Array]:
    """Noisy examples of a linear law."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, FEATURES)).astype(np.float32)
    noise = 0.1 * rng.normal(size=count)
    return {"x": x, "y": (x @ np.array([1.0, -2.0, 0.5]) + 0.3 + noise).astype(np.float32)}


def linear_regression(
    data: Mapping[str, Array] | None = None,
    settings: Mapping[str, Any] | None = None,
    steps: Sequence[TrainStep] | None = None,
) -> ModelProgram:
    """The model, with one train program over ``data`` (given as a source that draws nothing)."""
    statements = tuple(steps) if steps is not None else (train_step(),)
    types = {"x": X, "y": Y}
    program = TrainProgram(
        name="",
        settings=TrainSettings.model_validate(settings or {}),
        source=_source(data or examples()),
        feeds={},
        steps=statements,
    )
    return ModelProgram(
        name="Linear",
        spec=parse_spec(Source("linear.arch", "")),
        arguments={},
        fields={name: Field(name, type_, target=name == "y") for name, type_ in types.items()},
        parameters={name: Parameter(name, type_, _initial(type_)) for name, type_ in PARAMETERS.items()},
        infer=graph("infer", {"x": X, **PARAMETERS}, lambda v: {"prediction": predicted(v)}),
        evaluate=graph("evaluate", {**types, **PARAMETERS}, _measures),
        losses=("objective",),
        metrics=("error",),
        directions={"objective": "smaller"},
        use=Computation(graph("use", {**types, **PARAMETERS}, _measures), ("x", "y"), ()),
        training=Computation(
            graph("training", {**types, **PARAMETERS}, lambda v: {"objective": squared_error(v)}), ("x", "y"), ()
        ),
        programs=(program,),
    )


def _measures(v: dict[str, Value]) -> dict[str, Value]:
    residual = predicted(v) - v["y"]
    return {"objective": squared_error(v), "error": reduce_mean(current_builder().add(Abs(), residual))}


def _initial(type_: TensorType) -> Graph:
    """Uniform draws, so that the seed matters."""
    return graph(
        "initial", {"seed": COUNTER}, lambda v: {"value": random_uniform(type_.shape, v["seed"], v["seed"], 0)}
    )


def _source(data: Mapping[str, Array]) -> DataSource:
    def body(v: dict[str, Value]) -> dict[str, Value]:
        return {name: constant(array) for name, array in data.items()}

    return DataSource("data", "generate", {}, WHOLE, graph("generate", {}, body))
