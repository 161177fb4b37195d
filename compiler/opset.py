"""The opset of exported models: by itself, so that the command line can name it in its help and loads no compiler."""

from __future__ import annotations

OPSET = 21
"""At 22 and later CUDA loses MaxPool and others; onnx's own default is refused by onnxruntime."""
