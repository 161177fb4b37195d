"""What is written in the language: the standard library and the zoo. Data only."""

if __name__ != "archonnx.specs":  # pragma: no cover - a second copy of the registries would be a bug
    raise ImportError("import archonnx.specs: this folder is not a package of its own")
