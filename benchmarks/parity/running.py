"""Running settings: many in one model, in float32 and in float64, on onnxruntime as it is used in earnest.

What this module does not do: know what is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import SEED, STEP
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions, open_graph

from .analytic import Array
from .setting import Setting

OPTIONS = SessionOptions(device="cpu", threads=1)
FLOATS: Mapping[DType, Any] = {DType.f32: np.float32, DType.f64: np.float64}
NO_KERNEL = {"AX0503"}
"""What is reported where onnxruntime has no kernel for a dtype: nothing is wrong with the setting then."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a setting did not run."""

    code: str
    reason: str


Results = Mapping[str, Array]
"""``value``, ``slope NAME`` for each of ``wrt``, ``second``."""


@dataclass(frozen=True, slots=True)
class Job:
    """A setting with the numbers that weigh its result (``w``) and its gradient (``z``)."""

    setting: Setting
    w: Array | None
    z: Array | None

    def feeds(self, i: int) -> dict[str, Array]:
        """All inputs and parameters, by their names in a model of several."""
        named = {f"{name}_{i}": value for name, value in self.setting.inputs.items()}
        named |= {f"m_{i}.{path}": value for path, value in self.setting.parameters.items()}
        named |= {f"{name}_{i}": value for name, value in (("w", self.w), ("z", self.z)) if value is not None}
        return named

    def lines(self, i: int) -> list[str]:
        """Its statements in a model."""
        setting = self.setting
        shapes = {name: value for name, value in self.feeds(i).items() if not name.startswith(f"m_{i}.")}
        lines = [f"input {name}: {_type(value)}" for name, value in shapes.items()]
        if setting.module:
            lines += [f"m_{i} = {setting.module}"]
        text = re.sub(r"\$(\w+)", rf"\1_{i}", setting.text)
        lines += [f"result_{i} = {text}", f"output value_{i} = result_{i}"]
        if self.w is None:
            return lines
        for j, name in enumerate(setting.wrt):
            of = f"{name}_{i}" if name in setting.inputs else f"m_{i}.{name}"
            lines += [f"g_{i}_{j} = grad(sum(result_{i} * w_{i}), {of})", f"output slope_{i}_{j} = g_{i}_{j}"]
        if self.z is not None:
            lines += [f"output second_{i} = grad(sum(g_{i}_0 * z_{i}), {setting.wrt[0]}_{i})"]
        return lines

    def results(self, i: int, outputs: Mapping[str, Array]) -> Results:
        """What the model says of it."""
        found = {"value": outputs[f"value_{i}"]}
        if self.w is not None:
            found |= {f"slope {name}": outputs[f"slope_{i}_{j}"] for j, name in enumerate(self.setting.wrt)}
        if self.z is not None:
            found["second"] = outputs[f"second_{i}"]
        return found


def _type(value: Array) -> str:
    kind = {"b": "bool", "i": "i64"}.get(value.dtype.kind, "")
    return f"{kind}[{', '.join(map(str, value.shape))}]"


def run(jobs: Sequence[Job], dtype: DType) -> list[Results | Refusal]:
    """Each job's results; those that cannot run say why, and do not keep the others from it."""
    if not jobs:
        return []
    try:
        return list(_run(jobs, dtype))
    except SpecError as error:
        if len(jobs) > 1:
            half = len(jobs) // 2
            return run(jobs[:half], dtype) + run(jobs[half:], dtype)
        first = error.diagnostics[0]
        return [Refusal(first.code, first.headline)]
    except Exception as error:  # onnxruntime's have no base of their own; any other is a finding as well
        if len(jobs) > 1:
            half = len(jobs) // 2
            return run(jobs[:half], dtype) + run(jobs[half:], dtype)
        return [Refusal(type(error).__name__, str(error).splitlines()[0][:160])]


def _run(jobs: Sequence[Job], dtype: DType) -> list[Results]:
    lines = [line for i, job in enumerate(jobs) for line in job.lines(i)]
    text = "model Parity():\n" + "".join(f"    {line}\n" for line in lines)
    program = elaborate(parse_spec(Source("parity.arch", text)), float_type=dtype)
    session = open_graph(program.infer, {}, OPTIONS)
    values: dict[str, Any] = {SEED: np.array(0), STEP: np.array(0)}
    for i, job in enumerate(jobs):
        values |= job.feeds(i)
    feeds = {one.name: _cast(values[one.name], dtype) for one in session.handle.get_inputs()}
    names = [one.name for one in session.handle.get_outputs()]
    outputs = dict(zip(names, session.handle.run(names, feeds), strict=True))
    return [job.results(i, outputs) for i, job in enumerate(jobs)]


def _cast(value: Any, dtype: DType) -> Array:
    value = np.asarray(value)
    with np.errstate(over="ignore"):
        return np.array(value, FLOATS[dtype] if value.dtype.kind == "f" else value.dtype, order="C")
