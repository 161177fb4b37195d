"""``python -m archonnx``."""

from archonnx.cli import main

main()
