"""What is measured: losses, metrics, metrics over a set, and the size of gradients and updates.

    figures       losses and metrics in JSON, which has no NaN
    set_metrics   ``Gathered`` keeps what a metric over a set needs, batch by batch; ``Confusion`` is a table
    watch         ``Watch`` adds up the norms of a step; ``Norms`` are those of an epoch, ``shortened`` to be shown

Nothing here runs a model.
"""
