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
    from archonnx.api import Compiled, ParameterInfo, Trainer, compile, gradcheck, load, search, trace, train
    from archonnx.grammar.diagnostics import SpecError
    from archonnx.runtime.folders.run import Run
    from archonnx.runtime.insight.trace import Trace
    from archonnx.summary import show

__all__ = [
    "Compiled",
    "ParameterInfo",
    "Run",
    "SpecError",
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
    "SpecError": "archonnx.grammar.diagnostics",
    "Run": "archonnx.runtime.folders.run",
    "Trace": "archonnx.runtime.insight.trace",
    "show": "archonnx.summary",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("archonnx")
    if name not in __all__:
        raise AttributeError(f"module 'archonnx' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "archonnx.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
