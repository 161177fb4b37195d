"""Models as ONNX files: written, and run without their spec.

    artifact          ``Artifact``: a graph that can be written
    artifacts         ``graphs_of`` a model, by name, each ``as_onnx``: all that is written comes from here
    contract          what a file says of itself
    models            ``inference_model``: the outputs or an entry with the parameters inside; ``write_model`` to a file
    compiled_folder   ``compile_to``: every graph of a model in a folder, over one file of weights
    raw               a model with its feed inside, which takes the columns of the data
    exported          ``ExportedModel``: a file that was written here, open for predictions

Nothing here trains.
"""
