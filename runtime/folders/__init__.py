"""Run directories: what a training leaves behind.

    run          ``Run``: a run directory, open: its figures, its parameters, its predictions
    opened       ``OpenRun``: what is made of its files, each when it is first asked for
    exporting    the graphs of a run as ONNX files; ``trials`` tries each beside the run before it stands
    saving       ``new_run`` reserves a directory before training; ``save_run`` writes it, whole or not at all
    resume       ``save_state`` writes where a training stands; ``SavedState`` is what was written
    checkpoints  ``Checkpoints`` do so while it runs
    inputs       the fields of a model from new data, as in the training
    raw          a run with its feed as one ONNX file
    texts        texts that stand for the numbers of their tokens
    contents     the files of a run, each believed if it is what was written; ``record`` is ``run.json``
    data         the data of a run, found and read again: ``origins`` says where it lay, ``rows`` who is in which part
    kept         the spec of a training as it began; ``edited`` says what is another since
    listing      the runs of a folder
    several      ``Runs``: one for each fold or seed
    models       ``ModelRuns``: one for each model of a file that trains several
    curve        ``training_curve``: the history as a picture

Nothing here trains.
"""
