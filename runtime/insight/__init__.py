"""Looking into a model: every tensor with its gradient, gradients beside differences, the time of each line, the data.

    inputs         what a model is given: ``checked_inputs``, or ``examples_of`` its data; ``drawn_inputs`` without any
    trace          ``trace_model`` gives a ``Trace``: ``trace_rows`` are its tensors, ``trace_text`` lays them out
    gradcheck      ``check_gradients`` gives a ``GradientCheck`` (``gradcheck_result``); ``gradcheck_ops`` finds the op
                   that is to blame for a wrong gradient
    profile        ``Profile``: where a step spends its time, by line of the spec
    data           what a program makes of its data, as lines for people

Nothing here changes parameters.
"""
