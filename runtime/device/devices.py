"""Where a model runs: on the CPU, or on a GPU by CUDA, where there is one that onnxruntime can use.

What this module does not do: open sessions (``session`` does).
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from archonnx.grammar.diagnostics import fail

DeviceName = Literal["auto", "cpu", "cuda"]
FATAL = 4
"""onnxruntime's log level at which it says nothing by itself: what goes wrong comes as an exception."""


@dataclass(frozen=True, slots=True)
class Device:
    """A place to run. ``note`` says why it is not the one that was hoped for, and is empty otherwise."""

    name: str
    note: str = ""


@cache
def choose_device(wanted: DeviceName) -> Device:
    """The device for a wish; SpecError if ``cuda`` was asked for and cannot be had."""
    if wanted == "cpu":
        return Device("cpu")
    if "CUDAExecutionProvider" not in onnxruntime_module().get_available_providers():
        why = "this onnxruntime has no CUDA provider (it comes with the package onnxruntime-gpu)"
    elif not _gpus():
        why = "no NVIDIA GPU is visible"
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime_module().preload_dlls()
        if _cuda_works():
            return Device("cuda")
        why = "onnxruntime cannot use the GPU (are CUDA 13 and cuDNN 9 installed?)"
    if wanted == "cuda":
        fail("AX0613", f"cannot run on cuda: {why}", None, help="run on the CPU: `--device cpu`")
    return Device("cpu", why)


def _cuda_works() -> bool:
    """Whether onnxruntime, given the CUDA provider, keeps it: it drops it where a library is missing."""
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "probe", ends[:1], ends[1:])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    handle = onnxruntime_module().InferenceSession(model.SerializeToString(), providers=["CUDAExecutionProvider"])
    return "CUDAExecutionProvider" in handle.get_providers()


def _gpus() -> int:
    """How many GPUs NVIDIA's driver counts, asked of the driver itself, so that a machine without one stays quiet."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return 0
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


@cache
def onnxruntime_module() -> Any:
    """onnxruntime, imported when it is first needed, and quiet."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(FATAL)
    return onnxruntime
