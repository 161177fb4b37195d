"""Graphs on a device: the only room that imports onnxruntime.

    devices   ``choose_device`` says where a model runs
    session   ``open_graph`` and ``open_session`` give a ``Session``, as ``SessionOptions`` say; ``call`` runs one
    step      ``StepRunner`` runs the steps of a train program over tensors that stay on the device: a ``statement``
              reads and writes its ``state``, ``blockwise`` changes large tensors in blocks, ``slots`` bind rows
    ranked    the same for several processes: each has ``shares`` of the update and takes part in ``sums`` over the
              batch; ``whole`` runs statements that are not shared
    tuning    crossings of this machine, which ``crossing`` measures; ``blocks`` are those of its convolutions
    memory    ``peak_of`` predicts what a graph takes while it runs; ``arena`` imitates onnxruntime's

Nothing here knows what a graph is for, or chooses batches.
"""
