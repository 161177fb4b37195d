"""Text to AST with spans, and diagnostics: plain data and its renderings. Imports nothing else of archonnx."""

if __name__ != "archonnx.grammar":  # pragma: no cover - a second copy of the registries would be a bug
    raise ImportError("import archonnx.grammar: this folder is not a package of its own")
