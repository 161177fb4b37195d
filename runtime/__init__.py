"""ONNX graphs in motion: sessions, steps, training, data, runs."""

if __name__ != "archonnx.runtime":  # pragma: no cover - a second copy of the registries would be a bug
    raise ImportError("import archonnx.runtime: this folder is not a package of its own")
