"""Graphs on a device: the only room that imports onnxruntime.

    devices   ``choose_device`` says where a model runs
    session   ``open_graph`` and ``open_session`` give a ``Session``, as ``SessionOptions`` say; ``call`` runs one
    step      ``StepRunner`` runs the steps of a train program over tensors that stay on the device
    memory    ``peak_of`` predicts what a graph takes while it runs; ``arena`` imitates onnxruntime's

Nothing here knows what a graph is for, or chooses batches.
"""
