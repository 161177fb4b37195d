"""What ai.onnx operators were before the opset that is written unless told otherwise.

Ops write themselves in the forms of today. Where an operator has only been written otherwise, the emitter turns it
round by what stands here; where it came later, or does more since, its op asks ``Emitter.opset``, by these names. What
this module does not do: refuse what an opset has not (``onnx_export``).
"""

from __future__ import annotations

PART_OF_SHAPE = 15
"""Since when Shape gives a part of a shape."""
SCATTER_ADDS = 16
"""Since when ScatterElements and ScatterND add what meets."""
LAYER_NORMALIZATION = 17
"""Since when there is LayerNormalization."""
SCATTER_COMPARES = 18
"""Since when ScatterElements and ScatterND keep the largest of what meets."""
AXES_AN_INPUT = 18
"""Since when the axes of all reductions are an input. Those of ReduceSum are since 13."""


def axes_once_an_attribute(op_type: str) -> bool:
    """Whether an operator took its axes as an attribute before ``AXES_AN_INPUT``."""
    return op_type.startswith("Reduce") and op_type != "ReduceSum"
