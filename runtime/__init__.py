"""ONNX graphs in motion, in rooms; each may import those above it in this list, and none below.

    columns, extras, assumptions   small things that several rooms need
    interrupt       being asked to stop, and waiting until what is under way is whole
    paths           what stands at a path, asked before it is opened
    disk, files     what changes a disk; files whole or not at all
    staging, reserving   files that change together; a folder that one process writes at a time
    measures    metrics over a set of examples; the size of gradients and updates
    data        sources, parts, batches; arrays checked against the types of fields
    device      sessions of onnxruntime; training steps over tensors that stay where they are
    training    a model with its parameters, the loop over batches, the programs of a spec, searches
    export      models as ONNX files: written, and run without their spec
    folders     run directories: written, opened, continued
    insight     every tensor with its gradient; gradients beside differences (imports nothing of export and folders)

The docstring of a room says what is in it, and which names are meant for others.
"""

if __name__ != "archonnx.runtime":  # pragma: no cover - a second copy of the registries would be a bug
    raise ImportError("import archonnx.runtime: this folder is not a package of its own")
