"""``python -m archonnx``."""

from archonnx.cli import console

console()
