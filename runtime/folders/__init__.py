"""Run directories: what a training leaves behind.

    run       ``Run``: a run directory, open: its figures, its parameters, its predictions
    saving    ``save_run`` writes one, whole or not at all; ``check_free`` asks before training whether it can
    resume    ``Checkpoints`` keep the state of a training that is under way; ``SavedState`` is one that was kept
    curve     ``training_curve``: the history as a picture

Nothing here trains.
"""
