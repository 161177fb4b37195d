"""Looking into a spec: ``trace`` and ``gradcheck``. What this module does not do: the work; the runtime does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from archonnx.compiler.pipeline import elaborate, float_type
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.record import replace
from archonnx.runtime.device.devices import DeviceName
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.insight.gradcheck import check_gradients
from archonnx.runtime.insight.gradcheck_result import GradientCheck
from archonnx.runtime.insight.inputs import examples_of
from archonnx.runtime.insight.trace import Trace, trace_model

from .loading import SpecLike, as_spec


def trace(
    spec: SpecLike,
    inputs: Mapping[str, Any] | None = None,
    *,
    graph: str | None = None,
    loss: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: DeviceName = "auto",
) -> Trace:
    """Every tensor that a spec names, by name: its value, and the gradient of the loss for it.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        inputs: arrays (or nested lists) for its inputs and targets; the first example of its data unless given.
        graph: ``loss`` (as training sees it), ``infer`` (as the model is used), or an entry; the first that there is.
        loss: which loss, where there are several; the first one unless given.
        parameters: by path; the initial ones unless given.
        seed: of the initial parameters and of draws.
        device: ``auto`` takes a GPU if there is one.

    Examples:
        >>> traced = trace("backprop_relu_one_weight")
        >>> traced["h2"].value, traced["W1"].gradient.tolist()
        (array(0., dtype=float32), [[-0.125, -0.0625], [0.0, 0.0]])
    """
    loaded = as_spec(spec)
    model = elaborate(loaded)
    chosen = graph or ("loss" if model.losses else "infer")
    given = inputs if inputs is not None else _examples(loaded, model, 1)
    return trace_model(
        model, given, graph=chosen, loss=loss, parameters=parameters, seed=seed, options=SessionOptions(device)
    )


def gradcheck(
    spec: SpecLike,
    inputs: Mapping[str, Any] | None = None,
    *,
    dtype: Literal["f32", "f64"] = "f64",
    loss: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    directions: int = 2,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of every loss with central differences, for every parameter and every float input.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        inputs: arrays by field; the first examples of its data unless given, or drawn ones where it has none.
        dtype: the float type in which it is computed.
        loss: this one alone.
        parameters: by path; the initial ones unless given.
        directions: random directions along which each gradient is compared.
        seed: of initial parameters, draws, drawn inputs and directions.

    Examples:
        >>> gradcheck("xor").ok
        True
    """
    loaded = replace(as_spec(spec), float_type=float_type(dtype))
    model = elaborate(loaded)
    given = inputs if inputs is not None else _examples(loaded, model, 4) or None
    return check_gradients(model, given, loss=loss, parameters=parameters, directions=directions, seed=seed)


def _examples(spec: Spec, model: ModelProgram, count: int) -> Mapping[str, Any]:
    found = examples_of(model, spec.path.parent if spec.path is not None else Path.cwd(), count)
    return found[0] if found is not None else {}
