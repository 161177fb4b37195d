"""How many channels onnxruntime's convolutions on this machine take in a block, asked of onnxruntime itself.

Its ops on images in blocks belong to it alone, and their layout follows the processor: so a small convolution is tried
with each block that there is, and counts only if its result is right. What this module does not do: use them
(``archonnx.compiler.passes.blocks`` does).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.onnx_export import export
from archonnx.compiler.ops.blocks import BlockConv, from_blocks, kernel_blocks, to_blocks
from archonnx.compiler.ops.conv import Conv

BLOCKS = (8, 16)
"""In AVX2's registers are 8 numbers, in those of AVX-512 are 16."""


@cache
def machine_block() -> int | None:
    """The block; None where there are no such convolutions, or none that are right."""
    return next((block for block in BLOCKS if _right(block)), None)


def _right(block: int) -> bool:
    """Whether a convolution in such blocks gives what it is to give."""
    import onnxruntime

    rng = np.random.default_rng(0)
    shapes = {"x": (2, 16, 3, 4), "w": (32, 16, 2, 2)}
    given = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    builder = Builder()
    x, w = (Value(TensorType(DType.f32, tuple(map(Dim.of, shape))), name) for name, shape in shapes.items())
    with builder.active():
        y = builder.add(BlockConv((1, 1), (1, 1), (0,) * 4), to_blocks(x, block), kernel_blocks(w, block))
        y = from_blocks(y, w.shape[0])
    model = export(builder.graph("probe", {"x": x, "w": w}, {"y": y}), target="ort", check=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), settings, ["CPUExecutionProvider"])
        (found,) = session.run(None, given)
    except Exception:  # onnxruntime's exceptions have no base of their own
        return False
    expected = Conv((1, 1), (1, 1), (0,) * 4).evaluate(given["x"], given["w"])
    return found.shape == expected.shape and bool(np.allclose(found, expected, rtol=1e-4, atol=1e-4))
