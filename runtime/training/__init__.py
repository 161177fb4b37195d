"""Training: a model with its parameters, the loop over its batches, the programs of a spec in order, searches.

    trainer         ``Trainer``: steps, gradients, losses and outputs
    initial         ``initial_values`` of parameters
    rates           learning rates that are read and given while a trainer is used
    stream          training on batches that somebody gives one by one
    observing       ``Observer`` is told what happens; ``Epoch``, ``Snapshot`` and ``Outcome`` say what did;
                    ``observers`` makes several one
    measuring       ``measure`` on a part of the data
    monitor         early stopping
    dead_units      how many rectified units are at 0 for all examples
    nonfinite       the step and the value at fault where a training became infinite or NaN; ``nonfinite_text`` tells it
    lengths         how many batches and passes an epoch has; ``position`` is a place within one
    supplying       batches made ready before they are needed; ``streaming`` takes those that come as they are made
    keeping         when the state is kept
    fit             ``TrainingLoop``: the epochs of one program
    preparing       the data of a program: loaded, split, learned of, fed; ``joining``, ``drawing`` of several sources
    seeing          what warnings ask of the data
    deciding        arguments of the model that the data decides
    transfer        weights of other runs to start with
    programs        ``run_programs``: all programs of a model, each with its data
    named           programs by their names
    search          ``best_trial``: many trainings, the best of which is kept

Nothing here writes files.
"""
