"""AST to typed IR, gradients, the training step, ONNX. Never runs a model."""

if __name__ != "archonnx.compiler":  # pragma: no cover - a second copy of the registries would be a bug
    raise ImportError("import archonnx.compiler: this folder is not a package of its own")
