"""archonnx: neural networks as checked specifications, trained as ordinary ONNX graphs on the stock onnxruntime.

    import archonnx
    run = archonnx.train("digits_cnn", out="runs/digits")
    run.predict({"image": images})["probs"]

Names are imported when they are first used, so that ``import archonnx`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archonnx.compiling import Compiled, ParameterInfo, compile
    from archonnx.grammar.diagnostics import SpecError
    from archonnx.insight import gradcheck, trace
    from archonnx.loading import load
    from archonnx.runtime.data.streamed import Batches
    from archonnx.runtime.folders.models import ModelRuns
    from archonnx.runtime.folders.run import Run
    from archonnx.runtime.folders.several import Runs
    from archonnx.runtime.insight.trace import Trace
    from archonnx.runtime.training.observing import Observer, StopTraining
    from archonnx.summary import show
    from archonnx.trainer import Trainer
    from archonnx.training import search, train

__all__ = [
    "Batches",
    "Compiled",
    "ModelRuns",
    "Observer",
    "ParameterInfo",
    "Run",
    "Runs",
    "SpecError",
    "StopTraining",
    "Trace",
    "Trainer",
    "compile",
    "gradcheck",
    "load",
    "search",
    "show",
    "trace",
    "train",
]

_HOMES = {
    "archonnx.compiling": ("Compiled", "ParameterInfo", "compile"),
    "archonnx.grammar.diagnostics": ("SpecError",),
    "archonnx.insight": ("gradcheck", "trace"),
    "archonnx.loading": ("load",),
    "archonnx.runtime.data.streamed": ("Batches",),
    "archonnx.runtime.folders.models": ("ModelRuns",),
    "archonnx.runtime.folders.run": ("Run",),
    "archonnx.runtime.folders.several": ("Runs",),
    "archonnx.runtime.insight.trace": ("Trace",),
    "archonnx.runtime.training.observing": ("Observer", "StopTraining"),
    "archonnx.summary": ("show",),
    "archonnx.trainer": ("Trainer",),
    "archonnx.training": ("search", "train"),
}
"""Where each name is, to be imported when it is first used."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("archonnx")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'archonnx' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
