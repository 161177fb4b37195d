"""The training steps of ``benchmarks.cases`` in PyTorch, as its users write them; nothing here uses archonnx."""
